"""A module with its export to ONNX, believed only where it is right.

An export is believed only after its outputs were compared with the module's, on the example and on three inputs made from it. Where it
cannot be made or differs, the module is called window by window: the same numbers, slower, and that is said.
"""

from __future__ import annotations

import contextlib
import io
import json
import logging
import os
import shutil
import tempfile
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from occlude._arrays import kind_of, named_outputs, to_numpy, without_gradients
from occlude._function import ENGINE_SETTINGS, Function
from occlude._map import Map
from occlude._model import Model, Progress
from occlude._settings import OcclusionSettings
from occlude.exceptions import ArgumentError, ExportWarning, OccludeError

if TYPE_CHECKING:
    from typing_extensions import Unpack

# Outputs of an export may differ from the module's by this share of the largest.
TOLERANCE = 1e-4

Tensors = dict[str, Any]
# Writes the module, for inputs like these, as an ONNX file.
Exporter = Callable[[Tensors, str], None]


def _named(x: Any) -> Tensors:
    if isinstance(x, Mapping):
        return dict(x)
    return {str(i): value for i, value in enumerate(x)} if isinstance(x, tuple) else {"x": x}


class Exported:
    """A module with its export, where there is one. Made by `from_torch`, `from_keras` and `from_mindspore`.

    Attributes
    ----------
    function : Function
        The module, called in batches.
    """

    def __init__(
        self, function: Function, export: Exporter, example: Any, labels: Sequence[str] | None, path: str | os.PathLike[str] | None
    ) -> None:
        self.function = function
        self._export = export
        self._labels = labels
        self._by_name = isinstance(example, Mapping)
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._models: dict[tuple[tuple[int, ...], ...], Model | str] = {}
        self._example = self._shapes(_named(example))
        self._of(_named(example))
        if path is not None:
            self.save(path)

    @property
    def model(self) -> Model | None:
        """The export for inputs of the example's shape; None where there is none."""
        found = self._models[self._example]
        return found if isinstance(found, Model) else None

    @property
    def incremental(self) -> bool:
        """Whether inputs of the example's shape run incrementally."""
        return self.model is not None

    @property
    def why_not(self) -> str | None:
        """Why there is no export; None where there is one."""
        found = self._models[self._example]
        return found if isinstance(found, str) else None

    def save(self, path: str | os.PathLike[str]) -> None:
        """Copies the exported model to an ``.onnx`` file, with its external data where it has some.

        Raises
        ------
        ArgumentError
            There is no export, or its external data would replace another file.
        """
        if self.model is None:
            raise ArgumentError(f"there is no export to save: {self.why_not}")
        source = os.path.dirname(self.model.path)
        folder = os.path.dirname(os.path.abspath(path))
        # External data is found by the name that is in the model.
        beside = [name for name in os.listdir(source) if name not in ("config.json", os.path.basename(self.model.path))]
        for name in beside:
            if os.path.exists(os.path.join(folder, name)):
                raise ArgumentError(
                    f"the model's weights are in a file {name}, and {folder} has one already", "save into a folder of its own"
                )
        for name in beside:
            shutil.copyfile(os.path.join(source, name), os.path.join(folder, name))
        shutil.copyfile(self.model.path, path)

    def occlusion(
        self,
        x: Any,
        *,
        hide: str | Iterable[str] | None = None,
        progress: Progress = False,
        **settings: Unpack[OcclusionSettings],
    ) -> Map:
        """Maps one example, incrementally where the module could be exported; see `Model.occlusion` and `Function.occlusion`.

        Parameters
        ----------
        x
            One example with its batch axis, of the kind of the module's inputs; several as a tuple or a mapping. For another shape than
            the example's the module is exported again, once.
        hide, progress, **settings
            See `Model.occlusion`.
        """
        found = self._of(_named(x))
        if isinstance(found, Model):
            named = {name: to_numpy(value) for name, value in _named(x).items()}
            return found.occlusion(named, hide=hide, progress=progress, **settings)
        # What was said to the engine is about speed and memory alone, and there is no engine now.
        left_out = [name for name in ENGINE_SETTINGS if settings.get(name) is not None]
        notes = [f"{', '.join(left_out)}: left out, since the module runs window by window"] if left_out else []
        kept: dict[str, Any] = {name: value for name, value in settings.items() if name not in ENGINE_SETTINGS}
        return self.function.mapped(x, hide, progress, kept, notes)

    @staticmethod
    def _shapes(inputs: Tensors) -> tuple[tuple[int, ...], ...]:
        return tuple(tuple(int(n) for n in np.shape(value)) for value in inputs.values())

    def _of(self, inputs: Tensors) -> Model | str:
        """The export for inputs of these shapes, or why there is none."""
        shapes = self._shapes(inputs)
        if shapes not in self._models:
            if any(not shape or shape[0] != 1 for shape in shapes):
                raise ArgumentError(
                    f"the inputs have shapes {[list(shape) for shape in shapes]}: the first axis is the batch, and should be 1",
                    "one example with its batch axis: x[:1]",
                )
            self._models[shapes] = self._try(inputs, len(self._models))
            why_not = self._models[shapes]
            if isinstance(why_not, str):
                name = _name_of(self.function.f)
                warnings.warn(f"{name} runs window by window, not incrementally: {why_not}", ExportWarning, stacklevel=4)
        return self._models[shapes]

    def _try(self, inputs: Tensors, number: int) -> Model | str:
        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory(prefix="occlude-")
        folder = os.path.join(self._folder.name, str(number))
        os.mkdir(folder)
        path = os.path.join(folder, "model.onnx")
        try:
            with _quiet():
                self._export(inputs, path)
        except Exception as error:  # an exporter may raise anything
            return f"the export failed: {_first_line(error)}"
        if self._labels is not None:
            with open(os.path.join(folder, "config.json"), "w", encoding="utf-8") as file:
                json.dump({"id2label": {str(i): str(name) for i, name in enumerate(self._labels)}}, file)
        try:
            model = Model(folder, layout=self.function.layout)
            self._check(model, inputs)
        except OccludeError as error:
            return f"the exported model cannot be used: {error.message}"
        except _Differs as error:
            return str(error)
        return model

    def _check(self, model: Model, inputs: Tensors) -> None:
        """Compares the export with the module, on the example and on inputs made from it."""
        random = np.random.default_rng(0)
        arrays = {name: np.asarray(to_numpy(value)) for name, value in inputs.items()}
        if set(model.inputs) != set(arrays):
            raise _Differs(f"the exported model has the inputs {', '.join(model.inputs)}, not {', '.join(arrays)}")
        halves = {name: np.where(random.random(a.shape) < 0.5, a, a.mean().astype(a.dtype)) for name, a in arrays.items()}
        noisy = {name: _noisy(a, random) for name, a in arrays.items()}
        # A branch on the input's values is followed for the example alone by some exporters.
        turned = {name: (-a if a.dtype.kind == "f" else a) for name, a in noisy.items()}
        for made in (arrays, halves, noisy, turned):
            expected = self._call({name: kind_of(inputs[name])(np.ascontiguousarray(a, np.float32)) for name, a in made.items()})
            found = list(model.outputs(made).items())
            if len(found) != len(expected):
                raise _Differs(f"the exported model has {len(found)} outputs, the module {len(expected)}")
            for (_, ours), (name, theirs) in zip(found, expected, strict=True):
                if ours.size != theirs.size:
                    raise _Differs(f'the exported "{name}" has shape {list(ours.shape)}, the module\'s {list(theirs.shape)}')
                largest = float(np.abs(theirs).max(initial=0.0))
                difference = float(np.abs(ours.reshape(theirs.shape) - theirs).max(initial=0.0))
                if not difference <= TOLERANCE * max(largest, 1e-6):
                    raise _Differs(
                        f'the exported "{name}" differs from the module\'s by {difference:.2g}, its largest value is {largest:.2g}'
                    )

    def _call(self, inputs: Tensors) -> list[tuple[str, NDArray[np.float32]]]:
        f = self.function.f
        with without_gradients():
            return named_outputs(f(**inputs) if self._by_name else f(*inputs.values()), 1)

    def __repr__(self) -> str:
        how = "incremental" if self.incremental else f"window by window: {self.why_not}"
        return f"<occlude.Exported {_name_of(self.function.f)}, {how}>"


def _name_of(f: Any) -> str:
    return str(getattr(f, "__name__", type(f).__name__))


class _Differs(Exception):
    pass


def _noisy(a: NDArray[Any], random: np.random.Generator) -> NDArray[Any]:
    if a.dtype.kind != "f":
        return a
    return (a + random.standard_normal(a.shape) * (a.std() or 1.0)).astype(a.dtype)


def _first_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0][:300]}" if lines else type(error).__name__


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Exporters talk a lot; what matters is in what they raise."""
    level = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(level)
