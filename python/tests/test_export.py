"""Exports: believed where they are right, refused where they are not (with a stand-in for an exporter; real ones are in `make peers`)."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

import occlude
from occlude._export import Exported
from occlude._function import Function


@pytest.fixture
def onnx_model(repository):
    """A small model of the conformance data, opened, and its file."""
    path = repository / "tests/conformance/rgb.onnx"
    return occlude.Model(path), path


def as_module(model, change=lambda y: y):
    def module(x):
        return np.concatenate([change(next(iter(model.outputs(one[None]).values()))) for one in x])

    module.__name__ = "net"
    return module


@pytest.fixture
def export(onnx_model):
    """Writes that file, whatever it is asked to export."""
    return lambda inputs, to: shutil.copyfile(onnx_model[1], to)


@pytest.fixture
def given(onnx_model):
    """The name of the model's input, and an example."""
    name, dims = next(iter(onnx_model[0].inputs.items()))
    return name, np.random.default_rng(0).standard_normal((1, *(n or 6 for n in dims))).astype(np.float32)


def test_an_export_that_is_right_runs_incrementally(onnx_model, export, given, tmp_path):
    (model, path), (name, x) = onnx_model, given
    module = as_module(model)
    found = Exported(Function(lambda **inputs: module(inputs[name])), export, {name: x}, None, tmp_path / "kept.onnx")
    assert found.incremental and found.why_not is None and "incremental" in repr(found)
    map = found.occlusion({name: x}, window=2, stride=1, target=0)
    assert map.saved is not None
    called = found.function.occlusion({name: x}, window=2, stride=1, target=0)
    np.testing.assert_allclose(map.values, called.values, atol=1e-4 * np.ptp(called.values))
    assert (tmp_path / "kept.onnx").read_bytes() == path.read_bytes()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda y: y * 1.001, "differs from the module's by"),
        (lambda y: np.minimum(y, y.mean()), "differs from the module's by"),
        (lambda y: y[:, :1], "has shape"),
    ],
)
def test_an_export_that_is_wrong_is_not_believed_and_the_module_is_called(onnx_model, export, given, change, said):
    (model, _), (name, x) = onnx_model, given
    module = as_module(model, change)
    with pytest.warns(occlude.ExportWarning, match=said):
        found = Exported(Function(lambda **inputs: module(inputs[name])), export, {name: x}, None, None)
    assert not found.incremental and said in found.why_not and found.model is None
    map = found.occlusion({name: x}, window=2, stride=2, target=0)
    assert map.baseline == pytest.approx(float(module(x)[0, 0]), rel=1e-6) and map.saved is None
    with pytest.raises(occlude.ArgumentError, match="no export"):
        found.save("nowhere.onnx")


def test_an_exporter_that_fails_is_said(linear, x):
    def export(inputs, path):
        raise NotImplementedError("aten::strange is unknown\nand much more")

    with pytest.warns(occlude.ExportWarning, match="the export failed: NotImplementedError: aten::strange is unknown"):
        found = Exported(Function(linear), export, x, None, None)
    expected = occlude.occlusion(linear, x, window=2, target=1)
    # An export that failed has no engine, but a script that asked for threads works on.
    threads = found.occlusion(x, window=2, target=1, threads=2, engine="full")
    np.testing.assert_array_equal(threads.values, expected.values)
    assert any(note.startswith("threads, engine: left out") for note in threads.notes)
    np.testing.assert_array_equal(found.occlusion(x, window=2, target=1).values, expected.values)
    with pytest.raises(occlude.ArgumentError, match="batch"):
        Exported(Function(linear), export, np.concatenate([x, x]), None, None)


def test_only_modules_of_torch_are_exported_as_such(linear, x):
    with pytest.raises(occlude.ArgumentError, match="torch"):
        occlude.from_torch(linear, x)
