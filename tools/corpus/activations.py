"""Cases: every activation, behind a Conv (where an engine fuses it) and on the input itself."""

import numpy as np

from .build import add, case

SQUARE = (1, 5, 9, 7)


def activation(name, apply, opset=17, x=SQUARE, **options):
    """y0 = f(conv(x)), y1 = f(x)."""

    def build(g):
        behind = g.conv(g.x, x[1], 7, (3,) * (len(x) - 2), pads=[1] * (2 * (len(x) - 2)))
        return apply(g, behind, 7), apply(g, g.x, x[1])

    add(name, build, x, opset=opset, spread=2.0, **options)


def simple(name, op_type, opset=17, **attributes):
    activation(name, lambda g, v, _: g.op(op_type, v, **attributes), opset=opset)


simple("relu", "Relu")
simple("relu_opset9", "Relu", opset=9)
simple("sigmoid", "Sigmoid")
simple("tanh", "Tanh")
simple("leaky_relu", "LeakyRelu")
simple("leaky_relu_alpha", "LeakyRelu", alpha=0.2)
simple("leaky_relu_opset9", "LeakyRelu", opset=9, alpha=0.1)
simple("hard_sigmoid", "HardSigmoid")
simple("hard_sigmoid_alpha_beta", "HardSigmoid", alpha=1 / 6, beta=0.5)
simple("hard_sigmoid_opset22", "HardSigmoid", opset=22, alpha=0.3, beta=0.4)
simple("hard_swish", "HardSwish", opset=14)
simple("hard_swish_opset22", "HardSwish", opset=22)
simple("elu", "Elu")
simple("elu_alpha", "Elu", alpha=0.5)
simple("selu", "Selu")
simple("selu_alpha_gamma", "Selu", alpha=1.5, gamma=1.2)
simple("celu", "Celu", opset=12)
simple("celu_alpha", "Celu", opset=12, alpha=2.0)
simple("softplus", "Softplus")
simple("softsign", "Softsign")
simple("thresholded_relu", "ThresholdedRelu", alpha=0.7)
simple("mish", "Mish", opset=18)
simple("erf", "Erf")
simple("gelu_op", "Gelu", opset=20)
simple("gelu_op_none", "Gelu", opset=20, approximate="none")
simple("gelu_op_tanh", "Gelu", opset=20, approximate="tanh")
simple("swish_op_opset24", "Swish", opset=24, alpha=1.0)
simple("swish_op_alpha_opset24", "Swish", opset=24, alpha=1.5)

for operator in ("Abs", "Neg", "Exp", "Floor", "Ceil", "Sin", "Cos", "Atan", "Sign"):
    simple(operator.lower(), operator)


def positive(name, op_type, **attributes):
    activation(name, lambda g, v, _: g.op(op_type, g.op("Add", g.op("Abs", v), 0.5), **attributes))


positive("sqrt", "Sqrt")
positive("log", "Log")
positive("reciprocal", "Reciprocal")

activation("clip_attributes_opset6_style", lambda g, v, _: g.op("Clip", v, min=0.0, max=6.0), opset=10)
activation("clip_attributes_opset9_only_max", lambda g, v, _: g.op("Clip", v, max=1.0), opset=9)
activation("clip_attributes_opset9_only_min", lambda g, v, _: g.op("Clip", v, min=-0.5), opset=9)
activation("clip_inputs", lambda g, v, _: g.op("Clip", v, 0.0, 6.0))
activation("clip_inputs_opset11", lambda g, v, _: g.op("Clip", v, -1.0, 1.0), opset=11)
activation("clip_missing_min", lambda g, v, _: g.op("Clip", v, None, 0.8))
activation("clip_missing_max", lambda g, v, _: g.op("Clip", v, -0.3))
activation("clip_no_bounds", lambda g, v, _: g.op("Clip", v))
activation("clip_bounds_from_constants", lambda g, v, _: g.op("Clip", v, g.constant(-0.5), g.constant(0.5)))
activation("prelu_scalar", lambda g, v, _: g.op("PRelu", v, np.array([0.25])))
activation("prelu_per_channel", lambda g, v, c: g.op("PRelu", v, g.normal(c, 1, 1)))
activation("prelu_per_channel_opset9", lambda g, v, c: g.op("PRelu", v, g.normal(c, 1, 1)), opset=9)
activation("prelu_per_channel_1d", lambda g, v, c: g.op("PRelu", v, g.normal(c, 1)), x=(1, 5, 31))
activation("prelu_per_channel_4d_slope", lambda g, v, c: g.op("PRelu", v, g.normal(1, c, 1, 1)))
activation("prelu_per_element", lambda g, v, c: g.op("PRelu", v, g.normal(c, 9, 7)))

activation("swish_decomposed", lambda g, v, _: g.op("Mul", v, g.op("Sigmoid", v)))
activation("swish_decomposed_swapped", lambda g, v, _: g.op("Mul", g.op("Sigmoid", v), v))
activation("hard_swish_decomposed", lambda g, v, _: g.op("Mul", v, g.op("HardSigmoid", v, alpha=1 / 6, beta=0.5)))
activation(
    "hard_swish_decomposed_relu6",
    lambda g, v, _: g.op("Div", g.op("Mul", v, g.op("Clip", g.op("Add", v, 3.0), 0.0, 6.0)), 6.0))
activation("mish_decomposed", lambda g, v, _: g.op("Mul", v, g.op("Tanh", g.op("Softplus", v))))
activation("quick_gelu_decomposed", lambda g, v, _: g.op("Mul", v, g.op("Sigmoid", g.op("Mul", v, 1.702))))


def gelu_erf(g, v, _):
    """torch: x * (erf(x / sqrt 2) + 1) * 0.5."""
    inner = g.op("Add", g.op("Erf", g.op("Div", v, float(np.sqrt(2)))), 1.0)
    return g.op("Mul", g.op("Mul", v, inner), 0.5)


def gelu_erf_half_first(g, v, _):
    """Keras: (x * 0.5) * (1 + erf(x * 0.7071))."""
    return g.op("Mul", g.op("Mul", 0.5, v), g.op("Add", 1.0, g.op("Erf", g.op("Mul", v, float(np.sqrt(0.5))))))


def gelu_tanh(g, v, _):
    cube = g.op("Mul", g.op("Pow", v, 3.0), 0.044715)
    inner = g.op("Tanh", g.op("Mul", g.op("Add", v, cube), float(np.sqrt(2 / np.pi))))
    return g.op("Mul", g.op("Mul", v, g.op("Add", inner, 1.0)), 0.5)


activation("gelu_erf_decomposed", gelu_erf)
activation("gelu_erf_decomposed_half_first", gelu_erf_half_first)
activation("gelu_tanh_decomposed", gelu_tanh)


def softmax(name, op_type, shape, opset, **attributes):
    add(name, lambda g: g.op(op_type, g.x, **attributes), shape, opset=opset, spread=2.0)


for operator in ("Softmax", "LogSoftmax"):
    stem = operator.lower()
    softmax(f"{stem}_axis-1", operator, (1, 19), 13, axis=-1)
    softmax(f"{stem}_default_axis", operator, (1, 5, 9, 7), 13)
    softmax(f"{stem}_channels", operator, (1, 5, 9, 7), 13, axis=1)
    softmax(f"{stem}_rows", operator, (1, 5, 9, 7), 17, axis=2)
    softmax(f"{stem}_opset11_axis1_flatten", operator, (1, 5, 9, 7), 11, axis=1)
    softmax(f"{stem}_opset11_default_axis", operator, (1, 19), 11)
    softmax(f"{stem}_opset11_axis2_flatten", operator, (1, 5, 9, 7), 11, axis=2)
    softmax(f"{stem}_opset9_axis3", operator, (1, 5, 9, 7), 9, axis=3)
    softmax(f"{stem}_vector_opset17", operator, (1, 7), 17, axis=1)


@case(x=(1, 7), spread=300.0)
def softmax_overflowing_without_shift(g):
    return g.op("Softmax", g.x, axis=1)
