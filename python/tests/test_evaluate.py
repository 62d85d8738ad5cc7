"""Evaluations from Python: the command line's numbers, and errors of the package."""

from __future__ import annotations

import json
import subprocess

import numpy as np
import pytest

import occlude

FEW = {"steps": 4, "random_maps": 2, "subsets": 6, "sensitivity_subsets": 4, "window": 112}


def test_an_evaluation_is_the_command_lines(demo, repository, coffee, program, tmp_path) -> None:
    cam = np.add.outer(np.arange(7.0), np.arange(7.0)).astype(np.float32)
    np.save(tmp_path / "cam.npy", cam)
    map = demo.occlusion(coffee, window=112)
    map.save(tmp_path / "map.npz")
    found = demo.evaluate(coffee, {"map.npz": map, "cam.npy": cam}, **FEW)
    flags = [f"--{name.replace('_', '-')}={value}" for name, value in FEW.items()]
    model = repository / "examples/efficientnet-lite0"
    command = [program, "evaluate", model, coffee, tmp_path / "map.npz", tmp_path / "cam.npy", "-q", "--json", *flags]
    said = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    ours = found.to_dict()
    assert ours["schema"] == said["schema"] == "occlude.evaluation/1"
    assert [one["measures"] for one in ours["maps"]] == [one["measures"] for one in said["maps"]]
    assert [one["deletion"] for one in ours["maps"]] == [one["deletion"] for one in said["maps"]]
    first, second = found.maps
    assert (first.kind, second.kind, found.complete) == ("map", "array", True)
    assert found["deletion"] == first.measures["deletion"] and found["deletion"].better == "lower"
    curve = first.insertion
    assert curve.area == pytest.approx((curve.scores[:-1] + curve.scores[1:]).mean() / 2)
    assert (curve.share[0], curve.share[-1], curve.random.shape) == (0, 1, (2, 5))
    assert curve.scores[-1] == pytest.approx(found.baseline)
    assert first.sensitivity_n[0].n == 1 and first.sensitivity_n[0].sets == 4
    found.save(tmp_path / "curves.png", tmp_path / "found.json")
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")
    assert json.loads((tmp_path / "found.json").read_text()) == ours
    assert "map.npz, cam.npy" in repr(found)


def test_the_map_of_the_settings(demo, coffee) -> None:
    found = demo.evaluate(coffee, metrics=["drop"], random_maps=0, window=112, target="espresso")
    (one,) = found.maps
    assert list(one.measures) == ["average drop", "average increase", "average gain"]
    assert (found.target, found.unit, one.deletion, one.measures["average drop"].random) == ("espresso", "probability", None, None)
    with pytest.raises(KeyError, match="no measure 'deletion'"):
        found["deletion"]
    with pytest.raises(occlude.ArgumentError, match="no curve"):
        found.save("curves.png")


def test_what_is_no_evaluation(demo, coffee) -> None:
    cam = np.ones((7, 7))
    for given, said in [
        ({"maps": []}, "maps is empty"),
        ({"maps": "cam.npy"}, "map is a str"),
        ({"maps": np.ones((300, 300))}, "an array of 300 x 300 places"),
        ({"maps": cam, "metrics": "deletions"}, "no measure"),
        ({"maps": cam, "metrics": []}, "metrics is"),
        ({"maps": cam, "steps": 0}, "steps is 0"),
        ({"maps": cam, "steps": True}, "steps is True"),
        ({"maps": cam, "subset_share": [0.1, 0.2]}, "subset_share is"),
        ({"maps": cam, "deletion_fill": "patch-mean"}, "deletion_fill is patch-mean"),
        ({"maps": cam, "target": "top2"}, "several, expected one"),
        ({"maps": cam, "map_target": -1}, "map_target is -1"),
    ]:
        with pytest.raises(occlude.ArgumentError, match=said):
            demo.evaluate(coffee, **given)
    with pytest.raises(IndexError):
        demo.evaluate(coffee, demo.occlusion(coffee, window=112), map_target=3)
