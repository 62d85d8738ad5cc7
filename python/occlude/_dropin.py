"""What the drop-ins share: when a torch module of the user's is exported, and when it is called as it is.

In: a module and its inputs. Out: an ONNX model that gives the module's numbers, or None and the reason. An export is made when it is first
worth it and again when the weights have changed; it is believed after the comparison of `from_torch`. Nothing is said aloud: a drop-in
replaces a library in a script that knows of no exports.
"""

from __future__ import annotations

import hashlib
import importlib.util
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from occlude._arrays import to_numpy
from occlude._export import Exported
from occlude._frameworks import from_torch
from occlude._function import Function
from occlude._map import Map
from occlude._model import Model
from occlude.exceptions import ExportWarning, NumberError

# Floating-point operations of all windows below which a module is called as it is: an export takes seconds, which are not won back.
WORTH_AN_EXPORT = 2e11
# What one call costs beside its operations, in operations.
OF_A_CALL = 2e7


class Exports:
    """The exports of one torch module, one per shape of its inputs.

    Attributes
    ----------
    why_not : str or None
        Why the last run called the module window by window; None if it ran incrementally, or before any run.
    """

    def __init__(self, module: Any) -> None:
        self.module = module
        self.why_not: str | None = None
        self._made: dict[tuple[tuple[int, ...], ...], Exported] = {}
        self._weights: list[tuple[int, float]] = []

    def model(self, inputs: Sequence[Any], windows: int, calls: int) -> Model | None:
        """The module as an ONNX model with inputs ``"0"``, ``"1"``, ...; None, and `why_not`, where it is to be called.

        Parameters
        ----------
        inputs
            Torch tensors of one example each, ``[1, ...]``.
        windows, calls
            How many windows are hidden, and in how many calls the module would be asked.
        """
        torch = sys.modules.get("torch")
        self.why_not = None
        if torch is None or not isinstance(self.module, torch.nn.Module):
            self.why_not = f"a {type(self.module).__name__} is no torch.nn.Module"
        elif not all(isinstance(x, torch.Tensor) for x in inputs):
            self.why_not = "its inputs are no torch tensors"
        elif any(x.device.type != "cpu" for x in inputs):
            self.why_not = "its inputs are not on the CPU"
        elif any(x.dtype not in (torch.float32, torch.int64, torch.int32) for x in inputs):
            self.why_not = f"its inputs are {', '.join(str(x.dtype) for x in inputs)}"
        if self.why_not is not None:
            return None
        shapes = tuple(tuple(x.shape) for x in inputs)
        weights = _weights(self.module)
        if weights != self._weights:
            self._made.clear()
            self._weights = weights
        if shapes not in self._made:
            work = windows * _operations(self.module, inputs) + calls * OF_A_CALL
            if work < WORTH_AN_EXPORT:
                self.why_not = f"{windows} windows are less work than an export"
                return None
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ExportWarning)
                self._made[shapes] = from_torch(self.module, tuple(inputs))
        exported = self._made[shapes]
        self.why_not = exported.why_not
        return exported.model


def _weights(module: Any) -> list[tuple[int, float]]:
    """Where every weight and buffer lies, and its sum: something of it changes when the module is trained, or given others."""
    tensors = [*module.parameters(), *module.buffers()]
    return [(t.data_ptr(), float(t.detach().double().sum())) for t in tensors if t.device.type != "meta"]


def _operations(module: Any, inputs: Sequence[Any]) -> float:
    """Floating-point operations of one run of the module in evaluation mode, as torch counts them; infinite where it cannot."""
    try:
        from torch.utils.flop_counter import FlopCounterMode

        counter = FlopCounterMode(display=False)
        with evaluating(module), sys.modules["torch"].no_grad(), counter:
            module(*inputs)
        return float(counter.get_total_flops())
    except Exception:  # an operator that cannot be counted, or an older torch
        return float("inf")


@contextmanager
def evaluating(module: Any) -> Iterator[None]:
    """A module of torch in evaluation mode meanwhile, each of its parts left in the mode it was in. Anything else is left alone."""
    parts = list(module.modules()) if hasattr(module, "modules") and hasattr(module, "eval") else []
    trained = [part for part in parts if part.training]
    if trained:
        module.eval()
    try:
        yield
    finally:
        for part in trained:
            part.training = True


def called(f: Callable[..., Any], x: Any, batch: int, **settings: Any) -> Map:
    """The map of a function. One whose answers differ from call to call is taken at its first word, with a warning, as the origins do.

    Parameters
    ----------
    f, x, batch, **settings
        See `Function`.
    """
    try:
        return Function(f, layout="nchw", batch=batch).occlusion(x, **settings)
    except NumberError as error:
        if not error.message.startswith("self-check"):
            raise
        warnings.warn(f"the model does not repeat its answers: {error.message}", stacklevel=4)
    return Function(_Remembering(f), layout="nchw", batch=batch).occlusion(x, **settings)


class _Remembering:
    """A function from a batch to one tensor that gives the same answer for the same example."""

    def __init__(self, f: Callable[..., Any]) -> None:
        self.f = f
        self._answers: dict[bytes, NDArray[Any]] = {}

    def __call__(self, batch: Any) -> NDArray[Any]:
        keys = [hashlib.blake2b(np.ascontiguousarray(one).tobytes(), digest_size=16).digest() for one in to_numpy(batch)]
        if any(key not in self._answers for key in keys):
            for key, answer in zip(keys, to_numpy(self.f(batch)), strict=True):
                self._answers.setdefault(key, answer)
        return np.stack([self._answers[key] for key in keys])


def plain(x: Any) -> Any:
    """A torch tensor without the subclass that another library made of it (MONAI's ``MetaTensor``); anything else as it is."""
    torch = sys.modules.get("torch")
    return x.as_subclass(torch.Tensor) if torch is not None and isinstance(x, torch.Tensor) else x


def as_given(values: NDArray[Any], x: Any) -> Any:
    """An array as what `x` is: a torch tensor on its device for a torch tensor, else NumPy.

    Parameters
    ----------
    values
        Any array.
    x
        The input.
    """
    torch = sys.modules.get("torch")
    if torch is None or not isinstance(x, torch.Tensor):
        return values
    return torch.from_numpy(np.array(values)).to(x.device)


def with_targets(values: NDArray[np.float32], targets: int) -> NDArray[np.float32]:
    """A map's numbers with the axis of targets also where there is one target."""
    return values if targets > 1 else values[None]


def with_bar(wanted: bool) -> bool:
    """Whether to show a bar: where it is wanted and tqdm is installed, as the origins do."""
    return wanted and importlib.util.find_spec("tqdm") is not None
