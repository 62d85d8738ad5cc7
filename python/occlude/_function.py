"""Any function from a batch to outputs, as a model."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from occlude import _core
from occlude import _text as text
from occlude._arrays import Array, kind_for_module, kind_of, named_outputs, noted_float32, shape_text, without_gradients
from occlude._endpoint import awaited, is_async, tried_again
from occlude._map import Map, carrying_partial_map
from occlude._model import Model, Progress, joined
from occlude._progress import bar
from occlude._settings import OcclusionSettings, run_settings
from occlude.exceptions import ArgumentError

if TYPE_CHECKING:
    from typing_extensions import Unpack

# What only the engine can be told.
ENGINE_SETTINGS = ("threads", "memory_limit", "engine", "runtime", "approximate")

# The most channels that an input is guessed to have at its end.
_FEW_CHANNELS = 4


def _channels_last(layout: str | None, shape: tuple[int, ...]) -> bool:
    """Where the channels are: as said, else at the end only if nothing but the end looks like channels."""
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
        # Classes of an estimator are asked for by their names, which may be numbers.
        self._by_class_name = not callable(f) and hasattr(f, "predict_proba")
        if self._by_class_name:
            estimator: Any = f
            labels = getattr(estimator, "classes_", None) if labels is None else labels
            f, ends_in = estimator.predict_proba, ends_in or "softmax"
        if not callable(f):
            raise ArgumentError(
                f"a {type(f).__name__} cannot be called",
                "expected a function from a batch to outputs, or the path of an ONNX model",
            )
        if labels is not None and (isinstance(labels, (str, bytes, Mapping)) or not isinstance(labels, Iterable)):
            raise ArgumentError(f"labels is {text.shown(labels)}", 'expected the names of the classes by index, ["cat", "dog"]')
        if ends_in not in (None, "softmax", "log-softmax", "sigmoid"):
            raise ArgumentError(f"ends_in is {text.shown(ends_in)}, expected softmax, log-softmax, sigmoid or None")
        if layout not in (None, "nchw", "nhwc"):
            raise ArgumentError(f"layout is {text.shown(layout)}, expected nchw or nhwc")
        self.f = f
        self.layout = layout
        self.labels = [] if labels is None else [str(name) for name in labels]
        self.ends_in = ends_in
        self.batch = text.whole("batch", batch, least=1)
        self.workers = (8 if is_async(f) else 1) if workers is None else text.whole("workers", workers, least=1)
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
            See `OcclusionSettings`; `threads`, `memory_limit`, `engine`, `runtime` and `approximate` are about the engine, which does
            not run a function. For a classifier of scikit-learn a target that is text is the name of a class first, ``"1"`` the class
            named 1; a number is an index, as everywhere.

        Returns
        -------
        Map

        Raises
        ------
        ArgumentError
            An input without a batch axis of 1, a setting that does not fit, or one of the engine.
        ModelError
            Outputs that cannot be read.
        Exception
            What `f` raises, unchanged; with what was computed before as ``partial_map``.
        """
        of_engine = [name for name in ENGINE_SETTINGS if settings.get(name) is not None]
        if of_engine:
            raise ArgumentError(
                f"{', '.join(of_engine)}: the engine does not run a function, which is called as it is",
                "leave it out (batch= and workers= say how a function is called), or map an ONNX model: from_torch, from_keras",
            )
        return self.mapped(x, hide, progress, dict(settings), [])

    def mapped(self, x: Any, hide: str | Iterable[str] | None, progress: Progress, settings: dict[str, Any], notes: list[str]) -> Map:
        """`occlusion`, with more notes for the map.

        Parameters
        ----------
        x, hide, progress, settings
            See `occlusion`.
        notes
            Silent choices of the caller, in words.
        """
        given = dict(x) if isinstance(x, Mapping) else {str(i): v for i, v in enumerate(x)} if isinstance(x, tuple) else {"x": x}
        by_name = isinstance(x, Mapping)
        wrong = next((name for name in given if not isinstance(name, str)), None)
        if wrong is not None:
            raise ArgumentError(f"an input is called {text.shown(wrong)}", "names of inputs are text: they are keywords of the function")
        inputs = {name: self._one(name, value, len(given) > 1) for name, value in given.items()}
        kinds = {name: kind_for_module(self.f) or kind_of(value) if _is_numpy(value) else kind_of(value) for name, value in given.items()}
        if not inputs:
            raise ArgumentError("no input is given")
        input = joined(inputs, hide)
        order = [input.name, *(name for name in inputs if name != input.name)]
        if self._by_class_name and settings.get("target") is not None:
            settings["target"], said = self._named_target(settings["target"])
            notes = [*notes, *said]
        input = input.noted(notes)
        chosen = run_settings(settings, input.shape)
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

    def _named_target(self, target: Any) -> tuple[Any, list[str]]:
        """A target of an estimator: text that is the name of a class as its index, and what is worth saying of it."""
        if not isinstance(target, str):
            if text.whole_or_none(target) is not None or not isinstance(target, Iterable) or isinstance(target, Mapping):
                return target, []
            parts = [self._named_target(part) for part in target]
            return [part for part, _ in parts], [note for _, said in parts for note in said]
        if target not in self.labels and "," in target:
            parts = [self._named_target(part.strip()) for part in target.split(",")]
            if any(isinstance(part, int) for part, _ in parts):
                return [part for part, _ in parts], [note for _, said in parts for note in said]
        if self.labels.count(target) != 1:
            return target, []
        index = self.labels.index(target)
        if not target.isdecimal() or int(target) == index:
            return index, []
        return index, [f'target "{target}" is the class named {target} (index {index}); the class at index {target} is target={target}']

    def _one(self, name: str, x: Any, is_one_of_several: bool) -> _core.Input:
        what = f'the input "{name}"' if is_one_of_several else "the input"
        values, notes = noted_float32(x, what)
        if values.shape == (1,):
            raise ArgumentError(f"{what} has shape [1]: nothing but a batch axis", "one example with its batch axis: x[None]")
        if values.ndim == 0 or values.shape[0] != 1:
            raise ArgumentError(
                f"{what} has shape {shape_text(values.shape)}: its first axis is the batch, and should be 1",
                "one example with its batch axis, as the function takes it: x[None], or x[i : i + 1]",
            )
        at_the_end = _channels_last(self.layout, values.shape[1:])
        if at_the_end and self.layout is None:
            notes.append(f"layout nhwc: the last axis of {what} has {values.shape[-1]} elements (layout= to change)")
        return _core.Input.of_function(name, values[0], at_the_end, notes)


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
