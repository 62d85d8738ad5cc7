"""Keras MobileNetV2 (with its softmax) and ResNet50 (logits) through tf2onnx: NHWC input, TensorFlow's transposes.

The same calibration as for torch: batch norms get the plain mean of real statistics, the head's bias is shifted so
that the map's range is worth comparing. Needs tools/requirements-keras.txt.
"""

import os

import numpy as np

from . import inputs, reference

WANTED_RANGE = 0.02
WINDOW, PLACES = 16, 4


def nhwc(x):
    return np.ascontiguousarray(x.transpose(0, 2, 3, 1))


def calibrated(application, examples):
    """A Keras application with logits, random gammas and betas, and real moving statistics."""
    import keras

    keras.utils.set_random_seed(0)
    rng = np.random.default_rng(2)
    model = application(weights=None, classifier_activation=None)
    norms = [layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)]
    for norm in norms:
        norm.gamma.assign(rng.uniform(0.8, 1.2, norm.gamma.shape))
        norm.beta.assign(rng.uniform(-0.2, 0.2, norm.beta.shape))
    for step, start in enumerate(range(0, len(examples), 4)):
        for norm in norms:
            norm.momentum = step / (step + 1)
        model(examples[start : start + 4], training=True)
    return model


def spread_outputs(model, x, boxes):
    """The same as calibrate.spread_outputs, for a Keras Dense head."""
    run = lambda value: np.asarray(model(value, training=False))[0]
    outputs = np.stack([run(x), *(run(reference.hide(x, box, nhwc=True)) for box in boxes)])
    mean = outputs.mean(axis=0)
    for removed in (0, 0.5, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99):
        shifted = outputs - removed * mean
        if np.ptp(shifted[1:, int(shifted[0].argmax())]) >= WANTED_RANGE * np.abs(shifted).max():
            break
    scale = 10 / np.abs(shifted).max()
    head = model.layers[-1]
    head.kernel.assign(head.kernel * scale)
    head.bias.assign((head.bias - removed * mean) * scale)
    return removed


def make_keras(name, folder, threads):
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import keras
    import tensorflow as tf
    import tf2onnx

    tf.config.threading.set_intra_op_parallelism_threads(threads)
    application, activation, opset = {
        "keras_mobilenet_v2": (keras.applications.MobileNetV2, "softmax", 15),
        "keras_resnet50": (keras.applications.ResNet50, None, 13),
    }[name]
    x = nhwc(inputs.chelsea(224))
    model = calibrated(application, nhwc(inputs.crops(224)))
    boxes = reference.grid(x.shape, WINDOW, PLACES, nhwc=True)
    removed = spread_outputs(model, x, boxes)
    if activation:
        logits = model
        model = application(weights=None, classifier_activation=activation)
        model.set_weights(logits.get_weights())
    signature = [tf.TensorSpec((None, 224, 224, 3), tf.float32, name="input")]
    path = folder / f"{name}.onnx"
    function = tf.function(lambda value: model(value, training=False), input_signature=signature)
    tf2onnx.convert.from_function(function, input_signature=signature, opset=opset, output_path=str(path))
    facts = {
        "name": name, "framework": f"tensorflow {tf.__version__}, keras {keras.__version__}", "exporter": f"tf2onnx {tf2onnx.__version__}",
        "opset": opset, "batch": "dynamic", "window": WINDOW, "head_mean_removed": removed,
    }
    own = np.asarray(model(x, training=False))[0]
    return path, reference.write(path, x, boxes, facts, own, threads, nhwc=True)
