"""The numbers of the peers, ``tests/conformance/peer_vectors.json``, with their models as NumPy functions."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

CONFORMANCE = Path(__file__).resolve().parents[2] / "tests" / "conformance"
_ALL = json.loads((CONFORMANCE / "peer_vectors.json").read_text())


def vectors(peer):
    """Those of a peer, as pytest wants them, with their ids; the conv ones of Captum are among its own cases."""
    found = [v for v in _ALL["vectors"] if v["peer"].startswith(peer) and v["model"] in _ALL["models"]]
    assert found, peer
    return [(v["id"], v) for v in found]


def image(name):
    """The input ``[1, ...]`` of a model."""
    model = _ALL["models"][name]
    return np.array(model["input"], np.float32).reshape(model["input_shape"])


def function(name):
    """The model, from a batch to scores, in float64 inside."""
    model = _ALL["models"][name]
    bias = np.array(model["b"])
    weights = np.array(model["W"]).reshape(len(bias), -1)

    def f(batch):
        outputs = np.asarray(batch, np.float64).reshape(len(batch), -1) @ weights.T + bias
        if model["activation"] == "softmax":
            outputs = np.exp(outputs - outputs.max(1, keepdims=True))
            outputs /= outputs.sum(1, keepdims=True)
        return outputs.astype(np.float32)

    return f


def weights(name):
    """Weights, bias and activation, to make the same model of another library."""
    model = _ALL["models"][name]
    bias = np.array(model["b"], np.float32)
    return np.array(model["W"], np.float32).reshape(len(bias), -1), bias, model["activation"]


def assert_close(ours, theirs, scale=0.0):
    """Equal within 1e-5 of the largest value, or of `scale` where that is larger."""
    ours, theirs = np.asarray(ours), np.asarray(theirs)
    assert ours.shape == theirs.shape
    largest = max(float(np.abs(theirs).max(initial=0.0)), scale)
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-5 * largest)
