"""Cases: operators that meet values stored in another order of axes than the model's, as behind a convolution."""

import numpy as np

from .build import add, case

SQUARE = (1, 6, 9, 7)


def ints(*values):
    return np.array(values, np.int64)


def stem(g, channels=6):
    return g.conv(g.x, 6, channels, (3, 3), pads=[1] * 4)


@case(x=SQUARE, batch=1)
def stored_groupnorm_torch(g):
    """torch's GroupNorm: reshape, InstanceNormalization with scale 1, reshape back, per-channel scale and shift."""
    v = g.op("Reshape", stem(g), ints(0, 3, -1))
    v = g.op("InstanceNormalization", v, np.ones(3, np.float32), np.zeros(3, np.float32))
    v = g.op("Reshape", v, ints(1, 6, 9, 7))
    v = g.op("Add", g.op("Mul", v, g.normal(6, 1, 1)), g.normal(6, 1, 1))
    return g.conv(v, 6, 5, (3, 3))


@case(x=SQUARE, batch=1)
def stored_groupnorm_torch_scaled(g):
    """The same with scale and shift inside the InstanceNormalization, one per group."""
    v = g.op("InstanceNormalization", g.op("Reshape", stem(g), ints(0, 2, -1)), g.normal(2), g.normal(2))
    return g.op("Reshape", v, ints(1, 6, 9, 7))


@case(x=SQUARE, batch=1)
def stored_flatten_two_readers(g):
    """The flattened value is read by a product, whose weights can be reordered, and by an operator that needs the model's order."""
    v = g.op("Flatten", stem(g))
    return g.gemm(v, 378, 5), g.op("Mul", v, g.normal(378))


@case(x=SQUARE, batch=1)
def stored_flatten_relu_gemm(g):
    return g.gemm(g.op("Relu", g.op("Flatten", stem(g))), 378, 5)


@case(x=SQUARE, batch=1)
def stored_flatten_matmul(g):
    v = g.op("Reshape", stem(g), ints(1, 1, -1))
    return g.op("MatMul", v, g.normal(378, 5, scale=0.05))


@case(x=SQUARE, batch=1)
def stored_flatten_batchnorm_gemm(g):
    """Face recognition nets: norm over the flattened features."""
    return g.gemm(g.batchnorm(g.op("Flatten", stem(g)), 378), 378, 5)


@case(x=SQUARE, batch=1)
def stored_flatten_and_back(g):
    v = g.op("Reshape", g.op("Sigmoid", g.op("Flatten", stem(g))), ints(1, 6, 9, 7))
    return g.conv(v, 6, 5, (1, 1))


@case(x=SQUARE, batch=1)
def stored_pixel_shuffle(g):
    v = g.op("DepthToSpace", stem(g, 12), blocksize=2, mode="CRD")
    return g.conv(v, 3, 5, (3, 3))


@case(x=(1, 6, 8, 6), batch=1)
def stored_pixel_unshuffle(g):
    return g.conv(g.op("SpaceToDepth", g.conv(g.x, 6, 3, (1, 1)), blocksize=2), 12, 5, (1, 1))


@case(x=SQUARE, batch=1)
def stored_layernorm_channels_pixels(g):
    return g.op("LayerNormalization", stem(g), g.normal(6, 9, 7), g.normal(6, 9, 7), axis=1)


@case(x=SQUARE, batch=1)
def stored_layernorm_columns(g):
    return g.op("LayerNormalization", stem(g), g.normal(7), g.normal(7))


@case(x=SQUARE, opset=11)
def stored_softmax_many_axes(g):
    return g.op("Softmax", stem(g), axis=1)


@case(x=SQUARE, batch=1)
def stored_matmul_on_columns(g):
    return g.op("MatMul", stem(g), g.normal(7, 4, scale=0.4))


@case(x=SQUARE, batch=1)
def stored_matmul_on_rows(g):
    return g.op("MatMul", g.normal(4, 9, scale=0.3), stem(g))


@case(x=SQUARE, batch=1)
def stored_matmul_with_itself(g):
    v = stem(g)
    return g.op("MatMul", v, g.op("Transpose", v, perm=[0, 1, 3, 2]))


@case(x=SQUARE, batch=1)
def stored_add_input_behind_conv(g):
    """The picture as it came meets a convolution's result."""
    return g.op("Add", g.x, stem(g))


@case(x=SQUARE, batch=1)
def stored_add_transposed(g):
    v = stem(g)
    return g.op("Add", g.op("Transpose", v, perm=[0, 2, 3, 1]), g.normal(6)), g.op("Mul", v, g.normal(1, 6, 1, 7))


@case(x=SQUARE, batch=1)
def stored_where_mixed(g):
    v = stem(g)
    return g.op("Where", g.op("Greater", v, g.x), v, g.normal(9, 1))


@case(x=SQUARE, batch=1)
def stored_concat_mixed(g):
    return g.op("Concat", g.x, stem(g), g.normal(1, 2, 9, 7), axis=1)


@case(x=SQUARE, batch=1)
def stored_reduce_channels_and_rows(g):
    v = stem(g)
    return g.op("ReduceMean", v, axes=[1, 2], keepdims=0), g.op("ReduceL2", v, axes=[-1, 1], keepdims=1)


@case(x=SQUARE, batch=1)
def stored_reshape_chain(g):
    """Splits, merges and transposes that a stored order can follow, and one that it cannot."""
    v = g.op("Transpose", g.op("Reshape", stem(g), ints(1, 2, 3, 9, 7)), perm=[0, 3, 4, 1, 2])
    v = g.op("Reshape", g.op("Relu", v), ints(1, 63, 6))
    v = g.op("Transpose", g.op("Reshape", v, ints(1, 21, 3, 3, 2)), perm=[0, 4, 2, 1, 3])
    return g.op("Reshape", v, ints(2, 3, -1))


@case(x=SQUARE, batch=1)
def stored_tile_expand_split(g):
    a, b = g.op("Split", stem(g), outputs=2, axis=1)
    mean = g.op("ReduceMean", b, axes=[2], keepdims=1)
    return g.op("Tile", a, ints(1, 2, 1, 3)), g.op("Expand", mean, ints(1, 3, 9, 7))


@case(x=SQUARE, batch=1)
def stored_pad_channels_then_conv(g):
    """Padding of channels is no convolution's padding; padding of pixels is."""
    v = g.op("Pad", stem(g), ints(0, 1, 0, 0, 0, 0, 0, 0))
    v = g.conv(v, 7, 5, (3, 3))
    return g.conv(g.op("Pad", v, ints(0, 0, 1, 0, 0, 0, 0, 2)), 5, 4, (3, 3), pads=[0, 1, 0, 1])


@case(x=SQUARE, batch=1)
def stored_prelu_full_slope(g):
    return g.op("PRelu", stem(g), g.normal(6, 9, 7, scale=0.3))


@case(x=SQUARE, batch=1)
def stored_gather_nd_axes(g):
    return g.op("Gather", stem(g), np.array([[0, 5, 2]], np.int64), axis=1), g.op("Gather", g.x, np.int64(-1), axis=2)


@case(x=SQUARE, batch=1)
def stored_heads_of_pixels(g):
    """Attention over the pixels of a convolution's result, three heads, and back to an image."""
    v = g.op("Transpose", g.op("Reshape", stem(g), ints(1, 6, 63)), perm=[0, 2, 1])
    q, k, u = (
        g.op("Transpose", g.op("Reshape", g.op("MatMul", v, g.normal(6, 6, scale=0.4)), ints(1, 63, 3, 2)), perm=[0, 2, 1, 3])
        for _ in range(3)
    )
    scores = g.op("Softmax", g.op("MatMul", q, g.op("Transpose", k, perm=[0, 1, 3, 2])), axis=-1)
    v = g.op("Reshape", g.op("Transpose", g.op("MatMul", scores, u), perm=[0, 2, 1, 3]), ints(1, 63, 6))
    return g.op("Reshape", g.op("Transpose", v, perm=[0, 2, 1]), ints(1, 6, 9, 7))


# -- rules that only odd parameters show ------------------------------------------------------------------

add("slice_backwards_from_before_the_first", lambda g: g.op("Slice", g.x, ints(-20), ints(-(2**62)), ints(3), ints(-2)), SQUARE, corner=0)
add("resize_to_equal_sizes_is_a_copy", lambda g: g.op("Resize", g.x, None, np.array([1, 1, 1.05, 1.1], np.float32), mode="nearest"), SQUARE)
add("convtranspose_auto_pad_kernel_below_stride", lambda g: g.op(
    "ConvTranspose", g.x, g.normal(6, 4, 1, 2, scale=0.3), strides=[2, 3], auto_pad="SAME_UPPER"), SQUARE)
