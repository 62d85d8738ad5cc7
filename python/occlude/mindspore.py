"""MindSpore's metric: ``from occlude.mindspore import OcclusionSensitivity`` for ``from mindspore.train import OcclusionSensitivity``.

In: a model, an image and a label, as MindSpore 2.10 takes them. Out: its map, baseline minus occluded score. The model may also be any
function from a batch to scores, an `occlude.Model` or the path of an ONNX file, and MindSpore need not be installed. A Cell is exported
and runs incrementally, where that is worth it and can be believed. Arguments are checked in Rust (``crates/occlude/src/peers``); here
they are only converted. What differs from MindSpore is in docs/drop-in.md.
"""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Callable, Sequence
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from occlude import _core
from occlude._arrays import Array, kind_of, library_of, named_outputs, to_numpy
from occlude._export import Exported
from occlude._frameworks import from_mindspore
from occlude._model import Model
from occlude.exceptions import ExportWarning, OccludeError

__all__ = ["OcclusionSensitivity"]

# Windows below which a Cell is called as it is: an export takes about a second, which is not won back.
WORTH_AN_EXPORT = 1000


class _Metric:
    """The parts of ``mindspore.train.Metric`` that a metric is used by, for a place without MindSpore."""

    _indexes: list[int] | None = None

    @property
    def indexes(self) -> list[int] | None:
        """Which of the inputs `update` takes, and in which order; None for all as they come."""
        return self._indexes

    def set_indexes(self, indexes: list[int]) -> Any:
        """Chooses and orders the inputs of `update`.

        Parameters
        ----------
        indexes
            Places among the inputs that are given.

        Returns
        -------
        The metric itself.

        Raises
        ------
        ValueError
            Not a list of whole numbers.
        """
        if not isinstance(indexes, list) or not all(isinstance(i, int) for i in indexes):
            raise ValueError(
                "For 'set_indexes', the argument 'indexes' must be a list and all its elements must be int, please check whether it is "
                "correct."
            )
        self._indexes = indexes
        return self


class OcclusionSensitivity(_Metric):
    """Baseline minus occluded score of one class, with a cube around every element of the image hidden.

    Origin: ``mindspore.train.OcclusionSensitivity`` of MindSpore 2.10. Where MindSpore has been imported, instances are also instances of
    ``mindspore.train.Metric``, so that ``mindspore.train.Model`` takes them.

    Parameters
    ----------
    pad_val
        What is written into the window, a number.
    margin
        Half of the window along every axis, channels included; or a list with one per axis.
    n_batch
        Windows per call of a function. Numbers do not depend on it.
    b_box
        ``[min1, max1, min2, max2, ...]`` over all axes but the batch, both ends included; a negative end is the image's.

    Attributes
    ----------
    why_not : str or None
        Why the last `update` called the model in batches; None where it ran incrementally.

    Raises
    ------
    TypeError
        A value of another type, a truth value where a number belongs.
    ValueError
        A negative margin, a batch below 1.

    Examples
    --------
    >>> import numpy as np
    >>> from occlude.mindspore import OcclusionSensitivity
    >>> w = np.array([[0.1, 0.8, 0.1, 0.1], [1, 1, 1, 1]], np.float32)
    >>> def dense(x):
    ...     return x @ w.T + np.array([0.3, 0.6], np.float32)
    >>> metric = OcclusionSensitivity()
    >>> metric.clear()
    >>> metric.update(dense, np.array([[0.1, 0.2, 0.3, 0.4]], np.float32), np.array(1))
    >>> metric.eval().round(3).tolist()
    [0.30000001192092896, 0.6000000238418579, 1.0, 0.8999999761581421]
    """

    def __init__(
        self,
        pad_val: float = 0.0,
        margin: int | Sequence[int] = 2,
        n_batch: int = 128,
        b_box: Sequence[int] | None = None,
    ) -> None:
        metric = getattr(sys.modules.get("mindspore.train"), "Metric", None)
        if metric is not None:
            metric.register(OcclusionSensitivity)
        self.pad_val = pad_val
        self.margin = margin
        self.n_batch = n_batch
        self.b_box = b_box
        self.why_not: str | None = None
        self._core = self._checked()
        self._export: tuple[Any, Any, Exported] | None = None

    def _checked(self) -> _core.MindSporeMetric:
        return _core.MindSporeMetric(*map(_argument, (self.pad_val, self.margin, self.n_batch, self.b_box)))

    def clear(self) -> None:
        """Forgets the last update."""
        self._core.clear()

    def update(self, *inputs: Any) -> None:
        """Makes the map of one image; the last update wins.

        Parameters
        ----------
        *inputs
            The model; the image (``y_pred`` in MindSpore) ``[1, ...]``, a tensor, an array or nested lists; the label, a class index
            as a number or a tensor of one element.

        Raises
        ------
        ValueError
            Not three inputs, a label that is no class, a box that does not fit the image.
        TypeError
            An input of another type.
        RuntimeError
            More than one image, more labels than images, and what the model says.
        """
        if self._indexes:
            inputs = tuple(inputs[i] for i in self._indexes)
        model, *rest = inputs or (None,)
        values = [_array(rest[0]) if rest else None, *map(_argument, rest[1:])][: len(rest)]
        core = self._checked()
        self.why_not = "the model is a function"
        if isinstance(model, (str, os.PathLike)):
            model = Model(model)
        if isinstance(model, Model):
            self.why_not = None
            core.update([model._core, *values])
        elif not callable(model):
            core.update([_argument(model) if inputs else None, *values][: len(inputs)])
        else:
            exported = self._exported(model, values)
            if exported is None or not _updated(core, exported, values):
                core.update([_function(model, rest[0] if rest else None), *values])
        self._core = core

    def eval(self) -> NDArray[np.float32]:
        """The map of the last update: baseline minus occluded score per element.

        Returns
        -------
        ndarray
            float32 of the shape of the image or the box, axes of length 1 left out. High numbers mean that the place matters.

        Raises
        ------
        RuntimeError
            Before any update.
        """
        # A map of one number is a number, as in MindSpore.
        return self._core.eval()[()]

    def __call__(self, *inputs: Any) -> NDArray[np.float32]:
        """`clear`, `update` and `eval` in one go.

        Parameters
        ----------
        *inputs
            See `update`.
        """
        self.clear()
        self.update(*inputs)
        return self.eval()

    def _exported(self, model: Any, values: Sequence[Any]) -> Model | None:
        """The export of a Cell, where it is worth it; None where not, and `why_not`."""
        if not _is_cell(model) or len(values) != 2 or not isinstance(values[0], np.ndarray) or values[0].shape[:1] != (1,):
            return None
        image = values[0]
        if any(cell.training for _, cell in model.cells_and_names()):
            self.why_not = "the Cell is in training mode"
            return None
        box = self.b_box if self.b_box is not None and len(self.b_box) == 2 * (image.ndim - 1) else [-1] * 2 * (image.ndim - 1)
        ends = zip(box[::2], box[1::2], image.shape[1:], strict=True)
        windows = prod((n - 1 if high < 0 else high) - max(low, 0) + 1 for low, high, n in ends)
        weights = [float(p.asnumpy().astype(np.float64).sum()) for p in model.get_parameters()]
        if self._export is None or self._export[0] is not model or self._export[1] != (weights, image.shape):
            if windows < WORTH_AN_EXPORT:
                self.why_not = f"{windows} windows are less work than an export"
                return None
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ExportWarning)
                mindspore = sys.modules["mindspore"]
                self._export = model, (weights, image.shape), from_mindspore(model, mindspore.Tensor(image))
        exported = self._export[2]
        self.why_not = exported.why_not
        return exported.model


def _updated(core: _core.MindSporeMetric, model: Model, values: Sequence[Any]) -> bool:
    """Whether the export could do it; if not, the Cell is asked, whose answer or error counts."""
    try:
        core.update([model._core, *values])
    except (OccludeError, RuntimeError):
        return False
    return True


def _is_cell(model: Any) -> bool:
    cell = getattr(sys.modules.get("mindspore.nn"), "Cell", None)
    return cell is not None and isinstance(model, cell)


def _function(model: Callable[..., Any], image: Any) -> Callable[[Array], Array]:
    """The model as a function from arrays to scores; it gets what the image is, a Cell always MindSpore's tensors."""
    if _is_cell(model) and library_of(image) != "mindspore":
        mindspore = sys.modules["mindspore"]
        image = mindspore.Tensor(np.asarray(image))
    kind = kind_of(np.asarray(image, np.float32) if isinstance(image, list) else image)

    def function(batch: Array) -> Array:
        return named_outputs(model(kind(batch)), len(batch))[0][1]

    return function


def _array(value: Any) -> Any:
    """An image as float32; what is none as it is, for the error."""
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    try:
        return np.ascontiguousarray(to_numpy(value), dtype=np.float32)
    except (TypeError, ValueError):
        return value


def _argument(value: Any) -> Any:
    """Numbers and lists as they are, those of NumPy and of tensors as Python's, tensors as float32."""
    if value is None or isinstance(value, (bool, int, float, str, list, tuple)):
        return value
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray) and value.ndim == 1 and value.dtype.kind in "iu" and value.size > 1:
        return value.tolist()
    return _array(value)
