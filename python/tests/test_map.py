"""Maps: arrays, files, plots, pages."""

from __future__ import annotations

import json
import pickle

import numpy as np
import pytest

import occlude


@pytest.fixture(scope="module")
def map(demo, coffee):
    return demo.occlusion(coffee, window=64, stride=32, target="top3")


def test_arrays_are_made_once_and_nobody_writes_into_them(map):
    for name in ("values", "attribution", "sensitivity", "scores", "most_probable"):
        array = getattr(map, name)
        assert array is getattr(map, name), name
        with pytest.raises(ValueError, match="read-only"):
            array[...] = 0
    assert (map.values.shape, map.attribution.shape) == ((3, 6, 6), (3, 224, 224))
    assert (map.values.dtype, map.most_probable.dtype) == (np.float32, np.int32)
    np.testing.assert_array_equal(map.values, map.baseline[:, None, None] - map.scores)


def test_targets_and_units(map):
    assert map.targets[0].label == "espresso"
    assert map.targets[0].class_index == map.most_probable_baseline == 967
    assert map.targets[0].spec == "967" and map.unit == "probability"
    assert map.baseline.shape == (3,) and map.baseline[0] == np.float32(map.targets[0].baseline)
    assert map.complete and (map.windows, map.computed) == (36, 36)
    assert any("resize" in note for note in map.notes)


def test_the_strongest_windows_and_where_they_are(map):
    top = map.top(3)
    flat = map.values[0].ravel()
    assert [w.index for w in top] == list(np.argsort(-flat, kind="stable")[:3])
    assert top[0].sensitivity == flat.max() and top[0].score == map.scores[0].ravel()[top[0].index]
    against = map.top(2, against=True, target=1)
    assert all(w.sensitivity < 0 for w in against)
    assert map.window_in_input(top[0].index) == top[0].in_input
    assert map.window_in_source(top[0].index) == top[0].in_source
    geometry = map.geometry
    for axis in range(2):
        start, end = top[0].in_input[axis + 1]
        source = tuple(geometry.offset[axis] + geometry.scale[axis] * edge for edge in (start, end))
        assert top[0].in_source[axis] == pytest.approx(source)
    assert geometry.source_size == (400, 600) and geometry.unit == "px"
    with pytest.raises(IndexError, match="36 windows"):
        map.window_in_input(36)
    with pytest.raises(IndexError, match="3 targets"):
        map.top(target=3)


def test_files_by_their_ending(map, tmp_path):
    paths = [tmp_path / f"m.{ending}" for ending in ("npy", "npz", "json", "png", "html")]
    map.save(*paths)
    np.testing.assert_array_equal(np.load(paths[0]), map.values)
    np.testing.assert_array_equal(np.load(paths[1])["scores"], map.scores)
    assert json.loads(paths[2].read_text()) == map.to_dict()
    assert paths[3].read_bytes().startswith(b"\x89PNG")
    assert paths[4].read_text() == map.to_html()
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(p.name for p in paths)
    for wrong in ("m.gif", "m"):
        with pytest.raises(occlude.ArgumentError, match="ending"):
            map.save(tmp_path / wrong)
    with pytest.raises(occlude.FileError, match="cannot make the folder"):
        map.save("/proc/none/m.npy")
    with pytest.raises(occlude.ArgumentError, match="needs a path"):
        map.save()


def test_places_of_files(map, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "maps").mkdir()

    class Path:
        def __fspath__(self):
            return "~/maps/c.npy"

    map.save("~/maps/a.npy", b"b.npy", Path())
    assert sorted(str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*.npy")) == ["b.npy", "maps/a.npy", "maps/c.npy"]
    np.testing.assert_array_equal(np.load(tmp_path / "maps" / "a.npy"), map.values)
    with pytest.raises(occlude.ArgumentError, match='"-" is standard output'):
        map.save("ok.npy", "-")
    assert not (tmp_path / "ok.npy").exists()
    with pytest.raises(occlude.ArgumentError) as raised:
        map.save("map.gif")
    assert "standard output" not in str(raised.value)


def test_the_arrays_of_a_list_have_their_axis_in_files_too(linear, x, tmp_path):
    map = occlude.occlusion(linear, x, window=2, target=[2])
    map.save(tmp_path / "m.npy", tmp_path / "m.npz")
    assert np.load(tmp_path / "m.npy").shape == map.values.shape == (1, *map.scores.shape[1:])
    arrays = np.load(tmp_path / "m.npz")
    for name in ("attribution", "scores"):
        np.testing.assert_array_equal(arrays[name], getattr(map, name))
    again = pickle.loads(pickle.dumps(map))
    assert again.values.shape == map.values.shape


def test_the_full_name_of_a_class(linear, x):
    labels = ["cowboy hat, ten-gallon hat", "espresso", ""]
    map = occlude.occlusion(linear, x, window=2, labels=labels, target=["all", "output:output[1]"])
    assert [(t.label, t.name) for t in map.targets] == [
        ("cowboy hat", "cowboy hat, ten-gallon hat"),
        ("espresso", "espresso"),
        ("class 2", "class 2"),
        ("output[1]", "output[1]"),
    ]


def test_a_notebook_shows_the_page_in_a_frame(map):
    shown = map._repr_html_()
    assert shown.startswith("<iframe srcdoc=") and "espresso" in shown
    # The page is an attribute: nothing in it may end the attribute.
    assert shown.count('"') == 2 * 3
    assert repr(map) == "<occlude.Map of espresso, cup, eggnog (probability), windows 6x6>" or "espresso" in repr(map)


def test_plots(map, linear, x):
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    ax = map.plot(target=1)
    picture, drawn = ax.get_images()
    grey = picture.get_array()
    assert grey.shape == map.picture.shape
    # The lightness of one pixel by Rec. 709.
    r, g, b = map.picture[100, 120].astype(float)
    assert (grey == grey[..., :1]).all() and abs(grey[100, 120, 0] - (0.2126 * r + 0.7152 * g + 0.0722 * b)) <= 0.5
    np.testing.assert_array_equal(map.plot(grey=False).get_images()[0].get_array(), map.picture)
    low, high = drawn.get_clim()
    assert low == -high and high == np.nanmax(np.abs(map.attribution[1]))
    np.testing.assert_array_equal(drawn.get_array(), map.attribution[1])
    assert map.targets[1].label in ax.get_title()
    _, other = plt.subplots()
    assert map.plot(other, picture=False) is other and len(other.get_images()) == 1
    each = occlude.occlusion(linear, x, window=(1, 2, 2), stride=(1, 1, 1), fill=0)
    listed = occlude.occlusion(linear, x, window=2, fill=0, target=[1])
    np.testing.assert_array_equal(listed.plot().get_images()[1].get_array(), listed.attribution[0])
    assert each.plot().get_images()[1].get_array().shape == (6, 5)
    signal = occlude.occlusion(lambda b: b.sum(axis=(1, 2)), x[:, :, 0], window=2, fill=0)
    assert signal.plot().get_images()[1].get_array().shape == (1, 5)
    volume = occlude.occlusion(lambda b: b.sum(axis=(1, 2, 3, 4)), np.ones((1, 1, 4, 4, 4), np.float32), window=2, fill=0)
    with pytest.raises(occlude.ArgumentError, match="3 spatial axes"):
        volume.plot()
    plt.close("all")


def test_a_preset_s_map_is_not_the_sensitivities(linear, x):
    map = occlude.occlusion(linear, x, preset="captum", window=(1, 2, 2), target=0)
    assert map.values.shape == (2, 6, 5) and map.sensitivity.shape == (2, 5, 4)
    scores = occlude.occlusion(linear, x, preset="monai-0.9", target="all")
    assert scores.map_most_probable is not None and scores.map_most_probable.shape == scores.values.shape[1:]


def test_noise_has_a_spread(linear, x):
    map = occlude.occlusion(linear, x, window=2, fill="noise", samples=4, seed=7)
    assert map.spread.shape == map.scores.shape and (map.spread > 0).all()
    assert occlude.occlusion(linear, x, window=2).spread is None


def test_pickled_maps_are_the_same_to_the_last_bit(map, linear, x, tmp_path):
    partial = None

    def fails(batch):
        if batch[0, 0, 5, 4] == 0:
            raise KeyError
        return linear(batch)

    try:
        occlude.occlusion(fails, x, window=1, fill=0, batch=1)
    except KeyError as error:
        partial = error.partial_map
    of_regions = occlude.occlusion(linear, x, regions=np.arange(30).reshape(6, 5) // 10, region_names={1: "middle"})
    for one in (map, partial, of_regions):
        again = pickle.loads(pickle.dumps(one))
        for name in ("values", "attribution", "scores", "picture"):
            np.testing.assert_array_equal(getattr(again, name), getattr(one, name))
        assert (again.targets, again.geometry, again.notes, repr(again)) == (one.targets, one.geometry, one.notes, repr(one))
        assert again.to_html() == one.to_html() and again.to_dict() == one.to_dict()


def test_regions_and_masks_in_memory_are_those_of_files(linear, x, tmp_path):
    labels = np.arange(30).reshape(6, 5) // 8
    masks = (np.random.default_rng(0).random((9, 6, 5)) < 0.5).astype(np.float32)
    np.save(tmp_path / "labels.npy", labels)
    np.save(tmp_path / "masks.npy", masks)
    given = occlude.occlusion(linear, x, regions=labels, region_names={2: "two"})
    read = occlude.occlusion(linear, x, regions=tmp_path / "labels.npy")
    np.testing.assert_array_equal(given.values, read.values)
    assert given.scores.shape == (3,)
    given = occlude.occlusion(linear, x, masks=masks)
    np.testing.assert_array_equal(given.values, occlude.occlusion(linear, x, masks=tmp_path / "masks.npy").values)
    with pytest.raises(occlude.ArgumentError, match="regions and random masks both say what is hidden"):
        occlude.occlusion(linear, x, masks=masks, regions=labels)
    with pytest.raises(occlude.ArgumentError, match=r"regions and random masks \(of the preset rise\)"):
        occlude.occlusion(linear, x, preset="rise", regions=labels)
    with pytest.raises(occlude.ArgumentError, match="names of regions are given, and no regions") as raised:
        occlude.occlusion(linear, x, region_names={2: "two"})
    assert raised.value.hint.startswith("regions= gives")
    with pytest.raises(occlude.ArgumentError, match="whole numbers"):
        occlude.occlusion(linear, x, regions=labels * 0.5)
    with pytest.raises(occlude.ArgumentError, match=r"\[6, 4\]"):
        occlude.occlusion(linear, x, regions=labels[:, :4])


def test_judgement_of_a_model_that_reads_one_place(x):
    def corner(batch):
        return batch[:, :, :2, :2].sum(axis=(1, 2, 3)) ** 2

    map = occlude.occlusion(corner, np.ones((1, 1, 8, 6), np.float32), window=2, stride=2, fill=0)
    inside = map.judge(boxes=[[0, 0, 2, 2]])
    assert inside["share_inside"] == {"value": 1.0, "uniform": pytest.approx(4 / 48)}
    assert inside["pointing"]["hit"]["value"] == 1 and inside["rank_accuracy"]["value"] == 1
    beside = map.judge(boxes=[[2, 0, 6, 8], [0, 2, 2, 8]], tolerance=0)
    assert beside["share_inside"]["value"] == 0 and beside["pointing"]["hit"]["value"] == 0
    mask = np.zeros((8, 6))
    mask[:2, :1] = 1
    assert map.judge(mask=mask)["share_inside"]["value"] == 0.5
    for wrong, said in [
        ({}, "boxes or a mask"),
        ({"mask": mask.T}, "shape"),
        ({"boxes": [[0, 0, 1]]}, "3 numbers"),
        ({"boxes": [[9, 9, 12, 12]]}, "object"),
    ]:
        with pytest.raises(occlude.ArgumentError, match=said):
            map.judge(**wrong)
