"""Cases: the patterns that classifiers are made of, and small whole classifiers in every opset."""

import numpy as np

from .build import add, case

SQUARE = (1, 8, 9, 7)


def ints(*values):
    return np.array(values, np.int64)


def squeeze_excite(g, v, channels, squeezed, gate):
    s = g.op("GlobalAveragePool", v)
    s = g.op("Relu", g.conv(s, channels, squeezed, (1, 1)))
    return g.op("Mul", v, gate(g.conv(s, squeezed, channels, (1, 1))))


add("squeeze_excite_conv", lambda g: squeeze_excite(g, g.x, 8, 3, lambda v: g.op("Sigmoid", v)), SQUARE)
add("squeeze_excite_hard_sigmoid", lambda g: squeeze_excite(g, g.x, 8, 3, lambda v: g.op("HardSigmoid", v, alpha=1 / 6)), SQUARE)


@case(x=SQUARE)
def squeeze_excite_gemm(g):
    """Squeeze by ReduceMean, two Gemm, back by Unsqueeze; the gate is the Mul's first input."""
    s = g.op("ReduceMean", g.x, axes=[2, 3], keepdims=0)
    s = g.op("Sigmoid", g.gemm(g.op("Relu", g.gemm(s, 8, 3)), 3, 8))
    return g.op("Mul", g.op("Unsqueeze", s, ints(2, 3)), g.x)


@case(x=SQUARE)
def mbconv_block(g):
    v = g.conv(g.x, 8, 24, (1, 1))
    v = g.op("Mul", v, g.op("Sigmoid", v))
    v = g.conv(v, 24, 24, (3, 3), group=24, pads=[1] * 4)
    v = g.op("Mul", v, g.op("Sigmoid", v))
    v = squeeze_excite(g, v, 24, 5, lambda s: g.op("Sigmoid", s))
    return g.op("Add", g.conv(v, 24, 8, (1, 1)), g.x)


@case(x=SQUARE)
def inverted_residual_relu6(g):
    v = g.op("Clip", g.conv(g.x, 8, 24, (1, 1)), 0.0, 6.0)
    v = g.op("Clip", g.conv(v, 24, 24, (3, 3), group=24, pads=[1] * 4), 0.0, 6.0)
    return g.op("Add", g.x, g.conv(v, 24, 8, (1, 1)))


@case(x=SQUARE)
def bottleneck_stride2_projection(g):
    v = g.op("Relu", g.conv(g.x, 8, 5, (1, 1)))
    v = g.op("Relu", g.conv(v, 5, 5, (3, 3), strides=[2, 2], pads=[1] * 4))
    return g.op("Relu", g.op("Add", g.conv(v, 5, 16, (1, 1)), g.conv(g.x, 8, 16, (1, 1), strides=[2, 2])))


@case(x=SQUARE)
def channel_shuffle(g):
    """ShuffleNet: split, convolve one half, concatenate, shuffle by Reshape, Transpose, Reshape."""
    kept, worked = g.op("Split", g.x, axis=1, outputs=2) if g.case.opset < 18 else g.op("Split", g.x, axis=1, num_outputs=2, outputs=2)
    worked = g.op("Relu", g.conv(worked, 4, 4, (3, 3), group=4, pads=[1] * 4))
    v = g.op("Concat", kept, worked, axis=1)
    v = g.op("Transpose", g.op("Reshape", v, ints(0, 2, 4, 9, 7)), perm=[0, 2, 1, 3, 4])
    return g.conv(g.op("Reshape", v, ints(0, 8, 9, 7)), 8, 5, (1, 1))


@case(x=SQUARE)
def inception_block(g):
    one = g.conv(g.x, 8, 5, (1, 1))
    two = g.op("Relu", g.conv(g.op("Relu", g.conv(g.x, 8, 4, (1, 1))), 4, 7, (1, 5), pads=[0, 2, 0, 2]))
    three = g.conv(g.op("AveragePool", g.x, kernel_shape=[3, 3], strides=[1, 1], pads=[1] * 4, count_include_pad=1), 8, 3, (1, 1))
    four = g.op("MaxPool", g.x, kernel_shape=[3, 3], strides=[1, 1], pads=[1] * 4)
    return g.op("Concat", one, two, three, four, axis=1)


@case(x=SQUARE)
def fire_module(g):
    squeezed = g.op("Relu", g.conv(g.x, 8, 3, (1, 1)))
    left = g.op("Relu", g.conv(squeezed, 3, 8, (1, 1)))
    right = g.op("Relu", g.conv(squeezed, 3, 8, (3, 3), pads=[1] * 4))
    return g.op("Concat", left, right, axis=1)


@case(x=SQUARE)
def spatial_attention_cbam(g):
    """Mean and maximum over channels, a 7x7 conv, a gate on every pixel."""
    pooled = g.op("Concat", g.op("ReduceMean", g.x, axes=[1]), g.op("ReduceMax", g.x, axes=[1]), axis=1)
    return g.op("Mul", g.x, g.op("Sigmoid", g.conv(pooled, 2, 1, (7, 7), pads=[3] * 4)))


def linear(g, v, features_in, features_out):
    return g.op("Add", g.op("MatMul", v, g.weights(features_in, features_out)), g.normal(features_out, scale=0.2))


def attention(g, v, tokens, width, heads):
    """timm's form: one qkv product, Reshape to [N, tokens, 3, heads, depth], Transpose, Split by Gather."""
    depth = width // heads
    qkv = g.op("Reshape", linear(g, v, width, 3 * width), ints(-1, tokens, 3, heads, depth))
    qkv = g.op("Transpose", qkv, perm=[2, 0, 3, 1, 4])
    q, k, value = (g.op("Gather", qkv, np.int64(index), axis=0) for index in range(3))
    scores = g.op("MatMul", g.op("Mul", q, float(depth**-0.5)), g.op("Transpose", k, perm=[0, 1, 3, 2]))
    mixed = g.op("MatMul", g.op("Softmax", scores, axis=-1), value)
    mixed = g.op("Reshape", g.op("Transpose", mixed, perm=[0, 2, 1, 3]), ints(-1, tokens, width))
    return linear(g, mixed, width, width)


@case(x=(1, 15, 24))
def attention_heads_torch(g):
    return attention(g, g.x, 15, 24, 3)


@case(x=(1, 15, 24))
def attention_separate_qkv_div(g):
    """Hugging Face's form: three products, scores divided by sqrt(depth), an additive mask."""
    q, k, value = (g.op("Transpose", g.op("Reshape", linear(g, g.x, 24, 24), ints(0, 15, 4, 6)), perm=[0, 2, 1, 3]) for _ in range(3))
    scores = g.op("Div", g.op("MatMul", q, g.op("Transpose", k, perm=[0, 1, 3, 2])), float(6**0.5))
    scores = g.op("Add", scores, g.normal(1, 4, 15, 15))
    mixed = g.op("Transpose", g.op("MatMul", g.op("Softmax", scores, axis=3), value), perm=[0, 2, 1, 3])
    return g.op("Reshape", mixed, ints(0, 0, -1))


@case(x=(1, 3, 12, 8), batch=1)
def vit_block(g):
    """Patches by a strided conv, class token by Concat, positions, one block, the token's Gemm; batch 1 is baked in."""
    v = g.op("Transpose", g.op("Reshape", g.conv(g.x, 3, 16, (4, 4), strides=[4, 4]), ints(1, 16, 6)), perm=[0, 2, 1])
    v = g.op("Add", g.op("Concat", g.normal(1, 1, 16), v, axis=1), g.normal(1, 7, 16))
    normed = g.op("LayerNormalization", v, g.normal(16, mean=1), g.normal(16), axis=-1)
    v = g.op("Add", v, attention(g, normed, 7, 16, 2))
    normed = g.op("LayerNormalization", v, g.normal(16, mean=1), g.normal(16), axis=-1)
    hidden = linear(g, normed, 16, 40)
    hidden = g.op("Mul", g.op("Mul", hidden, g.op("Add", g.op("Erf", g.op("Div", hidden, float(2**0.5))), 1.0)), 0.5)
    v = g.op("Add", v, linear(g, hidden, 40, 16))
    return g.gemm(g.op("Gather", v, np.int64(0), axis=1), 16, 5)


@case(x=(1, 8, 8, 12), nhwc=True)
def window_attention_swin(g):
    """Shifted windows: roll by Slice and Concat, 6-d Reshape and Transpose, attention in windows, and back."""
    def roll(v, shift, axis):
        front = g.op("Slice", v, ints(shift), ints(2**63 - 1), ints(axis))
        back = g.op("Slice", v, ints(0), ints(shift), ints(axis))
        return g.op("Concat", front, back, axis=axis)

    v = roll(roll(g.x, 2, 1), 2, 2)
    v = g.op("Transpose", g.op("Reshape", v, ints(-1, 2, 4, 2, 4, 12)), perm=[0, 1, 3, 2, 4, 5])
    v = attention(g, g.op("Reshape", v, ints(-1, 16, 12)), 16, 12, 2)
    v = g.op("Transpose", g.op("Reshape", v, ints(-1, 2, 2, 4, 4, 12)), perm=[0, 1, 3, 2, 4, 5])
    v = g.op("Reshape", v, ints(-1, 8, 8, 12))
    return roll(roll(v, -2, 1), -2, 2)


@case(x=(1, 8, 6, 12), nhwc=True)
def patch_merging_swin(g):
    parts = [g.op("Slice", g.x, ints(a, b), ints(2**63 - 1, 2**63 - 1), ints(1, 2), ints(2, 2)) for b in (0, 1) for a in (0, 1)]
    v = g.op("Concat", *parts, axis=-1)
    v = g.op("LayerNormalization", v, g.normal(48, mean=1), g.normal(48), axis=-1)
    return g.op("MatMul", v, g.weights(48, 24))


@case(x=(1, 6, 4, 9), batch=1)
def mixer_token_mixing(g):
    """MLP over positions: Transpose, MatMul, Transpose."""
    tokens = g.op("Reshape", g.x, ints(1, 6, 36))
    mixed = linear(g, g.op("Relu", linear(g, tokens, 36, 20)), 20, 36)
    return g.op("Reshape", g.op("Add", mixed, tokens), ints(1, 6, 4, 9))


def small_cnn(g, clip_inputs):
    """Conv, norm, Relu6, depthwise, pool, residual, dense: a classifier in 12 nodes."""
    v = g.batchnorm(g.conv(g.x, 3, 16, (3, 3), strides=[2, 2], pads=[1] * 4, bias=False), 16)
    v = g.op("Clip", v, 0.0, 6.0) if clip_inputs else g.op("Clip", v, min=0.0, max=6.0)
    w = g.op("Relu", g.conv(v, 16, 16, (3, 3), group=16, pads=[1] * 4))
    v = g.op("Add", v, g.conv(w, 16, 16, (1, 1)))
    v = g.op("MaxPool", v, kernel_shape=[2, 2], strides=[2, 2])
    return g.head(g.op("Relu", g.conv(v, 16, 19, (3, 3), pads=[1] * 4)), 19)


for opset in (9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22):
    add(f"small_cnn_opset{opset}", lambda g, o=opset: small_cnn(g, o >= 11), (1, 3, 21, 17), opset=opset)


@case(x=(1, 3, 21, 17))
def small_cnn_softmax(g):
    return g.op("Softmax", small_cnn(g, True), axis=1)


@case(x=(1, 3, 21, 17))
def small_cnn_log_softmax(g):
    return g.op("LogSoftmax", small_cnn(g, True), axis=-1)


@case(x=(1, 3, 21, 17))
def small_cnn_sigmoid_multilabel(g):
    return g.op("Sigmoid", small_cnn(g, True))


@case(x=(1, 3, 21, 17))
def small_cnn_two_outputs(g):
    """Logits, and the last feature map as a second output."""
    v = g.op("Relu", g.conv(g.x, 3, 16, (3, 3), strides=[2, 2], pads=[1] * 4))
    v = g.op("Relu", g.conv(v, 16, 7, (3, 3), pads=[1] * 4))
    return g.head(v, 7), v


@case(x=(1, 2, 61))
def cnn_1d(g):
    v = g.op("Relu", g.batchnorm(g.conv(g.x, 2, 16, (7,), strides=[2], pads=[3, 3], bias=False), 16))
    v = g.op("MaxPool", v, kernel_shape=[3], strides=[2], pads=[1, 1])
    v = g.op("Relu", g.op("Add", v, g.conv(g.op("Relu", g.conv(v, 16, 16, (3,), pads=[1, 1])), 16, 16, (3,), pads=[1, 1])))
    return g.head(v, 16, 5)


@case(x=(1, 1, 13, 12, 11))
def cnn_3d(g):
    v = g.op("Relu", g.batchnorm(g.conv(g.x, 1, 8, (3, 3, 3), strides=[2, 2, 2], pads=[1] * 6, bias=False), 8))
    v = g.op("MaxPool", v, kernel_shape=[2, 2, 2], strides=[2, 2, 2], ceil_mode=1)
    v = g.op("Relu", g.op("Add", v, g.conv(v, 8, 8, (3, 3, 3), pads=[1] * 6)))
    return g.head(v, 8, 3)


@case(x=(1, 3, 20, 16))
def vgg_like_flatten(g):
    v = g.x
    for channels_in, channels_out in ((3, 8), (8, 16)):
        v = g.op("Relu", g.conv(v, channels_in, channels_out, (3, 3), pads=[1] * 4))
        v = g.op("MaxPool", v, kernel_shape=[2, 2], strides=[2, 2])
    v = g.op("Relu", g.gemm(g.op("Flatten", v), 16 * 5 * 4, 24))
    return g.gemm(v, 24, 7)


@case(x=(1, 3, 21, 17), declared=("N", 3, "H", "W"), batch="N")
def small_cnn_dynamic_everything(g):
    return small_cnn(g, True)


@case(x=(1, 3, 21, 17), declared=(None, 3, 21, 17), batch="N")
def small_cnn_batch_without_name(g):
    """The batch axis has neither a value nor a name."""
    return small_cnn(g, True)


@case(x=(1, 3, 21, 17), batch=1)
def small_cnn_fixed_batch(g):
    return small_cnn(g, True)
