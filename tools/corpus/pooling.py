"""Cases: MaxPool, AveragePool and the global pools, 1-D to 3-D, with their rounding and padding rules."""

from .build import add, case

SQUARE = (1, 5, 13, 11)


def pool(name, op_type, x=SQUARE, opset=17, fill=0.5, **attributes):
    add(name, lambda g: g.op(op_type, g.x, **attributes), x, opset=opset, fill=fill)


pool("maxpool", "MaxPool", kernel_shape=[2, 2], strides=[2, 2])
pool("maxpool_default_strides", "MaxPool", kernel_shape=[3, 2])
pool("maxpool_3x3_stride2_pad1", "MaxPool", kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
pool("maxpool_asymmetric_pads", "MaxPool", kernel_shape=[3, 3], strides=[2, 1], pads=[0, 1, 2, 0])
pool("maxpool_ceil", "MaxPool", x=(1, 7, 12, 14), kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1)
pool("maxpool_ceil_padded", "MaxPool", kernel_shape=[3, 3], strides=[3, 3], pads=[1, 1, 1, 1], ceil_mode=1)
pool("maxpool_ceil_window_starts_in_padding", "MaxPool", x=(1, 3, 7, 7), opset=22, kernel_shape=[2, 2], strides=[3, 3], pads=[1, 1, 1, 1], ceil_mode=1)
pool("maxpool_dilation", "MaxPool", kernel_shape=[3, 2], dilations=[2, 3], pads=[1, 1, 1, 1])
pool("maxpool_auto_pad_same_upper", "MaxPool", kernel_shape=[2, 3], strides=[2, 2], auto_pad="SAME_UPPER")
pool("maxpool_auto_pad_same_lower", "MaxPool", kernel_shape=[2, 3], strides=[2, 2], auto_pad="SAME_LOWER")
pool("maxpool_auto_pad_valid", "MaxPool", kernel_shape=[3, 3], strides=[2, 2], auto_pad="VALID")
pool("maxpool_storage_order", "MaxPool", kernel_shape=[3, 3], storage_order=1)
pool("maxpool1d", "MaxPool", x=(1, 7, 29), kernel_shape=[3], strides=[2], pads=[1, 1])
pool("maxpool3d", "MaxPool", x=(1, 3, 9, 8, 7), kernel_shape=[3, 2, 3], strides=[2, 2, 2], pads=[1, 0, 1, 1, 0, 1])
pool("maxpool_stride1_inception", "MaxPool", kernel_shape=[3, 3], strides=[1, 1], pads=[1, 1, 1, 1])
pool("maxpool_opset9", "MaxPool", opset=9, kernel_shape=[3, 3], strides=[2, 2])
pool("maxpool_opset11", "MaxPool", opset=11, kernel_shape=[3, 3], strides=[2, 2])
pool("maxpool_5x5_spp", "MaxPool", kernel_shape=[5, 5], strides=[1, 1], pads=[2, 2, 2, 2])

pool("avgpool", "AveragePool", kernel_shape=[2, 2], strides=[2, 2])
pool("avgpool_padded", "AveragePool", kernel_shape=[3, 3], strides=[1, 1], pads=[1, 1, 1, 1])
pool("avgpool_count_include_pad", "AveragePool", kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1], count_include_pad=1)
pool("avgpool_asymmetric_pads", "AveragePool", kernel_shape=[3, 4], strides=[2, 3], pads=[0, 1, 2, 0])
pool("avgpool_ceil", "AveragePool", x=(1, 7, 12, 14), kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1)
pool("avgpool_ceil_opset22", "AveragePool", x=(1, 7, 12, 14), opset=22, kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1)
pool("avgpool_ceil_count_include_pad_opset22", "AveragePool", x=(1, 7, 12, 14), opset=22, kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1], ceil_mode=1, count_include_pad=1)
pool("avgpool_dilation_opset19", "AveragePool", opset=19, kernel_shape=[3, 2], dilations=[2, 3], pads=[1, 1, 1, 1])
pool("avgpool_auto_pad_same_upper", "AveragePool", kernel_shape=[2, 3], strides=[2, 2], auto_pad="SAME_UPPER")
pool("avgpool_auto_pad_same_lower_count_pad", "AveragePool", kernel_shape=[2, 3], strides=[2, 2], auto_pad="SAME_LOWER", count_include_pad=1)
pool("avgpool1d", "AveragePool", x=(1, 7, 29), kernel_shape=[4], strides=[3], pads=[1, 2])
pool("avgpool3d", "AveragePool", x=(1, 3, 9, 8, 7), kernel_shape=[3, 2, 3], strides=[2, 2, 2], pads=[1, 0, 1, 1, 0, 1], count_include_pad=1)
pool("avgpool_opset9", "AveragePool", opset=9, kernel_shape=[3, 3], strides=[2, 2])
pool("avgpool_whole_map", "AveragePool", kernel_shape=[13, 11])

for rank, shape in ((1, (1, 7, 29)), (2, (1, 19, 9, 7)), (3, (1, 5, 6, 5, 7))):
    pool(f"global_average_pool_{rank}d", "GlobalAveragePool", x=shape)
    pool(f"global_max_pool_{rank}d", "GlobalMaxPool", x=shape, fill=4.0)
pool("global_average_pool_opset22", "GlobalAveragePool", x=(1, 19, 9, 7), opset=22)
pool("global_max_pool_opset9", "GlobalMaxPool", x=(1, 19, 9, 7), opset=9)


@case(x=SQUARE)
def maxpool_negative_only(g):
    """All values below zero: padding must not win."""
    shifted = g.op("Sub", g.op("Tanh", g.x), 3.0)
    return g.op("MaxPool", shifted, kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])


@case(x=SQUARE)
def conv_relu_maxpool_conv_avgpool(g):
    v = g.op("Relu", g.conv(g.x, 5, 16, (3, 3), pads=[1, 1, 1, 1]))
    v = g.op("MaxPool", v, kernel_shape=[2, 2], strides=[2, 2])
    v = g.op("Relu", g.conv(v, 16, 19, (3, 3), pads=[1, 1, 1, 1]))
    return g.op("AveragePool", v, kernel_shape=[2, 2], strides=[2, 2]), g.head(v, 19)
