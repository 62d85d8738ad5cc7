"""Stability from Python: the command line's numbers, the rule by NumPy, and errors of the package."""

from __future__ import annotations

import json
import pickle
import subprocess

import numpy as np
import pytest

import occlude

SETTINGS = {"window": 56, "stride": 56, "target": ["espresso", "cup"]}


def test_the_rule_on_the_maps_one_by_one(demo, coffee) -> None:
    map = demo.stability(coffee, fills=["blur", "noise"], seeds=2, zero=0.1, **SETTINGS)
    one_by_one = [{}, {"fill": "blur"}, {"fill": "noise"}, {"fill": "noise", "seed": 1}]
    maps = [demo.occlusion(coffee, **SETTINGS, **other) for other in one_by_one]
    np.testing.assert_array_equal(map.values, maps[0].values)
    found = map.stability
    assert [variant["differs"] for variant in found.variants] == [["fill"], ["fill"], ["fill", "seed"]]
    signs = []
    for one in maps:
        most = np.abs(one.sensitivity).max(axis=(1, 2), keepdims=True)
        signs.append(np.where(np.abs(one.sensitivity) < np.float32(0.1) * most, 0, np.sign(one.sensitivity)))
    signs = np.stack(signs)
    depends = (signs > 0).any(0) & (signs < 0).any(0)
    np.testing.assert_array_equal(found.depends, depends)
    np.testing.assert_allclose(found.agreement, (signs[1:] == signs[0]).mean(0), atol=1e-6)
    assert [one.depends for one in found.targets] == pytest.approx(list(depends.mean(axis=(1, 2))))
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(map)).stability.depends, depends)
    assert maps[0].stability is None


def test_it_is_the_command_lines(demo, repository, coffee, program, tmp_path) -> None:
    ours = demo.stability(coffee, fills="blur", windows=[112], **SETTINGS)
    flags = ["--window", "56", "--stride", "56", "--target", "espresso,cup", "--stability", "fills=blur windows=112"]
    command = [program, "map", repository / "examples/efficientnet-lite0", coffee, "-q", *flags, "-o", tmp_path / "map.npz"]
    subprocess.run(command, check=True)
    with np.load(tmp_path / "map.npz") as said:
        np.testing.assert_array_equal(said["sign_depends"], ours.stability.depends)
        np.testing.assert_array_equal(said["agreement"], ours.stability.agreement)
    ours.save(tmp_path / "map.json")
    said = json.loads((tmp_path / "map.json").read_text())
    assert [one["fill"] for one in said["stability"]["variants"]] == ["blur", "mean", "blur"]
    assert said["targets"][0]["stability"]["depends"] == ours.stability.targets[0].depends


def test_what_is_no_choice(demo, coffee) -> None:
    for given, said in [
        ({}, "nothing to choose from"),
        ({"fills": ["men"]}, "men"),
        ({"fills": ["blur"], "seeds": 2}, "no fill is noise"),
        ({"seeds": 0}, "seeds is 0"),
        ({"fills": ["blur"], "zero": 1}, "zero is 1"),
        ({"fills": ["blur"], "zero": "a"}, "zero is 'a'"),
        ({"windows": ["big"]}, "big"),
        ({"fills": ["blur"], "window": [(56, 56), (112, 112)]}, "no cells of their own"),
    ]:
        with pytest.raises(occlude.ArgumentError, match=said):
            demo.stability(coffee, **given)
