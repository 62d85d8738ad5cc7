"""Classifiers of two classes whose truth is known, for the tests of audits: tests/audit/*.onnx.

Input ``x`` float32 ``[1, 3, 32, 32]``, red, green, blue from 0 to 1. The class "thing" has the logit ``12 s - 6``, "nothing" 0. ``s`` is what the
model reads, 1 where it is there: `object` reads a green square of 8 x 8 wherever it is, `watermark` a red square of 4 x 4 in the lower right corner
and nowhere else, `both` the mean of the two. Output ``p``: Softmax of the two.

    pip install -r tools/requirements-corpus.txt && python tools/make_audit_models.py
"""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

SIDE, OBJECT, MARK = 32, 8, 4
OUT = Path(__file__).parent.parent / "tests" / "audit"


def model(of_object: float, of_mark: float) -> onnx.ModelProto:
    green = np.array([[-0.5, 1, -0.5]], np.float32).reshape(1, 3, 1, 1)
    red = np.array([[1, -0.5, -0.5]], np.float32).reshape(1, 3, 1, 1)
    corner = np.zeros((1, 1, SIDE, SIDE), np.float32)
    corner[..., -MARK:, -MARK:] = 1
    # Means over the frame, so the sums are SIDE^2 times that.
    scale = [12 * of_object * SIDE**2 / OBJECT**2, 12 * of_mark * SIDE**2 / MARK**2]
    head = np.zeros((2, 2, 1, 1), np.float32)
    head[1, :, 0, 0] = scale
    constants = {"green": green, "red": red, "corner": corner, "head": head, "bias": np.array([0, -6], np.float32)}
    nodes = [
        helper.make_node("Conv", ["x", "green"], ["g"]),
        helper.make_node("Relu", ["g"], ["g_on"]),
        helper.make_node("Conv", ["x", "red"], ["r"]),
        helper.make_node("Relu", ["r"], ["r_on"]),
        helper.make_node("Mul", ["r_on", "corner"], ["r_corner"]),
        helper.make_node("Concat", ["g_on", "r_corner"], ["both"], axis=1),
        helper.make_node("GlobalAveragePool", ["both"], ["mean"]),
        helper.make_node("Conv", ["mean", "head", "bias"], ["y"]),
        helper.make_node("Flatten", ["y"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["p"], axis=1),
    ]
    graph = helper.make_graph(
        nodes,
        "audit",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, SIDE, SIDE])],
        [helper.make_tensor_value_info("p", TensorProto.FLOAT, [1, 2])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(made)
    return made


OUT.mkdir(exist_ok=True)
for name, of_object, of_mark in [("object", 1, 0), ("watermark", 0, 1), ("both", 0.5, 0.5)]:
    onnx.save(model(of_object, of_mark), OUT / f"{name}.onnx")
