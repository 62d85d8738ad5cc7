"""Cases: operators that an engine need not have kernels for: they must run on whole tensors, never wrongly.

Each stands between ordinary layers, so that a change enters it and leaves it again.
"""

import numpy as np
from onnx import helper, numpy_helper

from .build import add, case

SQUARE = (1, 5, 9, 7)


def ints(*values):
    return np.array(values, np.int64)


def between(name, middle, x=SQUARE, opset=17, **options):
    """Conv, the rare operator, Relu."""

    def build(g):
        return g.op("Relu", middle(g, g.conv(g.x, x[1], 6, (3, 3), pads=[1] * 4)))

    add(name, build, x, opset=opset, **options)


between("rare_cumsum", lambda g, v: g.op("CumSum", v, np.int64(2)))
between("rare_cumsum_exclusive_reverse", lambda g, v: g.op("CumSum", v, np.int64(3), exclusive=1, reverse=1))
between("rare_einsum_channels", lambda g, v: g.op("Einsum", v, g.weights(6, 7), equation="nchw,cd->ndhw"))
between("rare_einsum_gram", lambda g, v: g.op("Einsum", v, v, equation="nchw,ndhw->ncd"))
between("rare_topk_values", lambda g, v: g.op("TopK", v, ints(3), axis=1, outputs=2)[0])
between("rare_topk_smallest", lambda g, v: g.op("TopK", v, ints(2), axis=3, largest=0, sorted=1, outputs=2)[0])
between("rare_argmax", lambda g, v: g.op("Cast", g.op("ArgMax", v, axis=1, keepdims=1), to=1))
between("rare_argmin_no_keepdims", lambda g, v: g.op("Cast", g.op("ArgMin", v, axis=-1, keepdims=0), to=1))
between("rare_lp_pool", lambda g, v: g.op("LpPool", v, kernel_shape=[3, 3], strides=[2, 2], p=2), opset=11)
between("rare_global_lp_pool", lambda g, v: g.op("GlobalLpPool", v, p=2))
between("rare_gather_elements", lambda g, v: g.op("GatherElements", v, g.rng.integers(0, 7, (1, 6, 9, 7)), axis=3), batch=1)
between("rare_gather_nd", lambda g, v: g.op("GatherND", v, np.array([[[2], [0]]], np.int64), batch_dims=1), batch=1)
between("rare_trilu", lambda g, v: g.op("Trilu", v, np.int64(1), upper=0))
between("rare_reduce_log_sum", lambda g, v: g.op("ReduceLogSum", g.op("Exp", v), axes=[1]))
between("rare_hardmax", lambda g, v: g.op("Hardmax", v, axis=1))
between("rare_shrink", lambda g, v: g.op("Shrink", v, lambd=0.4, bias=0.2))
between("rare_sinh_cosh_asinh", lambda g, v: g.op("Add", g.op("Asinh", g.op("Sinh", v)), g.op("Cosh", v)))
between("rare_tan_acos", lambda g, v: g.op("Acos", g.op("Tanh", g.op("Tan", g.op("Tanh", v)))))
between("rare_scatter_elements", lambda g, v: g.op("ScatterElements", v, g.rng.integers(0, 9, (1, 6, 2, 7)), g.normal(1, 6, 2, 7), axis=2), batch=1)
between("rare_grid_sample", lambda g, v: g.op("GridSample", v, g.rng.uniform(-1, 1, (1, 5, 4, 2)).astype(np.float32), mode="bilinear", padding_mode="zeros", align_corners=0), batch=1)
between("rare_max_with_isnan_isinf", lambda g, v: g.op("Where", g.op("Or", g.op("IsNaN", v), g.op("IsInf", v)), 0.0, v))


@case(x=SQUARE, batch=1)
def rare_scatter_nd_constant_window(g):
    """A constant patch written into the activations (torch's x[:, :, 2:4] = c)."""
    v = g.conv(g.x, 5, 6, (3, 3), pads=[1] * 4)
    indices = np.stack(np.meshgrid([0], np.arange(6), [2, 3], indexing="ij"), axis=-1).astype(np.int64)
    return g.op("Relu", g.op("ScatterND", v, indices, g.normal(1, 6, 2, 7)))


@case(x=SQUARE)
def rare_argmax_side_output(g):
    """A classifier with its class as a second output."""
    logits = g.head(g.op("Relu", g.conv(g.x, 5, 16, (3, 3))), 16)
    return logits, g.op("Cast", g.op("ArgMax", logits, axis=1, keepdims=0), to=1)


@case(x=SQUARE)
def rare_topk_side_outputs(g):
    logits = g.head(g.op("Relu", g.conv(g.x, 5, 16, (3, 3))), 16)
    values, indices = g.op("TopK", logits, ints(3), axis=-1, outputs=2)
    return logits, values, g.op("Cast", indices, to=1)


@case(x=SQUARE, batch=1)
def rare_maxpool_indices(g):
    values, indices = g.op("MaxPool", g.x, kernel_shape=[2, 2], strides=[2, 2], outputs=2)
    return values, g.op("Cast", indices, to=1)


@case(x=SQUARE)
def rare_if_constant_condition(g):
    """torch leaves such an If behind for squeeze(): the condition folds to a constant."""

    def branch(name, operator):
        node = helper.make_node(operator, ["inner"], [name])
        return helper.make_graph([node], name, [], [helper.make_tensor_value_info(name, 1, None)])

    g.op("Relu", g.conv(g.x, 5, 6, (3, 3)))
    g.nodes[-1].output[0] = "inner"  # a name that the branches, made apart, can use
    condition = g.op("Equal", g.op("Gather", g.op("Shape", "inner"), np.int64(1), axis=0), np.int64(6))
    return g.op("If", condition, then_branch=branch("then", "Neg"), else_branch=branch("else", "Abs"))


def tensor(array):
    return numpy_helper.from_array(np.asarray(array))


@case(x=SQUARE)
def rare_eye_like_one_hot(g):
    """Constants made by rare operators: they fold away."""
    eye = g.op("EyeLike", np.zeros((6, 6), np.float32), k=1)
    one_hot = g.op("OneHot", ints(3, 1, 0, 5), np.int64(6), np.array([0, 2], np.float32), axis=-1)
    weights = g.op("MatMul", one_hot, eye)
    return g.op("Einsum", g.conv(g.x, 5, 6, (1, 1)), weights, equation="nchw,dc->ndhw")
