"""Makes the small classifiers of this folder, and what they must answer.

Usage: python make.py   (needs numpy and onnx; opset 17 throughout)

zeiler_fergus.onnx: conv 3x3 -> ReLU ("features") -> max-pool -> linear -> Softmax on an 8x8 picture. zeiler_fergus.json: Zeiler and Fergus' three
analyses of it (ECCV 2014, section 4.2), by plain numpy: a 3x3 grey square centred at every pixel; the total activity of the strongest feature map, the
probability of the class, the most probable class. zeiler_fergus_nhwc.onnx: the same network behind a Transpose, its picture with channels last.
softmax.onnx, sigmoid.onnx, softmax_nhwc.onnx: one linear layer over a 6x6 picture of 3 channels, then the activation; the last one with channels last.
baked_batch.onnx, batch4.onnx, fp16.onnx: the same layer in models that a runtime with batches must treat with care.
"""

import json
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

HERE = Path(__file__).parent


def save(name, nodes, inputs, outputs, weights, dtype=TensorProto.FLOAT):
    graph = helper.make_graph(
        nodes,
        name,
        [helper.make_tensor_value_info(n, dtype, s) for n, s in inputs],
        [helper.make_tensor_value_info(n, dtype, s) for n, s in outputs],
        [numpy_helper.from_array(np.asarray(v), n) for n, v in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, HERE / f"{name}.onnx")


def zeiler_fergus():
    x = np.array([[((3 * i + 5 * j) % 13) / 12 for j in range(8)] for i in range(8)])
    x[2:5, 4:7] += 1
    w = np.array([[[((f + 1) * (a + 2 * b)) % 5 - 2 for b in range(3)] for a in range(3)] for f in range(3)]) / 3
    bias = np.array([-0.1, 0, 0.1])
    v = np.array([[((k + 2) * n % 7 - 3) / 6 for n in range(27)] for k in range(3)])
    c = np.array([0.05, 0, -0.05])

    def features(image):
        windows = np.lib.stride_tricks.sliding_window_view(image, (3, 3))
        return np.maximum(np.einsum("yxab,fab->fyx", windows, w) + bias[:, None, None], 0)

    def probabilities(maps):
        z = v @ maps.reshape(3, 3, 2, 3, 2).max((2, 4)).reshape(27) + c
        return np.exp(z - z.max()) / np.exp(z - z.max()).sum()

    whole = features(x)
    strongest = int(whole.sum((1, 2)).argmax())
    label = int(probabilities(whole).argmax())
    activity, probability, most = np.zeros((8, 8)), np.zeros((8, 8)), np.zeros((8, 8), int)
    for i in range(8):
        for j in range(8):
            hidden = x.copy()
            hidden[max(0, i - 1) : i + 2, max(0, j - 1) : j + 2] = x.mean()
            maps = features(hidden)
            activity[i, j] = maps[strongest].sum()
            probability[i, j] = probabilities(maps)[label]
            most[i, j] = probabilities(maps).argmax()
    answer = {
        "x": x.tolist(),
        "class": label,
        "probability_unoccluded": probabilities(whole)[label],
        "strongest": strongest,
        "activity_unoccluded": whole[strongest].sum(),
        "activity": activity.tolist(),
        "probability": probability.tolist(),
        "most_probable": most.tolist(),
    }
    (HERE / "zeiler_fergus.json").write_text(json.dumps(answer) + "\n")
    f32 = np.float32
    save(
        "zeiler_fergus",
        [
            helper.make_node("Conv", ["x", "w", "b"], ["conv"]),
            helper.make_node("Relu", ["conv"], ["features"]),
            helper.make_node("MaxPool", ["features"], ["pooled"], kernel_shape=[2, 2], strides=[2, 2]),
            helper.make_node("Flatten", ["pooled"], ["flat"]),
            helper.make_node("Gemm", ["flat", "v", "c"], ["logits"], transB=1),
            helper.make_node("Softmax", ["logits"], ["p"], axis=1),
        ],
        [("x", ["n", 1, 8, 8])],
        [("p", ["n", 3])],
        {"w": w[:, None].astype(f32), "b": bias.astype(f32), "v": v.astype(f32), "c": c.astype(f32)},
    )
    # As converters from channels-last frameworks write it: a Transpose in front, channels first inside.
    save(
        "zeiler_fergus_nhwc",
        [
            helper.make_node("Transpose", ["x"], ["first"], perm=[0, 3, 1, 2]),
            helper.make_node("Conv", ["first", "w", "b"], ["conv"]),
            helper.make_node("Relu", ["conv"], ["features"]),
            helper.make_node("MaxPool", ["features"], ["pooled"], kernel_shape=[2, 2], strides=[2, 2]),
            helper.make_node("Flatten", ["pooled"], ["flat"]),
            helper.make_node("Gemm", ["flat", "v", "c"], ["logits"], transB=1),
            helper.make_node("Softmax", ["logits"], ["p"], axis=1),
        ],
        [("x", ["n", 8, 8, 1])],
        [("p", ["n", 3])],
        {"w": w[:, None].astype(f32), "b": bias.astype(f32), "v": v.astype(f32), "c": c.astype(f32)},
    )


def linear():
    generator = np.random.default_rng(2)
    weight = generator.normal(size=(3, 6, 6, 4)).astype(np.float32) / 4
    for activation in ["Softmax", "Sigmoid"]:
        save(
            activation.lower(),
            [
                helper.make_node("Flatten", ["x"], ["flat"]),
                helper.make_node("MatMul", ["flat", "w"], ["z"]),
                helper.make_node(activation, ["z"], ["y"]),
            ],
            [("x", ["n", 3, 6, 6])],
            [("y", ["n", 4])],
            {"w": weight.reshape(108, 4)},
        )
    # For other runtimes: an open batch that a Reshape does not keep, a fixed batch of 4, 16-bit floats throughout.
    for name, batch, rows in [("baked_batch", "n", 1), ("batch4", 4, 4)]:
        save(
            name,
            [
                helper.make_node("Reshape", ["x", "shape"], ["flat"]),
                helper.make_node("MatMul", ["flat", "w"], ["z"]),
                helper.make_node("Softmax", ["z"], ["y"]),
            ],
            [("x", [batch, 3, 6, 6])],
            [("y", [batch, 4])],
            {"w": weight.reshape(108, 4), "shape": np.array([rows, -1], np.int64)},
        )
    save(
        "fp16",
        [
            helper.make_node("Flatten", ["x"], ["flat"]),
            helper.make_node("MatMul", ["flat", "w"], ["z"]),
            helper.make_node("Softmax", ["z"], ["y"]),
        ],
        [("x", ["n", 3, 6, 6])],
        [("y", ["n", 4])],
        {"w": weight.reshape(108, 4).astype(np.float16)},
        TensorProto.FLOAT16,
    )
    save(
        "softmax_nhwc",
        [
            helper.make_node("Flatten", ["x"], ["flat"]),
            helper.make_node("MatMul", ["flat", "w"], ["z"]),
            helper.make_node("Softmax", ["z"], ["y"]),
        ],
        [("x", ["n", 6, 6, 3])],
        [("y", ["n", 4])],
        {"w": weight.transpose(1, 2, 0, 3).reshape(108, 4)},
    )


if __name__ == "__main__":
    zeiler_fergus()
    linear()
