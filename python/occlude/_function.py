"""Any function from a batch to outputs, as a model."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from occlude import _core
from occlude._arrays import Array, kind_for_module, kind_of, named_outputs, shape_text, to_float32, without_gradients
from occlude._endpoint import awaited, is_async, tried_again
from occlude._map import Map, carrying_partial_map
from occlude._model import Model, Progress, joined
from occlude._progress import bar
from occlude._settings import OcclusionSettings, run_settings
from occlude.exceptions import ArgumentError

if TYPE_CHECKING:
    from typing_extensions import Unpack

# The most channels that an input is guessed to have at its end.
_FEW_CHANNELS = 4


def _channels_last(layout: str | None, shape: tuple[int, ...]) -> bool:
    """Where the channels are: as said, else at the end only if nothing but the end looks like channels."""
    if layout not in (None, "nchw", "nhwc"):
        raise ArgumentError(f"layout is {layout!r}, expected nchw or nhwc")
    if layout is not None:
        return layout == "nhwc"
    return len(shape) > 1 and shape[0] > _FEW_CHANNELS >= shape[-1]


class Function:
    """A function that maps a batch of examples to outputs.

    A torch module, a Keras model, a MindSpore Cell, a classifier of
    scikit-learn, a remote endpoint.

    Batches are built in Rust, in memory that is used again and again, while the function works on the one before; a batch that
    somebody keeps is never written again. They are given as what the input is: torch tensors on the same device for a torch tensor,
    NumPy arrays for NumPy.

    Parameters
    ----------
    f
        ``f(batch) -> outputs``: ``[count, ...]`` in, ``[count, classes]`` out, or a tuple or mapping of such. With several inputs
        ``f(*batches)``, or ``f(**batches)`` where they are given as a mapping. It may be a coroutine function. An object with
        ``predict_proba`` is a classifier of scikit-learn.
    layout
        Where the channels of the input are, ``"nchw"`` or ``"nhwc"``. If not given, at the end only where nothing but the end looks
        like channels.
    labels
        Names of the classes, by index.
    ends_in
        What the outputs already are: ``"softmax"``, ``"log-softmax"``, ``"sigmoid"``; None for logits or anything else. With it (or
        `labels`) the score is the probability by default, else the output as it is.
    batch
        Examples per call, at most.
    workers
        Calls under way at once, each from a thread of its own, for functions that wait (endpoints). With 1, all calls come from the
        calling thread. A coroutine function has 8 if not said.
    retries
        How often a call that raises is repeated, with growing waits; or a ``tenacity.Retrying``.

    Examples
    --------
    >>> import numpy as np
    >>> import occlude
    >>> total = occlude.Function(lambda batch: batch.sum(axis=(1, 2, 3))[:, None])
    >>> x = np.arange(16, dtype=np.float32).reshape(1, 1, 4, 4)
    >>> total.occlusion(x, window=2, stride=2, fill=0).values
    array([[10., 18.],
           [42., 50.]], dtype=float32)
    """

    def __init__(
        self,
        f: Callable[..., Any],
        *,
        layout: str | None = None,
        labels: Sequence[str] | None = None,
        ends_in: str | None = None,
        batch: int = 32,
        workers: int | None = None,
        retries: Any = 0,
    ) -> None:
        if not callable(f) and hasattr(f, "predict_proba"):
            labels = [str(name) for name in f.classes_] if labels is None else labels
            f, ends_in = f.predict_proba, ends_in or "softmax"
        if not callable(f):
            raise ArgumentError(
                f"a {type(f).__name__} cannot be called",
                "expected a function from a batch to outputs, or the path of an ONNX model",
            )
        for name, value in (("batch", batch), ("workers", 1 if workers is None else workers)):
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise ArgumentError(f"{name} is {value!r}, expected a whole number from 1")
        self.f = f
        self.layout = layout
        self.labels = [] if labels is None else [str(name) for name in labels]
        self.ends_in = ends_in
        self.batch = batch
        self.workers = (8 if is_async(f) else 1) if workers is None else workers
        self.retries = retries
        tried_again(len, retries)

    def occlusion(
        self,
        x: Any,
        *,
        hide: str | Iterable[str] | None = None,
        progress: Progress = False,
        **settings: Unpack[OcclusionSettings],
    ) -> Map:
        """Hides one window after the other and maps how the score changes.

        Parameters
        ----------
        x
            One example **with** its batch axis, so that ``f(x)`` works: ``[1, C, H, W]``. Several inputs as a tuple (named ``"0"``,
            ``"1"``, ...) or a mapping.
        hide
            Of several inputs, the names of those that windows hide, at the same places; the first if not given.
        progress
            True for a tqdm bar, or a class like ``tqdm``.
        **settings
            See `OcclusionSettings`; `threads`, `memory_limit`, `engine`, `runtime` and `approximate` mean nothing here.

        Returns
        -------
        Map

        Raises
        ------
        ArgumentError
            An input without a batch axis of 1, or a setting that does not fit.
        ModelError
            Outputs that cannot be read.
        Exception
            What `f` raises, unchanged; with what was computed before as ``partial_map``.
        """
        given = dict(x) if isinstance(x, Mapping) else {str(i): v for i, v in enumerate(x)} if isinstance(x, tuple) else {"x": x}
        by_name = isinstance(x, Mapping)
        kinds = {name: kind_for_module(self.f) or kind_of(value) if _is_numpy(value) else kind_of(value) for name, value in given.items()}
        inputs = {name: self._one(name, value, len(given) > 1) for name, value in given.items()}
        if not inputs:
            raise ArgumentError("no input is given")
        input = joined(inputs, hide)
        order = [input.name, *(name for name in inputs if name != input.name)]
        chosen = run_settings(dict(settings), input.shape)
        _warn_of_training(self.f)
        with ExitStack() as stack:
            f = stack.enter_context(awaited(self.f)) if is_async(self.f) else self.f
            f = tried_again(f, self.retries)

            def call(batches: list[Array]) -> list[tuple[str, Array]]:
                count = len(batches[0])
                native = {name: kinds[name](batch) for name, batch in zip(order, batches, strict=True)}
                with without_gradients():
                    outputs = f(**native) if by_name else f(*(native[name] for name in inputs))
                    return named_outputs(outputs, count)

            stack.enter_context(carrying_partial_map())
            tell = stack.enter_context(bar(progress))
            runtime = f"{getattr(self.f, '__name__', type(self.f).__name__)} (called in batches of {self.batch})"
            return Map(
                _core.run_function(
                    call,
                    input,
                    chosen,
                    labels=self.labels,
                    ends_in=self.ends_in,
                    batch=self.batch,
                    workers=self.workers,
                    runtime=runtime,
                    progress=tell,
                )
            )

    def _one(self, name: str, x: Any, is_one_of_several: bool) -> _core.Input:
        what = f'the input "{name}"' if is_one_of_several else "the input"
        values = to_float32(x, what)
        if values.ndim == 0 or values.shape[0] != 1:
            raise ArgumentError(
                f"{what} has shape {shape_text(values.shape)}: its first axis is the batch, and should be 1",
                "one example with its batch axis, as the function takes it: x[None], or x[i : i + 1]",
            )
        at_the_end = _channels_last(self.layout, values.shape[1:])
        notes = [f"layout nhwc: the last axis of {what} has {values.shape[-1]} elements (layout= to change)"]
        return _core.Input.of_function(name, values[0], at_the_end, notes if at_the_end and self.layout is None else [])


def _is_numpy(x: Any) -> bool:
    return type(x).__module__.partition(".")[0] in ("numpy", "builtins")


def _warn_of_training(f: Any) -> None:
    # Batch statistics make the numbers depend on which windows share a batch.
    if getattr(f, "training", False) is True:
        warnings.warn(
            f"{type(f).__name__} is in training mode: dropout is on, and batch normalisation depends on the other windows of a "
            "batch; call .eval() first",
            stacklevel=3,
        )


def occlusion(
    f: Callable[..., Any] | Model | str | os.PathLike[str],
    x: Any,
    *,
    hide: str | Iterable[str] | None = None,
    progress: Progress = False,
    layout: str | None = None,
    labels: Sequence[str] | None = None,
    ends_in: str | None = None,
    batch: int = 32,
    workers: int | None = None,
    retries: Any = 0,
    **settings: Unpack[OcclusionSettings],
) -> Map:
    """Maps what a model looks at: hides one window after the other and tells how the score changes.

    Parameters
    ----------
    f
        Any function from a batch to outputs (see `Function`), or the path of an ONNX model, or a `Model`.
    x
        One example with its batch axis, ``[1, C, H, W]``; for ONNX models also a picture's path (see `Model.occlusion`).
    hide, progress, **settings
        See `Model.occlusion` and `OcclusionSettings`.
    layout, labels, ends_in, batch, workers, retries
        See `Function`; for ONNX models only `layout` means something.

    Returns
    -------
    Map

    Examples
    --------
    >>> import numpy as np
    >>> import occlude
    >>> def brightness(batch):
    ...     return batch.mean(axis=(1, 2, 3))[:, None]
    >>> map = occlude.occlusion(brightness, np.ones((1, 3, 8, 8), np.float32), window=4, stride=4, fill="zero")
    >>> map.values
    array([[0.25, 0.25],
           [0.25, 0.25]], dtype=float32)
    """
    if isinstance(f, (str, os.PathLike)):
        f = Model(f, layout=layout)
    if isinstance(f, Model):
        return f.occlusion(x, hide=hide, progress=progress, **settings)
    function = Function(f, layout=layout, labels=labels, ends_in=ends_in, batch=batch, workers=workers, retries=retries)
    return function.occlusion(x, hide=hide, progress=progress, **settings)
