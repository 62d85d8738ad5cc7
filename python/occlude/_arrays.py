"""Tensors of other libraries: to NumPy, and back for functions that take them.

NumPy arrays of float32 are read where they lie. Tensors on the CPU come through DLPack without a copy; those on a device, and
those of other types, are copied. What a library needs beyond the protocols is here and nowhere else; no library is imported
that the caller has not imported.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np
from numpy.typing import NDArray

from occlude.exceptions import ArgumentError, ModelError

Array = NDArray[np.float32]


def library_of(x: object) -> str:
    """The top package that the type of `x` comes from: ``"torch"``, ``"numpy"``, ``"builtins"``."""
    return type(x).__module__.partition(".")[0]


def to_numpy(x: Any) -> NDArray[Any]:
    """The values of any tensor as a NumPy array, without a copy where that is possible."""
    if isinstance(x, np.ndarray):
        return x
    library = library_of(x)
    if hasattr(x, "detach") and hasattr(x, "cpu"):  # torch
        x = x.detach().cpu()
        return np.asarray((x.float() if str(x.dtype) == "torch.bfloat16" else x).numpy())
    if hasattr(x, "asnumpy"):  # mindspore, mxnet
        return np.asarray(x.asnumpy())
    if library == "cupy":
        return np.asarray(x.get())
    if hasattr(x, "__dlpack__"):
        try:
            return np.from_dlpack(x)
        except (BufferError, RuntimeError, TypeError, ValueError):
            pass  # on a device, or of a type that DLPack does not know
    if hasattr(x, "numpy") and not isinstance(x, type):  # tensorflow
        return np.asarray(x.numpy())
    return np.asarray(x)


def to_array(x: Any, what: str) -> NDArray[Any]:
    """Like `to_numpy`, of numbers.

    Raises
    ------
    ArgumentError
        What is no array, values that are no real numbers, an array that hides some of its own.
    """
    kind = f"a {type(x).__module__.partition('.')[0]} {type(x).__name__}" if library_of(x) != "builtins" else f"a {type(x).__name__}"
    try:
        array = to_numpy(x)
    except Exception as error:  # a library may raise anything
        first = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise ArgumentError(f"{what} is {kind}, which cannot be read as an array: {first}", "give a dense array of numbers") from error
    if isinstance(x, np.ma.MaskedArray) and np.ma.is_masked(x):
        raise ArgumentError(f"{what} is a masked array, whose masked values have no number", "fill them: x.filled(0)")
    if array.dtype.kind == "V" and array.dtype.name == "bfloat16":  # ml_dtypes, of jax
        array = array.astype(np.float32)
    if array.dtype.kind == "O":
        sparse = hasattr(x, "todense") or hasattr(x, "toarray")
        raise ArgumentError(
            f"{what} is {kind} with dtype object, expected an array of numbers",
            "sparse arrays are made dense first: x.toarray()" if sparse else None,
        )
    if array.dtype.kind not in "fiub":
        hint = "take its real part, or its absolute values: a model sees real numbers" if array.dtype.kind == "c" else None
        raise ArgumentError(f"{what} has dtype {array.dtype}, expected numbers", hint)
    return array


def to_float32(x: Any, what: str) -> Array:
    """Like `to_array`, C-contiguous and as float32.

    Raises
    ------
    ArgumentError
        As `to_array`, and numbers beyond float32.
    """
    return _float32(to_array(x, what), what)


def _float32(array: NDArray[Any], what: str) -> Array:
    with np.errstate(over="ignore"):
        narrow = np.ascontiguousarray(array, dtype=np.float32)
    if array.dtype.kind == "f" and array.dtype.itemsize > 4 and bool((np.isinf(narrow) & np.isfinite(array)).any()):
        raise ArgumentError(
            f"{what} holds {np.abs(array[np.isfinite(array)]).max():.3g}, and float32 ends at 3.4e38",
            "everything is computed in float32: scale the values",
        )
    return narrow


def noted_float32(x: Any, what: str) -> tuple[Array, list[str]]:
    """Like `to_float32`, with a note where numbers changed on the way."""
    array = to_array(x, what)
    narrow = _float32(array, what)
    if array.dtype.itemsize <= (4 if array.dtype.kind == "f" else 2):
        return narrow, []
    if array.dtype.kind == "f":
        changed = (narrow.astype(array.dtype) != array) & ~np.isnan(array)
    else:
        fits = np.abs(narrow) < 2.0 ** (8 * array.dtype.itemsize - 1)
        changed = ~fits | (np.where(fits, narrow, 0).astype(array.dtype) != array)
    count = int(changed.sum())
    if not count:
        return narrow, []
    numbers = "value is" if count == 1 else "values are"
    return narrow, [f"{what} was {array.dtype} and is read as float32: {count} of {array.size} {numbers} rounded"]


def shape_text(shape: tuple[int, ...] | list[int]) -> str:
    """``[1, 3, 224, 224]``."""
    return f"[{', '.join(map(str, shape))}]"


def kind_of(x: Any) -> Callable[[Array], Any]:
    """From a batch in NumPy to what a function takes that was written for tensors like `x`: same library, device and dtype."""
    library = library_of(x)
    if library == "torch":
        torch = sys.modules["torch"]
        device, dtype = x.device, x.dtype
        return lambda batch: torch.from_numpy(batch).to(device=device, dtype=dtype)
    if library == "tensorflow":
        tensorflow = sys.modules["tensorflow"]
        dtype = x.dtype
        return lambda batch: tensorflow.cast(tensorflow.convert_to_tensor(batch), dtype)
    if library == "mindspore":
        mindspore = sys.modules["mindspore"]
        dtype = x.dtype
        return lambda batch: mindspore.Tensor(batch, dtype)
    if library in ("jax", "jaxlib"):
        jax_numpy = sys.modules["jax"].numpy
        dtype = x.dtype
        return lambda batch: jax_numpy.asarray(batch, dtype=dtype)
    if library == "cupy":
        cupy = sys.modules["cupy"]
        dtype = x.dtype
        return lambda batch: cupy.asarray(batch, dtype=dtype)
    dtype = np.asarray(x).dtype if not hasattr(x, "__dlpack__") or isinstance(x, np.ndarray) else np.dtype(np.float32)
    if dtype == np.float32 or dtype.kind not in "fiub":
        return lambda batch: batch
    return lambda batch: batch.astype(dtype)


def kind_for_module(module: Any) -> Callable[[Array], Any] | None:
    """Like `kind_of`, for a torch module that is given NumPy arrays: tensors on its device and of its dtype."""
    torch = sys.modules.get("torch")
    if torch is None or not isinstance(module, torch.nn.Module):
        return None
    like = next((p for p in module.parameters() if p.is_floating_point()), None)
    return kind_of(torch.zeros(()) if like is None else like)


def without_gradients() -> AbstractContextManager[Any]:
    """A context in which torch keeps nothing for a backward pass; nothing where torch is not imported."""
    torch = sys.modules.get("torch")
    return nullcontext() if torch is None else torch.no_grad()


def named_outputs(outputs: Any, count: int) -> list[tuple[str, Array]]:
    """What a function returned, as names and arrays ``[count, ...]``.

    One tensor is called ``output``; those of a tuple ``output0``, ``output1``, ...; those of a mapping by their keys.
    """
    if isinstance(outputs, Mapping):
        items = [(str(name), value) for name, value in outputs.items() if value is not None]
    elif isinstance(outputs, tuple) or (isinstance(outputs, list) and outputs and hasattr(outputs[0], "shape")):
        several = [value for value in outputs if value is not None]
        items = [("output", several[0])] if len(several) == 1 else [(f"output{i}", v) for i, v in enumerate(several)]
    else:
        items = [("output", outputs)]
    if outputs is None or not items:
        what = (
            "None" if outputs is None else f"a {type(outputs).__name__} of None" if len(outputs) else f"an empty {type(outputs).__name__}"
        )
        raise ModelError(
            f"the function returned nothing ({what})",
            "expected a tensor [batch, classes], or several; a function without a return statement returns None",
        )
    named = []
    for name, value in items:
        array = _output(name, value)
        if array.ndim == 0 and count == 1:
            array = array.reshape(1)
        if array.ndim == 0 or array.shape[0] != count:
            raise ModelError(
                f'for a batch of {count} the function returned "{name}" of shape {shape_text(array.shape)}',
                f"its first axis should be the batch of {count}",
            )
        named.append((name, array.reshape(count, 1) if array.ndim == 1 else array))
    return named


def _output(name: str, value: Any) -> Array:
    """One output as numbers. NumPy would read None as NaN, and text as the number that it spells."""
    try:
        array = to_numpy(value)
    except (TypeError, ValueError) as error:
        raise _no_output(name, value, str(error)) from error
    if array.dtype.kind == "V" and array.dtype.name == "bfloat16":  # ml_dtypes, of jax
        array = array.astype(np.float32)
    if array.dtype.kind == "O" and any(item is None for item in array.flat):
        raise _no_output(name, value, "it holds None")
    if array.dtype.kind not in "fiub":
        raise _no_output(name, value, f"its dtype is {array.dtype}, expected real numbers")
    with np.errstate(over="ignore"):  # infinity is an error of its own
        return np.ascontiguousarray(array, dtype=np.float32)


def _no_output(name: str, value: Any, why: str) -> ModelError:
    return ModelError(
        f'the function returned "{name}" of type {type(value).__name__}: {why}',
        "expected a tensor [batch, classes], a tuple or a mapping of them",
    )
