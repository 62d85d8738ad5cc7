"""Settings as keywords: values that are text (`_text` writes it), and values that text cannot hold."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from numbers import Real
from typing import Any, TypedDict

import numpy as np

from occlude import _core
from occlude import _text as text
from occlude._arrays import shape_text, to_array, to_float32
from occlude.exceptions import ArgumentError

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


_TEXT = {"window": text.sizes, "stride": text.sizes, "roi": text.ranges}
# Keywords, with their names in the crate's table.
_NAMES = {name.replace("-", "_"): name for name, _, _ in _core.Settings.table()}


def _set_fill(settings: _core.Settings, fill: Any, shape: list[int]) -> None:
    hint = 'give a number, one per channel, an array of the input\'s shape, or a name as "mean", "blur", "image:grey.png"'
    if isinstance(fill, (str, Real, os.PathLike, np.bool_)):
        if text.is_truth(fill) or isinstance(fill, os.PathLike):
            raise ArgumentError(f"fill is {text.shown(fill)}, which is not understood", hint)
        settings.set("fill", text.plain("fill", fill))
        return
    values = to_float32(fill, "fill")
    if values.size == 0:
        raise ArgumentError(f"fill is empty: it has shape {shape_text(values.shape)}", hint)
    if list(values.shape) in (shape, [1, *shape]):
        settings.fill_with(values)
    elif values.ndim <= 1:
        settings.set("fill", ",".join(repr(float(value)) for value in values.reshape(-1)))
    else:
        raise ArgumentError(
            f"fill has shape {shape_text(values.shape)}, the input is {shape_text(shape)}",
            hint,
        )


def _set_array(settings: _core.Settings, name: str, value: Any) -> bool:
    """Sets what may be a file or lie in memory; False where it is a file."""
    if isinstance(value, (str, os.PathLike)):
        return False
    if name == "regions":
        labels = to_array(value, "regions")
        if labels.dtype.kind not in "iub":
            raise ArgumentError(f"regions have dtype {labels.dtype}, expected whole numbers", "0 is the background")
        settings.regions_of(np.ascontiguousarray(labels, dtype=np.int64))
    elif name == "region_names":
        hint = 'a mapping from labels to names, as {1: "liver"}, or a file'
        if not isinstance(value, Mapping):
            raise ArgumentError(f"region_names is {text.shown(value)}, which is not understood", f"expected {hint}")
        names = {}
        for label, said in value.items():
            number = text.whole_or_none(label)
            if number is None or not 0 <= number < 1 << 32:
                raise ArgumentError(f"region_names has the label {text.shown(label)}, expected a whole number from 0", f"expected {hint}")
            names[number] = str(said)
        settings.region_names_of(names)
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
        if value is None or name == "fill" or _set_array(settings, name, value):
            continue
        if name == "target" and not text.is_one_target(value):
            settings.targets(text.targets(value))
            continue
        said = text.targets(value)[0] if name == "target" else _said(name, value)
        if not said.strip() and name != "preprocess":
            raise ArgumentError(f"{name} is an empty text", "leave it out for the default")
        settings.set(_NAMES.get(name, name), said)
    return settings


def _said(name: str, value: Any) -> str:
    return _TEXT[name](name, value) if name in _TEXT else text.plain(name, value)


def run_settings(keywords: dict[str, Any], shape: list[int], base: _core.Settings | None = None) -> _core.Settings:
    """Settings of a run on an input of this shape (batch axis left out)."""
    settings = new_settings(keywords, base)
    fill = keywords.get("fill")
    if fill is not None:
        _set_fill(settings, fill, shape)
    return settings
