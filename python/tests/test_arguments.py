"""Arguments that are wrong: an exception of the package that says what was given, never one of NumPy, PyO3 or Python."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

import occlude


class Sparse:
    """What NumPy makes an object of, as of SciPy's matrices."""

    def toarray(self):
        return np.zeros((1, 2, 6, 5))


def run(f, x, **settings):
    return occlude.occlusion(f, x, **{"window": 2, "fill": 0, "target": 1, **settings})


@pytest.mark.parametrize(
    ("keywords", "said"),
    [
        ({"window": "a"}, 'window "a" is not understood'),
        ({"window": 0}, "window"),
        ({"window": -3}, "-3"),
        ({"window": 2.0}, r"window is 2\.0"),
        ({"window": True}, "window is True"),
        ({"window": np.bool_(True)}, "window is"),
        ({"window": ()}, "window is empty"),
        ({"window": []}, "window is empty"),
        ({"window": ""}, "window is an empty text"),
        ({"window": (1, 2, 3, 4)}, "4"),
        ({"window": (2, None)}, r"window is \(2, None\): None is no size"),
        ({"window": [(2, 2), (2, 2.5)]}, r"\(2, 2\.5\) is no size"),
        ({"window": [[[2, 2]]]}, "is no size"),
        ({"window": {2: 2}}, "window is {2: 2}"),
        ({"window": {2, 3}}, "window is {2, 3}"),
        ({"window": b"2"}, "window is b'2'"),
        ({"window": object()}, "window is <object"),
        ({"stride": 0}, "stride"),
        ({"stride": -1}, "-1"),
        ({"stride": False}, "stride is False"),
        ({"stride": (1, 1, 1, 1)}, "4|stride"),
        ({"roi": 3}, "roi is 3"),
        ({"roi": []}, "roi is empty"),
        ({"roi": (0, 3)}, r"roi is 0|roi is \(0, 3\)"),
        ({"roi": [(0, 3), (0,)]}, "no range with a start and an end"),
        ({"roi": [(0, 3.5), (0, 3)]}, "no range with a start and an end"),
        ({"roi": [slice(None, 3), slice(0, 3)]}, "no range with a start and an end"),
        ({"roi": [slice(0, 3, 2), slice(0, 3)]}, "no range with a start and an end"),
        ({"fill": True}, "fill is True"),
        ({"fill": 1j}, "fill has dtype complex"),
        ({"fill": []}, "fill is empty"),
        ({"fill": float("nan")}, "nan"),
        ({"fill": [None, 0.5]}, "fill is a list with dtype object"),
        ({"fill": Path("grey.png")}, "fill is .*Path"),
        ({"fill": np.full((2, 6, 5), np.nan)}, r"the fill holds NaN at \[0, 0, 0\]"),
        ({"target": []}, "list of targets is empty"),
        ({"target": [[]]}, "list of targets is empty"),
        ({"target": ()}, "list of targets is empty"),
        ({"target": np.array([], int)}, "target is empty"),
        ({"target": 1.5}, r"target is 1\.5"),
        ({"target": -1}, "target -1 is negative"),
        ({"target": True}, "target is True"),
        ({"target": [1, None]}, "target is None"),
        ({"target": {1: 2}}, "target is {1: 2}"),
        ({"target": {1, 2}}, r"target is \{1, 2\}"),
        ({"target": ""}, "target"),
        ({"target": 3}, "there is no class 3"),
        ({"seed": -1}, "seed"),
        ({"seed": 1.5}, "seed"),
        ({"seed": True}, "seed is True"),
        ({"samples": 0}, "samples is 0"),
        ({"padded": 3}, "padded"),
        ({"preset": 5}, "preset"),
        ({"preset": ["captum"]}, r"preset is \['captum'\]"),
        ({"score": b"logit"}, "score is b'logit'"),
        ({"border": None, "shape": 4}, "shape"),
        ({"regions": np.zeros((6, 5), complex)}, "regions has dtype complex"),
        ({"regions": np.zeros((0, 5), int), "window": None}, r"\[0, 5\]"),
        ({"regions": np.zeros((6, 5), int), "window": None}, "region|label"),
        ({"regions": [[1, 2], [3]]}, "regions is a list, which cannot be read"),
        ({"regions": np.full((6, 5), 1 << 63, np.uint64), "window": None}, "label|-9223372036854775808"),
        ({"regions": np.ones((6, 5), int), "window": None, "region_names": ["liver"]}, "region_names is"),
        ({"regions": np.ones((6, 5), int), "window": None, "region_names": {"a": "liver"}}, "region_names has the label 'a'"),
        ({"regions": np.ones((6, 5), int), "window": None, "region_names": {-1: "liver"}}, "region_names has the label -1"),
        ({"masks": np.zeros((2, 6, 5), complex)}, "masks has dtype complex"),
        ({"masks": np.zeros((0, 6, 5)), "window": None}, "0|empty|no mask"),
        ({"masks": 4.5}, "masks"),
        ({"batch": True}, "batch is True"),
        ({"batch": np.float32(3)}, "batch is"),
        ({"workers": 0}, "workers is 0"),
        ({"retries": "3"}, "retries is '3'"),
        ({"labels": "abc"}, "labels is 'abc'"),
        ({"labels": 3}, "labels is 3"),
        ({"labels": {0: "cat"}}, "labels is"),
        ({"ends_in": 3}, "ends_in is 3"),
        ({"ends_in": "relu"}, "ends_in is 'relu'"),
        ({"layout": 3}, "layout is 3"),
        ({"hide": 3}, "hide is 3"),
        ({"hide": []}, "hide names nothing"),
        ({"progress": 3}, "progress"),
    ],
)
def test_settings(linear, x, keywords, said):
    with pytest.raises(occlude.ArgumentError, match=said) as raised:
        run(linear, x, **keywords)
    assert "--" not in str(raised.value)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (None, "the input is a NoneType with dtype object"),
        ("picture.png", "the input has dtype <U"),
        (3.5, r"the input has shape \[1\]: nothing but a batch axis"),
        (np.array(3.5), r"the input has shape \[1\]: nothing but a batch axis"),
        (np.zeros((1, 2, 6, 5), complex), "dtype complex128"),
        (np.zeros((1, 2, 6, 5), object), "dtype object"),
        (np.array([["a"]]), "dtype <U1"),
        (np.zeros((1, 3), "datetime64[s]"), "dtype datetime64"),
        (np.zeros((1, 3), [("a", float)]), "dtype"),
        (Sparse(), "Sparse with dtype object"),
        ([[1, 2], [3]], "cannot be read as an array"),
        (np.zeros((1, 0, 6, 5)), r"\[0, 6, 5\].*no elements"),
        (np.zeros((1, 2, 0, 5)), r"\[2, 0, 5\].*no elements"),
        (np.zeros((0, 2, 6, 5)), "first axis is the batch"),
        (np.ma.masked_array(np.zeros((1, 2, 6, 5)), np.ones((1, 2, 6, 5))), "masked array"),
        (np.full((1, 2, 6, 5), 1e39), "float32 ends at 3.4e38"),
        ({3: np.zeros((1, 2, 6, 5))}, "an input is called 3"),
        ({}, "no input"),
        ((), "no input"),
    ],
)
def test_inputs(linear, wrong, said):
    with pytest.raises(occlude.ArgumentError, match=said):
        run(linear, wrong)


def test_sparse_and_complex_inputs_have_a_hint(linear):
    with pytest.raises(occlude.ArgumentError) as raised:
        run(linear, Sparse())
    assert "toarray()" in raised.value.hint
    with pytest.raises(occlude.ArgumentError) as raised:
        run(linear, np.zeros((1, 2, 6, 5), complex))
    assert "real part" in raised.value.hint


def test_what_numpy_counts_as_whole_is_whole(linear, x):
    expected = run(linear, x, window=(2, 3), stride=(1, 2), target=[0, 1], roi=[(0, 5), (1, 4)], batch=8)
    found = run(
        linear, x, window=np.array([2, 3]), stride=(np.int64(1), np.uint8(2)), target=np.array([0, 1]),
        roi=np.array([[0, 5], [1, 4]]), batch=np.int16(8),
    )  # fmt: skip
    np.testing.assert_array_equal(found.values, expected.values)
    one = run(linear, x, window=np.array(2), target=np.int64(2))
    np.testing.assert_array_equal(one.values, run(linear, x, window=2, target=2).values)
    assert run(linear, x, padded=np.bool_(False)).values.shape == run(linear, x).values.shape


def test_models(demo, coffee, tmp_path):
    for wrong in (None, 3, [coffee], lambda batch: batch):
        with pytest.raises(occlude.ArgumentError, match="no path of a model"):
            occlude.Model(wrong)
    path = os.fsencode(Path(demo.path).parent)
    assert occlude.Model(path).labels == demo.labels
    for keywords, said in [({"layout": 3}, "layout"), ({"threads": True}, "threads is True"), ({"memory_limit": -1}, "memory_limit")]:
        with pytest.raises(occlude.ArgumentError, match=said):
            occlude.Model(path, **keywords)
    for wrong, said in [
        (None, "NoneType"),
        (np.zeros((3, 224, 224), complex), "complex"),
        (np.zeros((3, 224, 224), object), "object"),
        (np.zeros(0), r"\[0\]"),
        ({"image": None}, "NoneType"),
    ]:
        with pytest.raises(occlude.ArgumentError, match=said):
            demo.occlusion(wrong)
        with pytest.raises(occlude.ArgumentError, match=said):
            demo.outputs(wrong)
    for name, value in [("layout", "nhwc"), ("preprocess", "tf")]:
        with pytest.raises(occlude.ArgumentError, match=f"{name} is a setting of the model"):
            demo.occlusion(coffee, **{name: value})


def test_maps(linear, x):
    map = run(linear, x)
    for call, said in [
        (lambda: map.top(-1), "count is -1"),
        (lambda: map.top("a"), "count is 'a'"),
        (lambda: map.top(target="a"), "target is 'a'"),
        (lambda: map.window_in_input("a"), "'a'"),
        (lambda: map.class_name(-1), "class_index is -1"),
        (lambda: map.judge(boxes=3), "boxes is 3"),
        (lambda: map.judge(boxes=[]), "boxes is empty"),
        (lambda: map.judge(boxes=[["a", 0, 1, 1]]), "no number"),
        (lambda: map.judge(boxes=[0, 0, 1, 1]), "a box is 0"),
        (lambda: map.judge(boxes=[[0, 0, 1, 1]], tolerance="a"), "tolerance is 'a'"),
        (lambda: map.judge(mask=object()), "mask"),
        (lambda: map.save(3), "given a int, expected a path"),
    ]:
        with pytest.raises(occlude.ArgumentError, match=said):
            call()
