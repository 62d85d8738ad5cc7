"""Keras and TensorFlow for real: models called, and exported through tf2onnx."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

import occlude


def model():
    tf.keras.utils.set_random_seed(0)
    return tf.keras.Sequential(
        [
            tf.keras.Input((12, 14, 3)),
            tf.keras.layers.Conv2D(8, 3, activation="relu"),
            tf.keras.layers.BatchNormalization(),
            tf.keras.layers.MaxPooling2D(),
            tf.keras.layers.Flatten(),
            tf.keras.layers.Dense(4, activation="softmax"),
        ]
    )


def test_called_and_exported():
    keras = model()
    x = np.random.default_rng(0).standard_normal((1, 12, 14, 3)).astype(np.float32)
    settings = {"window": 4, "stride": 2, "fill": 0.5, "target": 2}
    exported = occlude.from_keras(keras, x)
    assert exported.incremental, exported.why_not
    incremental = exported.occlusion(x, **settings)
    called = occlude.occlusion(lambda batch: keras(batch, training=False), tf.constant(x), ends_in="softmax", **settings)
    # By hand: baseline minus output with the first window hidden.
    hidden = x.copy()
    hidden[:, :4, :4] = 0.5
    first = float(keras(x)[0, 2] - keras(hidden)[0, 2])
    for map in (incremental, called):
        assert map.unit == "probability" and map.values.shape == (5, 6)
        assert abs(map.values[0, 0] - first) < 1e-6
    np.testing.assert_allclose(incremental.values, called.values, rtol=0, atol=1e-5 * np.abs(called.scores).max())
