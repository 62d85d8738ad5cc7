"""Writes the models of tests/conformance/peer_vectors.json as ONNX files beside it.

    .venv-zoo/bin/python tools/make_conformance.py

Each model has a batch axis that is open, an output "y" of one value per class, and, where the vectors say so, a final Softmax.
`conv` has two inputs, x and x2, of which the second may be narrower (`conv_narrow`).
"""

import json
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

FOLDER = Path(__file__).parent.parent / "tests" / "conformance"


def save(name, nodes, inputs, classes, weights):
    graph = helper.make_graph(
        nodes,
        name,
        [helper.make_tensor_value_info(n, TensorProto.FLOAT, ["n", *shape[1:]]) for n, shape in inputs],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", classes])],
        [numpy_helper.from_array(np.asarray(v), k) for k, v in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], producer_name="occlude tests")
    model.ir_version = 8
    onnx.checker.check_model(model)
    (FOLDER / f"{name}.onnx").write_bytes(model.SerializeToString(deterministic=True))


def linear(name, shape, weight, bias, softmax):
    """Class k is sum(W_k * x) + b_k. Images and volumes go through a convolution as large as they are, so that the engine's boxes are used."""
    weight = np.asarray(weight, np.float32)
    classes = weight.shape[0]
    weights = {"bias": np.asarray(bias, np.float32)}
    last = "z" if softmax else "y"
    if len(shape) == 2:
        weights["weight"] = weight.T.copy()
        nodes = [helper.make_node("MatMul", ["x", "weight"], ["m"]), helper.make_node("Add", ["m", "bias"], [last])]
    else:
        weights["weight"] = weight.reshape(classes, *shape[1:])
        nodes = [
            helper.make_node("Conv", ["x", "weight", "bias"], ["c"]),
            helper.make_node("Flatten", ["c"], [last]),
        ]
    if softmax:
        nodes.append(helper.make_node("Softmax", ["z"], ["y"], axis=1))
    save(name, nodes, [("x", shape)], classes, weights)


def conv(name, narrow):
    """Captum's BasicModel_ConvNet_One_Conv: relu(linear(flatten(relu(conv(x + x2))))) of its own unit tests."""
    weights = {
        "kernel": np.ones((2, 1, 3, 3), np.float32),
        "bias": np.array([-50, -75], np.float32),
        "linear": np.tile(np.array([1, 1, 1, 1, 1, -1, -1, -1], np.float32)[:, None], (1, 4)),
    }
    nodes = [
        helper.make_node("Add", ["x", "x2"], ["sum"]),
        helper.make_node("Conv", ["sum", "kernel", "bias"], ["c"]),
        helper.make_node("Relu", ["c"], ["r"]),
        helper.make_node("Flatten", ["r"], ["f"]),
        helper.make_node("MatMul", ["f", "linear"], ["l"]),
        helper.make_node("Relu", ["l"], ["y"]),
    ]
    save(name, nodes, [("x", [1, 1, 4, 4]), ("x2", [1, 1, 4, 1 if narrow else 4])], 4, weights)


def padded_sum():
    """The sum of all pixels of a picture of any size, for kazuto1011, whose model is fed the padded picture."""
    nodes = [
        helper.make_node("GlobalAveragePool", ["x"], ["mean"]),
        helper.make_node("Flatten", ["mean"], ["m"]),
        helper.make_node("Shape", ["x"], ["shape"]),
        helper.make_node("Gather", ["shape", "places"], ["sides"]),
        helper.make_node("ReduceProd", ["sides"], ["area"], keepdims=0),
        helper.make_node("Cast", ["area"], ["count"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["m", "count"], ["y"]),
    ]
    graph = helper.make_graph(
        nodes,
        "padded_sum",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 1, "h", "w"])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 1])],
        [numpy_helper.from_array(np.array([2, 3], np.int64), "places")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], producer_name="occlude tests")
    model.ir_version = 8
    onnx.checker.check_model(model)
    (FOLDER / "padded_sum.onnx").write_bytes(model.SerializeToString(deterministic=True))


vectors = json.loads((FOLDER / "peer_vectors.json").read_text())
for name, model in vectors["models"].items():
    if "W" in model:
        linear(name, model["input_shape"], model["W"], model["b"], model["activation"] == "softmax")
# PAIR's unit test: 3 * sum(x) of 5x5; and half of the sum of 4x4, for whole-number inputs.
linear("sum25", [1, 1, 5, 5], np.full((1, 1, 5, 5), 3.0), [0.0], False)
linear("half16", [1, 1, 4, 4], np.full((1, 1, 4, 4), 0.5), [0.0], False)
conv("conv", narrow=False)
conv("conv_narrow", narrow=True)
padded_sum()
