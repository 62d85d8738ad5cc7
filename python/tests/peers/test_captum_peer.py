"""Captum's `Occlusion` and ours on the same torch models, in one test: its own cases, and networks, targets and types beyond them."""

from __future__ import annotations

import captum_cases as cases
import numpy as np
import pytest
import torch
from captum.attr import Occlusion as Theirs
from captum.testing.helpers import basic_models
from peer_vectors import assert_close
from torch import nn

from occlude.captum import Occlusion

MODELS = {
    "layers": basic_models.BasicModel_MultiLayer(),
    "difference": basic_models.BasicModel3(),
    "difference as float": lambda *x: basic_models.BasicModel3()(*x).float(),
    "sum of three": basic_models.BasicModel_MultiLayer_MultiInput(),
    "convolution": basic_models.BasicModel_ConvNet_One_Conv(),
}


def tensors(value):
    if isinstance(value, tuple):
        return tuple(tensors(v) for v in value)
    return torch.from_numpy(value) if isinstance(value, np.ndarray) else value


def compared(f, inputs, /, **keywords):
    """Runs both, compares them, and gives ours."""
    theirs = Theirs(f).attribute(inputs, **keywords)
    ours = Occlusion(f)
    found = ours.attribute(inputs, **keywords)
    assert type(found) is type(theirs)
    with torch.no_grad():
        extra = keywords.get("additional_forward_args")
        extra = () if extra is None else extra if isinstance(extra, tuple) else (extra,)
        outputs = f(*(inputs if isinstance(inputs, tuple) else (inputs,)), *extra)
    scale = float(torch.as_tensor(outputs).float().abs().max())
    for a, b in zip(*((v if isinstance(v, tuple) else (v,)) for v in (found, theirs)), strict=True):
        assert type(a) is type(b) and a.dtype == b.dtype and a.device == b.device and a.requires_grad == b.requires_grad
        assert_close(a, b, scale)
    return found, ours


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("case", cases.CASES, ids=lambda case: case.name)
def test_captums_own_cases(case, training, way):
    model = MODELS[case.model]
    if isinstance(model, nn.Module):
        model.train(training)
    for batch in case.batches:
        found, _ = compared(
            model, tensors(case.inputs), sliding_window_shapes=case.windows, target=case.target, perturbations_per_eval=batch,
            **{name: tensors(value) for name, value in case.keywords.items()},
        )  # fmt: skip
        for ours, expected in zip(
            found if isinstance(found, tuple) else (found,),
            case.expected if isinstance(case.expected, tuple) else (case.expected,),
            strict=True,
        ):
            assert_close(ours, expected)


@pytest.mark.parametrize(("why", "times", "keywords"), cases.REFUSED, ids=lambda v: v if isinstance(v, str) else "")
def test_what_captum_refuses(why, times, keywords):
    inputs = tensors(cases.RAMP) if times == 1 else (tensors(cases.RAMP),) * times
    for occlusion in (Theirs, Occlusion):
        with pytest.raises(AssertionError):
            occlusion(MODELS["convolution"]).attribute(inputs, **{"target": 0, **keywords})


def test_what_is_no_tensor():
    for inputs in ([torch.zeros(1, 4)], "x"):
        for occlusion in (Theirs, Occlusion):
            with pytest.raises(AssertionError):
                occlusion(lambda x: x).attribute(inputs, (1,))


def test_the_rest_of_the_interface():
    for occlusion in (Theirs(MODELS["layers"]), Occlusion(MODELS["layers"])):
        assert occlusion.forward_func is MODELS["layers"]
        assert occlusion.has_convergence_delta() is False and occlusion.multiplies_by_inputs is True
        assert occlusion.get_name() == "Occlusion"
        with pytest.raises(NotImplementedError):
            occlusion.attribute_future()


@pytest.fixture(scope="module")
def net():
    torch.manual_seed(0)
    layers = nn.Sequential(
        nn.Conv2d(3, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(16, 16, 3), nn.BatchNorm2d(16),
        nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(64, 5),
    )  # fmt: skip
    with torch.no_grad():
        layers(torch.randn(32, 3, 20, 24))  # statistics of the normalisations
    return layers.eval()


@pytest.fixture(scope="module")
def x():
    return torch.randn(1, 3, 20, 24, generator=torch.Generator().manual_seed(1))


WINDOWS = {"sliding_window_shapes": (3, 5, 6), "strides": (3, 3, 4)}


@pytest.mark.parametrize(
    "keywords",
    [
        WINDOWS,
        {"sliding_window_shapes": (1, 5, 6), "strides": (1, 3, 4)},
        {"sliding_window_shapes": (2, 5, 6), "strides": (1, 5, 4)},
        {"sliding_window_shapes": (3, 20, 24)},
        {"sliding_window_shapes": (3, 7, 7), "strides": 3, "baselines": 0.25},
        {**WINDOWS, "perturbations_per_eval": 8},
        {**WINDOWS, "baselines": torch.linspace(-1, 1, 24)},
        {**WINDOWS, "baselines": torch.linspace(-1, 1, 3).reshape(1, 3, 1, 1)},
    ],
    ids=str,
)
def test_a_network(net, x, keywords, way):
    _, ours = compared(net, x, target=3, **keywords)
    assert (ours.why_not is None) == (way == "incremental")


@pytest.mark.parametrize("target", [2, -1, (4,), torch.tensor(1), [3], torch.tensor([3]), None], ids=str)
def test_targets(net, x, target, way):
    _, ours = compared(net, x, target=target, **WINDOWS)
    assert (ours.why_not is None) == (way == "incremental")


@pytest.mark.parametrize("target", [2, [0, 1, 4], torch.tensor([0, 1, 4]), [(0,), (1,), (4,)], None], ids=str)
@pytest.mark.parametrize("batch", [1, 4])
def test_several_examples(net, target, batch, way):
    x = torch.randn(3, 3, 20, 24, generator=torch.Generator().manual_seed(2))
    baselines = torch.randn(3, 3, 1, 1, generator=torch.Generator().manual_seed(3))
    compared(net, x, target=target, baselines=baselines, perturbations_per_eval=batch, **WINDOWS)


def test_a_target_beyond_the_classes(net, x):
    for occlusion in (Theirs, Occlusion):
        with pytest.raises(IndexError):
            occlusion(net).attribute(x, target=5, **WINDOWS)


class TwoInputs(nn.Module):
    """A picture and a vector, and a scale that is not hidden."""

    def __init__(self):
        super().__init__()
        self.picture = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(3), nn.Flatten())
        self.both = nn.Linear(36 + 6, 3)

    def forward(self, picture, vector, scale=None):
        answer = self.both(torch.cat([self.picture(picture), vector.tanh()], 1))
        return answer if scale is None else answer * scale


@pytest.mark.parametrize("scale", [None, torch.tensor([[2.0], [0.5]]), 3.0], ids=str)
def test_two_inputs(scale, way):
    torch.manual_seed(4)
    model = TwoInputs().eval()
    inputs = (torch.randn(2, 1, 9, 11), torch.randn(2, 6))
    _, ours = compared(
        model, inputs, sliding_window_shapes=((1, 4, 4), (2,)), strides=((1, 3, 2), 1), baselines=(0.1, torch.ones(2, 6)),
        target=[1, 2], additional_forward_args=scale, perturbations_per_eval=3,
    )  # fmt: skip
    assert (ours.why_not is None) == (way == "incremental" and scale != 3.0 if isinstance(scale, float) else way == "incremental")


@pytest.mark.parametrize("axes", [1, 3])
def test_sequences_and_volumes(axes, way):
    torch.manual_seed(5)
    convolution, norm, pool = (
        (nn.Conv1d, nn.BatchNorm1d, nn.AdaptiveAvgPool1d) if axes == 1 else (nn.Conv3d, nn.BatchNorm3d, nn.AdaptiveAvgPool3d)
    )
    model = nn.Sequential(convolution(2, 8, 3), norm(8), nn.ReLU(), convolution(8, 8, 3), nn.ReLU(), pool(1), nn.Flatten(), nn.Linear(8, 3))
    x = torch.randn(1, 2, *(12, 10, 9)[:axes])
    _, ours = compared(model.eval(), x, sliding_window_shapes=(2, *(4, 3, 5)[:axes]), strides=(2, *(2, 3, 2)[:axes]), target=1)
    assert (ours.why_not is None) == (way == "incremental")


def test_training_mode_is_left_on(net, x):
    torch.manual_seed(6)
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    for part in model:
        part.momentum = 0.0
    _, ours = compared(model, x, target=1, **WINDOWS)
    assert ours.why_not == "the module is in training mode" and model.training


def test_dropout_gives_a_map_and_a_warning(x):
    model = nn.Sequential(nn.Flatten(), nn.Dropout(), nn.Linear(3 * 20 * 24, 2)).train()
    with pytest.warns(UserWarning, match="does not repeat"):
        found = Occlusion(model).attribute(x, target=0, **WINDOWS)
    assert found.shape == x.shape and found.isfinite().all()


def test_trained_weights_are_seen(net, x, way):
    import copy

    model = copy.deepcopy(net)
    ours = Occlusion(model)
    before = ours.attribute(x, target=0, **WINDOWS)
    with torch.no_grad():
        model[-1].weight.mul_(2.0)
    after = ours.attribute(x, target=0, **WINDOWS)
    assert_close(after, 2 * before)
    assert_close(after, Theirs(model).attribute(x, target=0, **WINDOWS), scale=1.0)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16])
def test_other_types(net, x, dtype, way):
    import copy

    model = copy.deepcopy(net).to(dtype)
    theirs = Theirs(model).attribute(x.to(dtype), target=0, **WINDOWS)
    found = Occlusion(model).attribute(x.to(dtype), target=0, **WINDOWS)
    assert found.dtype == theirs.dtype == torch.float32
    # Half precision differs between batches of other sizes in its last bits.
    scale = {torch.float64: 1.0, torch.float16: 200.0, torch.bfloat16: 2000.0}[dtype]
    assert_close(found, theirs, scale)


def test_whole_numbers_and_fractions(way):
    x = torch.tensor([[3, -1, 4], [1, 5, 9]])
    for baseline in (0, 1, 0.5, torch.tensor([1, 2, 3]), torch.tensor([0.5, 0.25, 0.125])):
        compared(lambda v: (v * v).sum(1).float(), x, sliding_window_shapes=(2,), baselines=baseline)


def test_outputs_of_more_axes(x, way):
    torch.manual_seed(7)
    model = nn.Conv2d(3, 4, 5, stride=5).eval()
    compared(model, x, target=(1, 2, 3), perturbations_per_eval=2, **WINDOWS)
    compared(model, x, target=[(1, 2, 3)], **WINDOWS)
    compared(model, x, target=(1, 2), **WINDOWS)


def test_one_number_for_a_batch(net, way):
    x = torch.randn(2, 3, 20, 24)
    compared(lambda v: net(v).sum(), x, **WINDOWS)
    compared(lambda v: net(v).sum(0), x, **WINDOWS)
    for occlusion in (Theirs, Occlusion):
        with pytest.raises(AssertionError, match="1st dim grow"):
            occlusion(lambda v: net(v).sum()).attribute(x, perturbations_per_eval=2, **WINDOWS)


def test_a_function_without_arguments():
    for occlusion in (Theirs, Occlusion):
        found = occlusion(lambda: torch.tensor([1.0])).attribute(torch.ones(1, 4), (2,))
        assert found.tolist() == [[0, 0, 0, 0]]


def test_inputs_that_are_tracked_and_results_that_can_be_written(net, x):
    found, _ = compared(net, x.clone().requires_grad_(), target=0, **WINDOWS)
    found[0, 0, 0, 0] = 7.0
    assert found[0, 0, 0, 0] == 7.0
