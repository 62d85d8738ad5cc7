"""MindSpore's `OcclusionSensitivity` and ours on the same Cells, in one test: its own tests, its exceptions, both import paths."""

from __future__ import annotations

import mindspore
import numpy as np
import peer_vectors
import pytest
from mindspore import Tensor, nn
from mindspore.nn import OcclusionSensitivity as Older
from mindspore.train import Metric, Model
from mindspore.train import OcclusionSensitivity as Theirs
from peer_vectors import assert_close

from occlude.mindspore import OcclusionSensitivity

X = np.array([[0.1, 0.2, 0.3, 0.4]], np.float32)
LABEL = np.array(1, np.int32)
ALL = [Theirs, Older, OcclusionSensitivity]


class Dense(nn.Cell):
    """A linear model, with or without Softmax."""

    def __init__(self, weights, bias, activation="none"):
        super().__init__()
        self.flat = nn.Flatten()
        self.dense = nn.Dense(weights.shape[1], weights.shape[0], weight_init=Tensor(weights), bias_init=Tensor(bias))
        self.last = nn.Softmax() if activation == "softmax" else nn.Identity()

    def construct(self, x):
        return self.last(self.dense(self.flat(x)))


@pytest.fixture(scope="module")
def dense():
    weights = np.array([[0.1, 0.8, 0.1, 0.1], [1, 1, 1, 1]], np.float32)
    return Dense(weights, np.array([0.3, 0.6], np.float32))


# MindSpore's own tests, on its class by both import paths, and on ours.


@pytest.mark.parametrize("sensitivity", ALL)
def test_the_example_of_its_documentation(dense, sensitivity):
    metric = sensitivity()
    metric.clear()
    metric.update(dense, X, LABEL)
    assert_close(metric.eval(), [0.3, 0.6, 1.0, 0.9])
    assert metric.eval().dtype == np.float32


@pytest.mark.parametrize("sensitivity", ALL)
def test_its_four_errors(sensitivity):
    with pytest.raises(ValueError):
        sensitivity().update(X)
    with pytest.raises(TypeError):
        sensitivity(pad_val=False, margin=2, n_batch=128, b_box=None)
    with pytest.raises(TypeError):
        sensitivity(pad_val=0.0, margin=True, n_batch=128, b_box=None)
    metric = sensitivity(pad_val=0.0, margin=2, n_batch=128, b_box=None)
    metric.clear()
    with pytest.raises(RuntimeError):
        metric.eval()


@pytest.mark.parametrize("sensitivity", ALL)
def test_errors_beyond_its_tests(dense, sensitivity):
    with pytest.raises(RuntimeError):
        sensitivity().update(dense, np.zeros((2, 4), np.float32), LABEL)
    with pytest.raises(RuntimeError):
        sensitivity().update(dense, X, np.array([1, 1]))
    for b_box in ([0], [0, 4], [3, 2]):
        with pytest.raises(ValueError):
            sensitivity(b_box=b_box)(dense, X, LABEL)
    with pytest.raises(ValueError):
        sensitivity().set_indexes((2, 1, 0))
    for wrong in ({"n_batch": True}, {"n_batch": 1.0}, {"b_box": "all"}, {"margin": 0.5}, {"pad_val": "0"}):
        with pytest.raises(TypeError):
            sensitivity(**wrong)
    with pytest.raises(TypeError):
        sensitivity().update("a model", X, LABEL) if sensitivity is not OcclusionSensitivity else sensitivity().update(3, X, LABEL)


@pytest.mark.parametrize("sensitivity", ALL)
def test_the_ways_to_give_inputs(dense, sensitivity):
    expected = [0.3, 0.6, 1.0, 0.9]
    assert_close(sensitivity()(dense, Tensor(X), Tensor(1)), expected)
    metric = sensitivity().set_indexes([2, 1, 0])
    assert metric.indexes == [2, 1, 0]
    assert_close(metric(LABEL, X, dense), expected)
    one = sensitivity(b_box=[1, 1])(dense, X, LABEL)
    assert isinstance(one, np.floating) and abs(one - 0.6) < 1e-6


@pytest.mark.parametrize(("id", "vector"), peer_vectors.vectors("mindspore 2"))
def test_vectors(id, vector, way):
    keywords = dict(vector["params"])
    label = np.array(keywords.pop("label"))
    x = peer_vectors.image(vector["model"])
    cell = Dense(*peer_vectors.weights(vector["model"]))
    theirs = Theirs(**keywords)(cell, x, label)
    metric = OcclusionSensitivity(**keywords)
    found = metric(cell, x, label)
    assert found.dtype == theirs.dtype
    assert_close(found, theirs, 1.0)
    assert_close(found, np.array(vector["output"]), 1.0)
    assert (metric.why_not is None) == (way == "incremental"), metric.why_not


class Network(nn.Cell):
    def __init__(self, seed=0):
        super().__init__()
        mindspore.set_seed(seed)
        self.layers = nn.SequentialCell(
            nn.Conv2d(3, 8, 3, has_bias=True, weight_init="normal"), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2, 2),
            nn.Conv2d(8, 8, 3, weight_init="normal"), nn.ReLU(), nn.Flatten(), nn.Dense(8 * 5 * 6, 4, weight_init="normal"),
            nn.Softmax(),
        )  # fmt: skip

    def construct(self, x):
        return self.layers(x)


@pytest.mark.parametrize(
    "keywords",
    [{}, {"margin": 1, "pad_val": 0.5}, {"margin": 3, "n_batch": 7}, {"b_box": [1, 1, -1, 6, 2, -1]}],
    ids=str,
)
def test_a_network(keywords, way):
    cell = Network()
    cell.set_train(False)
    x = np.random.default_rng(0).standard_normal((1, 3, 10, 12)).astype(np.float32)
    theirs = Theirs(**keywords)(cell, x, LABEL)
    metric = OcclusionSensitivity(**keywords)
    for image in (x, Tensor(x)):
        assert_close(metric(cell, image, LABEL), theirs, 1.0)
        assert (metric.why_not is None) == (way == "incremental"), metric.why_not


def test_trained_weights_are_seen(dense, way):
    cell = Dense(np.ones((2, 4), np.float32), np.zeros(2, np.float32))
    metric = OcclusionSensitivity()
    before = metric(cell, X, LABEL)
    cell.dense.weight.set_data(Tensor(2 * np.ones((2, 4), np.float32)))
    assert_close(metric(cell, X, LABEL), 2 * before)


def test_training_mode_is_left_on():
    cell = Network()
    cell.set_train(True)
    metric = OcclusionSensitivity(b_box=[0, 0, 0, 0, 0, 0])
    metric(cell, np.ones((1, 3, 10, 12), np.float32), LABEL)
    assert metric.why_not == "the Cell is in training mode" and cell.training


def test_it_is_a_metric_that_a_model_takes(dense):
    metric = OcclusionSensitivity()
    assert isinstance(metric, Metric)
    model = Model(dense, eval_network=dense, metrics={"occlusion": metric}, eval_indexes=[0, 1, 2])
    assert model is not None
