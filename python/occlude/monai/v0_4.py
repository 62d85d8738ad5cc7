"""The interface of MONAI 0.4: ``from occlude.monai.v0_4 import compute_occlusion_sensitivity``.

In: a module, an image and a label, as MONAI 0.4.0 takes them. Out: a NumPy array, output minus output with the window hidden, by the
preset ``monai-0.4``.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from occlude._arrays import to_numpy
from occlude._dropin import as_given, plain, with_bar
from occlude.monai import _runs
from occlude.monai.v0_9 import bounded

__all__ = ["compute_occlusion_sensitivity"]


def compute_occlusion_sensitivity(
    model: Any,
    image: Any,
    label: Any,
    pad_val: float = 0.0,
    margin: int | Sequence[int] = 2,
    n_batch: int = 128,
    b_box: Sequence[int] | None = None,
    stride: int | Sequence[int] = 1,
    upsample_mode: str = "nearest",
) -> NDArray[np.float32]:
    """How much the output of a class falls while a window around each place is hidden.

    Origin: ``monai.metrics.compute_occlusion_sensitivity`` of MONAI 0.4.0. High numbers mean that the place matters.

    Parameters
    ----------
    model
        A ``torch.nn.Module`` from ``[B, C, spatial...]`` to ``[B, classes]``, called in the mode it is in.
    image
        ``[1, C, spatial...]``.
    label
        The class: a number, or a tensor of one.
    pad_val
        What hides.
    margin
        Half of the window along every axis, channels too; or one per axis, channels in front.
    n_batch
        Windows per call of the model. Numbers do not depend on it, nor does an incremental run.
    b_box
        ``[min1, max1, min2, max2, ...]`` over all axes but the batch, both ends included; a negative end is the image's.
    stride
        Step along every spatial axis; or one per axis, channels in front.
    upsample_mode
        How the coarse map is enlarged, a mode of ``torch.nn.Upsample``.

    Returns
    -------
    ndarray
        float32, of the image's or the box's shape, axes of length 1 left out.

    Raises
    ------
    RuntimeError
        More than one image, or not one label.
    ValueError
        A box or a stride that does not fit.
    """
    if image.shape[0] > 1:
        raise RuntimeError("Expected batch size of 1.")
    if not isinstance(label, (int, np.integer)) and to_numpy(label).size != image.shape[0]:
        raise RuntimeError("Expected as many labels as batches.")
    image = plain(image)
    shape = tuple(int(n) for n in image.shape[1:])
    region = bounded(b_box, shape)
    if isinstance(stride, Sequence):
        if len(stride) != len(shape):
            raise ValueError("Sizes of image shape and stride should match.")
        strides = [int(s) for s in stride]
    else:
        strides = [1] + [int(stride)] * (len(shape) - 1)
    margins = [int(m) for m in margin] if isinstance(margin, Sequence) else [int(margin)] * len(shape)
    asked = [end - start for start, end in region]
    cells = [max(n // s, 1) for n, s in zip(asked, strides, strict=True)]
    runner = _runs.Runner(model)
    map = runner.run(
        image,
        {},
        n_batch,
        evaluated=False,
        preset="monai-0.4",
        window=tuple(2 * m for m in margins),
        stride=tuple(strides),
        fill=float(pad_val),
        target=int(to_numpy(label).reshape(-1)[0]),
        roi=region,
        upsample="none",
        progress=with_bar(True),
    )
    values = np.array(map.values).reshape(cells)
    if any(s != 1 for s in strides):
        values = _enlarged(values, asked[1:], upsample_mode, image)
    return np.squeeze(values)


def _enlarged(values: NDArray[np.float32], size: list[int], mode: str, image: Any) -> NDArray[np.float32]:
    if mode == "nearest":
        # The place that torch.nn.Upsample reads: floor(i * cells / size).
        for axis, length in enumerate(size, 1):
            values = np.take(values, np.arange(length) * values.shape[axis] // length, axis=axis)
        return values
    torch = sys.modules["torch"]
    return np.asarray(torch.nn.Upsample(size=tuple(size), mode=mode)(as_given(values[None], image)).cpu())
