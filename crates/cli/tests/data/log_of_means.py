"""Writes log_of_means.onnx: y = log(W x + b), which is NaN for some windows and finite for others.

y[0] = log(mean of the left half of x - 1/4), y[1] = log(mean of x); x is f32 [batch, 1, 8, 8].
    python crates/cli/tests/data/log_of_means.py      (onnx 1.23)
"""

from pathlib import Path

import numpy as np
from onnx import TensorProto, helper, numpy_helper, save

left = np.zeros((8, 8), np.float32)
left[:, :4] = 1 / 32
weights = np.stack([left.ravel(), np.full(64, 1 / 64, np.float32)])
bias = np.array([-0.25, 0.0], np.float32)

graph = helper.make_graph(
    [
        helper.make_node("Flatten", ["x"], ["flat"]),
        helper.make_node("Gemm", ["flat", "w", "b"], ["means"], transB=1),
        helper.make_node("Log", ["means"], ["y"]),
    ],
    "nan",
    [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 1, 8, 8])],
    [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", 2])],
    [numpy_helper.from_array(weights, "w"), numpy_helper.from_array(bias, "b")],
)
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
save(model, Path(__file__).with_suffix(".onnx"))
