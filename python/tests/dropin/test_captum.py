"""`occlude.captum` without Captum and torch: its own cases and the recorded vectors, on NumPy arrays."""

from __future__ import annotations

import captum_cases as cases
import numpy as np
import peer_vectors
import pytest

from occlude import ArgumentError, NumberError
from occlude.captum import Occlusion

MODELS = {
    "layers": cases.layers,
    "difference": cases.difference,
    "difference as float": lambda *x: cases.difference(*x).astype(np.float32),
    "sum of three": cases.sum_of_three,
    "convolution": cases.convolution,
}


@pytest.mark.parametrize("case", cases.CASES, ids=lambda case: case.name)
def test_captums_own_cases(case):
    for batch in case.batches:
        found = Occlusion(MODELS[case.model]).attribute(
            case.inputs, case.windows, target=case.target, perturbations_per_eval=batch, **case.keywords
        )
        assert isinstance(found, tuple) == isinstance(case.inputs, tuple)
        pairs = zip(found, case.expected, strict=True) if isinstance(found, tuple) else [(found, case.expected)]
        for ours, expected in pairs:
            assert ours.dtype == np.float32
            peer_vectors.assert_close(ours, expected)


@pytest.mark.parametrize(("why", "times", "keywords"), cases.REFUSED, ids=lambda v: v if isinstance(v, str) else "")
def test_what_captum_refuses(why, times, keywords):
    inputs = cases.RAMP if times == 1 else (cases.RAMP,) * times
    with pytest.raises(AssertionError):
        Occlusion(cases.convolution).attribute(inputs, **{"target": 0, **keywords})


@pytest.mark.parametrize(("id", "vector"), peer_vectors.vectors("captum"))
def test_vectors(id, vector):
    given = vector["params"]
    keywords = {name: tuple(v) if isinstance(v, list) else v for name, v in given.items()}
    x = peer_vectors.image(vector["model"])
    found = Occlusion(peer_vectors.function(vector["model"])).attribute(x, perturbations_per_eval=3, **keywords)
    assert list(found.shape) == vector["output_shape"]
    peer_vectors.assert_close(found, np.array(vector["output"]))


def test_the_rest_of_the_interface():
    occlusion = Occlusion(cases.layers)
    assert occlusion.forward_func is cases.layers
    assert not occlusion.has_convergence_delta()
    assert occlusion.multiplies_by_inputs
    assert Occlusion.get_name() == "Occlusion"
    with pytest.raises(NotImplementedError):
        occlusion.attribute_future()
    occlusion.attribute(cases.X, (1,), target=0)
    assert "no torch.nn.Module" in occlusion.why_not


def test_no_target_gives_every_output():
    found = Occlusion(cases.layers).attribute(cases.TWO, (1,))
    # Two examples times two outputs; both outputs change alike.
    peer_vectors.assert_close(found, np.repeat(cases.CASES[3].expected, 2, axis=0))


def test_one_number_for_all_examples():
    def total(x):
        return cases.layers(x)[:, 0].sum()

    found = Occlusion(total).attribute(cases.TWO, (1,))
    # Windows hide the same place of both examples: the sum of what each loses, once.
    peer_vectors.assert_close(found, cases.CASES[3].expected.sum(0, keepdims=True))
    with pytest.raises(AssertionError, match="1st dim grow"):
        Occlusion(total).attribute(cases.TWO, (1,), perturbations_per_eval=2)
    peer_vectors.assert_close(Occlusion(lambda x: float(total(x))).attribute(cases.TWO, (1,)), found)
    with pytest.raises(AssertionError, match="must be a tensor"):
        Occlusion(lambda x: [x]).attribute(cases.TWO, (1,))


def test_targets_per_example():
    x = peer_vectors.image("rgb")
    x = np.concatenate([x, x[:, ::-1], 1 - x])
    f = peer_vectors.function("rgb")
    windows = {"sliding_window_shapes": (1, 2, 2), "strides": (1, 2, 2)}
    alone = [Occlusion(f).attribute(x[i : i + 1], target=t, **windows) for i, t in enumerate((2, 0, 1))]
    for target in ([2, 0, 1], np.array([2, 0, 1]), [(2,), (0,), (1,)]):
        for batch in (1, 4):
            found = Occlusion(f).attribute(x, target=target, perturbations_per_eval=batch, **windows)
            peer_vectors.assert_close(found, np.concatenate(alone))
    with pytest.raises(AssertionError):
        Occlusion(f).attribute(x, target=np.array([2, 0]), **windows)


def test_outputs_of_more_axes():
    def grid(x):
        return cases.layers(x)[:, :, None] * np.array([1.0, 2.0, 4.0], np.float32)

    one = cases.CASES[3].expected
    peer_vectors.assert_close(Occlusion(grid).attribute(cases.TWO, (1,), target=(1, 2)), 4 * one)
    peer_vectors.assert_close(Occlusion(grid).attribute(cases.TWO, (1,), target=[(1, 2), (0, 1)]), one * np.array([[4.0], [2.0]]))
    # A slice of an index leaves an axis: three outputs of each example.
    found = Occlusion(grid).attribute(cases.TWO, (1,), target=1, perturbations_per_eval=2)
    peer_vectors.assert_close(found, np.concatenate([one[:1] * k for k in (1, 2, 4)] + [one[1:] * k for k in (1, 2, 4)]))


def test_many_axes_and_an_empty_input():
    x = np.random.default_rng(0).standard_normal((2, 2, 3, 4, 3)).astype(np.float32)
    nothing = np.zeros((2, 0), np.float32)

    def f(x, nothing):
        assert nothing.shape == (len(x), 0)
        return x.sum((1, 2, 3, 4))

    found, empty = Occlusion(f).attribute((x, nothing), ((1, 3, 4, 3), (0,)), strides=((1, 3, 4, 3), 1))
    peer_vectors.assert_close(found, np.broadcast_to(x.sum((2, 3, 4), keepdims=True), x.shape))
    assert empty.shape == (2, 0)


def test_whole_numbers_that_float32_does_not_hold():
    x = np.array([[2**24 + 1, 1]])
    with pytest.raises(ArgumentError, match="beyond 16777216"):
        Occlusion(lambda x: x.sum(1)).attribute(x, (1,))


def test_a_model_that_draws_random_numbers():
    random = np.random.default_rng(0)

    def noisy(x):
        return x.sum((1, 2, 3)) * random.uniform(0.5, 1.5, len(x))

    with pytest.warns(UserWarning, match="does not repeat its answers"):
        found = Occlusion(noisy).attribute(cases.RAMP, (1, 2, 2), strides=(1, 2, 2))
    assert np.isfinite(found).all()


def test_errors_of_the_function_are_its_own():
    def broken(x):
        if (x == 0).sum() > 1:
            raise KeyError("mine")
        return x.sum((1, 2, 3))

    with pytest.raises(KeyError, match="mine"):
        Occlusion(broken).attribute(cases.RAMP, (1, 2, 2))
    with pytest.raises(NumberError):
        Occlusion(lambda x: x.sum((1, 2, 3)) / (x.min((1, 2, 3)) * 0)).attribute(cases.RAMP, (1, 2, 2))
