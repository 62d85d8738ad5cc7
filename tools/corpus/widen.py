"""Widens an fp16 graph to f32, the reference that fp16 models are compared with.

Weights keep their fp16-rounded values; every fp16 input, output, constant and Cast target becomes f32.
"""

import numpy as np
import onnx
from onnx import TensorProto, numpy_helper


def is_half(model):
    """Whether fp16 occurs anywhere: in weights, inputs, constants or as a Cast's target."""
    graph = model.graph
    if any(t.data_type == TensorProto.FLOAT16 for t in graph.initializer):
        return True
    if any(v.type.tensor_type.elem_type == TensorProto.FLOAT16 for v in (*graph.input, *graph.output)):
        return True
    return any(n.op_type == "Cast" and a.name == "to" and a.i == TensorProto.FLOAT16 for n in graph.node for a in n.attribute)


def widen_tensor(tensor):
    if tensor.data_type == TensorProto.FLOAT16:
        values = numpy_helper.to_array(tensor).astype(np.float32)
        tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))


def widen(model):
    """A copy of `model` without any fp16."""
    wide = onnx.ModelProto()
    wide.CopyFrom(model)
    graph = wide.graph
    for tensor in graph.initializer:
        widen_tensor(tensor)
    for value in (*graph.input, *graph.output, *graph.value_info):
        if value.type.tensor_type.elem_type == TensorProto.FLOAT16:
            value.type.tensor_type.elem_type = TensorProto.FLOAT
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.type == onnx.AttributeProto.TENSOR:
                widen_tensor(attribute.t)
            if node.op_type == "Cast" and attribute.name == "to" and attribute.i == TensorProto.FLOAT16:
                attribute.i = TensorProto.FLOAT
    return wide
