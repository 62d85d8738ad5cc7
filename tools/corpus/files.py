"""Cases: what can be odd about a model *file*: fp16, side files, functions, old styles, missing names."""

import numpy as np
import onnx
from onnx import TensorProto, helper

from .build import add, case

SQUARE = (1, 5, 9, 7)


# -- fp16 ---------------------------------------------------------------------------------------------------


def half(array):
    return np.asarray(array, np.float32).astype(np.float16)


def half_conv(g, v, channels_in, channels_out, kernel, **attributes):
    w = half(g.weights(channels_out, channels_in // attributes.get("group", 1), *kernel))
    return g.op("Conv", v, w, half(g.normal(channels_out, scale=0.3)), **attributes)


@case(x=SQUARE, dtype="float16", notes="fp16 throughout, input and output too")
def half_everything(g):
    v = g.op("Relu", half_conv(g, g.x, 5, 16, (3, 3), pads=[1] * 4))
    v = g.op("Clip", half_conv(g, v, 16, 16, (3, 3), group=16, strides=[2, 2], pads=[1] * 4), half(0.0), half(6.0))
    v = g.op("Flatten", g.op("GlobalAveragePool", v))
    return g.op("Softmax", g.op("Gemm", v, half(g.weights(7, 16)), half(g.normal(7)), transB=1), axis=-1)


@case(x=SQUARE, notes="f32 input and output, Casts inside, as converters write it")
def half_inside_float_outside(g):
    v = g.op("Cast", g.x, to=TensorProto.FLOAT16)
    v = g.op("Relu", half_conv(g, v, 5, 7, (3, 3), pads=[1] * 4))
    v = g.op("Mul", v, half(0.5))
    return g.op("Cast", v, to=TensorProto.FLOAT)


@case(x=SQUARE, notes="weights stored as fp16, widened by a Cast each")
def half_weights_cast(g):
    w = g.op("Cast", half(g.weights(7, 5, 3, 3)), to=TensorProto.FLOAT)
    v = g.op("Relu", g.op("Conv", g.x, w, g.normal(7), pads=[1] * 4))
    return g.op("MatMul", g.op("Flatten", g.op("GlobalMaxPool", v)), g.op("Cast", half(g.weights(7, 5)), to=TensorProto.FLOAT))


@case(x=(1, 15, 24), dtype="float16")
def half_layernorm_attention(g):
    v = g.op("LayerNormalization", g.x, half(g.normal(24, mean=1)), half(g.normal(24)), axis=-1)
    q, k = g.op("MatMul", v, half(g.weights(24, 8))), g.op("MatMul", v, half(g.weights(24, 8)))
    scores = g.op("Mul", g.op("MatMul", q, g.op("Transpose", k, perm=[0, 2, 1])), half(0.35))
    return g.op("MatMul", g.op("Softmax", scores, axis=-1), v)


@case(x=SQUARE, dtype="float16")
def half_batchnorm_constants(g):
    v = g.op("BatchNormalization", half_conv(g, g.x, 5, 8, (1, 1)), half(g.normal(8, mean=1)), half(g.normal(8)),
             half(g.normal(8)), half(g.rng.uniform(0.5, 2, 8)))
    constant = g.constant(half(g.normal(8, 1, 1)))
    return g.op("Add", g.op("HardSwish", v), constant)


# -- side files -----------------------------------------------------------------------------------------------


def two_convs(g):
    v = g.op("Relu", g.conv(g.x, 5, 16, (3, 3), pads=[1] * 4))
    return g.conv(v, 16, 7, (3, 3), pads=[1] * 4)


add("external_data", two_convs, SQUARE, side_file="external_data.weights.bin")
add("external_data_in_subfolder", two_convs, SQUARE, side_file="external_weights/weights.bin")


# -- old and odd styles -------------------------------------------------------------------------------------


def rename(function):
    """Applies `function` to every node; a `finish` step."""

    def finish(model):
        for node in model.graph.node:
            function(node)

    return finish


def initializers_as_inputs(model):
    for tensor in model.graph.initializer:
        model.graph.input.append(helper.make_tensor_value_info(tensor.name, tensor.data_type, list(tensor.dims)))


def constants_first_input_last(model):
    """The weights stand before the real input in the list of inputs, as old MXNet and Caffe2 exports have it."""
    initializers_as_inputs(model)
    inputs = list(model.graph.input)
    del model.graph.input[:]
    model.graph.input.extend(inputs[1:] + inputs[:1])


def add_unused(model):
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.ones(5, np.float32), "never_used"))
    model.graph.node.append(helper.make_node("Relu", ["x"], ["goes_nowhere"], name="dead end"))


def raw_to_float_data(model):
    """Weights in `float_data` instead of `raw_data`."""
    for tensor in model.graph.initializer:
        values = onnx.numpy_helper.to_array(tensor)
        if values.dtype == np.float32:
            tensor.CopyFrom(helper.make_tensor(tensor.name, TensorProto.FLOAT, values.shape, values.ravel().tolist()))


def metadata_and_docs(model):
    model.doc_string = "a model that says much about itself"
    model.domain, model.model_version = "org.example", 42
    model.metadata_props.add(key="author", value="nobody")
    model.graph.doc_string = "graph"
    for node in model.graph.node:
        node.doc_string = "node"


def ai_onnx_domain(model):
    """The default domain written out, and an unused opset import beside it."""
    model.opset_import.append(helper.make_opsetid("ai.onnx.ml", 3))


def conv_relu_function(model):
    """A model-local function: body Conv, Relu; called twice, under a domain of its own."""
    body = [
        helper.make_node("Conv", ["v", "w", "b"], ["c"], pads=[1, 1, 1, 1]),
        helper.make_node("LeakyRelu", ["c"], ["out"], alpha=0.1),
    ]
    function = helper.make_function("local.blocks", "ConvLeaky", ["v", "w", "b"], ["out"], body, [helper.make_opsetid("", 17)])
    model.functions.append(function)
    model.opset_import.append(helper.make_opsetid("local.blocks", 1))


@case(x=SQUARE, finish=conv_relu_function)
def local_function(g):
    v = g.op("ConvLeaky", g.x, g.weights(7, 5, 3, 3), g.normal(7), domain="local.blocks")
    return g.op("ConvLeaky", v, g.weights(5, 7, 3, 3), g.normal(5), domain="local.blocks")


add("node_without_name", two_convs, SQUARE, finish=rename(lambda node: node.ClearField("name")))
add("names_with_slashes_and_unicode", two_convs, SQUARE, finish=rename(lambda node: setattr(node, "name", "/büro/层/" + node.name)))
add("initializer_as_input", two_convs, SQUARE, opset=9, ir_version=3, finish=initializers_as_inputs)
add("initializer_as_input_first", two_convs, SQUARE, opset=11, finish=constants_first_input_last)
add("unused_initializer_and_dead_node", two_convs, SQUARE, finish=add_unused)
add("weights_as_float_data", two_convs, SQUARE, finish=raw_to_float_data)
add("metadata_everywhere", two_convs, SQUARE, finish=metadata_and_docs)
add("opset_import_of_other_domain", two_convs, SQUARE, finish=ai_onnx_domain)


@case(x=SQUARE)
def output_is_inner_tensor(g):
    """The first output feeds the second."""
    v = g.op("Relu", g.conv(g.x, 5, 7, (3, 3)))
    return v, g.head(v, 7)


@case(x=(1, 3, 21, 17))
def intermediate_value_info(g):
    """Exporters' shape annotations on inner tensors."""
    v = g.conv(g.x, 3, 7, (3, 3))
    g.value_infos.append(helper.make_tensor_value_info(v, TensorProto.FLOAT, ["N" if g.case.dynamic_batch else 1, 7, 19, 15]))
    return g.op("Relu", v)
