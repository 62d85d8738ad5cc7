"""`occlude.mindspore` without MindSpore: its own tests, the recorded vectors on functions and ONNX files, and stand-ins for its classes."""

from __future__ import annotations

import abc
import sys
import types

import numpy as np
import peer_vectors
import pytest

import occlude
from occlude.mindspore import OcclusionSensitivity

X = np.array([[0.1, 0.2, 0.3, 0.4]], np.float32)


def dense(x):
    return x @ np.array([[0.1, 0.8, 0.1, 0.1], [1, 1, 1, 1]], np.float32).T + np.array([0.3, 0.6], np.float32)


# MindSpore's own tests of the class.


def test_the_example_of_its_documentation():
    metric = OcclusionSensitivity()
    metric.clear()
    metric.update(dense, X, np.array(1, np.int32))
    peer_vectors.assert_close(metric.eval(), [0.3, 0.6, 1.0, 0.9])


def test_update_with_one_input():
    with pytest.raises(ValueError, match="needs 3 inputs"):
        OcclusionSensitivity().update(X)


def test_pad_val_of_another_type():
    with pytest.raises(TypeError, match="pad_val"):
        OcclusionSensitivity(pad_val=False, margin=2, n_batch=128, b_box=None)


def test_margin_of_another_type():
    with pytest.raises(TypeError, match="margin"):
        OcclusionSensitivity(pad_val=0.0, margin=True, n_batch=128, b_box=None)


def test_eval_before_update():
    metric = OcclusionSensitivity(pad_val=0.0, margin=2, n_batch=128, b_box=None)
    metric.clear()
    with pytest.raises(RuntimeError, match="'update' method before"):
        metric.eval()


@pytest.mark.parametrize(("id", "vector"), peer_vectors.vectors("mindspore 2"))
def test_vectors(id, vector):
    keywords = dict(vector["params"])
    label = keywords.pop("label")
    x = peer_vectors.image(vector["model"])
    path = peer_vectors.CONFORMANCE / f"{vector['model']}.onnx"
    for model in (peer_vectors.function(vector["model"]), path, str(path), occlude.Model(path)):
        metric = OcclusionSensitivity(**keywords)
        found = metric(model, x, np.array(label))
        assert found.dtype == np.float32
        peer_vectors.assert_close(found, np.array(vector["output"]))
        assert (metric.why_not is None) == (not callable(model))


def test_exceptions_by_kind():
    metric = OcclusionSensitivity()
    with pytest.raises(RuntimeError, match="batch size of 1"):
        metric.update(dense, np.zeros((2, 4), np.float32), 0)
    with pytest.raises(RuntimeError, match="as many labels"):
        metric.update(dense, X, np.array([1, 1]))
    with pytest.raises(TypeError):
        metric.update(object(), X, 0)
    with pytest.raises(TypeError):
        metric.update(dense, "x", 0)
    with pytest.raises(ValueError, match="'b_box'"):
        OcclusionSensitivity(b_box=[0])(dense, X, 0)
    with pytest.raises(ValueError, match="must be a list"):
        metric.set_indexes((1, 0, 2))
    with pytest.raises(ValueError, match="needs 3 inputs"):
        metric.update()
    for wrong in ({"n_batch": 1.5}, {"b_box": "all"}, {"margin": 1.5}):
        with pytest.raises(TypeError):
            OcclusionSensitivity(**wrong)


def test_errors_of_the_model_are_its_own():
    def broken(x):
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        OcclusionSensitivity().update(broken, X, 0)


def test_what_mindspore_refuses_and_is_taken_here():
    expected = OcclusionSensitivity()(dense, X, np.array(1))
    for label in (1, np.int64(1), np.array([1]), [1]):
        assert (OcclusionSensitivity(pad_val=0)(dense, X.tolist(), label) == expected).all()
    assert (OcclusionSensitivity(margin=[2])(dense, X, 1) == expected).all()
    assert (OcclusionSensitivity(b_box=(-1, -1))(dense, X, 1) == expected).all()
    assert (OcclusionSensitivity(b_box=np.array([0, 3]))(dense, X, 1) == expected).all()


def test_state():
    metric = OcclusionSensitivity()
    assert metric.indexes is None
    metric.set_indexes([2, 1, 0]).update(1, X, dense)
    assert metric.indexes == [2, 1, 0]
    first = metric.eval()
    with pytest.raises(RuntimeError):
        metric.update(1, np.zeros((2, 4), np.float32), dense)
    assert (metric.eval() == first).all(), "an update that failed changes nothing"
    metric.margin = 0
    metric.update(1, X, dense)
    assert (metric.eval() == 0).all(), "the last update wins"
    metric.clear()
    with pytest.raises(RuntimeError):
        metric.eval()
    one = OcclusionSensitivity(b_box=[1, 1])(dense, X, 1)
    assert isinstance(one, np.float32) and abs(one - 0.6) < 1e-6


class Tensor:
    """What is needed of ``mindspore.Tensor``."""

    def __init__(self, values, dtype=None):
        self.values = np.asarray(values)
        self.dtype = self.values.dtype

    shape = property(lambda self: self.values.shape)

    def asnumpy(self):
        return self.values


Tensor.__module__ = "mindspore.common.tensor"


@pytest.fixture
def mindspore(monkeypatch):
    """Stand-ins for the parts of MindSpore that are looked at."""
    package, train, nn = (types.ModuleType(name) for name in ("mindspore", "mindspore.train", "mindspore.nn"))
    package.Tensor = Tensor
    train.Metric = abc.ABCMeta("Metric", (), {})

    class Cell:
        training = False

        def __call__(self, x):
            assert isinstance(x, Tensor), "a Cell takes MindSpore's tensors"
            return Tensor(dense(x.values))

        def cells_and_names(self):
            return [("", self)]

        def get_parameters(self):
            return []

    nn.Cell = Cell
    for module in (package, train, nn):
        monkeypatch.setitem(sys.modules, module.__name__, module)
    return package


def test_cells_and_tensors(mindspore):
    cell = sys.modules["mindspore.nn"].Cell()
    expected = [0.3, 0.6, 1.0, 0.9]
    for image in (X, Tensor(X), X.tolist()):
        for label in (np.array(1), Tensor(np.array(1))):
            metric = OcclusionSensitivity()
            peer_vectors.assert_close(metric(cell, image, label), expected)
            assert metric.why_not == "4 windows are less work than an export"
    cell.training = True
    metric = OcclusionSensitivity()
    peer_vectors.assert_close(metric(cell, X, 1), expected)
    assert metric.why_not == "the Cell is in training mode"


def test_a_cell_that_cannot_be_exported_is_called(mindspore, monkeypatch):
    monkeypatch.setattr("occlude.mindspore.WORTH_AN_EXPORT", 0)
    metric = OcclusionSensitivity()
    peer_vectors.assert_close(metric(sys.modules["mindspore.nn"].Cell(), X, 1), [0.3, 0.6, 1.0, 0.9])
    assert metric.why_not.startswith("the export failed")


def test_it_is_a_metric_where_mindspore_is(mindspore):
    assert isinstance(OcclusionSensitivity(), sys.modules["mindspore.train"].Metric)
