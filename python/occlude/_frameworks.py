"""The exporters of torch, Keras and MindSpore: each writes a module as an ONNX file whose inputs have the names of ours.

What is made of the file, and whether it is believed, is in `_export`. No framework is imported before it is needed.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from occlude._arrays import to_numpy
from occlude._export import Exported, Tensors
from occlude._function import Function
from occlude.exceptions import ArgumentError

# Bytes of weights that an ONNX file holds itself.
_ONE_FILE = 3 << 29


def from_torch(
    module: Any,
    example: Any,
    *,
    labels: Sequence[str] | None = None,
    ends_in: str | None = None,
    layout: str | None = None,
    batch: int = 32,
    path: str | os.PathLike[str] | None = None,
) -> Exported:
    """Exports a torch module, so that maps of it are made incrementally.

    The module is used in evaluation mode, and left in the mode it was in. Its export is compared with it on four inputs.

    Parameters
    ----------
    module
        A ``torch.nn.Module``.
    example
        One example with its batch axis, as the module takes it; several inputs as a tuple, or a mapping for keywords.
    labels
        Names of the classes, by index.
    ends_in, layout, batch
        See `Function`; `ends_in` matters only where there is no export, which says it itself.
    path
        Where to keep the exported ``.onnx`` file.

    Returns
    -------
    Exported

    Warns
    -----
    ExportWarning
        The module cannot be exported, or its export differs from it: it runs window by window, and ``why_not`` has the reason.

    Examples
    --------
    >>> model = occlude.from_torch(resnet, torch.zeros(1, 3, 224, 224))  # doctest: +SKIP
    >>> map = model.occlusion(x, window=16, stride=8, target=207)  # doctest: +SKIP
    """
    torch = sys.modules.get("torch")
    if torch is None or not isinstance(module, torch.nn.Module):
        raise ArgumentError(f"a {type(module).__name__} is no torch.nn.Module", "occlude.occlusion takes any callable")

    def export(inputs: Tensors, path: str) -> None:
        names = list(inputs)
        # One file, unless it would be too large for the format (2 GiB).
        external = sum(weight.numel() * weight.element_size() for weight in module.state_dict().values()) > _ONE_FILE
        failures: list[Exception] = []
        # The newer exporter first: it refuses what the older one, which follows one example, would bake in.
        for dynamo in (True, False):
            try:
                if isinstance(example, Mapping):
                    torch.onnx.export(module, (), path, kwargs=inputs, input_names=names, dynamo=dynamo, external_data=external)
                else:
                    torch.onnx.export(module, tuple(inputs.values()), path, input_names=names, dynamo=dynamo, external_data=external)
                return
            except Exception as error:
                failures.append(error)
        raise failures[0]

    def evaluated(inputs: Tensors, path: str) -> None:
        with torch.no_grad():
            export(inputs, path)

    function = Function(_Evaluated(module), layout=layout, labels=labels, ends_in=ends_in, batch=batch)
    with function.f.evaluating():  # type: ignore[attr-defined]
        return Exported(function, evaluated, example, labels, path)


class _Evaluated:
    """A torch module called in evaluation mode, and left as it was."""

    def __init__(self, module: Any) -> None:
        self.module = module
        self.__name__ = type(module).__name__

    @contextlib.contextmanager
    def evaluating(self) -> Iterator[None]:
        trained = [part for part in self.module.modules() if part.training]
        self.module.eval()
        try:
            yield
        finally:
            for part in trained:
                part.training = True

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        with self.evaluating():
            return self.module(*args, **kwargs)


def from_keras(
    model: Any,
    example: Any,
    *,
    labels: Sequence[str] | None = None,
    ends_in: str | None = None,
    layout: str | None = None,
    batch: int = 32,
    path: str | os.PathLike[str] | None = None,
) -> Exported:
    """Exports a Keras model (TensorFlow) through tf2onnx, so that maps of it are made incrementally.

    Parameters
    ----------
    model
        A ``keras.Model`` or any function of TensorFlow tensors.
    example
        One example with its batch axis, NumPy or TensorFlow: ``[1, H, W, C]``.
    labels, ends_in, layout, batch, path
        See `from_torch`.

    Returns
    -------
    Exported

    Warns
    -----
    ExportWarning
        tf2onnx is not installed or cannot export the model, or the export differs from it.
    """

    def export(inputs: Tensors, path: str) -> None:
        import tensorflow
        import tf2onnx

        names = {name: f"input_{name}" if name[:1].isdigit() else name for name in inputs}
        signature = [
            tensorflow.TensorSpec(np.shape(value), tensorflow.as_dtype(np.asarray(to_numpy(value)).dtype), name=names[name])
            for name, value in inputs.items()
        ]
        by_name = isinstance(example, Mapping)
        call = (lambda *tensors: model(dict(zip(inputs, tensors, strict=True)))) if by_name else (lambda *tensors: model(*tensors))
        proto, _ = tf2onnx.convert.from_function(tensorflow.function(call, input_signature=signature), input_signature=signature, opset=17)
        new = {names[name]: name for name in inputs}
        _rename_inputs(proto, {port.name: new[port.name.partition(":")[0]] for port in proto.graph.input})
        with open(path, "wb") as file:
            file.write(proto.SerializeToString())

    function = Function(model, layout=layout, labels=labels, ends_in=ends_in, batch=batch)
    return Exported(function, export, example, labels, path)


def _rename_inputs(proto: Any, names: dict[str, str]) -> None:
    for port in proto.graph.input:
        port.name = names.get(port.name, port.name)
    for node in proto.graph.node:
        for i, name in enumerate(node.input):
            node.input[i] = names.get(name, name)


def from_mindspore(
    cell: Any,
    example: Any,
    *,
    labels: Sequence[str] | None = None,
    ends_in: str | None = None,
    layout: str | None = None,
    batch: int = 32,
    path: str | os.PathLike[str] | None = None,
) -> Exported:
    """Exports a MindSpore Cell by ``mindspore.export``, so that maps of it are made incrementally.

    Parameters
    ----------
    cell
        A ``mindspore.nn.Cell``, in evaluation mode (``set_train(False)``).
    example
        One example with its batch axis, as MindSpore tensors.
    labels, ends_in, layout, batch, path
        See `from_torch`.

    Returns
    -------
    Exported

    Warns
    -----
    ExportWarning
        MindSpore cannot export the Cell, or the export differs from it.
    """

    def export(inputs: Tensors, path: str) -> None:
        import mindspore
        import onnx

        mindspore.export(cell, *inputs.values(), file_name=path.removesuffix(".onnx"), file_format="ONNX")
        proto = onnx.load(path)
        # Weights may be listed as inputs, after the real ones.
        weights = {weight.name for weight in proto.graph.initializer}
        ports = [port.name for port in proto.graph.input if port.name not in weights]
        _rename_inputs(proto, dict(zip(ports, inputs, strict=True)))
        onnx.save(proto, path)

    function = Function(cell, layout=layout, labels=labels, ends_in=ends_in, batch=batch)
    return Exported(function, export, example, labels, path)
