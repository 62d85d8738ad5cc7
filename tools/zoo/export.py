"""torch module -> ONNX file, by either of torch's exporters, batch axis symbolic or fixed."""

import warnings

import onnx
import torch


def export(model, x, path, architecture):
    """Writes `path`. Input `input`, output `logits`."""
    example = torch.from_numpy(x)
    # An old side file would be appended to.
    for stale in path.parent.glob(path.name + "*"):
        stale.unlink()
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        if architecture.exporter == "dynamo":
            # Specialised to 1 if the example's batch is 1.
            example = torch.cat([example, example]) if architecture.dynamic_batch else example
            shapes = {0: torch.export.Dim("batch")} if architecture.dynamic_batch else None
            torch.onnx.export(
                model, (example,), str(path), dynamo=True, opset_version=architecture.opset, input_names=["input"],
                output_names=["logits"], dynamic_shapes=(shapes,) if shapes else None, external_data=False, verbose=False)
        else:
            axes = {"input": {0: "batch"}, "logits": {0: "batch"}} if architecture.dynamic_batch else None
            torch.onnx.export(
                model, (example,), str(path), dynamo=False, opset_version=architecture.opset, input_names=["input"],
                output_names=["logits"], dynamic_axes=axes, do_constant_folding=True)
    onnx.checker.check_model(str(path))
