"""Models: the same bytes as the command line, inputs by path and by array, settings, errors, pickling, interruption."""

from __future__ import annotations

import errno
import json
import pickle
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import numpy as np
import pytest

import occlude


@pytest.mark.parametrize(
    ("keywords", "flags"),
    [
        ({"window": 64, "stride": 32}, ["--window", "64", "--stride", "32"]),
        (
            {"window": (48, 64), "stride": 40, "fill": (0.1, -0.2, 0.3), "target": ["espresso", 5, "top2"], "score": "logit"},
            ["--window", "48x64", "--stride", "40", "--fill", "0.1,-0.2,0.3", "--target", "espresso,5,top2", "--score", "logit"],
        ),
        (
            {"window": [(64, 64), (96, 96)], "stride": 48, "fill": 0.5, "roi": [(32, 192), slice(0, 224)]},
            ["--window", "64,96", "--stride", "48", "--fill", "0.5", "--roi", "32:192,0:224"],
        ),
        ({"preset": "xaitk", "window": 80, "stride": 48}, ["--preset", "xaitk", "--window", "80", "--stride", "48"]),
    ],
)
def test_the_same_bytes_as_the_command_line(demo, repository, coffee, program, tmp_path, keywords, flags):
    out = [tmp_path / "cli.npy", tmp_path / "cli.npz"]
    command = [program, "map", repository / "examples/efficientnet-lite0", coffee, "-q", *flags]
    subprocess.run([*command, "-o", out[0], "-o", out[1]], check=True)
    map = demo.occlusion(coffee, **keywords)
    map.save(tmp_path / "py.npy", tmp_path / "py.npz")
    assert out[0].read_bytes() == (tmp_path / "py.npy").read_bytes()
    assert out[1].read_bytes() == (tmp_path / "py.npz").read_bytes()
    np.testing.assert_array_equal(map.values, np.load(out[0]))
    arrays = np.load(out[1])
    np.testing.assert_array_equal(map.attribution, arrays["attribution"])
    np.testing.assert_array_equal(map.scores, arrays["scores"])
    np.testing.assert_array_equal(map.most_probable, arrays["most_probable"])
    np.testing.assert_array_equal(np.atleast_1d(map.baseline), arrays["baseline"])


def test_an_array_and_a_callable_give_the_numbers_of_the_model(demo):
    x = np.random.default_rng(1).standard_normal((1, 3, 224, 224)).astype(np.float32)
    settings = {"window": 112, "stride": 56, "fill": x * 0.5, "target": 7, "score": "logit"}
    of_model = demo.occlusion(x, **settings)

    def f(batch):
        return np.concatenate([demo.outputs(example)["logits"] for example in batch])

    called = occlude.occlusion(f, x, labels=demo.labels, batch=4, **settings)
    np.testing.assert_allclose(of_model.values, called.values, atol=1e-4 * np.ptp(called.values))
    assert of_model.targets[0].label == called.targets[0].label == demo.labels[7].split(",")[0]
    assert of_model.saved > 0 and called.saved is None


def test_pictures_by_path_by_bytes_and_in_memory_are_the_same(demo, coffee, tmp_path):
    settings = {"window": 112, "target": 967}
    expected = demo.occlusion(coffee, **settings)
    of_bytes = demo.occlusion(coffee.read_bytes(), **settings)
    np.testing.assert_array_equal(of_bytes.values, expected.values)
    assert of_bytes.geometry == expected.geometry
    image = pytest.importorskip("PIL.Image")
    png = tmp_path / "coffee.png"
    image.open(coffee).save(png)
    np.testing.assert_array_equal(demo.occlusion(image.open(png), **settings).values, demo.occlusion(png, **settings).values)
    pixels = np.random.default_rng(0).integers(0, 255, (50, 70, 3), dtype=np.uint8)
    map = demo.occlusion(image.fromarray(pixels), **settings)
    assert map.geometry.source_size == (50, 70)
    with pytest.raises(occlude.ArgumentError, match="shape"):
        demo.occlusion(pixels, **settings)
    with pytest.raises(occlude.OccludeError, match="bytes"):
        demo.occlusion(b"no picture", **settings)


def test_what_is_known(demo):
    assert demo.inputs == {"image": (3, 224, 224)} and demo.layout == "nchw"
    assert len(demo.labels) == 1000 and demo.labels[967] == "espresso"
    facts = demo.inspect()
    assert facts["inputs"][0]["name"] == "image" and facts["macs"] > 3e8
    assert "model.onnx" in repr(demo)


def test_errors_are_of_python_s_kinds_and_have_the_message_and_a_hint(demo, coffee, tmp_path):
    with pytest.raises(occlude.FileError, match="cannot read") as raised:
        occlude.Model(tmp_path / "nothing.onnx")
    assert isinstance(raised.value, OSError) and raised.value.hint and "hint: " in str(raised.value)
    bad = tmp_path / "bad.onnx"
    bad.write_bytes(b"no model at all")
    with pytest.raises(occlude.OccludeError, match=r"bad\.onnx"):
        occlude.Model(bad)
    for keywords, said in [
        ({"widnow": 3}, "widnow"),
        ({"window": 16.5}, "window"),
        ({"window": "16x"}, "16x"),
        ({"fill": "men"}, "men"),
        ({"fill": np.zeros((3, 4))}, "fill has shape"),
        ({"fill": (1.0, 2.0)}, "2 values"),
        ({"target": "hamster wheel"}, "hamster wheel"),
        ({"roi": [3]}, "roi"),
        ({"preset": "captm"}, "captm"),
        ({"window": 500}, "500"),
    ]:
        with pytest.raises(occlude.ArgumentError, match=said) as raised:
            demo.occlusion(coffee, **keywords)
        assert isinstance(raised.value, ValueError)
    for x, said in [
        (np.zeros((2, 3, 224, 224), np.float32), "2 examples"),
        (np.zeros((3, 200, 224), np.float32), r"\[3, 200, 224\]"),
        (np.full((3, 224, 224), np.nan, np.float32), "NaN"),
        ({"picture": coffee}, "no input picture"),
    ]:
        with pytest.raises(occlude.OccludeError, match=said):
            demo.occlusion(x)
    with pytest.raises(occlude.LimitError) as raised:
        demo.occlusion(coffee, memory_limit="1M")
    assert isinstance(raised.value, MemoryError)


def test_a_missing_file_is_a_file_not_found(demo, tmp_path, repository):
    nothing = tmp_path / "nothing"
    for call in (
        lambda: occlude.Model(nothing),
        lambda: demo.occlusion(nothing),
        lambda: demo.occlusion(np.zeros((3, 224, 224), np.float32), regions=nothing),
        lambda: demo.occlusion(np.zeros((3, 224, 224), np.float32), masks=nothing.with_suffix(".npy")),
    ):
        with pytest.raises(FileNotFoundError, match="nothing") as raised:
            call()
        error = raised.value
        assert isinstance(error, occlude.FileMissingError) and isinstance(error, occlude.FileError)
        assert error.errno == errno.ENOENT and Path(error.filename).stem == "nothing"
        again = pickle.loads(pickle.dumps(error))
        assert (type(again), again.errno, again.filename, str(again)) == (type(error), error.errno, error.filename, str(error))
    bad = tmp_path / "bad.onnx"
    bad.write_bytes(b"no model at all")
    with pytest.raises(occlude.FileError) as raised:
        occlude.Model(bad)
    assert not isinstance(raised.value, FileNotFoundError) and raised.value.errno is None and raised.value.filename is None
    # A folder where a file is expected is there.
    with pytest.raises(occlude.OccludeError) as raised:
        demo.occlusion(tmp_path)
    assert not isinstance(raised.value, FileNotFoundError)


def test_exceptions_survive_pickling():
    error = occlude.ArgumentError("found this", "try that", "Conv 3")
    again = pickle.loads(pickle.dumps(error))
    assert (str(again), again.hint, again.node, type(again)) == (str(error), "try that", "Conv 3", occlude.ArgumentError)
    again = pickle.loads(pickle.dumps(occlude.FileError("gone", "look")))
    assert str(again) == "gone\n\nhint: look"


def test_a_model_is_pickled_by_its_path_and_settings(repository):
    model = occlude.Model(repository / "examples/efficientnet-lite0", threads=1)
    again = pickle.loads(pickle.dumps(model))
    x = np.zeros((3, 224, 224), np.float32)
    np.testing.assert_array_equal(again.outputs(x)["logits"], model.outputs(x)["logits"])
    assert again._given == model._given


def test_the_interpreter_is_let_go_during_a_run(demo, coffee):
    counted, stop = 0, threading.Event()

    def count():
        nonlocal counted
        while not stop.wait(0.001):
            counted += 1

    thread = threading.Thread(target=count)
    thread.start()
    before = counted
    demo.occlusion(coffee, window=32, stride=16)
    during = counted - before
    stop.set()
    thread.join()
    assert during > 20


def test_progress_like_tqdm(demo, coffee, linear, x):
    made = []

    class Bar:
        def __init__(self, total, desc, unit):
            self.total, self.n, self.closed = total, 0, False
            made.append(self)

        def update(self, n):
            self.n += n

        def close(self):
            self.closed = True

    map = demo.occlusion(coffee, window=64, stride=32, progress=Bar)
    occlude.occlusion(linear, x, window=2, progress=Bar)
    assert [(bar.n, bar.closed) for bar in made] == [(bar.total, True) for bar in made]
    assert made[0].total == map.windows == 36
    tqdm = pytest.importorskip("tqdm")
    demo.occlusion(coffee, window=112, progress=True)
    demo.occlusion(coffee, window=112, progress=tqdm.tqdm)
    with pytest.raises(occlude.ArgumentError, match="progress"):
        demo.occlusion(coffee, window=112, progress="yes")


def test_a_progress_bar_that_raises_ends_the_run_with_what_was_computed(linear, x):
    class Bar:
        def __init__(self, **_):
            pass

        def update(self, n):
            if n:
                raise RuntimeError("the bar is closed")

        def close(self):
            pass

    with pytest.raises(RuntimeError, match="the bar is closed"):
        occlude.occlusion(linear, x, window=1, stride=1, batch=1, progress=Bar)


SCRIPT = """
    import os, signal, sys, threading, time
    import numpy as np
    import occlude

    def soon():
        time.sleep(1.5)
        os.kill(os.getpid(), signal.SIGINT)

    {set_up}
    threading.Thread(target=soon, daemon=True).start()
    try:
        {run}
    except KeyboardInterrupt as stopped:
        map = stopped.partial_map
        assert 0 < map.computed < map.windows and not map.complete, map
        assert np.isfinite(map.values).sum() == map.computed
        map.save(sys.argv[1])
        print("kept")
    else:
        print("not interrupted")
"""


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
@pytest.mark.parametrize(
    ("set_up", "run"),
    [
        (
            'model = occlude.Model("examples/efficientnet-lite0")',
            'model.occlusion("examples/images/coffee.jpg", window=8, stride=1)',
        ),
        (
            "def f(batch):\n        time.sleep(0.02)\n        return batch.sum(axis=(1, 2, 3))",
            "occlude.occlusion(f, np.arange(4096, dtype=np.float32).reshape(1, 1, 64, 64), window=4, stride=1, batch=4)",
        ),
        (
            "def f(batch):\n        time.sleep(0.02)\n        return batch.sum(axis=(1, 2, 3))",
            "occlude.occlusion(f, np.arange(4096, dtype=np.float32).reshape(1, 1, 64, 64), window=4, stride=1, batch=4, workers=3)",
        ),
    ],
)
def test_ctrl_c_keeps_what_was_computed(repository, tmp_path, set_up, run):
    script = textwrap.dedent(SCRIPT).format(set_up=set_up.replace("\n    ", "\n"), run=run)
    out = tmp_path / "partial.json"
    done = subprocess.run([sys.executable, "-c", script, out], cwd=repository, capture_output=True, text=True, timeout=120, check=False)
    assert done.stdout.strip() == "kept", done.stdout + done.stderr
    assert json.loads(out.read_text())["complete"] is False


def test_maps_from_several_threads_at_once(demo):
    x = np.random.default_rng(2).standard_normal((4, 3, 224, 224)).astype(np.float32)
    alone = [demo.occlusion(x[i], window=112, threads=1).values for i in range(4)]
    found = [None] * 4

    def one(i):
        found[i] = demo.occlusion(x[i], window=112, threads=1).values

    threads = [threading.Thread(target=one, args=(i,)) for i in range(4)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    for a, b in zip(alone, found, strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_path_or_a_model_in_the_place_of_a_callable(demo, coffee, repository):
    expected = demo.occlusion(coffee, window=112).values
    np.testing.assert_array_equal(occlude.occlusion(demo, coffee, window=112).values, expected)
    path = str(repository / "examples/efficientnet-lite0")
    np.testing.assert_array_equal(occlude.occlusion(path, coffee, window=112).values, expected)


def test_a_verdict_is_the_command_lines(demo, repository, coffee, program):
    settings = {"window": 112, "stride": 56, "target": ["espresso", 504]}
    found = demo.judge(coffee, [[170, 10, 420, 230]], elsewhere=2, **settings)
    flags = ["--window", "112", "--stride", "56", "--target", "espresso,504", "--elsewhere", "2", "--object", "10:230,170:420"]
    command = [program, "judge", repository / "examples/efficientnet-lite0", coffee, "-q", "--json", *flags]
    said = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    assert said["schema"] == "occlude.judgement/1"
    ours = found.to_dict()
    assert (ours["targets"], ours["object"], ours["options"]) == (said["targets"], said["object"], said["options"])
    espresso, mug = found.judgements
    assert (espresso.target.label, espresso.verdict) == ("espresso", found.verdict)
    assert mug.verdict == "unclear" and "does not predict it" in mug.reasons[0]
    assert espresso.untouched == pytest.approx(found.map.baseline[0])
    assert espresso.shares.share == pytest.approx((espresso.shares.lost_without + espresso.shares.kept_alone) / 2)
    assert espresso.evidence == found.map.judge(boxes=[[170, 10, 420, 230]])
    np.testing.assert_array_equal(found.map.values, demo.occlusion(coffee, **settings).values)


def test_a_verdict_by_a_mask_of_the_picture_or_of_the_input(demo, coffee):
    settings = {"window": 112, "stride": 112, "elsewhere": 0}
    of_picture = np.zeros((400, 600), bool)
    of_picture[10:230, 170:420] = True
    by_mask = demo.judge(coffee, object_mask=of_picture, **settings)
    by_box = demo.judge(coffee, [[170, 10, 420, 230]], **settings)
    assert by_mask.to_dict()["targets"] == by_box.to_dict()["targets"]
    assert by_mask.judgements[0].direct["control"] is None
    for wrong, said in [
        ({}, "boxes or a mask"),
        ({"object_boxes": [[0, 0, 1]]}, "3 numbers"),
        ({"object_mask": of_picture[1:]}, "399"),
        ({"object_boxes": [[0, 0, 600, 400]]}, "the whole input"),
        ({"object_boxes": [[0, 0, 300, 300]], "object_from": 0.1}, "object_from is 0.1"),
        ({"object_boxes": [[0, 0, 300, 300]], "elsewhere": 1.5}, "elsewhere is 1.5"),
        ({"object_boxes": [[0, 0, 300, 300]], "least_gain": "a"}, "least_gain is 'a'"),
        ({"object_boxes": [[0, 0, 300, 300]], "preprocess": "unit"}, "setting of the model"),
    ]:
        with pytest.raises(occlude.ArgumentError, match=said):
            demo.judge(coffee, **{**settings, **wrong})
