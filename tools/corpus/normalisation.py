"""Cases: batch, layer, group, instance, RMS and local response norm, as operators and as exporters decompose them."""

import numpy as np

from .build import add, case

SQUARE = (1, 8, 9, 7)
TOKENS = (1, 15, 24)


@case(x=SQUARE)
def batchnorm(g):
    return g.batchnorm(g.x, 8)


@case(x=SQUARE, opset=9)
def batchnorm_opset9_momentum_epsilon(g):
    return g.batchnorm(g.x, 8, epsilon=1e-3, momentum=0.99)


@case(x=SQUARE, opset=15)
def batchnorm_opset15_training_mode_0(g):
    return g.batchnorm(g.x, 8, epsilon=0.1, training_mode=0)


@case(x=SQUARE)
def batchnorm_after_conv(g):
    return g.batchnorm(g.conv(g.x, 8, 19, (3, 3), pads=[1, 1, 1, 1]), 19)


@case(x=SQUARE)
def batchnorm_before_padded_conv(g):
    """Pre-activation order: the norm may not be folded into a conv that pads with zeros."""
    return g.conv(g.batchnorm(g.x, 8), 8, 7, (3, 3), pads=[1, 1, 1, 1])


@case(x=SQUARE)
def batchnorm_after_concat(g):
    """DenseNet: norm and Relu over the concatenation of old and new channels."""
    v = g.x
    channels = 8
    for _ in range(3):
        new = g.op("Relu", g.batchnorm(v, channels))
        new = g.op("Relu", g.batchnorm(g.conv(new, channels, 12, (1, 1), bias=False), 12))
        new = g.conv(new, 12, 5, (3, 3), bias=False, pads=[1, 1, 1, 1])
        v = g.op("Concat", v, new, axis=1)
        channels += 5
    return g.op("AveragePool", g.op("Relu", g.batchnorm(v, channels)), kernel_shape=[2, 2], strides=[2, 2])


@case(x=SQUARE)
def batchnorm_after_shared_conv(g):
    """The conv's output is used beside the norm: folding must not change the other reader."""
    v = g.conv(g.x, 8, 7, (1, 1))
    return g.op("Add", g.batchnorm(v, 7), v)


@case(x=SQUARE)
def batchnorm_after_depthwise_no_bias(g):
    return g.op("Clip", g.batchnorm(g.conv(g.x, 8, 8, (3, 3), group=8, bias=False, pads=[1, 1, 1, 1]), 8), 0.0, 6.0)


@case(x=SQUARE)
def batchnorm_after_convtranspose(g):
    return g.batchnorm(g.op("ConvTranspose", g.x, g.normal(8, 5, 2, 2, scale=0.2), strides=[2, 2]), 5)


@case(x=(1, 5, 31))
def batchnorm_1d(g):
    return g.batchnorm(g.x, 5)


@case(x=(1, 5, 6, 5, 7))
def batchnorm_3d(g):
    return g.batchnorm(g.x, 5)


@case(x=(1, 19))
def batchnorm_features(g):
    return g.batchnorm(g.gemm(g.x, 19, 16), 16)


@case(x=SQUARE)
def batchnorm_as_mul_add(g):
    """An exporter's or simplifier's version: per-channel Mul and Add."""
    v = g.conv(g.x, 8, 7, (3, 3), bias=False)
    return g.op("Add", g.op("Mul", v, g.normal(1, 7, 1, 1)), g.normal(7, 1, 1))


@case(x=TOKENS)
def layernorm_op(g):
    return g.op("LayerNormalization", g.x, g.normal(24, mean=1, scale=0.2), g.normal(24))


@case(x=TOKENS)
def layernorm_op_no_bias_epsilon(g):
    return g.op("LayerNormalization", g.x, g.normal(24), epsilon=1e-2, axis=-1)


@case(x=TOKENS)
def layernorm_op_stash_type(g):
    return g.op("LayerNormalization", g.x, g.normal(24), g.normal(24), axis=2, stash_type=1, epsilon=1e-6)


@case(x=(1, 6, 5, 7))
def layernorm_op_axis_minus3(g):
    return g.op("LayerNormalization", g.x, g.normal(6, 5, 7), g.normal(6, 5, 7), axis=-3)


@case(x=(1, 6, 5, 7))
def layernorm_op_axis_1_channels_only_scale(g):
    return g.op("LayerNormalization", g.x, g.normal(6, 5, 7), axis=1)


def decomposed(g, v, axes, scale, bias, epsilon=1e-5, square="Pow"):
    centred = g.op("Sub", v, g.op("ReduceMean", v, axes=axes))
    squared = g.op("Pow", centred, 2.0) if square == "Pow" else g.op("Mul", centred, centred)
    deviation = g.op("Sqrt", g.op("Add", g.op("ReduceMean", squared, axes=axes), epsilon))
    return g.op("Add", g.op("Mul", g.op("Div", centred, deviation), scale), bias)


@case(x=TOKENS, opset=13)
def layernorm_decomposed(g):
    return decomposed(g, g.x, [-1], g.normal(24, mean=1, scale=0.2), g.normal(24))


@case(x=TOKENS, opset=13)
def layernorm_decomposed_mul_square(g):
    return decomposed(g, g.x, [2], g.normal(24), g.normal(24), square="Mul")


@case(x=(1, 6, 5, 7), opset=13)
def layernorm_decomposed_axis_minus3(g):
    return decomposed(g, g.x, [-3, -2, -1], g.normal(6, 5, 7), g.normal(6, 5, 7))


@case(x=SQUARE, opset=13)
def layernorm2d_channels_decomposed(g):
    """ConvNeXt in channels-first form: the norm over axis 1 of every pixel."""
    return decomposed(g, g.x, [1], g.normal(8, 1, 1), g.normal(8, 1, 1), epsilon=1e-6)


@case(x=SQUARE)
def layernorm_convnext_permute(g):
    """ConvNeXt: depthwise conv, NHWC, LayerNorm, Linear, Gelu, Linear, layer scale, NCHW, residual."""
    v = g.conv(g.x, 8, 8, (7, 7), group=8, pads=[3, 3, 3, 3])
    v = g.op("Transpose", v, perm=[0, 2, 3, 1])
    v = g.op("LayerNormalization", v, g.normal(8, mean=1, scale=0.1), g.normal(8), axis=-1, epsilon=1e-6)
    v = g.op("Add", g.op("MatMul", v, g.weights(8, 32)), g.normal(32))
    v = g.op("Mul", g.op("Mul", v, g.op("Add", g.op("Erf", g.op("Div", v, float(np.sqrt(2)))), 1.0)), 0.5)
    v = g.op("Add", g.op("MatMul", v, g.weights(32, 8)), g.normal(8))
    v = g.op("Transpose", g.op("Mul", v, g.normal(8)), perm=[0, 3, 1, 2])
    return g.op("Add", v, g.x)


@case(x=TOKENS, opset=23)
def rmsnorm_op_opset23(g):
    return g.op("RMSNormalization", g.x, g.normal(24), axis=-1, epsilon=1e-5, stash_type=1)


@case(x=TOKENS)
def rmsnorm_decomposed(g):
    mean = g.op("ReduceMean", g.op("Pow", g.x, 2.0), axes=[-1], keepdims=1)
    scale = g.op("Reciprocal", g.op("Sqrt", g.op("Add", mean, 1e-6)))
    return g.op("Mul", g.op("Mul", g.x, scale), g.normal(24))


@case(x=SQUARE)
def instancenorm(g):
    return g.op("InstanceNormalization", g.x, g.normal(8, mean=1), g.normal(8))


@case(x=SQUARE, opset=22)
def instancenorm_opset22_epsilon(g):
    return g.op("InstanceNormalization", g.x, g.normal(8), g.normal(8), epsilon=0.1)


@case(x=(1, 5, 6, 5, 7), opset=9)
def instancenorm_3d_opset9(g):
    return g.op("InstanceNormalization", g.x, g.normal(5), g.normal(5))


@case(x=(1, 5, 31))
def instancenorm_1d(g):
    return g.op("InstanceNormalization", g.x, g.normal(5), g.normal(5), epsilon=1e-3)


@case(x=SQUARE, opset=18)
def groupnorm_op_opset18(g):
    """Opset 18: scale and bias per group."""
    return g.op("GroupNormalization", g.x, g.normal(4), g.normal(4), num_groups=4)


@case(x=SQUARE, opset=21)
def groupnorm_op_opset21(g):
    """Opset 21: scale and bias per channel."""
    return g.op("GroupNormalization", g.x, g.normal(8), g.normal(8), num_groups=2, epsilon=1e-3, stash_type=1)


@case(x=SQUARE, batch=1)
def groupnorm_torch_decomposed(g):
    """torchscript: Reshape to [1, groups, -1], InstanceNormalization, Reshape back, Mul, Add."""
    flat = g.op("Reshape", g.x, np.array([0, 4, -1]))
    v = g.op("InstanceNormalization", flat, np.ones(4, np.float32), np.zeros(4, np.float32), epsilon=1e-5)
    v = g.op("Reshape", v, g.op("Shape", g.x))
    return g.op("Add", g.op("Mul", v, g.normal(8, 1, 1)), g.normal(8, 1, 1))


for size, options in ((5, {}), (3, dict(alpha=0.01, beta=0.5, bias=2.0))):
    add(f"lrn_size{size}", lambda g, size=size, options=options: g.op("LRN", g.x, size=size, **options), (1, 7, 9, 5), spread=3.0)


@case(x=SQUARE, spread=3.0, opset=9)
def lrn_alexnet_opset9(g):
    v = g.op("Relu", g.conv(g.x, 8, 19, (3, 3), strides=[2, 2]))
    return g.op("LRN", v, size=5, alpha=1e-2, beta=0.75, bias=1.0)


@case(x=TOKENS)
def lp_normalization(g):
    return g.op("LpNormalization", g.x, axis=-1, p=2), g.op("LpNormalization", g.x, axis=2, p=1)


@case(x=SQUARE)
def mean_variance_normalization(g):
    return g.op("MeanVarianceNormalization", g.x, axes=[2, 3])
