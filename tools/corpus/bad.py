"""Files that must be refused with a clear error: truncated, not a model, bad side files, unknown operators."""

import numpy as np
from onnx import TensorProto, helper, numpy_helper


def small(opset=17, operator="Relu", domain="", external=None):
    """One node on [1,3,8,8], or a Conv whose weights are said to be in the side file `external`."""
    rng = np.random.default_rng(7)
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 8, 8])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    weights = numpy_helper.from_array(rng.standard_normal((4, 3, 3, 3)).astype(np.float32), "w")
    initializers = []
    if external is not None:
        length = len(weights.raw_data)
        weights.ClearField("raw_data")
        weights.data_location = TensorProto.EXTERNAL
        for key, value in (("location", external), ("offset", "0"), ("length", str(length))):
            weights.external_data.add(key=key, value=value)
        initializers = [weights]
        node = helper.make_node("Conv", ["x", "w"], ["y"], name="/features/conv0")
    else:
        node = helper.make_node(operator, ["x"], ["y"], name="/features/node0", domain=domain)
    opsets = [helper.make_opsetid("", opset)]
    if domain:
        opsets.append(helper.make_opsetid(domain, 1))
    model = helper.make_model(helper.make_graph([node], "bad", [x], [y], initializers), opset_imports=opsets, ir_version=8)
    return model.SerializeToString()


def wide_conv():
    """A correct model of some kilobytes, to be cut short."""
    rng = np.random.default_rng(8)
    w = numpy_helper.from_array(rng.standard_normal((16, 3, 3, 3)).astype(np.float32), "w")
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 8, 8])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    graph = helper.make_graph([helper.make_node("Conv", ["x", "w"], ["y"], name="conv")], "good", [x], [y], [w])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8).SerializeToString()


def write_bad(folder):
    folder.mkdir(parents=True, exist_ok=True)
    good = wide_conv()
    files = {
        "truncated.onnx": good[: len(good) * 2 // 3],
        "truncated_in_header.onnx": good[:20],
        "zero_bytes.onnx": b"",
        "not_a_model.onnx": b"PK\x03\x04 this is something else entirely, with the wrong ending\n" * 4,
        "text.onnx": "Ceci n'est pas un modèle.\n".encode(),
        "external_data_missing.onnx": small(external="nowhere.bin"),
        "external_data_parent_folder.onnx": small(external="../demo/expected.json"),
        "external_data_hidden_parent_folder.onnx": small(external="weights/../../demo/expected.json"),
        "external_data_absolute.onnx": small(external="/etc/hostname"),
        "external_data_too_short.onnx": small(external="short.bin"),
        "short.bin": bytes(64),
        "custom_operator.onnx": small(operator="HologramPool", domain="com.example.custom"),
        "unknown_operator.onnx": small(operator="HologramPool"),
        "opset_99.onnx": small(opset=99),
        "opset_6.onnx": small(opset=6),
    }
    for old in folder.glob("*"):
        if old.is_file():
            old.unlink()
    for name, content in files.items():
        (folder / name).write_bytes(content)
