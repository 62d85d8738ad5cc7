"""Cases: element-wise arithmetic with broadcasting, casts, reductions, MatMul and Gemm."""

import numpy as np

from .build import add, case

SQUARE = (1, 5, 9, 7)


def ints(*values):
    return np.array(values, np.int64)


# -- binary and n-ary ------------------------------------------------------------------------------------

for operator in ("Add", "Sub", "Mul", "Div", "Min", "Max"):
    low = operator.lower()
    # Divisors stay away from zero.
    other = lambda g, *shape: (np.abs(g.normal(*shape)) + 0.5).astype(np.float32)
    add(f"{low}_scalar", lambda g, o=operator: g.op(o, g.x, 1.7), SQUARE)
    add(f"{low}_scalar_first", lambda g, o=operator: g.op(o, 1.7, g.op("Add", g.op("Abs", g.x), 0.5)), SQUARE)
    add(f"{low}_per_channel_1c11", lambda g, o=operator, f=other: g.op(o, g.x, f(g, 1, 5, 1, 1)), SQUARE)
    add(f"{low}_per_channel_c11", lambda g, o=operator, f=other: g.op(o, g.conv(g.x, 5, 7, (1, 1)), f(g, 7, 1, 1)), SQUARE)
    add(f"{low}_last_axis", lambda g, o=operator, f=other: g.op(o, g.x, f(g, 7)), SQUARE)
    add(f"{low}_full_constant", lambda g, o=operator, f=other: g.op(o, g.x, f(g, 5, 9, 7)), SQUARE)
    add(f"{low}_two_branches", lambda g, o=operator: g.op(o, g.conv(g.x, 5, 5, (3, 3), pads=[1] * 4), g.op("Exp", g.x)), SQUARE)
    add(f"{low}_broadcast_gate", lambda g, o=operator: g.op(o, g.x, g.op("Sigmoid", g.op("GlobalAveragePool", g.x))), SQUARE)
    add(f"{low}_one_channel_map", lambda g, o=operator: g.op(o, g.x, g.op("Sigmoid", g.conv(g.x, 5, 1, (1, 1)))), SQUARE)

add("add_opset9", lambda g: g.op("Add", g.op("Mul", g.x, g.normal(5, 1, 1)), g.normal(5, 1, 1)), SQUARE, opset=9)
add("mul_self", lambda g: g.op("Mul", g.x, g.x), SQUARE)
add("add_rank_grows", lambda g: g.op("Add", g.x, g.normal(1, 5, 1, 1, 1)), (1, 5, 9, 7), batch=1)
add("min_nary", lambda g: g.op("Min", g.x, g.normal(5, 1, 1), 0.5, g.op("Neg", g.x)), SQUARE)
add("max_nary", lambda g: g.op("Max", g.x, g.normal(7), -0.5), SQUARE)
add("max_single", lambda g: g.op("Max", g.x), SQUARE)
add("sum_nary", lambda g: g.op("Sum", g.x, g.normal(5, 1, 1), g.conv(g.x, 5, 5, (1, 1)), g.x), SQUARE)
add("mean_nary", lambda g: g.op("Mean", g.x, g.normal(5, 1, 1), g.conv(g.x, 5, 5, (1, 1))), SQUARE)
add("pow_2", lambda g: g.op("Pow", g.x, 2.0), SQUARE)
add("pow_3_int64_exponent", lambda g: g.op("Pow", g.x, np.int64(3)), SQUARE, opset=13)
add("pow_half", lambda g: g.op("Pow", g.op("Abs", g.x), 0.5), SQUARE)
add("pow_minus_half", lambda g: g.op("Pow", g.op("Add", g.op("Abs", g.x), 1.0), -0.5), SQUARE)
add("pow_per_channel", lambda g: g.op("Pow", g.op("Abs", g.x), g.rng.uniform(0.5, 3, (5, 1, 1)).astype(np.float32)), SQUARE)
add("pow_generalized_mean", lambda g: g.op("Pow", g.op("GlobalAveragePool", g.op("Pow", g.op("Clip", g.x, 1e-6), 3.0)), 1 / 3), SQUARE)
add("mod_fmod", lambda g: g.op("Mod", g.x, 0.7, fmod=1), SQUARE)
add("preprocessing_in_graph", lambda g: g.conv(
    g.op("Div", g.op("Sub", g.op("Div", g.x, 255.0), np.array([0.485, 0.456, 0.406], np.float32).reshape(3, 1, 1)),
         np.array([0.229, 0.224, 0.225], np.float32).reshape(3, 1, 1)), 3, 7, (3, 3), pads=[1] * 4), (1, 3, 9, 7), spread=80.0)
add("layer_scale_and_stochastic_depth_residual", lambda g: g.op("Add", g.x, g.op("Mul", g.conv(g.x, 5, 5, (1, 1)), g.normal(5, 1, 1))), SQUARE)

# -- comparisons and logic feeding a Where -----------------------------------------------------------------

for operator in ("Greater", "GreaterOrEqual", "Less", "LessOrEqual"):
    add(f"where_{operator.lower()}", lambda g, o=operator: g.op("Where", g.op(o, g.x, g.normal(5, 1, 1)), g.x, 0.0), SQUARE)


@case(x=SQUARE)
def where_not_and_or(g):
    positive, small = g.op("Greater", g.x, 0.0), g.op("Less", g.x, 1.0)
    mask = g.op("Or", g.op("And", positive, small), g.op("Not", g.op("Greater", g.x, -1.0)))
    return g.op("Where", mask, g.x, g.op("Mul", g.x, 0.1))


# -- Cast ---------------------------------------------------------------------------------------------------

add("cast_float_to_float", lambda g: g.op("Relu", g.op("Cast", g.x, to=1)), SQUARE)
add("cast_to_int64_and_back", lambda g: g.op("Cast", g.op("Cast", g.op("Mul", g.x, 3.3), to=7), to=1), SQUARE)
add("cast_to_int32_and_back", lambda g: g.op("Cast", g.op("Cast", g.op("Mul", g.x, 3.3), to=6), to=1), SQUARE)
add("cast_to_bool_and_back", lambda g: g.op("Cast", g.op("Cast", g.op("Relu", g.x), to=9), to=1), SQUARE)
add("cast_to_double_and_back", lambda g: g.op("Cast", g.op("Exp", g.op("Cast", g.x, to=11)), to=1), SQUARE)
add("cast_to_half_and_back", lambda g: g.op("Cast", g.op("Cast", g.op("Relu", g.x), to=10), to=1), SQUARE,
    notes="expected: no rounding, fp16 is computed in f32")
add("cast_int_constant", lambda g: g.op("Mul", g.x, g.op("Cast", ints(1, 2, 3, 4, 5, 6, 7), to=1)), SQUARE)
add("cast_like", lambda g: g.op("Mul", g.x, g.op("CastLike", ints(3), g.x)), SQUARE, opset=15)
add("round", lambda g: g.op("Round", g.op("Mul", g.x, 2.2)), SQUARE)

# -- Reduce ---------------------------------------------------------------------------------------------------



def reduce_family(operator):
    """Every form of one Reduce operator; a product's factors are kept near 1."""
    low = operator.lower().replace("reduce", "reduce_")
    # Extremes change only when the window is one.
    fill = {"ReduceMin": -9.0, "ReduceMax": 9.0}.get(operator, 0.5)

    def form(suffix, opset, axes, axes_are_input, **attributes):
        def build(g):
            v = g.op("Exp", g.op("Mul", g.x, 0.3)) if operator == "ReduceProd" else g.x
            if axes is None:
                return g.op(operator, v, **attributes)
            if axes_are_input:
                return g.op(operator, v, ints(*axes), **attributes)
            return g.op(operator, v, axes=axes, **attributes)

        add(f"{low}_{suffix}", build, SQUARE, opset=opset, fill=fill)

    sums = operator == "ReduceSum"  # has its axes as an input from opset 13 on, the others from 18 on
    form("spatial", 17, [2, 3], sums)
    form("channels_no_keepdims", 17, [1], sums, keepdims=0)
    form("input_axes_opset18", 18, [-2], True, keepdims=1)
    form("noop_opset18", 18, None, True, noop_with_empty_axes=1)
    form("attribute_axes_opset11", 11, [-1, 2], False, keepdims=0)


for operator in ("ReduceMean", "ReduceSum", "ReduceMax", "ReduceMin", "ReduceProd", "ReduceL2", "ReduceL1", "ReduceSumSquare", "ReduceLogSumExp"):
    reduce_family(operator)

add("reduce_mean_all", lambda g: g.op("ReduceMean", g.x, keepdims=1), SQUARE, batch=1)
add("reduce_sum_all_no_keepdims", lambda g: g.op("ReduceSum", g.x, keepdims=0), SQUARE, batch=1)
add("reduce_sum_noop_with_empty_axes_opset13", lambda g: g.op("ReduceSum", g.op("Relu", g.x), ints(), noop_with_empty_axes=1), SQUARE, opset=13)
add("reduce_max_noop_0_reduces_all", lambda g: g.op("ReduceMax", g.x, noop_with_empty_axes=0, keepdims=1), SQUARE, opset=18, batch=1, fill=9.0)
add("reduce_mean_opset22_3d", lambda g: g.op("ReduceMean", g.x, ints(2, 3, 4), keepdims=0), (1, 5, 6, 5, 4), opset=22)
add("reduce_mean_rows_then_conv", lambda g: g.conv(g.op("ReduceMean", g.x, axes=[2], keepdims=1), 5, 7, (1, 3)), SQUARE)
add("reduce_l2_normalise", lambda g: g.op("Div", g.x, g.op("Max", g.op("ReduceL2", g.x, axes=[1], keepdims=1), 1e-12)), SQUARE)

# -- MatMul, Gemm -----------------------------------------------------------------------------------------------

add("matmul_tokens_weight", lambda g: g.op("MatMul", g.x, g.weights(24, 19)), (1, 15, 24))
add("matmul_weight_left", lambda g: g.op("MatMul", g.weights(11, 15), g.x), (1, 15, 24))
add("matmul_4d_channels_last", lambda g: g.op("MatMul", g.x, g.weights(7, 16)), SQUARE)
add("matmul_features", lambda g: g.op("MatMul", g.x, g.weights(19, 7)), (1, 19))
add("matmul_batched_activations", lambda g: g.op("MatMul", g.x, g.op("Transpose", g.conv(g.x, 5, 5, (1, 1)), perm=[0, 1, 3, 2])), SQUARE)
add("matmul_broadcast_heads", lambda g: g.op("MatMul", g.x, g.weights(5, 7, 6)), SQUARE)
add("matmul_broadcast_activations", lambda g: g.op("MatMul", g.x, g.op("ReduceMean", g.op("Transpose", g.x, perm=[0, 1, 3, 2]), axes=[1])), SQUARE)
add("matmul_vector_right", lambda g: g.op("MatMul", g.x, g.weights(24)), (1, 15, 24))
add("matmul_vector_left", lambda g: g.op("MatMul", g.weights(15), g.x), (1, 15, 24))
add("matmul_opset9", lambda g: g.op("Add", g.op("MatMul", g.x, g.weights(24, 7)), g.normal(7)), (1, 15, 24), opset=9)


def gemm(name, trans_a=0, trans_b=0, c=(7,), opset=13, **attributes):
    def build(g):
        x = g.op("Transpose", g.x, perm=[1, 0]) if trans_a else g.x
        w = g.weights(7, 19) if trans_b else g.weights(19, 7)
        inputs = [] if c is None else [g.normal(*c)]
        return g.op("Gemm", x, w, *inputs, transA=trans_a, transB=trans_b, **attributes)

    add(name, build, (1, 19), opset=opset)


gemm("gemm")
gemm("gemm_transb", trans_b=1)
gemm("gemm_transa", trans_a=1)
gemm("gemm_transa_transb_alpha_beta", trans_a=1, trans_b=1, alpha=0.5, beta=-2.0)
gemm("gemm_alpha_no_c", c=None, alpha=1.5, opset=11)
gemm("gemm_c_scalar", c=(1,), beta=3.0)
gemm("gemm_c_row", c=(1, 7))
gemm("gemm_opset9", trans_b=1, opset=9)


@case(x=(1, 19), batch=1)
def gemm_weight_left(g):
    """The weights are A and the activations B."""
    return g.op("Gemm", g.weights(7, 19), g.x, g.normal(7, 1), transB=1)


@case(x=(1, 19), batch=1)
def gemm_both_activations(g):
    v = g.gemm(g.x, 19, 15)
    return g.op("Gemm", v, g.op("MatMul", g.init(g.normal(9, 1)), v), transB=1)


@case(x=(1, 19))
def mlp_features(g):
    """No spatial axes at all: plain feature vectors."""
    v = g.op("Relu", g.gemm(g.x, 19, 32))
    v = g.op("Tanh", g.gemm(v, 32, 16))
    return g.op("Softmax", g.gemm(v, 16, 5), axis=-1)


@case(x=(1, 15, 24))
def gemm_after_reshape_tokens(g):
    """Keras dense on tokens: flatten to rows, Gemm, back."""
    rows = g.op("Reshape", g.x, ints(-1, 24))
    return g.op("Reshape", g.gemm(rows, 24, 7), ints(-1, 15, 7))
