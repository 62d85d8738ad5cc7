"""Cases: operators that move, cut, join or reinterpret: no arithmetic on values, all attributes and opset forms."""

import numpy as np
from onnx import numpy_helper

from .build import add, case

SQUARE = (1, 6, 9, 7)


def ints(*values):
    return np.array(values, np.int64)


# -- Transpose, Reshape, Flatten, Squeeze, Unsqueeze, Expand ---------------------------------------------

add("transpose_default_reverses", lambda g: g.op("Transpose", g.x), (1, 6, 7, 1), batch=1)
add("transpose_nhwc", lambda g: g.op("Transpose", g.x, perm=[0, 2, 3, 1]), SQUARE)
add("transpose_swap_spatial", lambda g: g.op("Transpose", g.conv(g.x, 6, 5, (3, 3)), perm=[0, 1, 3, 2]), SQUARE)


@case(x=(1, 9, 7, 3), nhwc=True)
def nhwc_input_conv_back(g):
    """TensorFlow: [N,H,W,C] in, Transpose, Conv, Transpose out."""
    v = g.op("Transpose", g.x, perm=[0, 3, 1, 2])
    v = g.op("Relu", g.conv(v, 3, 16, (3, 3), strides=[2, 2], pads=[0, 0, 1, 1]))
    return g.op("Transpose", v, perm=[0, 2, 3, 1])


@case(x=(1, 9, 7, 3), nhwc=True)
def nhwc_classifier(g):
    """A small Keras-like net: NHWC, bias by Add on the last axis, mean over H and W, dense, softmax."""
    v = g.op("Transpose", g.conv(g.op("Transpose", g.x, perm=[0, 3, 1, 2]), 3, 8, (3, 3), bias=False, auto_pad="SAME_UPPER", strides=[2, 2]), perm=[0, 2, 3, 1])
    v = g.op("Relu", g.op("Add", v, g.normal(8)))
    v = g.op("Transpose", g.conv(g.op("Transpose", v, perm=[0, 3, 1, 2]), 8, 8, (3, 3), group=8, bias=False, auto_pad="SAME_UPPER"), perm=[0, 2, 3, 1])
    v = g.op("Clip", g.op("Add", v, g.normal(8)), 0.0, 6.0)
    v = g.op("ReduceMean", v, axes=[1, 2], keepdims=0)
    return g.op("Softmax", g.op("Add", g.op("MatMul", v, g.weights(8, 5)), g.normal(5)), axis=-1)


@case(x=(1, 6, 5, 7, 3), nhwc=True)
def ndhwc_conv3d(g):
    return g.op("Transpose", g.conv(g.op("Transpose", g.x, perm=[0, 4, 1, 2, 3]), 3, 5, (3, 3, 3), pads=[1] * 6), perm=[0, 2, 3, 4, 1])


add("reshape_minus1", lambda g: g.op("Reshape", g.conv(g.x, 6, 5, (3, 3)), ints(-1, 175)), SQUARE)
add("reshape_zero_and_minus1", lambda g: g.op("Reshape", g.x, ints(0, 3, 2, -1)), SQUARE)
add("reshape_batch1_baked_in", lambda g: g.gemm(g.op("Reshape", g.op("GlobalAveragePool", g.x), ints(1, 6)), 6, 5), SQUARE, batch=1)
add("reshape_split_spatial", lambda g: g.op("Reshape", g.x, ints(0, 6, 3, 3, 7)), SQUARE)
add("reshape_merge_spatial", lambda g: g.op("Reshape", g.x, ints(0, 0, -1)), SQUARE)
add("reshape_constant_node", lambda g: g.op("Reshape", g.x, g.constant(value_ints=[0, -1])), SQUARE)
add("reshape_allowzero0", lambda g: g.op("Reshape", g.x, ints(0, -1, 7), allowzero=0), SQUARE, opset=14)
add("reshape_allowzero1", lambda g: g.op("Reshape", g.x, ints(1, 54, 7), allowzero=1), SQUARE, opset=14, batch=1)
add("flatten_axis1", lambda g: g.gemm(g.op("Flatten", g.conv(g.x, 6, 5, (3, 3))), 175, 7), SQUARE)
add("flatten_axis2", lambda g: g.op("Flatten", g.x, axis=2), SQUARE, batch=1)
add("flatten_axis0", lambda g: g.op("Flatten", g.x, axis=0), SQUARE, batch=1)
add("flatten_negative_axis", lambda g: g.op("Flatten", g.x, axis=-3), SQUARE, opset=13)
add("flatten_opset9", lambda g: g.op("Flatten", g.x, axis=1), SQUARE, opset=9)
add("squeeze_attribute_opset11", lambda g: g.op("Squeeze", g.op("GlobalAveragePool", g.x), axes=[2, 3]), SQUARE, opset=11)
add("squeeze_input_opset13", lambda g: g.op("Squeeze", g.op("GlobalAveragePool", g.x), ints(-1, -2)), SQUARE, opset=13)
add("squeeze_all_ones", lambda g: g.op("Squeeze", g.x), (1, 6, 1, 7), opset=13, batch=1)
add("unsqueeze_attribute_opset11", lambda g: g.op("Unsqueeze", g.x, axes=[1, 4]), SQUARE, opset=11)
add("unsqueeze_input_opset13", lambda g: g.op("Unsqueeze", g.x, ints(2, -1)), SQUARE, opset=13)
add("unsqueeze_1d_to_conv2d", lambda g: g.conv(g.op("Unsqueeze", g.x, ints(2)), 6, 5, (1, 3)), (1, 6, 31))
add("expand_channels", lambda g: g.op("Expand", g.x, ints(1, 5, 1, 1)), (1, 1, 9, 7))
add("expand_spatial", lambda g: g.op("Expand", g.op("GlobalAveragePool", g.x), ints(1, 6, 4, 5)), SQUARE)
add("tile", lambda g: g.op("Tile", g.x, ints(1, 2, 1, 3)), SQUARE)

# -- Concat, Split, Slice, Gather, Pad ------------------------------------------------------------------

add("concat_channels", lambda g: g.op("Concat", g.conv(g.x, 6, 5, (3, 3), pads=[1] * 4), g.x, g.conv(g.x, 6, 7, (1, 1)), axis=1), SQUARE)
add("concat_rows", lambda g: g.op("Concat", g.x, g.op("Relu", g.x), axis=2), SQUARE)
add("concat_negative_axis", lambda g: g.op("Concat", g.x, g.op("Relu", g.x), axis=-1), SQUARE)
add("concat_constant_channels", lambda g: g.op("Concat", g.x, g.normal(1, 2, 9, 7), axis=1), SQUARE, batch=1)
add("concat_constant_first", lambda g: g.op("Concat", g.normal(1, 6, 2, 7), g.x, axis=2), SQUARE, batch=1)
add("concat_same_twice", lambda g: g.conv(g.op("Concat", g.x, g.x, axis=1), 12, 5, (3, 3)), SQUARE)
add("concat_features", lambda g: g.op("Concat", g.gemm(g.x, 19, 5), g.x, axis=1), (1, 19))


def split_sum(g, parts):
    """Uses every part, differently, so that a mixed-up order shows."""
    return [g.op("Mul", part, float(index + 1)) for index, part in enumerate(parts)]


add("split_equal_opset11", lambda g: split_sum(g, g.op("Split", g.x, axis=1, outputs=3)), SQUARE, opset=11)
add("split_attribute_uneven_opset11", lambda g: split_sum(g, g.op("Split", g.x, axis=1, split=[1, 2, 3], outputs=3)), SQUARE, opset=11)
add("split_input_uneven_opset13", lambda g: split_sum(g, g.op("Split", g.x, ints(4, 2), axis=1, outputs=2)), SQUARE, opset=13)
add("split_equal_opset13_rows", lambda g: split_sum(g, g.op("Split", g.x, axis=-2, outputs=3)), SQUARE, opset=13)
add("split_num_outputs_opset18", lambda g: split_sum(g, g.op("Split", g.x, axis=3, num_outputs=3, outputs=3)), SQUARE, opset=18)
add("split_default_axis0_of_features", lambda g: split_sum(g, g.op("Split", g.op("Transpose", g.x, perm=[1, 0]), outputs=2)), (1, 18), opset=13, batch=1)

add("slice_attributes_opset9", lambda g: g.op("Slice", g.x, axes=[2, 3], starts=[1, -5], ends=[8, 6]), SQUARE, opset=9)
add("slice_attributes_opset9_no_axes", lambda g: g.op("Slice", g.x, starts=[0, 1, 2, 0], ends=[1, 5, 100, 4]), SQUARE, opset=9, batch=1)
add("slice_inputs", lambda g: g.op("Slice", g.x, ints(1, 2), ints(8, 6), ints(2, 3)), SQUARE)
add("slice_no_axes_no_steps", lambda g: g.op("Slice", g.x, ints(0, 1), ints(100, 5)), SQUARE, opset=13)
add("slice_steps", lambda g: g.op("Slice", g.x, ints(1, 1), ints(9, 7), ints(2, 3), ints(2, 3)), SQUARE)
add("slice_negative_steps", lambda g: g.op("Slice", g.x, ints(-1, 5), ints(-(2**63), 0), ints(2, 3), ints(-2, -1)), SQUARE)
add("slice_reverse_channels", lambda g: g.conv(g.op("Slice", g.x, ints(-1), ints(-100), ints(1), ints(-1)), 6, 5, (3, 3)), SQUARE)
add("slice_negative_axes_int32", lambda g: g.op("Slice", g.x, np.array([1], np.int32), np.array([2**31 - 1], np.int32), np.array([-1], np.int32)), SQUARE)
add("slice_focus_yolo", lambda g: g.conv(g.op("Concat", *[
    g.op("Slice", g.x, ints(a, b), ints(2**31 - 1, 2**31 - 1), ints(2, 3), ints(2, 2)) for a, b in ((0, 0), (1, 0), (0, 1), (1, 1))
], axis=1), 12, 7, (3, 3)), (1, 3, 10, 8))

add("gather_channels", lambda g: g.op("Gather", g.x, ints(4, 0, 0, -1), axis=1), SQUARE)
add("gather_rows", lambda g: g.op("Gather", g.x, ints(7, 2, 3), axis=2), SQUARE)
add("gather_scalar_drops_axis", lambda g: g.op("Gather", g.x, np.int64(2), axis=1), SQUARE)
add("gather_2d_indices", lambda g: g.op("Gather", g.x, np.array([[0, 3], [6, 1]], np.int64), axis=3), SQUARE)
add("gather_class_token", lambda g: g.gemm(g.op("Gather", g.x, np.int64(0), axis=1), 24, 7), (1, 15, 24))
add("gather_flattened", lambda g: g.op("Gather", g.op("Flatten", g.x), ints(0, 100, 377, 15), axis=1), SQUARE)
add("gather_default_axis0_opset11", lambda g: g.op("Gather", g.op("Transpose", g.x, perm=[1, 0, 2, 3]), ints(3, 1)), SQUARE, opset=11, batch=1)


def pad(name, opset, pads, axes=None, value=None, **attributes):
    def build(g):
        inputs = [ints(*pads)]
        if value is not None or axes is not None:
            inputs.append(None if value is None else np.float32(value))
        if axes is not None:
            inputs.append(ints(*axes))
        return g.op("Pad", g.x, *inputs, **attributes)

    add(name, build, SQUARE, opset=opset)


SPATIAL = [0, 0, 1, 2, 0, 0, 2, 1]
add("pad_attributes_opset10", lambda g: g.op("Pad", g.x, pads=SPATIAL, mode="constant", value=0.7), SQUARE, opset=10)
add("pad_attributes_reflect_opset9", lambda g: g.op("Pad", g.x, pads=SPATIAL, mode="reflect"), SQUARE, opset=9)
add("pad_attributes_edge_opset10", lambda g: g.op("Pad", g.x, pads=SPATIAL, mode="edge"), SQUARE, opset=10)
pad("pad_constant_opset11", 11, SPATIAL)
pad("pad_constant_value", 13, SPATIAL, value=-1.5, mode="constant")
pad("pad_reflect_opset11", 11, SPATIAL, mode="reflect")
pad("pad_edge", 17, SPATIAL, mode="edge")
pad("pad_wrap_opset19", 19, SPATIAL, mode="wrap")
pad("pad_channels", 17, [0, 1, 0, 0, 0, 2, 0, 0])
pad("pad_negative_crops", 17, [0, 0, -1, 0, 0, 0, 0, -2])
pad("pad_axes_opset18", 18, [1, 2, 0, 3], axes=[3, 2])
pad("pad_axes_negative_opset18", 18, [1, 1], axes=[-1], value=0.25)
pad("pad_axes_reflect_opset18", 18, [2, 1], axes=[2], mode="reflect")
add("pad_before_conv_folds", lambda g: g.conv(g.op("Pad", g.x, ints(0, 0, 1, 0, 0, 0, 2, 1)), 6, 5, (3, 3), strides=[2, 2]), SQUARE)
add("pad_before_maxpool_zeros_win", lambda g: g.op("MaxPool", g.op("Pad", g.op("Sub", g.x, 3.0), ints(*SPATIAL)), kernel_shape=[3, 3], strides=[2, 2]), SQUARE)

# -- Shape arithmetic, constants ------------------------------------------------------------------------


@case(x=SQUARE, batch="N")
def shape_gather_concat_reshape(g):
    """torch's x.view(x.size(0), -1)."""
    batch = g.op("Unsqueeze", g.op("Gather", g.op("Shape", g.x), g.constant(np.int64(0)), axis=0), g.constant(ints(0)))
    shape = g.op("Concat", batch, g.constant(ints(-1)), axis=0)
    return g.gemm(g.op("Reshape", g.conv(g.x, 6, 5, (3, 3)), shape), 175, 7)


@case(x=SQUARE, batch="N", declared=("N", 6, "H", "W"))
def shape_arithmetic_dynamic_spatial(g):
    """H and W symbolic: flattened by Shape, Gather, Mul."""
    shape = g.op("Shape", g.x)
    batch, channels, height, width = (g.op("Gather", shape, np.int64(axis), axis=0) for axis in range(4))
    parts = [g.op("Unsqueeze", part, ints(0)) for part in (batch, channels, g.op("Mul", height, width))]
    return g.op("ReduceMean", g.op("Reshape", g.op("Relu", g.x), g.op("Concat", *parts, axis=0)), axes=[2], keepdims=0)


@case(x=SQUARE, opset=15)
def shape_start_end(g):
    spatial = g.op("Shape", g.x, start=2)
    front = g.op("Shape", g.x, start=0, end=-2)
    return g.op("Reshape", g.op("Relu", g.x), g.op("Concat", front, g.op("ReduceProd", spatial, axes=[0], keepdims=1), axis=0))


@case(x=SQUARE)
def shape_slice_cast_div_floor(g):
    """Half the spatial size by float arithmetic, then used as the sizes of an Expand."""
    half = g.op("Slice", g.op("Shape", g.x), ints(2), ints(4), ints(0))
    half = g.op("Cast", g.op("Floor", g.op("Div", g.op("Cast", half, to=1), 2.0)), to=7)
    sizes = g.op("Concat", ints(1, 1), half, axis=0)
    return g.op("Expand", g.op("GlobalMaxPool", g.x), sizes)


@case(x=SQUARE)
def size_and_where_on_shapes(g):
    """Expand with torch's Where(shape == -1, 1, shape) pattern."""
    wanted = g.constant(ints(-1, 6, 9, 7))
    ones = g.op("ConstantOfShape", g.op("Shape", wanted), value=tensor(ints(1)))
    minus = g.op("Mul", ones, ints(-1))
    shape = g.op("Where", g.op("Equal", wanted, minus), ones, wanted)
    return g.op("Expand", g.op("ReduceMean", g.x, axes=[2, 3], keepdims=1), shape)


def tensor(array):
    return numpy_helper.from_array(np.asarray(array))


@case(x=SQUARE)
def constant_of_shape_add(g):
    ones = g.op("ConstantOfShape", ints(6, 1, 1), value=tensor(np.array([1.5], np.float32)))
    zeros = g.op("ConstantOfShape", ints(1))
    return g.op("Add", g.op("Add", g.x, ones), zeros)


@case(x=SQUARE)
def range_as_position(g):
    positions = g.op("Range", np.float32(0), np.float32(7), np.float32(1))
    return g.op("Add", g.x, positions)


@case(x=SQUARE)
def range_as_indices(g):
    return g.op("Gather", g.x, g.op("Range", np.int64(6), np.int64(-1), np.int64(-2)), axis=3)


@case(x=SQUARE)
def constant_forms(g):
    """value_float, value_floats, value_int, value_ints, value."""
    v = g.op("Mul", g.x, g.constant(value_float=1.5))
    v = g.op("Add", v, g.constant(value_floats=[0.1 * i for i in range(7)]))
    v = g.op("Reshape", v, g.constant(value_ints=[0, 3, -1, 7]))
    return g.op("Gather", v, g.constant(value_int=1), axis=1)


@case(x=SQUARE)
def where_constant_mask(g):
    mask = (g.rng.random((9, 7)) > 0.4)
    return g.op("Where", mask, g.x, g.normal(6, 1, 1))


@case(x=SQUARE)
def where_computed_mask(g):
    return g.op("Where", g.op("Greater", g.x, 0.1), g.op("Mul", g.x, 2.0), g.op("Neg", g.x))


# -- DepthToSpace, SpaceToDepth -------------------------------------------------------------------------

add("depth_to_space_dcr", lambda g: g.op("DepthToSpace", g.x, blocksize=2, mode="DCR"), (1, 12, 5, 7), opset=13)
add("depth_to_space_crd", lambda g: g.op("DepthToSpace", g.x, blocksize=2, mode="CRD"), (1, 12, 5, 7))
add("depth_to_space_opset9", lambda g: g.op("DepthToSpace", g.x, blocksize=3), (1, 18, 3, 4), opset=9)
add("space_to_depth", lambda g: g.op("SpaceToDepth", g.x, blocksize=2), (1, 3, 10, 6))

# -- nodes that do nothing ------------------------------------------------------------------------------

add("identity", lambda g: g.op("Identity", g.op("Relu", g.op("Identity", g.x))), SQUARE)
add("dropout_opset9", lambda g: g.op("Dropout", g.conv(g.x, 6, 5, (1, 1)), ratio=0.4), SQUARE, opset=9)
add("dropout_opset13", lambda g: g.op("Dropout", g.conv(g.x, 6, 5, (1, 1)), np.float32(0.4), np.bool_(False)), SQUARE, opset=13)
add("dropout_no_ratio", lambda g: g.gemm(g.op("Dropout", g.x, seed=3), 19, 5), (1, 19), opset=12)
