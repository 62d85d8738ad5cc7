"""The cases of Captum's own tests of ``Occlusion`` (tests/attr/test_occlusion.py, version 0.9.0), as data.

Inputs and expected numbers are NumPy arrays; models are names, which the tests of the stand-ins and of the real packages read in their
own way. In `CASES` each has: model, inputs, keywords, expected attributions, and the values of perturbations_per_eval to run with.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from typing import Any

import numpy as np


def floats(*values):
    return np.array(values, np.float32)


@dataclass
class Case:
    name: str
    model: str
    inputs: Any
    expected: Any
    windows: tuple
    batches: tuple[int, ...] = (1,)
    keywords: dict[str, Any] = field(default_factory=dict)
    target: int | None = 0


X = floats([20, 50, 30])
TWO = floats([2, 10, 3], [20, 50, 30])
MASKED = (floats([23, 100, 0], [20, 50, 30]), floats([20, 50, 30], [0, 100, 0]), floats([0, 100, 10], [2, 10, 3]))
RAMP = np.arange(16, dtype=np.float32).reshape(1, 1, 4, 4)
ONES = np.ones((1, 1, 4, 4), np.float32)
PAIR = (floats([-10], [3]), floats([-5], [1]))
OF_PAIR = (floats([0], [1]), floats([0], [-1]))
OF_MASKED = (floats([492] * 3, [400] * 3), floats([80, 200, 120], [0, 400, 0]), floats([400, 420, 440], [48, 50, 52]))


def rows(*values):
    return floats(*values)[None, None]


CASES = [
    Case("simple input", "layers", X, floats([80, 200, 120]), (1,), (1, 2, 3)),
    Case("larger window", "layers", X, floats([200, 220, 240]), (2,), (1, 2, 3), {"baselines": floats(10, 10, 10)}),
    Case("window with stride", "layers", X, floats([280, 280, 120]), (2,), (1, 2, 3), {"strides": 2}),
    Case("several examples", "layers", TWO, floats([8, 35, 12], [80, 200, 120]), ((1,),), (1, 2, 3)),
    Case("two inputs of floats", "difference", PAIR, OF_PAIR, ((1,), (1,))),
    Case("two inputs of ints", "difference", tuple(x.astype(np.int64) for x in PAIR), OF_PAIR, ((1,), (1,))),
    Case("ints to floats", "difference as float", tuple(x.astype(np.int64) for x in PAIR), OF_PAIR, ((1,), (1,))),
    Case(
        "examples without axes",
        "difference",
        tuple(x[:, 0] for x in PAIR),
        tuple(x[:, 0] for x in OF_PAIR),
        ((), ()),
        target=None,
    ),
    Case(
        "three inputs",
        "sum of three",
        MASKED,
        OF_MASKED,
        ((3,), (1,), (2,)),
        keywords={"additional_forward_args": (1,)},
    ),
    Case(
        "an input as an argument",
        "sum of three",
        MASKED[:2],
        OF_MASKED[:2],
        ((3,), (1,)),
        (1, 2, 3),
        {"additional_forward_args": (MASKED[2], 1)},
    ),
    Case(
        "baselines",
        "sum of three",
        MASKED,
        (floats([444] * 3, [328] * 3), floats([68, 188, 108], [-12, 388, -12]), floats([368, 368, 24], [0, 0, -12])),
        ((3,), (1,), (2,)),
        keywords={
            "additional_forward_args": (1,),
            "strides": (2, 1, 2),
            "baselines": (floats([1, 4, 7], [3, 6, 9]), 3.0, floats([4], [6])),
        },
    ),
    Case("whole pictures", "convolution", (RAMP, ONES), (67 * ONES, 13 * ONES), ((1, 4, 4), (1, 4, 4)), (1, 2, 4, 8, 12, 16)),
    Case(
        "pictures with strides",
        "convolution",
        (RAMP, ONES),
        (rows([17] * 4, [17] * 4, [64, 65.5, 65.5, 67], [64, 65.5, 65.5, 67]), rows([3] * 4, [3] * 4, [3] * 4, [0] * 4)),
        ((1, 2, 3), (1, 1, 2)),
        (1, 3, 7, 14),
        {"strides": ((1, 2, 1), (1, 1, 2))},
    ),
    Case(
        "pictures of different shapes",
        "convolution",
        (RAMP, np.ones((1, 1, 4, 1), np.float32)),
        (rows([17] * 4, [17] * 4, [67] * 4, [67] * 4), rows([10], [10], [8], [6])),
        ((1, 2, 4), (1, 2, 1)),
        (1, 3, 7),
        {"strides": ((1, 2, 1), (1, 1, 1))},
    ),
]

# What Captum refuses: why, how many times the picture is given, keywords.
REFUSED = [
    ("too few axes of the window", 1, {"sliding_window_shapes": ((1, 2),)}),
    ("too many axes of the window", 2, {"sliding_window_shapes": ((1, 1, 2), (1, 1, 1, 2))}),
    ("too many windows", 2, {"sliding_window_shapes": ((1, 1, 2), (1, 1, 2), (1, 1, 2))}),
    ("too few axes of the stride", 1, {"sliding_window_shapes": (1, 2, 2), "strides": (1, 2)}),
    (
        "too many axes of the stride",
        2,
        {"sliding_window_shapes": ((1, 1, 2), (1, 2, 2)), "strides": ((1, 1, 2), (2, 1, 2, 2))},
    ),
    (
        "too many strides",
        2,
        {"sliding_window_shapes": ((1, 1, 2), (1, 2, 2)), "strides": ((1, 1, 2), (1, 2, 2), (1, 2, 2))},
    ),
    ("a stride beyond the window", 1, {"sliding_window_shapes": ((1, 1, 2),), "strides": 2}),
    (
        "the second stride beyond the window",
        2,
        {"sliding_window_shapes": ((1, 1, 2), (1, 4, 2)), "strides": (2, (1, 2, 3))},
    ),
    ("a window of more channels than there are", 1, {"sliding_window_shapes": ((2, 1, 2),), "strides": 2}),
    ("no batch", 1, {"sliding_window_shapes": (1, 2, 2), "perturbations_per_eval": 0}),
    ("a half batch", 1, {"sliding_window_shapes": (1, 2, 2), "perturbations_per_eval": 1.5}),
    ("a baseline that is a text", 1, {"sliding_window_shapes": (1, 2, 2), "baselines": "mean"}),
    ("a target of too many axes", 1, {"sliding_window_shapes": (1, 2, 2), "target": (0, 0)}),
    ("a list of targets for other examples", 1, {"sliding_window_shapes": (1, 2, 2), "target": [0, 1]}),
    ("a target that is a text", 1, {"sliding_window_shapes": (1, 2, 2), "target": "cat"}),
]


def _stack(columns):
    if isinstance(columns[0], np.ndarray):
        return np.stack(columns, 1)
    return sys.modules["torch"].stack(columns, 1)


def layers(x):
    """Captum's BasicModel_MultiLayer."""
    total = x.sum(1)
    hidden = (total - 10).clip(0) + 3 * (total + 1).clip(0)
    return _stack([hidden - 1, hidden + 1])


def difference(x1, x2):
    """Captum's BasicModel3."""
    return ((x1 - 1).clip(0) - x2.clip(0)).clip(0)


def sum_of_three(x1, x2, x3, scale):
    """Captum's BasicModel_MultiLayer_MultiInput."""
    return layers(scale * (x1 + x2 + x3))


def convolution(x, x2=None):
    """Captum's BasicModel_ConvNet_One_Conv."""
    x = (x if x2 is None else x + x2)[:, 0]
    taps = [sum(x[:, r + i, c + j] for i in range(3) for j in range(3)) for r in range(2) for c in range(2)]
    features = [(tap + bias).clip(0) for bias in (-50, -75) for tap in taps]
    answer = (sum(features[:5]) - sum(features[5:])).clip(0)
    return _stack([answer] * 4)
