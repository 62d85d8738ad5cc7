"""`occlude.ray` on a real Ray on this machine: every row has the numbers of a local run, whatever happens to workers and pictures."""

from __future__ import annotations

import logging
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import occlude
from occlude.exceptions import ArgumentError

ROOT = Path(__file__).parents[2]
MODEL = str(ROOT / "examples" / "efficientnet-lite0")
PICTURES = sorted(map(str, (ROOT / "examples" / "images").glob("*.jpg")))
# Four windows a picture: enough to tell maps apart.
WINDOWS: dict[str, Any] = {"window": 112, "stride": 112}

ray = pytest.importorskip("ray")
pytest.importorskip("ray.data")
import occlude.ray  # noqa: E402

# Workers do not have this module: what it gives to them travels as code.
ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])


@pytest.fixture(scope="module", autouse=True)
def cluster() -> Iterator[None]:
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    ray.init(num_cpus=2, include_dashboard=False, object_store_memory=2**28, log_to_driver=False, logging_level="error")
    ray.data.DataContext.get_current().enable_progress_bars = False
    # Ray Data logs pages at the level of debugging, which would bury a failure.
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    yield
    ray.shutdown()


@pytest.fixture(scope="module")
def local() -> dict[str, occlude.Map]:
    """Maps made without Ray."""
    model = occlude.Model(MODEL)
    return {path: model.occlusion(path, **WINDOWS) for path in PICTURES}


def weighted(batch: np.ndarray) -> np.ndarray:
    """A classifier of two classes whose outputs are sums over the two halves, any size."""
    half = batch.shape[2] // 2
    return np.stack([batch[:, :, :half].sum(axis=(1, 2, 3)), 2 * batch[:, :, half:].sum(axis=(1, 2, 3))], axis=1)


def test_pictures_as_bytes_with_a_broken_one(tmp_path: Path, local: dict[str, occlude.Map]) -> None:
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(Path(PICTURES[0]).read_bytes()[:2000])
    pictures = ray.data.read_binary_files([*PICTURES, str(broken)], include_paths=True)
    # Two to a batch: the broken one shares a block with a good one, or is alone; and the model's types must fit either way.
    found = occlude.ray.maps(pictures, MODEL, input="bytes", batch_size=2, outputs=("map", "target", "class_index", "baseline", "unit",
                             "most_probable", "complete", "attribution"), **WINDOWS)  # fmt: skip
    found.write_parquet(str(tmp_path / "maps"))
    rows = {row["path"]: row for row in ray.data.read_parquet(str(tmp_path / "maps")).take_all()}
    assert set(rows) == {*PICTURES, str(broken)}
    for path, map in local.items():
        row = rows[path]
        assert row["error"] is None and row["complete"] is True
        assert row["map"].dtype == np.float32 and np.array_equal(row["map"], map.values)
        assert np.array_equal(row["attribution"], map.attribution, equal_nan=True)
        assert row["most_probable"].dtype == np.int32 and np.array_equal(row["most_probable"], map.most_probable)
        target = map.targets[0]
        assert (row["target"], row["class_index"], row["baseline"]) == (target.label, target.class_index, target.baseline)
        assert row["unit"] == "probability"
        assert "bytes" not in row
    bad = rows[str(broken)]
    assert "truncated" in bad["error"]
    assert bad["map"].size == 0 and bad["target"] is None and bad["complete"] is None


def test_paths_and_several_targets() -> None:
    path = PICTURES[1]
    rows = ray.data.from_items([{"image": path, "id": 7}, {"image": path + ".missing", "id": 8}])
    found = occlude.ray.maps(rows, MODEL, target="top2", concurrency=1, batch_size=1,
                             outputs=["map", "target", "baseline"], options={"num_gpus": 0, "memory": 2**27}, **WINDOWS)  # fmt: skip
    good, bad = sorted(found.take_all(), key=lambda row: row["id"])
    map = occlude.Model(MODEL).occlusion(path, target="top2", **WINDOWS)
    assert set(good) == {"image", "id", "map", "target", "baseline", "error"}
    assert good["image"] == path
    assert np.array_equal(good["map"], map.values) and good["map"].shape == (2, 2, 2)
    assert list(good["target"]) == [target.label for target in map.targets]
    assert list(good["baseline"]) == [target.baseline for target in map.targets]
    assert path + ".missing" in bad["error"] and bad["target"] is None


def test_tensors_of_many_shapes() -> None:
    """Rows 0 to 3 have maps of four shapes, and for row 4 the function raises."""
    random = np.random.default_rng(0)
    tensors = [random.random((1, 4, 2 * i)).astype(np.float32) for i in range(1, 5)] + [np.full((1, 4, 4), -1.0, np.float32)]
    rows = ray.data.from_items([{"image": x, "row": i} for i, x in enumerate(tensors)])

    def model() -> occlude.Function:
        def sums(batch: np.ndarray) -> np.ndarray:
            if batch.min() < 0:
                raise RuntimeError("no number")
            return weighted(batch)

        return occlude.Function(sums)

    # All rows come in one batch.
    found = occlude.ray.maps(rows.repartition(1), model, batch_size=8, window=2, stride=2, fill=0, target=1, keep_input=True)
    kept = sorted(found.take_all(), key=lambda row: row["row"])
    assert [row["row"] for row in kept] == [0, 1, 2, 3, 4]
    for row, x in zip(kept[:4], tensors[:4], strict=True):
        expected = occlude.occlusion(weighted, x[None], window=2, stride=2, fill=0, target=1)
        assert row["error"] is None
        assert np.array_equal(row["map"], expected.values) and row["map"].shape == (2, x.shape[2] // 2)
        assert np.array_equal(row["image"], x)
        assert row["most_probable"].size == (0 if expected.most_probable is None else row["map"].size)
    assert kept[4]["error"] == "RuntimeError: no number" and kept[4]["map"].size == 0


def test_a_worker_that_dies_loses_nothing(tmp_path: Path) -> None:
    marker = tmp_path / "died"

    def model() -> occlude.Function:
        def sums(batch: np.ndarray) -> np.ndarray:
            if batch.max() >= 6.0:
                try:
                    os.close(os.open(marker, os.O_CREAT | os.O_EXCL))
                except FileExistsError:
                    pass
                else:
                    os._exit(1)
            return weighted(batch)

        return occlude.Function(sums)

    tensors = [np.full((1, 4, 4), i, np.float32) for i in range(10)]
    rows = ray.data.from_items([{"image": x, "row": i} for i, x in enumerate(tensors)]).repartition(5)
    found = occlude.ray.maps(rows, model, batch_size=1, concurrency=1, window=2, stride=2, fill=0, target=1).take_all()
    assert marker.exists()
    assert sorted(row["row"] for row in found) == list(range(10))
    for row in found:
        expected = occlude.occlusion(weighted, tensors[row["row"]][None], window=2, stride=2, fill=0, target=1)
        assert row["error"] is None and np.array_equal(row["map"], expected.values)


def test_rows_that_all_fail_have_the_types_of_others() -> None:
    rows = ray.data.from_items([{"image": b"no picture"}, {"image": None}])
    found = occlude.ray.maps(rows, MODEL, batch_size=1, **WINDOWS).materialize()
    types = dict(zip(found.schema().names, map(str, found.schema().types), strict=True))
    assert types["target"] == "string" and types["class_index"] == "int64" and types["error"] == "string"
    assert all(row["error"] for row in found.take_all())


def test_a_model_that_no_worker_finds() -> None:
    rows = ray.data.from_items([{"image": PICTURES[0]}])
    with pytest.raises(Exception, match="every worker must be able to read the path"):
        occlude.ray.maps(rows, "/nowhere/model.onnx", **WINDOWS).take_all()


def test_judgements(local: dict[str, occlude.Map]) -> None:
    path = PICTURES[2]
    boxes = [[110.0, 20.0, 330.0, 220.0], [300.0, 40.0, 400.0, 290.0]]
    rows = ray.data.from_items(
        [{"image": path, "boxes": boxes}, {"image": path, "boxes": None}, {"image": path, "boxes": [[1e4, 0, 2e4, 9]]}]
    )
    found = occlude.ray.judgements(rows, MODEL, batch_size=1, **WINDOWS)
    good, *bad = sorted(found.take_all(), key=lambda row: row["error"] or "")
    expected = local[path].judge(boxes=boxes)
    assert good["error"] is None and list(good["notes"]) == expected["notes"]
    # Neither trivial: there is evidence on both sides, and the object is not everything.
    assert 0 < expected["share_inside"]["value"] < 1
    for name in ("share_inside", "rank_accuracy"):
        assert (good[name], good[f"{name}_uniform"]) == (expected[name]["value"], expected[name]["uniform"])
    assert (good["pointing_hit"], good["pointing_hit_uniform"]) == tuple(expected["pointing"]["hit"][k] for k in ("value", "uniform"))
    assert good["density_ratio"] == expected["density_ratio"]["value"]
    for name in ("object_share", "evidence_inside", "evidence_outside"):
        assert good[name] == expected[name]
    assert [row["target"] for row in bad] == [good["target"]] * 2 and [row["share_inside"] for row in bad] == [None] * 2
    assert any("is null" in row["error"] for row in bad)


def test_judgements_by_a_mask_and_of_nothing() -> None:
    """A model that reads one place, judged by a mask with it and by one without; and one to which nothing is evidence."""
    x = np.ones((1, 4, 4), np.float32)
    within = np.zeros((4, 4), np.float32)
    within[:2, :2] = 1
    rows = ray.data.from_items(
        [{"image": x * sign, "mask": mask, "row": i} for i, (sign, mask) in enumerate([(1, within), (1, 1 - within), (-1, within)])]
    )

    def model() -> occlude.Function:
        return occlude.Function(lambda batch: batch[:, :, 0, 0])

    found = occlude.ray.judgements(rows, model, object_mask="mask", tolerance=0, window=2, stride=2, fill=0)
    inside, outside, nothing = sorted(found.take_all(), key=lambda row: row["row"])
    assert (inside["share_inside"], inside["pointing_hit"], inside["object_share"]) == (1.0, 1.0, 0.25)
    assert (outside["share_inside"], outside["pointing_hit"], outside["object_share"]) == (0.0, 0.0, 0.75)
    assert nothing["error"] is None and nothing["share_inside"] is None and len(nothing["notes"]) == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"input": "picture"}, "no column picture.*image"),
        ({"outputs": ("map", "heat")}, "'heat'"),
        ({"windw": 3}, "windw"),
        ({"window": "x"}, "window"),
        ({"num_cpus": -1}, "num_cpus"),
        ({"model": 3}, "model is a int.*path or a function"),
        ({"dataset": [1]}, "dataset is a list"),
        ({"dataset": "error"}, "a column error.*overwrite"),
    ],
)
def test_mistakes_are_found_before_anything_runs(change: dict[str, Any], message: str) -> None:
    rows = ray.data.from_items([{"image": PICTURES[0]}])
    given: dict[str, Any] = {"dataset": rows, "model": MODEL, **change}
    if change.get("dataset") == "error":
        given["dataset"] = ray.data.from_items([{"image": PICTURES[0], "error": 1.0}])
    with pytest.raises(ArgumentError, match=f"(?s){message}"):
        occlude.ray.maps(given.pop("dataset"), given.pop("model"), **given)


def test_workers_that_leave_no_core_for_reading() -> None:
    with pytest.warns(UserWarning, match="2 workers of 1 cores take all 2 cores"):
        occlude.ray.maps(ray.data.read_binary_files(PICTURES), MODEL, input="bytes", concurrency=(2, 2))


def test_the_script_of_the_docs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    text = (ROOT / "docs" / "ray.md").read_text(encoding="utf-8")
    script = text.split("```python\n")[1].split("```")[0]
    folder = tmp_path / "pictures"
    folder.mkdir()
    shutil.copy(PICTURES[0], folder)
    (folder / "broken.png").write_bytes(b"no picture")
    monkeypatch.setattr(sys, "argv", ["maps.py", str(folder), MODEL, str(tmp_path / "out")])
    exec(compile(script, "docs/ray.md", "exec"), {"__name__": "__main__"})
    said = capsys.readouterr().out
    assert "1 maps" in said and "broken.png" in said


def test_judgements_are_of_one_target_and_one_object() -> None:
    rows = ray.data.from_items([{"image": PICTURES[0], "boxes": [[0, 0, 1, 1]]}])
    with pytest.raises(ArgumentError, match="one target"):
        occlude.ray.judgements(rows, MODEL, target="top5")
    with pytest.raises(ArgumentError, match="both given"):
        occlude.ray.judgements(rows, MODEL, object_boxes="boxes", object_mask="mask")


@pytest.mark.parametrize(
    ("target", "several"),
    [
        (None, False), (3, False), ("top1", False), ("top5", True), ("all", True), ("espresso", False), ("a,b", True), ([3], True),
        ("node:top5:max", False), ("segment:all", True), ("segment:top3@out", True), ("segment:cat", False), ("topper", False),
    ],
)  # fmt: skip
def test_whether_several_are_asked_for(target: Any, several: bool) -> None:
    from occlude.ray import _asks_for_several

    assert _asks_for_several(target) is several


def test_an_audit_has_the_rows_of_a_local_one(tmp_path: Path) -> None:
    table = ROOT / "examples" / "images" / "objects.csv"
    settings: dict[str, Any] = {"window": 112, "stride": 112, "judge": {"elsewhere": 2}}
    local = occlude.Model(MODEL).audit(table, tmp_path / "local", pages=0, **settings)
    lines = [line.split(",") for line in table.read_text().splitlines()[1:]]
    images = [
        {"file": str(table.parent / name), "name": name, "class": kind, "boxes": [[float(edge) for edge in box]]}
        for name, kind, *box in lines
    ]
    images.append({"file": "/nowhere.jpg", "name": "nowhere.jpg", "class": "espresso", "boxes": [[0.0, 0.0, 9.0, 9.0]]})
    found = occlude.ray.audit(
        ray.data.from_items(images), MODEL, input="file", name="name", labels="class", object_boxes="boxes", batch_size=2, **settings
    )
    found.write_parquet(str(tmp_path / "rows"))
    parquet = pytest.importorskip("pyarrow.parquet")

    def rows(folder: Path) -> dict[str, dict[str, Any]]:
        return {row["path"]: row for part in folder.glob("*.parquet") for row in parquet.read_table(part).to_pylist()}

    far = rows(tmp_path / "rows")
    assert "No such file" in far.pop("nowhere.jpg")["error"]
    assert far == rows(local.rows)
    summed = occlude.summarize_audit(tmp_path / "rows")
    assert summed["errors"] == 1 and summed["verdicts"] == local.summary["verdicts"]
    with pytest.raises(ArgumentError, match="has no column klass"):
        occlude.ray.audit(ray.data.from_items(images), MODEL, input="file", labels="klass")
