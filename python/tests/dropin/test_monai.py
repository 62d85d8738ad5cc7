"""`occlude.monai` without MONAI and torch: the recorded vectors and MONAI's own cases, on NumPy arrays."""

from __future__ import annotations

import numpy as np
import peer_vectors
import pytest

import occlude.monai
from occlude.monai import OcclusionSensitivity, v0_4, v0_9

pytestmark = pytest.mark.filterwarnings("ignore:mean_patch")


def brightness(classes):
    """A classifier of any image: class k gets k + 1 times the mean, weighted along the first spatial axis."""

    def f(x):
        weighted = x * np.linspace(0, 1, x.shape[2]).reshape(-1, *[1] * (x.ndim - 3))
        mean = weighted.mean(tuple(range(1, x.ndim)))
        return mean[:, None] * np.arange(1, classes + 1)

    return f


def random(*shape):
    return np.random.default_rng(0).random(shape).astype(np.float32)


@pytest.mark.parametrize(("id", "vector"), peer_vectors.vectors("monai 1"))
def test_vectors(id, vector):
    keywords = dict(vector["params"])
    b_box = keywords.pop("b_box", None)
    f, x = peer_vectors.function(vector["model"]), peer_vectors.image(vector["model"])
    if id == "v049":  # a function as mode, which MONAI cannot run
        with pytest.raises(NotImplementedError):
            OcclusionSensitivity(f, **{**keywords, "mode": lambda x, patch: patch * 0})
        return
    make = OcclusionSensitivity(f, verbose=False, n_batch=3, **keywords)
    if id == "v050":
        with pytest.raises(ValueError, match="should be bigger than mask"):
            make(x, b_box)
        return
    found, most_probable = make(x, b_box)
    expected = {
        # Where MONAI has a defect, what it documents (docs/definitions.md).
        "v041": [[np.full((4, 4), 136.0), np.zeros((4, 4))]],
        "v048": [[np.repeat(np.repeat([[122.0, 114.0], [90.0, 82.0]], 2, 0), 2, 1), np.zeros((4, 4))]],
    }.get(id, vector["output"]["map"] if vector["output"] else None)
    peer_vectors.assert_close(found, np.array(expected))
    if vector["output"]:
        assert most_probable.tolist() == vector["output"]["most_probable"]


@pytest.mark.parametrize(("id", "vector"), peer_vectors.vectors("monai 0.9"))
def test_vectors_of_0_9(id, vector):
    keywords = dict(vector["params"])
    b_box = keywords.pop("b_box", None)
    f, x = peer_vectors.function(vector["model"]), peer_vectors.image(vector["model"])
    make = v0_9.OcclusionSensitivity(f, verbose=False, n_batch=5, **keywords)
    if id in ("v035", "v036"):
        with pytest.raises(ValueError, match="factor of the image" if id == "v035" else "both be odd or even"):
            make(x, b_box)
        return
    found, most_probable = make(x, b_box)
    peer_vectors.assert_close(found, np.array(vector["output"]["map"]))
    assert most_probable.tolist() == vector["output"]["most_probable"]


@pytest.mark.parametrize(("id", "vector"), peer_vectors.vectors("monai 0.4"))
def test_vectors_of_0_4(id, vector):
    f, x = peer_vectors.function(vector["model"]), peer_vectors.image(vector["model"])
    found = v0_4.compute_occlusion_sensitivity(f, x, **vector["params"])
    peer_vectors.assert_close(found, np.array(vector["output"]))


@pytest.mark.parametrize("mode", ["gaussian", "mean_patch", "mean_img", 0.5])
def test_shapes_of_1_6(mode):
    make = OcclusionSensitivity(brightness(4), verbose=False, mode=mode)
    found, most_probable = make(random(1, 1, 48, 64), [2, 40, 1, 62])
    assert found.shape == (1, 4, 38, 61) and most_probable.shape == (1, 1, 38, 61)
    assert found.dtype == np.float32 and most_probable.dtype == np.int64


@pytest.mark.parametrize(
    ("mask", "shape", "b_box", "expected"),
    [
        ((16, 13, 14), (64, 32, 16), [2, 43, -1, -1, -1, -1], (41, 32, 16)),
        (16, (6, 7, 8), [1, 3, -1, -1, -1, -1], (2, 7, 8)),
    ],
)
def test_shapes_of_volumes(mask, shape, b_box, expected):
    make = OcclusionSensitivity(brightness(3), mask_size=mask, verbose=False)
    found, most_probable = make(random(1, 1, *shape), b_box)
    assert found.shape == (1, 3, *expected) and most_probable.shape == (1, 1, *expected)


def test_what_1_6_refuses():
    f = brightness(2)
    with pytest.raises(ValueError, match="mask"):
        OcclusionSensitivity(f, mask_size=200, verbose=False)(random(1, 1, 48, 64))
    with pytest.raises(ValueError, match="batch size of 1"):
        OcclusionSensitivity(f, verbose=False)(random(2, 1, 48, 64))
    with pytest.raises(NotImplementedError):
        OcclusionSensitivity(f, mode="test")
    with pytest.raises(ValueError, match="must have length 2"):
        OcclusionSensitivity(f, mask_size=(3, 3, 3), verbose=False)(random(1, 1, 8, 8))
    with pytest.raises(ValueError, match="overlap"):
        OcclusionSensitivity(f, mask_size=4, overlap=1.0, verbose=False)(random(1, 1, 8, 8))
    with pytest.raises(ValueError, match="b_box has 2 numbers"):
        OcclusionSensitivity(f, mask_size=4, verbose=False)(random(1, 1, 8, 8), [0, 4])


def test_mean_patch_says_what_is_different():
    with pytest.warns(UserWarning, match="multiplies the patch"):
        OcclusionSensitivity(brightness(2), mode="mean_patch")


def test_activations():
    f, one, two = brightness(3), random(1, 1, 6, 8), random(1, 2, 6, 8)
    # Without overlap each element's number is that of its window, so that activations can be checked from outside.
    keywords = {"mask_size": 2, "mode": 0.0, "overlap": 0.0, "verbose": False}

    def maps(x, activate):
        return OcclusionSensitivity(f, activate=activate, **keywords)(x)[0]

    def softmax(v, axis=1):
        return np.exp(v) / np.exp(v).sum(axis, keepdims=True)

    raw = maps(one, False)
    assert np.ptp(raw) > 0.01
    # Sigmoid where the image has one channel, Softmax where it has several, as MONAI chooses.
    peer_vectors.assert_close(maps(one, True), 1 / (1 + np.exp(-raw)))
    peer_vectors.assert_close(maps(two, True), softmax(maps(two, False)))
    peer_vectors.assert_close(maps(one, softmax), softmax(raw))


def test_the_softmax_of_one_class():
    found, most_probable = OcclusionSensitivity(brightness(1), mask_size=4, verbose=False)(random(1, 2, 8, 8))
    assert (found == 1).all() and found.shape == (1, 1, 8, 8) and (most_probable == 0).all()


def test_a_function_as_activation_agrees_with_the_preset_where_windows_overlap():
    f, x = peer_vectors.function("soft"), peer_vectors.image("soft")
    for mode in ("gaussian", 0.25):
        maps = [
            OcclusionSensitivity(f, mask_size=3, mode=mode, activate=activate, verbose=False)(x, b_box)[0]
            for b_box in (None, [1, 5, 0, 4])
            for activate in (False, lambda v: v)
        ]
        peer_vectors.assert_close(maps[1], maps[0])
        peer_vectors.assert_close(maps[3], maps[2])


def test_a_small_box_at_the_border_shrinks_the_window():
    f, x = peer_vectors.function("sum16"), peer_vectors.image("sum16")
    # Rows 0 and 1 are asked for; widened by 1 they are 0 to 2, less than the window of 4, which becomes 3 rows high.
    found, _ = OcclusionSensitivity(f, mask_size=4, mode=0.0, activate=False, verbose=False)(x, [0, 2, -1, -1])
    peer_vectors.assert_close(found[0, 0], np.full((2, 4), 136.0 - 78.0))


def test_further_arguments():
    seen = []

    def f(x, *, scale):
        seen.append(scale)
        return brightness(2)(x) * scale

    make = OcclusionSensitivity(f, mask_size=4, verbose=False, activate=False)
    peer_vectors.assert_close(make(random(1, 1, 8, 8), scale=2.0)[0], 2 * make(random(1, 1, 8, 8), scale=1.0)[0])
    assert set(seen) == {1.0, 2.0} and make.why_not == "further arguments of the module"


@pytest.mark.parametrize(
    ("keywords", "shape", "b_box", "expected"),
    [
        ({}, (1, 48, 64), [-1, -1, 2, 40, 1, 62], (1, 39, 62, 4)),
        ({"stride": (2, 1, 2), "mask_size": (16, 15, 14)}, (1, 6, 6, 6), [-1, -1, 2, 3, -1, -1, -1, -1], (1, 2, 6, 6, 4)),
        ({"per_channel": False}, (2, 12, 16), None, (1, 12, 16, 4)),
        ({"per_channel": False, "mask_size": 4, "stride": 2}, (2, 12, 16), [0, 1, 2, 5, 2, 9], (1, 4, 8, 4)),
        ({"upsampler": None, "mask_size": 4, "stride": 2}, (2, 12, 16), None, (2, 6, 8, 4)),
        (
            {"upsampler": lambda size: lambda one: np.resize(one, (1, 2, *size)), "mask_size": 4, "stride": 2},
            (2, 12, 16),
            None,
            (2, 12, 16, 4),
        ),
    ],
)
def test_shapes_of_0_9(keywords, shape, b_box, expected):
    make = v0_9.OcclusionSensitivity(brightness(4), verbose=False, **keywords)
    found, most_probable = make(random(1, *shape), b_box)
    assert found.shape == (1, *expected) and most_probable.shape == (1, *expected[:-1])


def test_all_channels_at_once_in_a_box():
    x = peer_vectors.image("rgb")
    f = peer_vectors.function("rgb")
    found, _ = v0_9.OcclusionSensitivity(f, pad_val=0.0, mask_size=3, per_channel=False, verbose=False)(x, [-1] * 6)
    hidden = np.repeat(x, 20, axis=0)
    for i in range(20):
        row, column = divmod(i, 4)
        hidden[i, :, max(row - 1, 0) : row + 2, max(column - 1, 0) : column + 2] = 0
    peer_vectors.assert_close(found[0, 0], f(hidden).reshape(5, 4, 3))


def test_what_0_9_and_0_4_refuse():
    f = brightness(2)
    x = random(1, 1, 48, 64)
    with pytest.raises(ValueError, match="number of elements"):
        v0_9.OcclusionSensitivity(f, stride=(2, 2, 2), verbose=False)(x)
    with pytest.raises(ValueError, match="factor of the image"):
        v0_9.OcclusionSensitivity(f, stride=3, verbose=False)(random(1, 1, 46, 64))
    for call in (
        v0_9.OcclusionSensitivity(f, verbose=False),
        lambda x, b_box=None: v0_4.compute_occlusion_sensitivity(f, x, 0, b_box=b_box),
    ):
        with pytest.raises(RuntimeError, match="batch size of 1"):
            call(random(2, 1, 8, 8))
        for b_box, says in (([0, 0], "upper and lower"), ([0, 0, 0, 8, 0, 7], "< image size"), ([0, 0, 5, 4, 0, 7], "<= max")):
            with pytest.raises(ValueError, match=says):
                call(random(1, 1, 8, 8), b_box)
    with pytest.raises(RuntimeError, match="as many labels"):
        v0_4.compute_occlusion_sensitivity(f, x, np.array([0, 1]))
    with pytest.raises(ValueError, match="should match"):
        v0_4.compute_occlusion_sensitivity(f, x, 0, stride=(1, 2))


def test_shapes_of_0_4():
    f = brightness(2)
    found = v0_4.compute_occlusion_sensitivity(f, random(1, 1, 48, 64), np.array([[0]]), b_box=[-1, -1, 2, 40, 1, 62], n_batch=10)
    assert found.shape == (39, 62)
    found = v0_4.compute_occlusion_sensitivity(f, random(1, 1, 6, 6, 6), 0, b_box=[-1, -1, 2, 3, -1, -1, -1, -1], n_batch=10)
    assert found.shape == (2, 6, 6)


def test_the_newest_interface_is_the_package():
    assert occlude.monai.OcclusionSensitivity is OcclusionSensitivity is not v0_9.OcclusionSensitivity
