"""Values of settings as the text that every front shares: whole numbers, sizes, ranges, targets.

In: what a user wrote for a keyword. Out: text for the crate, which checks whether it fits. Here only what Python can say and text cannot is
looked at: types, empty lists, truth values that count as numbers.
"""

from __future__ import annotations

import operator
import os
from collections.abc import Iterable, Mapping, Set
from numbers import Real
from typing import Any

import numpy as np

from occlude.exceptions import ArgumentError

SIZES = "a whole number as 16, one per spatial axis as (16, 24), or a list of such tuples for several sizes in one map"
RANGES = "one (start, end) per spatial axis, rows before columns: [(32, 96), (48, 112)]"
TARGETS = 'a class index or name, "top5", "all", "node:NAME:max", "output:NAME[3]", or a list of them'


def shown(value: Any) -> str:
    """A value as messages show it: short, in one line."""
    if isinstance(value, np.ndarray):
        return f"an array of {value.dtype} {list(value.shape)}"
    text = " ".join(repr(value).split())
    return text if len(text) <= 80 else f"{text[:77]}..."


def is_truth(value: Any) -> bool:
    """Whether it is True or False, which Python counts as numbers."""
    return isinstance(value, (bool, np.bool_)) or (isinstance(value, np.ndarray) and value.ndim == 0 and value.dtype == bool)


def whole_or_none(value: Any) -> int | None:
    """A whole number of any library; None where it is something else, a truth value too."""
    if is_truth(value):
        return None
    try:
        return operator.index(value)
    except TypeError:
        return None


def whole(name: str, value: Any, least: int = 0) -> int:
    """A whole number.

    Raises
    ------
    ArgumentError
        Something else, or a number below `least`.
    """
    number = whole_or_none(value)
    if number is None or number < least:
        raise ArgumentError(f"{name} is {shown(value)}, expected a whole number from {least}")
    return number


def items_of(name: str, value: Any, expected: str) -> list[Any]:
    """The items of a list, tuple or array.

    Raises
    ------
    ArgumentError
        Nothing of the kind, an empty one, or one without an order.
    """
    if is_truth(value) or isinstance(value, (str, bytes, Mapping, Set)) or not isinstance(value, Iterable):
        raise ArgumentError(f"{name} is {shown(value)}, which is not understood", f"expected {expected}")
    try:
        items = list(value)
    except TypeError:  # an array without axes
        raise ArgumentError(f"{name} is {shown(value)}, which is not understood", f"expected {expected}") from None
    if not items:
        raise ArgumentError(f"{name} is empty", f"expected {expected}; leave it out for the default")
    return items


def sizes(name: str, value: Any) -> str:
    """Windows or strides: ``16``, ``16x24``, ``16x16,32x32``."""
    if isinstance(value, str):
        return value
    one = whole_or_none(value)
    if one is not None:
        return str(one)
    items = items_of(name, value, SIZES)
    numbers = [whole_or_none(item) for item in items]
    if all(number is not None for number in numbers):
        return "x".join(map(str, numbers))
    several = []
    for item, number in zip(items, numbers, strict=True):
        is_list = isinstance(item, (list, tuple, np.ndarray)) and np.ndim(item) > 0 and len(item) > 0
        axes = [number] if number is not None else [whole_or_none(n) for n in item] if is_list else [None]
        if any(n is None for n in axes):
            raise ArgumentError(f"{name} is {shown(value)}: {shown(item)} is no size in whole numbers", f"expected {SIZES}")
        several.append("x".join(map(str, axes)))
    return ",".join(several)


def ranges(name: str, value: Any) -> str:
    """Ranges along the axes: ``32:96,48:112``."""
    if isinstance(value, str):
        return value
    ends = []
    for part in items_of(name, value, RANGES):
        pair = [part.start, part.stop] if isinstance(part, slice) else items_of(name, part, RANGES)
        numbers = [whole_or_none(end) for end in pair]
        if len(numbers) != 2 or None in numbers or getattr(part, "step", None) not in (None, 1):
            raise ArgumentError(f"{name} is {shown(value)}: {shown(part)} is no range with a start and an end", f"expected {RANGES}")
        ends.append(f"{numbers[0]}:{numbers[1]}")
    return ",".join(ends)


def targets(value: Any) -> list[str]:
    """Targets, one text each, of one target or of a list."""
    if isinstance(value, str):
        return [value]
    number = whole_or_none(value)
    if number is not None:
        if number < 0:
            raise ArgumentError(f"target {number} is negative, expected a class index from 0", "classes are not counted from the end")
        return [str(number)]
    # An empty list is the crate's to refuse.
    items = [] if isinstance(value, (list, tuple)) and not value else items_of("target", value, TARGETS)
    return [target for item in items for target in targets(item)]


def is_one_target(value: Any) -> bool:
    """Whether it is one target, and no list of targets."""
    return isinstance(value, str) or whole_or_none(value) is not None


def plain(name: str, value: Any) -> str:
    """A name, a number, a truth value or a path."""
    if is_truth(value):
        if name != "padded":
            raise ArgumentError(f"{name} is {bool(value)}, which is not understood", "True and False mean something for padded only")
        return "yes" if value else "no"
    number = whole_or_none(value)
    if number is not None:
        return str(number)
    if isinstance(value, Real):
        return repr(float(value))
    if isinstance(value, os.PathLike):
        return os.fsdecode(value)
    if not isinstance(value, str):
        raise ArgumentError(f"{name} is {shown(value)}, which is not understood", "expected text or a number")
    return value
