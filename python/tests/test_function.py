"""Any callable: its numbers, how it is called, what it may return, and what happens when it fails."""

from __future__ import annotations

import asyncio
import threading
import time

import numpy as np
import pytest

import occlude


def run(f, x, **settings):
    return occlude.occlusion(f, x, **{"window": 2, "stride": 1, "border": "drop", "fill": 0.5, "target": 1, **settings})


@pytest.mark.parametrize("batch", [1, 3, 32])
@pytest.mark.parametrize("workers", [1, 4])
def test_numbers_are_those_of_one_call_per_window(linear, x, by_hand, batch, workers):
    map = run(linear, x, batch=batch, workers=workers)
    np.testing.assert_allclose(map.values, by_hand(linear, x, 2, 1, 0.5, 1), atol=1e-5)
    assert (map.baseline, map.unit) == (pytest.approx(float(linear(x)[0, 1]), rel=1e-6), "output")


def test_batches_have_the_shape_and_size_that_was_asked_for(linear, x):
    seen = []

    def f(batch):
        seen.append((type(batch), batch.dtype, batch.shape, batch.flags.c_contiguous))
        return linear(batch)

    run(f, x, batch=8)
    assert {shape for _, _, shape, _ in seen} == {(1, 2, 6, 5), (8, 2, 6, 5), (20 % 8, 2, 6, 5)}
    assert all(kind is np.ndarray and dtype == np.float32 and contiguous for kind, dtype, _, contiguous in seen)


def test_one_worker_calls_from_the_calling_thread_and_several_do_not(linear, x):
    threads = []

    def f(batch):
        threads.append(threading.get_ident())
        time.sleep(0.005)  # so that no worker is done before another one begins
        return linear(batch)

    run(f, x, batch=2)
    assert set(threads) == {threading.get_ident()}
    threads.clear()
    run(f, x, batch=2, workers=3)
    # The untouched input and the self-check are run from the calling thread.
    assert len(set(threads) - {threading.get_ident()}) > 1


def test_a_batch_that_somebody_keeps_is_never_written_again(linear, x):
    kept = []

    def f(batch):
        kept.append((batch, batch.copy()))
        return linear(batch)

    def keeps_a_view(batch):
        view = batch[:, 0]
        kept.append((view, view.copy()))
        return linear(batch)

    for keeps in (f, keeps_a_view):
        kept.clear()
        run(keeps, x, batch=2)
        assert len(kept) > 5
        for array, before in kept:
            np.testing.assert_array_equal(array, before)


def test_a_function_may_write_into_its_batch(linear, x, by_hand):
    def f(batch):
        scores = linear(batch)
        batch[:] = np.nan
        return scores

    np.testing.assert_allclose(run(f, x, batch=3).values, by_hand(linear, x, 2, 1, 0.5, 1), atol=1e-5)


def test_memory_is_used_again(linear, x):
    addresses = set()

    def f(batch):
        if len(batch) == 2:
            addresses.add(batch.ctypes.data)
        return linear(batch)

    run(f, x, batch=2)
    assert len(addresses) == 2


@pytest.mark.parametrize(
    "outputs",
    [
        lambda y: y,
        lambda y: y.tolist(),
        lambda y: (y,),
        lambda y: (y, None),
        lambda y: {"logits": y, "nothing": None},
        lambda y: y.astype(np.float64)[:, :, None][:, :, 0],
        lambda y: np.asfortranarray(y),
    ],
)
def test_what_a_function_may_return(linear, x, by_hand, outputs):
    np.testing.assert_allclose(run(lambda b: outputs(linear(b)), x).values, by_hand(linear, x, 2, 1, 0.5, 1), atol=1e-5)


def test_the_vector_of_classes_is_found_among_several_outputs_and_others_have_names(linear, x):
    def f(batch):
        return {"features": batch * 2, "scores": linear(batch), "sum": batch.sum(axis=(1, 2, 3))}

    map = run(f, x, target=["1", "output:sum", "output:features[1/2/3]"])
    np.testing.assert_allclose(map.values[0], run(linear, x).values, atol=1e-6)
    assert [target.label for target in map.targets][1:] == ["sum", "features[1/2/3]"]
    hidden = map.values[2] != 0
    assert hidden.sum() == 4, "the windows that cover the element"
    assert map.unit == "output"


def test_a_number_per_example_is_a_vector_of_one(x):
    map = run(lambda b: b.sum(axis=(1, 2, 3)), x, target="top1", fill=0)
    assert map.values.shape == (5, 4)
    np.testing.assert_allclose(map.values[0, 0], x[0, :, :2, :2].sum(), rtol=1e-5)


def test_classes_and_probabilities(linear, x):
    def soft(batch):
        e = np.exp(linear(batch))
        return e / e.sum(axis=1, keepdims=True)

    names = ["cat", "dog", "hen"]
    from_logits = run(linear, x, labels=names, target="dog", score="probability")
    from_soft = run(soft, x, ends_in="softmax", labels=names, target="dog")
    assert (from_logits.unit, from_soft.unit) == ("probability", "probability")
    np.testing.assert_allclose(from_logits.values, from_soft.values, atol=1e-6)
    assert from_soft.class_name(from_soft.most_probable_baseline) == names[int(linear(x).argmax())]
    assert run(soft, x, ends_in="softmax", score="log-odds").unit == "log-odds"
    with pytest.raises(occlude.ArgumentError, match="hamster"):
        run(linear, x, labels=names, target="hamster")
    with pytest.raises(ValueError, match="relu"):
        run(linear, x, ends_in="relu")


def test_several_inputs_by_place_and_by_name(x):
    other = x[:, :1] * 3 + 1

    def by_place(a, b):
        return np.stack([a.sum(axis=(1, 2, 3)), (a[:, :1] * b).sum(axis=(1, 2, 3))], axis=1)

    def by_name(right, left):
        return by_place(left, right)

    first = run(by_place, (x, other))
    np.testing.assert_array_equal(first.values, run(by_name, {"left": x, "right": other}).values)
    second = run(by_place, (x, other), hide="1")
    np.testing.assert_array_equal(second.values, run(by_name, {"left": x, "right": other}, hide="right").values)
    both = run(by_place, (x, other), hide=["0", "1"])
    for map, hides in ((first, (0,)), (second, (1,)), (both, (0, 1))):
        hidden = [x.copy(), other.copy()]
        for place in hides:
            hidden[place][:, :, 1:3, 2:4] = 0.5
        expected = by_place(x, other)[0, 1] - by_place(*hidden)[0, 1]
        assert map.values[1, 2] == pytest.approx(expected, abs=1e-5)
    with pytest.raises(occlude.ArgumentError, match="middle"):
        run(by_name, {"left": x, "right": other}, hide="middle")


def test_channels_at_the_end(linear, x, by_hand):
    def last(batch):
        return linear(batch.transpose(0, 3, 1, 2))

    expected = by_hand(linear, x, 2, 1, 0.5, 1)
    at_the_end = np.ascontiguousarray(x.transpose(0, 2, 3, 1))
    for layout in (None, "nhwc"):
        map = run(last, at_the_end, layout=layout)
        np.testing.assert_allclose(map.values, expected, atol=1e-5)
        assert any("layout nhwc" in note for note in map.notes) == (layout is None)
    with pytest.raises(occlude.ArgumentError, match="nhcw"):
        run(last, at_the_end, layout="nhcw")


@pytest.mark.parametrize("shape", [(1, 12), (1, 3, 12), (1, 2, 4, 4, 4)])
def test_vectors_signals_and_volumes(shape):
    x = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    map = occlude.occlusion(lambda b: b.reshape(len(b), -1).sum(axis=1), x, window=2, stride=2, fill=0)
    spatial = shape[1:] if len(shape) == 2 else shape[2:]
    assert map.values.shape == tuple(n // 2 for n in spatial)
    np.testing.assert_allclose(map.values.sum(), x.sum(), rtol=1e-4)


def test_a_classifier_of_scikit_learn_is_asked_for_probabilities():
    class Classifier:
        classes_ = np.array(["no", "yes"])

        def predict_proba(self, batch):
            p = 1 / (1 + np.exp(-batch.sum(axis=1)))
            return np.stack([1 - p, p], axis=1)

    x = np.array([[1.0, -2.0, 3.0]], np.float32)
    map = occlude.occlusion(Classifier(), x, window=1, fill=0, target="yes")
    p = lambda s: 1 / (1 + np.exp(-s))  # noqa: E731
    np.testing.assert_allclose(map.values, [p(2) - p(1), p(2) - p(4), p(2) - p(-1)], atol=1e-6)
    assert map.unit == "probability"


def numbered(classes):
    """An estimator of three classes with these names, whose probabilities are the inputs."""

    class Classifier:
        classes_ = np.array(classes)

        def predict_proba(self, batch):
            return np.asarray(batch)

    return Classifier()


def test_classes_of_an_estimator_are_asked_for_by_their_names_even_where_these_are_numbers():
    x = np.array([[0.2, 0.3, 0.5]], np.float32)
    settings = {"window": 1, "fill": 0}
    estimator = numbered([1, 2, 3])
    by_name = occlude.occlusion(estimator, x, target="1", **settings)
    assert (by_name.targets[0].class_index, by_name.targets[0].label) == (0, "1")
    assert any('target "1" is the class named 1 (index 0)' in note for note in by_name.notes)
    by_index = occlude.occlusion(estimator, x, target=1, **settings)
    assert by_index.targets[0].class_index == 1 and not any("is the class named" in note for note in by_index.notes)
    several = occlude.occlusion(estimator, x, target=["3", 0, "2"], **settings)
    assert [target.class_index for target in several.targets] == [2, 0, 1]
    listed = occlude.occlusion(estimator, x, target="3,1", **settings)
    assert [target.class_index for target in listed.targets] == [2, 0]
    # What is no name is what it is everywhere, and what reads the same either way needs no note.
    assert occlude.occlusion(estimator, x, target="top2", **settings).values.shape == (2, 3)
    assert occlude.occlusion(estimator, x, target="0", **settings).targets[0].class_index == 0
    same = occlude.occlusion(numbered([0, 1, 2]), x, target="1", **settings)
    assert same.targets[0].class_index == 1 and not any("is the class named" in note for note in same.notes)
    assert occlude.occlusion(numbered(["all", "top1", "b"]), x, target="all", **settings).targets[0].class_index == 0
    with pytest.raises(occlude.ArgumentError, match="no class 7"):
        occlude.occlusion(estimator, x, target="7", **settings)
    # A function with such labels is no estimator: its text is an index as on the command line.
    of_function = occlude.occlusion(lambda b: b, x, labels=["1", "2", "3"], target="1", **settings)
    assert of_function.targets[0].class_index == 1


def test_an_estimator_without_classes_has_numbers():
    class Estimator:
        def predict_proba(self, batch):
            return np.asarray(batch)

    map = occlude.occlusion(Estimator(), np.array([[0.2, 0.8]], np.float32), window=1, fill=0, target="1")
    assert map.targets[0].label == "class 1"


@pytest.mark.parametrize(
    ("name", "value"), [("threads", 2), ("memory_limit", "1G"), ("engine", "full"), ("runtime", "ort"), ("approximate", 0.1)]
)
def test_what_is_said_to_the_engine_is_refused_where_none_runs(linear, x, name, value):
    with pytest.raises(occlude.ArgumentError, match=f"{name}: the engine does not run a function"):
        run(linear, x, **{name: value})
    assert run(linear, x, **{name: None}).complete


def test_lists_of_targets_keep_their_axis(linear, x):
    one, listed, two = run(linear, x, target=1), run(linear, x, target=[1]), run(linear, x, target=[1, 0])
    assert (one.values.shape, listed.values.shape, two.values.shape) == ((5, 4), (1, 5, 4), (2, 5, 4))
    for name in ("values", "sensitivity", "scores", "attribution"):
        np.testing.assert_array_equal(getattr(listed, name)[0], getattr(one, name))
        assert getattr(listed, name).shape == (1, *getattr(one, name).shape)
    assert listed.baseline.shape == (1,) and listed.baseline[0] == np.float32(one.baseline)
    assert "windows 5x4" in repr(one) and "windows 5x4" in repr(listed)
    for alike in (("1",), np.array([1]), ["output:output[1]"], [["1"]]):
        np.testing.assert_array_equal(run(linear, x, target=alike).values, listed.values)
    assert run(linear, x, target=["top1"]).values.shape == (1, 5, 4)


def test_a_target_that_is_given_twice_is_named(linear, x):
    for target, said in [([1, 1], "target 1 is given twice"), ([0, 2, "0"], "target 0 is given twice"), ("2,2", "target 2 is given twice")]:
        with pytest.raises(occlude.ArgumentError, match=said):
            run(linear, x, target=target)
    names = {"labels": ["tabby, tabby cat", "dog", "hen"]}
    with pytest.raises(occlude.ArgumentError, match=r"target tabby cat is given twice, as 0 \(tabby\)"):
        run(linear, x, target=["tabby", "tabby cat"], **names)
    with pytest.raises(occlude.ArgumentError, match=r"target dog is given twice, as 1 \(dog\)"):
        run(linear, x, target=[1, "dog"], **names)
    whole = run(linear, x, target="tabby, tabby cat", **names)
    assert whole.values.shape == (5, 4)
    assert (whole.targets[0].label, whole.targets[0].name) == ("tabby", "tabby, tabby cat")
    assert run(linear, x, target=["tabby, tabby cat"], **names).values.shape == (1, 5, 4)
    assert run(linear, x, target=["tabby, tabby cat", "top3"], **names).values.shape == (3, 5, 4)


def test_coroutines_run_side_by_side_also_inside_a_running_loop(linear, x, by_hand):
    running = most = 0

    async def f(batch):
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.01)
        running -= 1
        return linear(batch)

    expected = by_hand(linear, x, 2, 1, 0.5, 1)
    np.testing.assert_allclose(run(f, x, batch=2).values, expected, atol=1e-5)
    assert 1 < most <= 8

    async def inside():
        return run(f, x, batch=2, workers=2).values

    np.testing.assert_allclose(asyncio.run(inside()), expected, atol=1e-5)


def test_calls_are_tried_again(linear, x, by_hand):
    import tenacity

    failed = set()

    def f(batch):
        key = float(batch.sum())
        if key not in failed:
            failed.add(key)
            raise ConnectionError("the line is busy")
        return linear(batch)

    soon = tenacity.Retrying(stop=tenacity.stop_after_attempt(2), reraise=True)
    np.testing.assert_allclose(run(f, x, batch=4, workers=3, retries=soon).values, by_hand(linear, x, 2, 1, 0.5, 1), atol=1e-5)
    failed.clear()
    with pytest.raises(ConnectionError, match="busy"):
        run(f, x, batch=4)
    calls = 0

    def never(batch):
        nonlocal calls
        calls += 1
        raise ConnectionError("gone")

    with pytest.raises(ConnectionError, match="gone"):
        run(never, x, retries=1)
    assert calls == 2
    with pytest.raises(occlude.ArgumentError, match="retries"):
        run(linear, x, retries=-1)


@pytest.mark.parametrize("workers", [1, 3])
def test_what_was_computed_before_an_exception_is_kept(linear, x, workers):
    calls = 0

    def f(batch):
        nonlocal calls
        calls += 1
        if calls == 4:
            raise KeyError("the fourth")
        return linear(batch)

    with pytest.raises(KeyError, match="the fourth") as raised:
        run(f, x, batch=4, workers=workers)
    partial = raised.value.partial_map
    assert not partial.complete and 8 <= partial.computed < 20
    known = np.isfinite(partial.values)
    assert known.sum() == partial.computed
    np.testing.assert_array_equal(partial.values[known], run(linear, x).values[known])


@pytest.mark.parametrize("calls_that_work", [2, 4, 6])
def test_what_was_computed_is_kept_when_an_endpoint_stays_down(linear, x, calls_that_work):
    calls = 0

    def f(batch):
        nonlocal calls
        calls += 1
        if calls > calls_that_work:
            raise ConnectionError("gone for good")
        return linear(batch)

    # 6 calls are the untouched input and all windows; the self-check is what fails then.
    with pytest.raises(ConnectionError, match="gone for good") as raised:
        run(f, x, batch=4)
    partial = raised.value.partial_map
    assert partial.computed == 4 * (calls_that_work - 1)
    assert any("self-check could not be run" in note for note in partial.notes)


def test_outputs_that_cannot_be_read(linear, x):
    for outputs, said in [
        (lambda b: linear(b)[:1], r"for a batch of 20 the function returned \"output\" of shape \[1, 3\]"),
        (lambda b: "espresso", 'returned "output" of type str'),
        (lambda b: (), r"returned nothing \(an empty tuple\)"),
        (lambda b: None, r"returned nothing \(None\)"),
        (lambda b: (None, None), r"returned nothing \(a tuple of None\)"),
        (lambda b: [None] * len(b), 'returned "output" of type list: it holds None'),
        (lambda b: [[0.5, None]] * len(b), 'returned "output" of type list: it holds None'),
        (lambda b: {"a": np.full((len(b), 2), None)}, 'returned "a" of type ndarray: it holds None'),
        (lambda b: linear(b) * 1j, 'returned "output" of type ndarray: its dtype is complex'),
        (lambda b: [["0.5", "1"]] * len(b), 'returned "output" of type list: its dtype is <U3'),
        (lambda b: {"a": [[1, 2], [3]]}, 'returned "a" of type list'),
        (lambda b: b, "shape"),
    ]:
        with pytest.raises(occlude.OccludeError, match=said):
            run(outputs, x)
    nan = linear

    def sometimes(batch):
        y = nan(batch)
        y[batch[:, 0, 1, 1] == 0.5] = np.nan
        return y

    with pytest.raises(occlude.NumberError, match="NaN.*hidden") as raised:
        run(sometimes, x, batch=1)
    assert raised.value.partial_map is None or not raised.value.partial_map.complete


def test_inputs_that_do_not_fit(linear, x):
    with pytest.raises(occlude.ArgumentError, match="first axis is the batch"):
        run(linear, x[0])
    with pytest.raises(occlude.ArgumentError, match="first axis is the batch"):
        run(linear, np.concatenate([x, x]))
    with pytest.raises(occlude.ArgumentError, match="dtype"):
        run(linear, np.array([["a"]]))
    bad = x.copy()
    bad[0, 1, 2, 3] = np.inf
    with pytest.raises(occlude.NumberError, match=r"infinity at \[1, 2, 3\]"):
        run(linear, bad)
    for wrong in ({"batch": 0}, {"workers": True}, {"batch": 2.5}):
        with pytest.raises(occlude.ArgumentError, match="whole number"):
            run(linear, x, **wrong)
    with pytest.raises(occlude.ArgumentError, match="cannot be called"):
        run(3, x)


def test_training_mode_is_warned_of(linear, x):
    class Module:
        training = True

        def __call__(self, batch):
            return linear(batch)

    with pytest.warns(UserWarning, match="training mode"):
        run(Module(), x)
