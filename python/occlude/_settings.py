"""Settings as keywords: Python values as the text that every front shares, and values that text cannot hold."""

from __future__ import annotations

import operator
import os
import sys
from collections.abc import Mapping, Sequence
from numbers import Integral, Real
from typing import Any, TypedDict

import numpy as np

from occlude import _core
from occlude._arrays import shape_text, to_float32, to_numpy
from occlude.exceptions import ArgumentError, OccludeError

Sizes = int | str | Sequence[int] | Sequence[Sequence[int]]


class OcclusionSettings(TypedDict, total=False):
    """Keywords of a run. Names, defaults and meanings are those of every front (docs/formats.md); None is the default.

    Attributes
    ----------
    preset
        A definition by the name of its origin: ``"mindspore"``, ``"monai-1"``, ``"captum"``, ``"xplique"``, ``"rise"``, ...
    window, stride
        Sizes and steps in elements of the input tensor: 16, a tuple with one number per spatial axis (one more in front for the
        channels), or a list of such tuples for several sizes in one map.
    regions, region_names
        A label image whose regions are hidden one by one, instead of windows: a file, or an array of whole numbers over the input's
        spatial axes or the picture's pixels, 0 = background; and names: a file, or a mapping from labels.
    masks
        Random masks instead of windows: ``"4000:7:0.5"`` (RISE), a file, or an array ``[N, spatial...]``, 1 = kept.
    shape, border, channels, padded
        What is hidden of a window, what happens where the stride does not fit, what windows do with channels.
    fill
        A name (``"mean"``, ``"zero"``, ``"blur"``, ...), a number or one per channel in tensor space, or an array of the input's shape.
    target
        ``"top1"``, a class index or name, ``"top5"``, a list, ``"all"``, ``"node:NAME:max"``, ``"output:NAME[3]"``, ...
    score
        ``"probability"``, ``"logit"``, ``"log-odds"``, ``"margin"``, ``"raw"``.
    classes, boxes
        Whether classes exclude each other; how a detector writes its boxes.
    roi
        One ``(start, end)`` per spatial axis: only windows whose centre lies there.
    seed, samples
        For the fill ``"noise"``.
    value, aggregate, uncovered, normalize, upsample
        How scores become the map.
    threads, memory_limit, engine, runtime, approximate
        How it runs. Numbers do not depend on the first two.
    """

    preset: str | None
    window: Sizes | None
    stride: Sizes | None
    regions: Any
    region_names: str | os.PathLike[str] | Mapping[int, str] | None
    masks: Any
    shape: str | None
    border: str | None
    channels: str | None
    padded: bool | None
    fill: Any
    target: int | str | Sequence[int | str] | None
    score: str | None
    classes: str | None
    boxes: str | None
    roi: str | Sequence[tuple[int, int] | slice] | None
    seed: int | None
    samples: int | None
    value: str | None
    aggregate: str | None
    uncovered: str | None
    normalize: str | None
    upsample: str | None
    threads: int | None
    memory_limit: int | str | None
    engine: str | None
    runtime: str | None
    approximate: float | str | None


def _sizes(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, Integral):
        return str(int(value))
    items = list(value)
    if any(not isinstance(item, Integral) for item in items):
        return ",".join(_sizes(item) for item in items)
    return "x".join(str(operator.index(item)) for item in items)


def _roi(value: Any) -> str:
    if isinstance(value, str):
        return value
    ends = [(part.start, part.stop) if isinstance(part, slice) else tuple(part) for part in value]
    return ",".join(f"{start}:{stop}" for start, stop in ends)


def _targets(value: Any) -> list[str]:
    if isinstance(value, (str, Integral)):
        return [_plain(value)]
    return [target for item in value for target in _targets(item)]


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Integral):
        return str(int(value))
    if isinstance(value, Real):
        return repr(float(value))
    return os.fspath(value) if isinstance(value, os.PathLike) else str(value)


_TEXT = {"window": _sizes, "stride": _sizes, "roi": _roi}


def _set_fill(settings: _core.Settings, fill: Any, shape: list[int]) -> None:
    if isinstance(fill, (str, Real)):
        settings.set("fill", _plain(fill))
        return
    values = to_float32(fill, "fill")
    if list(values.shape) in (shape, [1, *shape]):
        settings.fill_with(values)
    elif values.ndim <= 1:
        settings.set("fill", ",".join(repr(float(value)) for value in values.reshape(-1)))
    else:
        raise ArgumentError(
            f"fill has shape {shape_text(values.shape)}, the input is {shape_text(shape)}",
            "give a number, one per channel, or an array of the input's shape",
        )


def _set_array(settings: _core.Settings, name: str, value: Any) -> bool:
    """Sets what may be a file or lie in memory; False where it is a file."""
    if isinstance(value, (str, os.PathLike)):
        return False
    if name == "regions":
        labels = to_numpy(value)
        if labels.dtype.kind not in "iub":
            raise ArgumentError(f"regions have dtype {labels.dtype}, expected whole numbers", "0 is the background")
        settings.regions_of(np.ascontiguousarray(labels, dtype=np.int64))
    elif name == "region_names":
        settings.region_names_of({operator.index(label): str(text) for label, text in value.items()})
    elif name == "masks":
        settings.masks_of(to_float32(value, "masks"))
    else:
        return False
    return True


def new_settings(keywords: dict[str, Any], base: _core.Settings | None = None) -> _core.Settings:
    """Settings from keywords, all but the fill, on top of others.

    Raises
    ------
    ArgumentError
        An unknown name, or a value that is not understood.
    """
    settings = _core.Settings() if base is None else base.copy()
    settings.find_onnxruntime(os.environ.get("ORT_DYLIB_PATH"), sys.prefix)
    # A preset is a set of choices, which the others replace.
    for name in sorted(keywords, key=lambda name: name != "preset"):
        value = keywords[name]
        if value is None or name == "fill":
            continue
        try:
            if name == "target" and not isinstance(value, (str, Integral)):
                settings.targets(_targets(value))
                continue
            if _set_array(settings, name, value):
                continue
            text = _TEXT.get(name, _plain)(value)
        except OccludeError:
            raise
        except (TypeError, ValueError) as error:
            raise ArgumentError(f"{name} is {value!r}, which is not understood: {error}") from error
        settings.set(name.replace("_", "-"), text)
    return settings


def run_settings(keywords: dict[str, Any], shape: list[int], base: _core.Settings | None = None) -> _core.Settings:
    """Settings of a run on an input of this shape (batch axis left out)."""
    settings = new_settings(keywords, base)
    fill = keywords.get("fill")
    if fill is not None:
        _set_fill(settings, fill, shape)
    return settings
