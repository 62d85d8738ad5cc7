"""Captum's ``Occlusion``, signature for signature: ``from occlude.captum import Occlusion`` for ``from captum.attr import Occlusion``.

In: a forward function and torch tensors, as Captum 0.9.0 takes them. Out: Captum's attributions, by the preset ``captum``. A
``torch.nn.Module`` in evaluation mode is exported and runs incrementally, where that is worth it and can be believed; anything else is
called in batches of `perturbations_per_eval`. Torch is not imported here, and NumPy arrays are taken like tensors. What differs from
Captum is in docs/drop-in.md.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Sequence
from math import ceil, prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from occlude._arrays import Array, kind_of, library_of, to_numpy, without_gradients
from occlude._dropin import Exports, as_given, called, plain, with_bar, with_targets
from occlude.exceptions import ArgumentError, OccludeError

__all__ = ["Occlusion"]

# Inputs are float32 on their way; whole numbers up to here are held exactly.
_EXACT = 2**24
# An export's outputs may differ from the module's by this share of the largest.
_TOLERANCE = 1e-4

Shape = tuple[int, ...]


def _require(holds: bool, message: str) -> None:
    """Captum's checks are assertions, and stay some when Python is told to leave assertions out."""
    if not holds:
        raise AssertionError(message)


class Occlusion:
    """Replaces windows of the input by a baseline and tells how the output changes.

    Origin: ``captum.attr.Occlusion`` of Captum 0.9.0.

    Parameters
    ----------
    forward_func
        A ``torch.nn.Module``, or any function from tensors ``[N, ...]`` to a tensor.

    Attributes
    ----------
    forward_func : callable
        As given.
    why_not : str or None
        Why the last `attribute` called the function window by window; None where it ran incrementally.

    Examples
    --------
    >>> import numpy as np
    >>> from occlude.captum import Occlusion
    >>> def total(x):
    ...     return x.sum(axis=(1, 2, 3))
    >>> x = np.arange(16, dtype=np.float32).reshape(1, 1, 4, 4)
    >>> Occlusion(total).attribute(x, sliding_window_shapes=(1, 2, 2), strides=(1, 2, 2))[0, 0, ::2, ::2]
    array([[10., 18.],
           [42., 50.]], dtype=float32)
    """

    def __init__(self, forward_func: Callable[..., Any]) -> None:
        self.forward_func = forward_func
        self.use_weights = True
        self.why_not: str | None = None
        self._exports: Exports | None = None

    @property
    def multiplies_by_inputs(self) -> bool:
        """True, as Captum says of all methods that perturb: attributions are for the whole change from baseline to input."""
        return True

    def has_convergence_delta(self) -> bool:
        """Whether there is a convergence delta. There is none."""
        return False

    @classmethod
    def get_name(cls) -> str:
        """The name for people."""
        return cls.__name__

    def attribute_future(self) -> None:
        """Not implemented, as in Captum.

        Raises
        ------
        NotImplementedError
            Always.
        """
        raise NotImplementedError("attribute_future is not implemented for Occlusion")

    def attribute(
        self,
        inputs: Any,
        sliding_window_shapes: Sequence[Any],
        strides: Any = None,
        baselines: Any = None,
        target: Any = None,
        additional_forward_args: Any = None,
        perturbations_per_eval: int = 1,
        show_progress: bool = False,
    ) -> Any:
        """Computes the attributions of every element of the inputs.

        Parameters
        ----------
        inputs
            A tensor ``[N, ...]``, or a tuple of such, with the same N. Windows of each are hidden while the others stay as they are.
        sliding_window_shapes
            Size of the window along every axis but the first, a tuple; one such tuple for each of several inputs.
        strides
            Step along every axis, or one number for all; one for each of several inputs. Default 1. At most the window's size,
            where the window does not cover the axis.
        baselines
            What stands where something is hidden: a number or a tensor that can be broadcast to the input; one for each of several.
            Default 0.
        target
            Which output: an index, a tuple of indices for outputs of more axes, a list or a 1-D tensor with one per example. None
            takes all: one number per example, or one attribution for each.
        additional_forward_args
            One more argument of the function, or a tuple of them. Tensors have N rows, which are repeated like the inputs.
        perturbations_per_eval
            Windows per call of the function. Numbers do not depend on it, nor does an incremental run.
        show_progress
            A bar of tqdm.

        Returns
        -------
        Tensor or tuple of Tensor
            float32 of each input's shape, on its device: the mean, over the windows that cover an element, of output minus output with
            the window hidden. The first axis has one entry per output: N, or 1 where the function gives one number for all N, or
            N * K where no target is chosen of K.

        Raises
        ------
        AssertionError
            Shapes, strides, baselines or targets that do not fit, in Captum's words.
        ArgumentError
            A hidden input of whole numbers beyond 2**24.
        NumberError
            The function gave NaN or infinity (Captum hands them on).
        """
        several = isinstance(inputs, tuple)
        tensors = tuple(plain(x) for x in (inputs if several else (inputs,)))
        for x in tensors:
            _require(
                hasattr(x, "shape") and hasattr(x, "dtype"),
                f"`inputs` must be a torch.Tensor or a tuple[torch.Tensor] but found: {type(x)}",
            )
        steps = _strides(strides, tensors)
        windows = _windows(sliding_window_shapes, steps, tensors)
        fills = _baselines(baselines, tensors)
        _require(
            isinstance(perturbations_per_eval, int) and perturbations_per_eval >= 1,
            "Perturbations per evaluation must be an integer and at least 1.",
        )
        extra = additional_forward_args
        extra = () if extra is None else extra if isinstance(extra, tuple) else (extra,)
        run = _Run(self.forward_func, tensors, windows, steps, fills, target, extra, perturbations_per_eval, show_progress)
        found = self._incremental(run)
        if found is None:
            found = [run.called(i) for i in range(len(tensors))]
        answers = tuple(as_given(values, x) for values, x in zip(found, tensors, strict=True))
        return answers if several else answers[0]

    def _incremental(self, run: _Run) -> list[Array] | None:
        """Attributions of an export; None where there is none, and `why_not`."""
        self.why_not = run.why_not_incremental()
        if self.why_not is not None:
            return None
        if self._exports is None or self._exports.module is not self.forward_func:
            self._exports = Exports(self.forward_func)
        try:
            return run.incremental(self._exports)
        except (_CannotExport, OccludeError) as error:
            self.why_not = str(error)
            return None


def _strides(given: Any, inputs: tuple[Any, ...]) -> list[Shape]:
    if given is None:
        given = tuple(1 for _ in inputs)
    if len(inputs) == 1 and not (isinstance(given, tuple) and len(given) == 1):
        given = (given,)
    _require(isinstance(given, tuple) and len(given) == len(inputs), "Strides must be provided for each input tensor.")
    steps = []
    for i, (stride, x) in enumerate(zip(given, inputs, strict=True)):
        axes = len(x.shape) - 1
        _require(
            isinstance(stride, int) or (isinstance(stride, tuple) and len(stride) == axes),
            f"Stride for input index {i} is {stride}, which is invalid for input with shape {tuple(x.shape)}. It must be either an int "
            "or a tuple with length equal to len(input_shape) - 1.",
        )
        steps.append((stride,) * axes if isinstance(stride, int) else tuple(stride))
    return steps


def _windows(given: Any, strides: list[Shape], inputs: tuple[Any, ...]) -> list[Shape]:
    if len(given) > 0 and isinstance(given[0], int):
        given = (given,)
    _require(len(given) == len(inputs), "Must provide sliding window dimensions for each input tensor.")
    for i, (window, stride, x) in enumerate(zip(given, strides, inputs, strict=True)):
        axes = tuple(x.shape[1:])
        _require(
            isinstance(window, tuple) and len(window) == len(axes),
            f"Occlusion shape for input index {i} is {window} but should be a tuple with {len(axes)} dimensions.",
        )
        _require(
            all(w <= n for w, n in zip(window, axes, strict=True)),
            f"Sliding window dimensions {window} cannot exceed input dimensions{axes}.",
        )
        _require(
            all(w == n or s <= w for w, s, n in zip(window, stride, axes, strict=True)),
            f"Stride dimension {stride} cannot be larger than sliding window shape dimension {window}.",
        )
    return [tuple(window) for window in given]


def _baselines(given: Any, inputs: tuple[Any, ...]) -> list[Any]:
    if given is None:
        return [0 for _ in inputs]
    fills = list(given) if isinstance(given, tuple) else [given]
    for fill in fills:
        _require(
            isinstance(fill, (int, float)) or (hasattr(fill, "shape") and hasattr(fill, "dtype")),
            f"baseline input argument must be either a torch.Tensor or a number however {type(fill)} detected",
        )
    _require(
        len(fills) == len(inputs),
        f"Input and baseline must have the same dimensions, baseline has {len(fills)} features whereas input has {len(inputs)}.",
    )
    return fills


def _select(output: NDArray[Any], target: Any) -> NDArray[Any]:
    """Captum's way from an output ``[count, ...]`` and a target to the numbers that are looked at."""
    if target is None:
        return output
    if hasattr(target, "dtype"):
        numbers = to_numpy(target)
        if numbers.size == 1 and numbers.dtype.kind in "iu":
            target = int(numbers.reshape(-1)[0])
        elif numbers.ndim == 1 and output.ndim > 0 and numbers.size == output.shape[0]:
            target = [int(t) for t in numbers]
        else:
            raise AssertionError(f"Tensor target dimension {numbers.shape} is not valid. {output.shape}")
    if isinstance(target, (int, tuple)):
        place = (target,) if isinstance(target, int) else target
        _require(len(place) <= output.ndim - 1, f"Cannot choose target column with output shape {output.shape}.")
        return np.asarray(output[(slice(None), *place)])
    if isinstance(target, list):
        _require(output.ndim > 0 and len(target) == output.shape[0], "Target list length does not match output!")
        if all(isinstance(t, int) for t in target):
            _require(output.ndim == 2, "Output must be 2D to select tensor of targets.")
            return np.asarray(output[np.arange(len(target)), target])
        if isinstance(target[0], tuple):
            return np.stack([output[(i, *place)] for i, place in enumerate(target)])
        raise AssertionError(f"Target element type {type(target[0])} in list is not valid.")
    raise AssertionError(f"Target type {type(target)} is not valid.")


def _repeated_target(target: Any, times: int) -> Any:
    if isinstance(target, list):
        return target * times
    if hasattr(target, "dtype"):
        numbers = to_numpy(target)
        return np.concatenate([numbers] * times) if numbers.size > 1 else numbers
    return target


class _CannotExport(Exception):
    pass


class _Run:
    """One `attribute`, its arguments checked."""

    def __init__(
        self,
        f: Callable[..., Any],
        inputs: tuple[Any, ...],
        windows: list[Shape],
        strides: list[Shape],
        fills: list[Any],
        target: Any,
        extra: tuple[Any, ...],
        batch: int,
        progress: bool,
    ) -> None:
        self.f, self.inputs, self.target, self.extra, self.batch, self.progress = f, inputs, target, extra, batch, progress
        self.windows, self.strides, self.fills = windows, strides, fills
        self.examples = int(inputs[0].shape[0])
        self._takes_nothing = _takes_nothing(f)
        with without_gradients():
            self.whole = self._answer(inputs, extra)
        selected = _select(self.whole, target)
        self.untouched = selected.reshape(-1)
        self._rows = selected.shape

    def _answer(self, inputs: Sequence[Any], extra: Sequence[Any]) -> NDArray[Any]:
        output = self.f() if self._takes_nothing else self.f(*inputs, *extra)
        _require(
            isinstance(output, (int, float)) or (hasattr(output, "shape") and hasattr(output, "dtype")),
            f"the return of forward_func must be a tensor, int, or float, received: {output}",
        )
        return to_numpy(output)

    def _settings(self, i: int) -> dict[str, Any]:
        """Window and stride of an input, one number at least: an example without axes is one element."""
        window, stride = self.windows[i] or (1,), self.strides[i] or (1,)
        return {"preset": "captum", "window": window, "stride": stride, "progress": with_bar(self.progress)}

    def _count(self, i: int) -> int:
        """How many windows an input has."""
        axes = zip(self.inputs[i].shape[1:], self.windows[i], self.strides[i], strict=True)
        return prod(ceil((n - w) / s) + 1 for n, w, s in axes)

    def _fill(self, i: int) -> NDArray[Any]:
        """The baseline, of the input's shape."""
        return np.broadcast_to(to_numpy(self.fills[i]), tuple(self.inputs[i].shape))

    def called(self, i: int) -> Array:
        """Attributions of one input: all its examples are one example of a function that has the others inside."""
        x = self.inputs[i]
        shape = tuple(x.shape)
        if 0 in shape:
            return np.zeros((self.untouched.size, *shape[1:]), np.float32)
        values = to_numpy(x)
        if values.dtype.kind in "iu" and values.size and np.abs(values.astype(np.float64)).max() > _EXACT:
            raise ArgumentError(
                f"input {i} has whole numbers beyond {_EXACT}, which float32 does not hold",
                "windows cannot hide parts of such an input; give it as additional_forward_args",
            )
        kind = kind_of(_like(x, self.fills[i]))
        others: dict[int, tuple[list[Any], list[Any], Any]] = {}

        def repeated(count: int) -> tuple[list[Any], list[Any], Any]:
            if count not in others:
                others[count] = (
                    [_repeated(other, count) for other in self.inputs],
                    [_repeated(other, count) if _has_rows(other) else other for other in self.extra],
                    _repeated_target(self.target, count),
                )
            return others[count]

        def f(batch: Array) -> Array:
            count = len(batch)
            if count == 1 and np.array_equal(batch[0].reshape(shape), values):
                return self.untouched.astype(np.float32)[None]
            inputs, extra, target = repeated(count)
            inputs = [*inputs]
            inputs[i] = kind(np.ascontiguousarray(batch.reshape(count * shape[0], *shape[1:])))
            whole = self._answer(inputs, extra)
            selected = _select(whole, target)
            if self.batch > 1:
                _require(
                    len(selected.shape) > 0 and len(self._rows) > 0 and selected.shape[0] == count * self._rows[0],
                    "When perturbations_per_eval > 1, forward_func's output should be a tensor whose 1st dim grow with the input batch "
                    f"size: when input batch size is {self.examples}, the output shape is {self._rows}; when input batch size is "
                    f"{count * self.examples}, the output shape is {selected.shape}",
                )
            return selected.reshape(count, self.untouched.size).astype(np.float32)

        # The axis of examples is where a picture has its channels: windows go through all of them.
        axes = shape[1:] or (1,)
        one = values.astype(np.float32).reshape(1, shape[0], *axes)
        fill = self._fill(i).astype(np.float32).reshape(shape[0], *axes)
        map = called(f, one, self.batch, fill=fill, target="all", channels="joint", **self._settings(i))
        return with_targets(map.values, len(map.targets)).reshape(-1, *shape[1:])

    def why_not_incremental(self) -> str | None:
        """What of this run an export could not do; None where it might."""
        if not hasattr(self.f, "modules"):
            return f"a {type(self.f).__name__} is no torch.nn.Module"
        if any(part.training for part in self.f.modules()):
            return "the module is in training mode"
        if not all(_has_rows(x) for x in self.extra):
            return "additional_forward_args that are no tensors"
        if any(int(x.shape[0]) != self.examples for x in (*self.inputs, *self.extra)):
            return "inputs with different numbers of examples"
        if any("float32" not in str(x.dtype) for x in self.inputs):
            return "an input to hide that is not float32"
        shape = self.whole.shape
        if len(shape) != 2 or shape[0] != self.examples:
            return f"an output of shape {list(shape)}, not one vector per example"
        if isinstance(self.target, tuple) and not (len(self.target) == 1 and isinstance(self.target[0], int)):
            return f"the target {self.target}"
        return None

    def incremental(self, exports: Exports) -> list[Array]:
        """Attributions of all inputs by an export, example by example."""
        windows = self.examples * sum(self._count(i) for i in range(len(self.inputs)))
        # The untouched numbers of each example, [N, classes or 1].
        untouched = self.untouched.reshape(self.examples, -1)
        classes = self.whole.shape[1]
        found: list[list[Array]] = [[] for _ in self.inputs]
        for n in range(self.examples):
            one = [x[n : n + 1] for x in (*self.inputs, *self.extra)]
            model = exports.model(one, windows, -(-windows // (self.batch * self.examples)))
            if model is None:
                raise _CannotExport(exports.why_not)
            names = [str(k) for k in range(len(one))]
            target = self._target_of(n, classes)
            for i, x in enumerate(self.inputs):
                if 0 in x.shape:
                    found[i].append(np.zeros((untouched.shape[1], *x.shape[1:]), np.float32))
                    continue
                fill = np.ascontiguousarray(self._fill(i)[n], dtype=np.float32)
                map = model.occlusion(dict(zip(names, one, strict=True)), hide=names[i], fill=fill, target=target, **self._settings(i))
                off = np.abs(np.atleast_1d(map.baseline) - untouched[n]).max()
                if not off <= _TOLERANCE * max(float(np.abs(self.whole[n]).max()), 1e-6):
                    raise _CannotExport(f"the exported module differs by {off:.2g} on the input")
                values = with_targets(map.values, len(map.targets))
                if values.ndim < x.ndim:
                    # Windows through all channels give one number for them.
                    values = np.repeat(values[:, None], x.shape[1], axis=1)
                found[i].append(values)
        return [np.concatenate(parts) for parts in found]

    def _target_of(self, n: int, classes: int) -> int | str:
        target = self.target
        if target is None:
            return "all"
        if hasattr(target, "dtype"):
            target = to_numpy(target).reshape(-1).tolist()
            target = target[0] if len(target) == 1 else target
        if isinstance(target, list):
            target = target[n]
        if isinstance(target, tuple):
            target = target[0]
        return int(target) % classes


def _takes_nothing(f: Callable[..., Any]) -> bool:
    try:
        return not inspect.signature(f).parameters
    except (TypeError, ValueError):
        return False


def _has_rows(x: Any) -> bool:
    return hasattr(x, "shape") and hasattr(x, "dtype") and len(x.shape) > 0


def _repeated(x: Any, times: int) -> Any:
    """The rows of a tensor, so many times one after the other, without a detour where there is one time."""
    return x if times == 1 else kind_of(x)(np.concatenate([to_numpy(x)] * times))


def _like(x: Any, fill: Any) -> Any:
    """A tensor of the type that `x` has once the baseline was put in: whole numbers become fractions where it is one."""
    if library_of(x) == "torch":
        torch = sys.modules["torch"]
        fill = fill.reshape(1, *fill.shape) if isinstance(fill, torch.Tensor) else fill
        return x.to(torch.result_type(x, fill))
    return x.astype(np.result_type(x.dtype, to_numpy(fill).dtype if hasattr(fill, "dtype") else fill))
