"""MONAI's ``OcclusionSensitivity``, signature for signature: ``from occlude.monai import OcclusionSensitivity``.

In: a ``torch.nn.Module`` and an image ``[1, C, spatial...]``, as MONAI 1.0 to 1.6.1 take them. Out: MONAI's map of all classes and the
most probable class, by the preset ``monai-1``. The module is exported and runs incrementally, where that is worth it and can be believed;
else it is called in batches of `n_batch`. `v0_9` and `v0_4` are the interfaces of older releases. Torch and MONAI are not imported here,
and NumPy arrays are taken like tensors. What differs from MONAI is in docs/drop-in.md.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from occlude._dropin import as_given, plain, with_bar, with_targets
from occlude._map import Map
from occlude.exceptions import ArgumentError
from occlude.monai import _runs, v0_4, v0_9

__all__ = ["OcclusionSensitivity", "v0_4", "v0_9"]

_MODES = ("gaussian", "mean_patch", "mean_img")


class OcclusionSensitivity:
    """The output of every class while overlapping windows are hidden, a weighted mean per element.

    Origin: ``monai.visualize.OcclusionSensitivity`` of MONAI 1.6.1. Low numbers mean that the place matters.

    Parameters
    ----------
    nn_module
        A ``torch.nn.Module`` from ``[B, C, spatial...]`` to ``[B, classes]``; it is used in evaluation mode and left in its own.
    mask_size
        Size of the window, one number or one per spatial axis.
    n_batch
        Windows per call of the module. Numbers do not depend on it, nor does an incremental run.
    verbose
        A bar of tqdm.
    mode
        What hides: ``"gaussian"`` fades the image to 0, most in the middle of the window; ``"mean_img"`` and ``"mean_patch"`` write the
        mean of the image or of what is hidden, over all channels; a number writes that.
    overlap
        Share of the window by which neighbours overlap, from 0 to below 1; or one per spatial axis.
    activate
        True for Softmax over the classes, or Sigmoid where the **image** has one channel, as in MONAI; False for the outputs as they are;
        or a function from outputs ``[windows, classes]`` to numbers of that shape.

    Attributes
    ----------
    why_not : str or None
        Why the last call asked the module window by window; None where it ran incrementally.

    Raises
    ------
    NotImplementedError
        Another name as `mode`; or a function, which MONAI announces and cannot run.
    """

    def __init__(
        self,
        nn_module: Any,
        mask_size: int | Sequence[int] = 16,
        n_batch: int = 16,
        verbose: bool = True,
        mode: str | float | Callable[..., Any] = "gaussian",
        overlap: float | Sequence[float] = 0.6,
        activate: bool | Callable[..., Any] = True,
    ) -> None:
        if isinstance(mode, str) and mode not in _MODES:
            raise NotImplementedError(f"mode is {mode!r}, expected a number or one of {', '.join(_MODES)}")
        if callable(mode):
            raise NotImplementedError("mode is a function, which MONAI 1.6.1 cannot run either: give a number or a name")
        if mode == "mean_patch":
            warnings.warn(
                "mean_patch writes the patch's mean, as MONAI documents it; MONAI 1.6.1 multiplies the patch by its mean instead, so "
                "numbers differ from its",
                stacklevel=2,
            )
        self.nn_module = nn_module
        self.mask_size = mask_size
        self.n_batch = n_batch
        self.verbose = verbose
        self.overlap = overlap
        self.activate = activate
        self.mode = mode
        self._runner = _runs.Runner(nn_module)

    @property
    def why_not(self) -> str | None:
        """Why the last call asked the module window by window; None where it ran incrementally."""
        return self._runner.why_not

    def __call__(self, x: Any, b_box: Sequence[int] | None = None, **kwargs: Any) -> tuple[Any, Any]:
        """Makes the maps of one image.

        Parameters
        ----------
        x
            The image ``[1, C, spatial...]``.
        b_box
            ``[min1, max1, min2, max2, ...]`` over the spatial axes: only this part is mapped. As MONAI runs (not as it says), the upper
            ends are exclusive. A negative lower end is 0, an upper end that is not positive the whole axis.
        **kwargs
            Further arguments of the module.

        Returns
        -------
        map : Tensor
            float32 ``[1, classes, spatial...]``, on the device of `x`.
        most_probable : Tensor
            int64 ``[1, 1, spatial...]``: the class with the greatest number of `map`.

        Raises
        ------
        ValueError
            More than one image, or a window larger than the image.
        NumberError
            The module gave NaN or infinity.
        """
        if x.shape[0] > 1:
            raise ValueError("Expected batch size of 1.")
        x = plain(x)
        lengths = tuple(int(n) for n in x.shape[2:])
        sizes = _per_axis(self.mask_size, len(lengths))
        ranges = [(0, n) for n in lengths]
        region = ranges
        if b_box is not None:
            ranges, sizes = _cropped(b_box, sizes, lengths)
            region = [(max(low, 0), min(high, n) if high > 0 else n) for low, high, n in zip(b_box[::2], b_box[1::2], lengths, strict=True)]
        spans = [end - start for start, end in ranges]
        if any(size > span for size, span in zip(sizes, spans, strict=True)):
            raise ValueError(f"Image (spatial shape) {tuple(spans)} should be bigger than mask {sizes}.")
        overlaps = _per_axis(self.overlap, len(lengths))
        if any(not 0 <= o < 1 for o in overlaps):
            raise ValueError(f"overlap must be >= 0 and < 1, got {tuple(overlaps)}.")
        strides = [size if size == span else max(int(size * (1 - o)), 1) for size, span, o in zip(sizes, spans, overlaps, strict=True)]
        # The preset widens a region by half a window; this is the region that is widened to `ranges`.
        narrowed = [(start + (size - 1) // 2, end - (size - 1) // 2) for (start, end), size in zip(ranges, sizes, strict=True)]
        fits = all(_widened(r, size, n) == to for r, size, n, to in zip(region, sizes, lengths, ranges, strict=True))
        settings = {
            "preset": "monai-1",
            "window": tuple(sizes),
            "stride": tuple(strides),
            "target": "all",
            "roi": region if fits else narrowed,
            "progress": with_bar(self.verbose),
            **self._settings(int(x.shape[1])),
        }
        try:
            run = self._runner.run(x, kwargs, self.n_batch, **settings)
        except ArgumentError:
            # The Softmax of one class is 1, which the engine refuses to map and MONAI does not.
            run = self._runner.run(x, kwargs, self.n_batch, **{**settings, "score": "raw", "classes": None})
            if len(run.targets) > 1:
                raise
            values = np.ones((1, *(end - start for start, end in region)), np.float32)
            return self._answer(values, x)
        if fits and not callable(self.activate):
            values = with_targets(run.values, len(run.targets))
        else:
            values = _joined(run, self._activated(run, x), self.mode == "gaussian", region)
        return self._answer(values, x)

    def _answer(self, values: NDArray[np.float32], x: Any) -> tuple[Any, Any]:
        answers = as_given(values[None], x), as_given(values.argmax(axis=0)[None, None], x)
        # MONAI's answers are tensors with (empty) meta data.
        meta = getattr(sys.modules.get("monai.data"), "MetaTensor", None)
        return answers if meta is None or isinstance(x, np.ndarray) else (meta(answers[0]), meta(answers[1]))

    def _settings(self, channels: int) -> dict[str, Any]:
        settings: dict[str, Any] = {}
        if self.mode != "gaussian":
            names = {"mean_img": "overall-mean", "mean_patch": "overall-patch-mean"}
            fill = names[self.mode] if isinstance(self.mode, str) else float(self.mode)
            settings = {"fill": fill, "shape": "box", "aggregate": "mean"}
        if callable(self.activate) or not self.activate:
            settings["score"] = "raw"
        else:
            settings |= {"score": "probability", "classes": "independent" if channels == 1 else "exclusive"}
        return settings

    def _activated(self, map: Map, x: Any) -> NDArray[np.float32]:
        """Scores of every window, ``[windows, classes]``, through the activation that was given."""
        scores = map.scores.reshape(len(map.targets), -1).T
        if not callable(self.activate):
            return scores
        activated = self.activate(as_given(np.ascontiguousarray(scores), x))
        return np.asarray(activated.detach().cpu().numpy() if hasattr(activated, "detach") else activated, dtype=np.float32)


def _per_axis(value: Any, axes: int) -> list[Any]:
    """MONAI's ``ensure_tuple_rep``."""
    if isinstance(value, (int, float)) or not hasattr(value, "__len__"):
        return [value] * axes
    if len(value) == 1:
        return list(value) * axes
    if len(value) != axes:
        raise ValueError(f"Sequence must have length {axes}, got {len(value)}.")
    return list(value)


def _cropped(b_box: Sequence[int], sizes: list[int], lengths: tuple[int, ...]) -> tuple[list[tuple[int, int]], list[int]]:
    """MONAI's ``crop_meshgrid``: where windows are laid, and their size, which is at most that."""
    if len(b_box) != 2 * len(lengths):
        raise ValueError(f"b_box has {len(b_box)} numbers, expected a lower and an upper end for each of {len(lengths)} spatial axes")
    ranges = []
    for low, high, size, length in zip(b_box[::2], b_box[1::2], sizes, lengths, strict=True):
        edge = (size - 1) // 2
        ranges.append((max(low - edge, 0), length if high == -1 else min(high + edge, length)))
    return ranges, [min(size, end - start) for size, (start, end) in zip(sizes, ranges, strict=True)]


def _widened(region: tuple[int, int], size: int, length: int) -> tuple[int, int]:
    """The border rule ``dense``, for regions that hold a window once they are widened."""
    edge = (size - 1) // 2
    start, end = max(region[0] - edge, 0), min(region[1] + edge, length)
    return (start, end) if end - start >= size else (0, length) if size == length else (-1, -1)


def _joined(map: Map, scores: NDArray[np.float32], is_gaussian: bool, region: list[tuple[int, int]]) -> NDArray[np.float32]:
    """The weighted mean of the windows' numbers over a region, ``[classes, region...]``.

    The weights are those of ``monai.data.utils.compute_importance_map``: one, or a Gaussian of an eighth of the window's size, at least
    a thousandth.
    """
    axes = len(region)
    boxes = [map.window_in_input(w)[-axes:] for w in range(map.windows)]
    weights = np.ones([end - start for start, end in boxes[0]])
    if is_gaussian:
        for axis, size in enumerate(weights.shape):
            places = np.arange(size) - (size - 1) / 2
            bell = np.exp(-(places**2) / (2 * (size / 8) ** 2))
            weights *= bell.reshape([-1 if a == axis else 1 for a in range(axes)])
        weights = np.maximum(weights, max(weights.min(), 1e-3))
    ends = [max(box[axis][1] for box in boxes) for axis in range(axes)]
    shape = [max(end, covered) for (_, end), covered in zip(region, ends, strict=True)]
    total, weight = np.zeros((scores.shape[1], *shape)), np.zeros(shape)
    for box, score in zip(boxes, scores, strict=True):
        place = tuple(slice(start, end) for start, end in box)
        total[(slice(None), *place)] += score.reshape(-1, *[1] * axes) * weights
        weight[place] += weights
    kept = tuple(slice(start, end) for start, end in region)
    return (total[(slice(None), *kept)] / weight[kept]).astype(np.float32)
