"""The interface of MONAI 0.5 to 0.9.1: ``from occlude.monai.v0_9 import OcclusionSensitivity``.

In: a module and an image ``[1, C, spatial...]``, as those releases take them. Out: their map ``[1, C, spatial..., classes]`` of outputs,
and the most probable class, by the preset ``monai-0.9``. MONAI 1.0 changed parameters, axes and definition: that is `occlude.monai`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from occlude._dropin import as_given, plain, with_bar, with_targets
from occlude.monai import _runs

__all__ = ["OcclusionSensitivity", "default_upsampler"]


def default_upsampler(spatial_size: Sequence[int], align_corners: bool = True) -> Callable[[Any], Any]:
    """Linear interpolation along all spatial axes to `spatial_size`, as ``monai.visualize.default_upsampler`` makes it.

    Parameters
    ----------
    spatial_size
        Elements along each spatial axis.
    align_corners
        Whether the first and last elements keep their places.
    """

    def upsample(x: Any) -> Any:
        functional = sys.modules["torch"].nn.functional
        mode = ("linear", "bilinear", "trilinear")[len(spatial_size) - 1]
        return functional.interpolate(x, size=tuple(spatial_size), mode=mode, align_corners=align_corners)

    return upsample


class OcclusionSensitivity:
    """The output of every class while a window centred on each place is hidden.

    Origin: ``monai.visualize.OcclusionSensitivity`` of MONAI 0.9.1. Low numbers mean that the place matters.

    Parameters
    ----------
    nn_module
        A ``torch.nn.Module`` from ``[B, C, spatial...]`` to ``[B, classes]``; it is used in evaluation mode and left in its own.
    pad_val
        What hides; the mean of the image if not given.
    mask_size, stride
        Size of the window and step, one number or one per spatial axis. Both odd or both even; the stride divides the image.
    n_batch
        Windows per call of the module. Numbers do not depend on it, nor does an incremental run.
    per_channel
        True: one channel at a time. False: all at once, and the map has one channel. As in MONAI 0.9.1, without `b_box` only the first
        channel is hidden then.
    upsampler
        From a spatial size to a function of a tensor; None leaves the map coarse.
    verbose
        A bar of tqdm.

    Attributes
    ----------
    why_not : str or None
        Why the last call asked the module window by window; None where it ran incrementally.
    """

    def __init__(
        self,
        nn_module: Any,
        pad_val: float | None = None,
        mask_size: int | Sequence[int] = 15,
        n_batch: int = 128,
        stride: int | Sequence[int] = 1,
        per_channel: bool = True,
        upsampler: Callable[..., Any] | None = default_upsampler,
        verbose: bool = True,
    ) -> None:
        self.nn_module = nn_module
        self.upsampler = upsampler
        self.pad_val = pad_val
        self.mask_size = mask_size
        self.n_batch = n_batch
        self.stride = stride
        self.per_channel = per_channel
        self.verbose = verbose
        self._runner = _runs.Runner(nn_module)

    @property
    def why_not(self) -> str | None:
        """Why the last call asked the module window by window; None where it ran incrementally."""
        return self._runner.why_not

    def __call__(self, x: Any, b_box: Sequence[int] | None = None) -> tuple[Any, Any]:
        """Makes the maps of one image.

        Parameters
        ----------
        x
            The image ``[1, C, spatial...]``.
        b_box
            ``[min1, max1, min2, max2, ...]`` over all axes but the batch, both ends included; a negative end is the image's.

        Returns
        -------
        map : Tensor
            float32 ``[1, C or 1, spatial..., classes]``, on the device of `x`.
        most_probable : Tensor
            int64 ``[1, C or 1, spatial...]``: the class with the greatest number.

        Raises
        ------
        RuntimeError
            More than one image.
        ValueError
            A box that does not fit, a stride that does not divide the image, sizes of different parity.
        NumberError
            The module gave NaN or infinity.
        """
        if x.shape[0] > 1:
            raise RuntimeError("Expected batch size of 1.")
        x = plain(x)
        shape = tuple(int(n) for n in x.shape[1:])
        region = bounded(b_box, shape)
        window, stride = _with_channels(self.mask_size, len(shape)), _with_channels(self.stride, len(shape))
        asked = [end - start for start, end in region]
        if not self.per_channel:
            asked[0] = 1
            window[0] = stride[0] = shape[0]
            region[0] = (region[0][0], region[0][0] + 1)
            if b_box is None:
                # MONAI 0.9.1 cuts windows off at the shape that it has just written the 1 into: the first channel alone is hidden.
                window[0] = stride[0] = 1
        if any(n > 1 and n % s != 0 for n, s in zip(asked, stride, strict=True)):
            raise ValueError(
                f"Stride should be a factor of the image shape. Im shape (taking bounding box into account): {asked}, stride: {stride}"
            )
        if any(w % 2 != s % 2 for w, s in zip(window, stride, strict=True)):
            raise ValueError(f"Stride and mask size should both be odd or even (element-wise). ``{stride=}``, ``mask_size={window}``")
        fill = "overall-mean" if self.pad_val is None else float(self.pad_val)
        is_default = self.upsampler is default_upsampler
        map = self._runner.run(
            x,
            {},
            self.n_batch,
            preset="monai-0.9",
            window=tuple(window),
            stride=tuple(stride),
            fill=fill,
            target="all",
            roi=region,
            channels="axis",
            upsample="linear" if is_default else "none",
            progress=with_bar(self.verbose),
        )
        cells = [max(n // s, 1) for n, s in zip(asked, stride, strict=True)]
        spatial = asked[1:] if is_default else cells[1:]
        values = with_targets(map.values, len(map.targets)).reshape(len(map.targets), cells[0], *spatial)
        as_it_is = is_default or self.upsampler is None
        values = np.moveaxis(values, 0, -1)[None] if as_it_is else self._enlarged(values, tuple(asked[1:]), x)
        return as_given(values, x), as_given(values.argmax(axis=-1), x)

    def _enlarged(self, values: NDArray[np.float32], size: tuple[int, ...], x: Any) -> NDArray[np.float32]:
        upsampler: Any = self.upsampler
        enlarged = [upsampler(size)(as_given(one[None], x)) for one in values]
        return np.stack([np.asarray(one.cpu() if hasattr(one, "cpu") else one) for one in enlarged], axis=-1)


def bounded(b_box: Sequence[int] | None, shape: tuple[int, ...]) -> list[tuple[int, int]]:
    """A box of MONAI 0.4 to 0.9 as half-open ranges.

    Parameters
    ----------
    b_box
        Lower and upper end of each axis, both included, negative for the image's; None for all.
    shape
        The image without its batch axis.

    Raises
    ------
    ValueError
        A box that does not fit.
    """
    if b_box is None:
        return [(0, n) for n in shape]
    if len(b_box) != 2 * len(shape):
        raise ValueError("Bounding box should contain upper and lower for all dimensions (except batch number)")
    ranges = []
    for low, high, length in zip(b_box[::2], b_box[1::2], shape, strict=True):
        start, last = max(int(low), 0), length - 1 if high < 0 else int(high)
        if last >= length:
            raise ValueError("Max bounding box should be < image size for all values")
        if start > last:
            raise ValueError("Min bounding box should be <= max for all values")
        ranges.append((start, last + 1))
    return ranges


def _with_channels(value: int | Sequence[int], axes: int) -> list[int]:
    """One number per axis, 1 along the channels."""
    if isinstance(value, Sequence):
        sizes = [1, *(int(v) for v in value)]
        if len(sizes) != axes:
            raise ValueError("If supplying stride/mask_size as sequence, number of elements should match number of spatial dimensions.")
        return sizes
    return [1] + [int(value)] * (axes - 1)
