"""Cases: Conv and ConvTranspose in 1-D, 2-D and 3-D, every attribute, odd sizes and odd channel counts."""

from .build import add, case

SQUARE = (1, 5, 13, 11)


def conv_case(name, x, channels_out, kernel, opset=17, group=1, bias=True, **attributes):
    def build(g):
        return g.conv(g.x, x[1], channels_out, kernel, group=group, bias=bias, **attributes)

    add(name, build, x, opset=opset)


conv_case("conv2d", SQUARE, 7, (3, 3), pads=[1, 1, 1, 1])
conv_case("conv2d_valid_no_bias", SQUARE, 16, (3, 3), bias=False)
conv_case("conv2d_kernel_shape_attribute", SQUARE, 7, (3, 5), kernel_shape=[3, 5], pads=[1, 2, 1, 2])
conv_case("conv2d_1x1", (1, 19, 9, 7), 32, (1, 1))
conv_case("conv2d_1x1_stride2", (1, 16, 9, 8), 19, (1, 1), strides=[2, 2])
conv_case("conv2d_stride2", SQUARE, 16, (3, 3), strides=[2, 2], pads=[1, 1, 1, 1])
conv_case("conv2d_stem_7x7_stride2", (1, 3, 23, 21), 16, (7, 7), strides=[2, 2], pads=[3, 3, 3, 3])
conv_case("conv2d_patchify_4x4_stride4", (1, 3, 17, 22), 19, (4, 4), strides=[4, 4])
conv_case("conv2d_stride_larger_than_kernel", SQUARE, 7, (2, 2), strides=[3, 3])
conv_case("conv2d_stride_differs", SQUARE, 7, (3, 3), strides=[1, 3], pads=[0, 1, 2, 1])
conv_case("conv2d_even_kernel", SQUARE, 7, (2, 4), pads=[0, 1, 1, 2])
conv_case("conv_asymmetric_pads", SQUARE, 7, (3, 3), pads=[0, 2, 1, 0])
conv_case("conv_pads_larger_than_kernel", (1, 5, 5, 6), 7, (3, 3), pads=[4, 4, 4, 4])
conv_case("conv2d_dilated", SQUARE, 7, (3, 3), dilations=[2, 2], pads=[2, 2, 2, 2])
conv_case("conv2d_dilated_group2", (1, 6, 13, 11), 10, (3, 3), group=2, dilations=[2, 1], pads=[2, 1, 2, 1])
conv_case("conv2d_dilated_stride2_asymmetric", SQUARE, 7, (3, 3), dilations=[3, 2], strides=[2, 2], pads=[3, 1, 2, 2])
conv_case("conv2d_group2", (1, 32, 9, 7), 48, (3, 3), group=2, pads=[1, 1, 1, 1])
conv_case("conv2d_group3_stride2", (1, 21, 9, 7), 15, (3, 3), group=3, strides=[2, 2], pads=[1, 1, 1, 1])
conv_case("conv2d_group8_resnext", (1, 32, 9, 7), 32, (3, 3), group=8, pads=[1, 1, 1, 1])
conv_case("conv2d_1x1_group3", (1, 15, 9, 7), 21, (1, 1), group=3)
conv_case("conv2d_depthwise_3x3", (1, 19, 13, 11), 19, (3, 3), group=19, pads=[1, 1, 1, 1])
conv_case("conv2d_depthwise_5x5_stride2", (1, 16, 13, 11), 16, (5, 5), group=16, strides=[2, 2], pads=[2, 2, 2, 2])
conv_case("conv2d_depthwise_7x7", (1, 9, 13, 11), 9, (7, 7), group=9, pads=[3, 3, 3, 3])
conv_case("conv2d_depthwise_dilated", (1, 7, 13, 11), 7, (3, 3), group=7, dilations=[2, 2], pads=[2, 2, 2, 2])
conv_case("conv2d_depthwise_multiplier2", (1, 9, 13, 11), 18, (3, 3), group=9, pads=[1, 1, 1, 1])
conv_case("conv2d_depthwise_multiplier3_stride2", (1, 5, 13, 11), 15, (3, 3), group=5, strides=[2, 2], pads=[1, 1, 1, 1])
conv_case("conv2d_one_channel", (1, 1, 13, 11), 1, (3, 3), pads=[1, 1, 1, 1])
conv_case("conv2d_kernel_covers_all", (1, 5, 7, 6), 9, (7, 6))
conv_case("conv2d_1x7_7x1", (1, 16, 11, 9), 7, (1, 7), pads=[0, 3, 0, 3])
conv_case("conv2d_wide_channels", (1, 80, 5, 5), 96, (3, 3), pads=[1, 1, 1, 1])
conv_case("conv2d_opset9", SQUARE, 7, (3, 3), opset=9, pads=[1, 1, 1, 1])
conv_case("conv2d_opset22", SQUARE, 7, (3, 3), opset=22, pads=[1, 1, 1, 1])
for padding in ("SAME_UPPER", "SAME_LOWER", "VALID"):
    conv_case(f"conv_auto_pad_{padding.lower()}", SQUARE, 7, (4, 3), auto_pad=padding)
    conv_case(f"conv_auto_pad_{padding.lower()}_stride2", (1, 5, 12, 11), 7, (3, 3), auto_pad=padding, strides=[2, 2])
conv_case("conv_auto_pad_notset", SQUARE, 7, (3, 3), auto_pad="NOTSET", pads=[1, 0, 1, 0])

conv_case("conv1d", (1, 5, 37), 7, (5,), pads=[2, 2])
conv_case("conv1d_dilated_stride3_group", (1, 6, 41), 10, (4,), group=2, dilations=[2], strides=[3], pads=[3, 1])
conv_case("conv1d_depthwise", (1, 19, 33), 19, (9,), group=19, pads=[4, 4])
conv_case("conv1d_auto_pad_same_lower", (1, 3, 30), 16, (4,), auto_pad="SAME_LOWER", strides=[2])
conv_case("conv3d", (1, 3, 9, 8, 7), 5, (3, 3, 3), pads=[1, 1, 1, 1, 1, 1])
conv_case("conv3d_stride_dilation_group", (1, 4, 11, 9, 8), 6, (3, 2, 3), group=2, strides=[2, 1, 2], dilations=[1, 2, 2], pads=[1, 0, 2, 1, 1, 0])
conv_case("conv3d_depthwise", (1, 7, 7, 8, 5), 7, (3, 3, 3), group=7, pads=[1, 1, 1, 1, 1, 1])
conv_case("conv3d_1x1x1", (1, 16, 5, 6, 5), 7, (1, 1, 1))
conv_case("conv3d_auto_pad_same_upper", (1, 3, 8, 7, 6), 5, (3, 3, 3), auto_pad="SAME_UPPER", strides=[2, 2, 2])


def transpose_case(name, x, channels_out, kernel, opset=17, group=1, bias=True, **attributes):
    def build(g):
        w = g.normal(x[1], channels_out // group, *kernel, scale=0.25)
        b = [g.normal(channels_out, scale=0.3)] if bias else []
        more = dict(attributes, group=group) if group != 1 else attributes
        return g.op("ConvTranspose", g.x, w, *b, **more)

    add(name, build, x, opset=opset)


SMALL = (1, 5, 7, 6)
transpose_case("convtranspose2d", SMALL, 7, (3, 3))
transpose_case("convtranspose2d_no_bias_stride2", SMALL, 7, (2, 2), bias=False, strides=[2, 2])
transpose_case("convtranspose2d_stride2_pads", SMALL, 7, (4, 4), strides=[2, 2], pads=[1, 1, 1, 1], kernel_shape=[4, 4])
transpose_case("convtranspose2d_stride2_outpad", SMALL, 7, (3, 3), strides=[2, 2], pads=[1, 1, 1, 1], output_padding=[1, 1])
transpose_case("convtranspose2d_group_dilation", (1, 6, 7, 6), 9, (3, 3), group=3, dilations=[2, 1], strides=[1, 2], pads=[1, 0, 0, 1])
transpose_case("convtranspose2d_stride_larger_than_kernel", SMALL, 7, (2, 2), strides=[3, 3])
transpose_case("convtranspose_output_shape", SMALL, 7, (3, 3), strides=[2, 2], output_shape=[14, 13])
transpose_case("convtranspose_auto_pad_same_upper", SMALL, 7, (3, 3), strides=[2, 2], auto_pad="SAME_UPPER")
transpose_case("convtranspose_auto_pad_same_lower", SMALL, 7, (3, 3), strides=[2, 2], auto_pad="SAME_LOWER")
transpose_case("convtranspose_auto_pad_valid", SMALL, 7, (3, 3), strides=[2, 2], auto_pad="VALID")
transpose_case("convtranspose2d_depthwise", SMALL, 5, (3, 3), group=5, strides=[2, 2])
transpose_case("convtranspose1d", (1, 5, 17), 7, (4,), strides=[2], pads=[1, 1])
transpose_case("convtranspose3d", (1, 3, 5, 4, 6), 5, (2, 2, 2), strides=[2, 2, 2])
transpose_case("convtranspose2d_opset9", SMALL, 7, (3, 3), opset=9, strides=[2, 2])
transpose_case("convtranspose2d_opset22", SMALL, 7, (3, 3), opset=22, strides=[2, 1])


@case(x=SQUARE)
def conv_weights_through_constant_node(g):
    """Weights that come from Constant nodes, not initializers, as torch's exporter writes them at times."""
    w, b = g.constant(g.weights(7, 5, 3, 3)), g.constant(g.normal(7))
    return g.op("Conv", g.x, w, b, pads=[1, 1, 1, 1])


@case(x=SQUARE)
def conv_weights_computed(g):
    """Weights that are the result of foldable nodes: a Transpose and a scale."""
    w = g.op("Mul", g.op("Transpose", g.init(g.weights(3, 3, 5, 7)), perm=[3, 2, 0, 1]), 2.0)
    return g.op("Conv", g.x, w, pads=[1, 1, 1, 1])


@case(x=SQUARE)
def conv_shared_weights(g):
    """The same weights used by two nodes, at different strides."""
    w = g.init(g.weights(5, 5, 3, 3))
    once = g.op("Conv", g.x, w, pads=[1, 1, 1, 1])
    return g.op("Conv", once, w, pads=[1, 1, 1, 1], strides=[2, 2]), once


@case(x=SQUARE)
def conv_batchnorm_relu_chain(g):
    v = g.x
    for channels_in, channels_out, stride in ((5, 16, 1), (16, 19, 2), (19, 7, 1)):
        v = g.conv(v, channels_in, channels_out, (3, 3), bias=False, strides=[stride] * 2, pads=[1, 1, 1, 1])
        v = g.op("Relu", g.batchnorm(v, channels_out))
    return v


@case(x=SQUARE)
def conv_residual_relu(g):
    """Conv, Add, Relu: what an engine fuses into one epilogue, with the skip on either side of the Add."""
    one = g.conv(g.x, 5, 5, (3, 3), pads=[1, 1, 1, 1])
    sum_one = g.op("Relu", g.op("Add", one, g.x))
    two = g.conv(sum_one, 5, 5, (1, 1))
    return g.op("Relu", g.op("Add", sum_one, two))


@case(x=SQUARE)
def conv_output_used_twice(g):
    """Activation that may not be fused away: its input is needed too."""
    v = g.conv(g.x, 5, 7, (3, 3), pads=[1, 1, 1, 1])
    return g.op("Add", g.op("Relu", v), g.op("Mul", v, 0.5)), v
