"""Comparisons from Python: the command line's numbers, NumPy's, and errors of the package."""

from __future__ import annotations

import json
import subprocess

import numpy as np
import pytest

import occlude


def test_numbers_by_numpy() -> None:
    rng = np.random.default_rng(0)
    a = rng.normal(size=(12, 15))
    b = 0.6 * a + rng.normal(size=(12, 15))
    found = occlude.compare(a, b)
    ranks = [x.astype(np.float32).ravel().argsort().argsort() for x in (a, b)]
    assert found.pearson.value == pytest.approx(np.corrcoef(a.ravel(), b.ravel())[0, 1], abs=1e-6)
    assert found.spearman.value == pytest.approx(np.corrcoef(*ranks)[0, 1], abs=1e-9)
    top = [set(np.argsort(-x.ravel())[:18]) for x in (a, b)]
    assert (found.top[1].k, found.top[1].value) == (18, pytest.approx(len(top[0] & top[1]) / 18))
    assert found.spearman.p == pytest.approx(1 / 180) and found.ssim.n == 2 * 5
    assert occlude.compare(a, b, positive=True).positive


def test_maps_and_arrays(linear, x, tmp_path, program) -> None:
    map = occlude.occlusion(linear, x, window=2, stride=1, fill=0, target="all")
    same = occlude.compare(map, map, target=1)
    assert same.by_window and same.spearman.value == 1.0 and same.shape == (5, 4)
    assert same.a == same.b.__class__("a", "map", map.targets[1].label, "output", 20)
    other = occlude.compare(map, map, target=1, target_b=2)
    expected = np.corrcoef(map.sensitivity[1].ravel(), map.sensitivity[2].ravel())[0, 1]
    assert other.pearson.value == pytest.approx(expected, abs=1e-6) and other.pearson.shifts == 19
    cam = np.arange(6, dtype=np.float64).reshape(1, 3, 2)
    against = occlude.compare(map, cam)
    assert "enlarged linearly from 3 x 2 to 6 x 5" in against.compared and against.b.kind == "array"
    assert against.ssim is None and any("window of 11" in note for note in against.notes)

    map.save(tmp_path / "m.npz")
    np.save(tmp_path / "cam.npy", cam)
    call = [program, "compare", tmp_path / "m.npz", tmp_path / "cam.npy", "--target", "2", "--json"]
    said = json.loads(subprocess.run(call, check=True, capture_output=True).stdout)
    here = occlude.compare(map, cam, target=2).to_dict()
    assert list(said) == list(here)
    for name in ("schema", "n", "shape", "spearman", "pearson", "ssim", "top"):
        assert said[name] == here[name]


def test_errors_are_the_package_s(linear, x) -> None:
    map = occlude.occlusion(linear, x, window=2)
    with pytest.raises(occlude.ArgumentError, match=r"b has 1 axis \(\[5\]\), expected 2 axes of places"):
        occlude.compare(map, np.zeros(5))
    with pytest.raises(IndexError, match="target 3"):
        occlude.compare(map, map, target_b=3)
    with pytest.raises(occlude.ArgumentError, match="b is a str, expected a map or an array"):
        occlude.compare(map, "map.npz")
    with pytest.raises(occlude.ArgumentError, match="positive is 1"):
        occlude.compare(map, map, positive=1)
    with pytest.raises(occlude.ArgumentError, match="axes is 0"):
        occlude.compare(map, map, axes=0)
    with pytest.raises(occlude.NumberError, match="b holds inf"):
        occlude.compare(np.ones((2, 3)), np.full((2, 3), np.inf))
    assert occlude.compare(np.ones((2, 3)), np.arange(6.0).reshape(2, 3)).spearman is None
