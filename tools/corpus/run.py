"""Runs a corpus model in ONNX Runtime and writes NAME.onnx and NAME.npz.

The .npz has `x`, `y0`, `y1`, ... and a second run with one window hidden: `window` ([2, axes of x]: starts,
sizes), `fill` and `y0_occluded`, .... A model with a symbolic batch axis must give the same for both inputs
as one batch, or it is no honest dynamic model. fp16 models are run widened to f32 (widen.py).
Archives are stored, not compressed, with fixed dates: the same script makes the same bytes.
"""

import io
import zipfile

import numpy as np
import onnx
import onnxruntime as ort

from .widen import is_half, widen


def session(model, optimise, folder=None):
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    level = ort.GraphOptimizationLevel
    options.graph_optimization_level = level.ORT_ENABLE_ALL if optimise else level.ORT_DISABLE_ALL
    source = str(folder) if folder else model.SerializeToString()
    return ort.InferenceSession(source, options, providers=["CPUExecutionProvider"])


def window_of(case):
    """A window of about a third of each spatial axis, away from the middle: [2, axes of x]."""
    axes = len(case.x)
    if axes == 2:
        hidden = [1]
    else:
        hidden = range(1, axes - 1) if case.nhwc else range(2, axes)
    starts, sizes = np.zeros(axes, np.int64), np.array(case.x, np.int64)
    for axis in hidden:
        sizes[axis] = max(1, case.x[axis] // 3)
        starts[axis] = case.x[axis] // 4 if case.corner is None else case.corner
    return np.stack([starts, sizes])


def evaluate(case, model, model_path=None):
    """Arrays for the .npz, and the facts for the index."""
    rng = np.random.default_rng(len(case.name) + 100 * len(case.x))
    x = (rng.standard_normal(case.x) * case.spread).astype(np.float32)
    if case.dtype == "float16":
        x = x.astype(np.float16).astype(np.float32)
    window = window_of(case)
    occluded = x.copy()
    occluded[tuple(slice(a, a + n) for a, n in window.T)] = case.fill

    half = is_half(model)
    runnable = widen(model) if half else model
    runs = {}
    for optimise in (True, False):
        ort_session = session(runnable, optimise, None if half else model_path)
        runs[optimise] = [
            [np.asarray(y) for y in ort_session.run(None, {"x": value})] for value in (x, occluded)
        ]
        if optimise and case.dynamic_batch:
            both = ort_session.run(None, {"x": np.concatenate([x, occluded])})
            for index, y in enumerate(both):
                apart = np.concatenate([runs[True][0][index], runs[True][1][index]])
                np.testing.assert_allclose(y, apart, rtol=1e-4, atol=1e-4, err_msg=f"{case.name}: not batched")
    plain, hidden = runs[True]
    difference = max(
        float(np.abs(a - b).max() / max(1e-30, np.abs(a).max()))
        for now, then in zip(runs[True], runs[False]) for a, b in zip(now, then))
    arrays = {"x": x, "window": window, "fill": np.float32(case.fill)}
    for index, (y, y_occluded) in enumerate(zip(plain, hidden)):
        if y.dtype != np.float32:
            raise TypeError(f"{case.name}: output {index} is {y.dtype}")
        if not (np.isfinite(y).all() and np.isfinite(y_occluded).all()):
            raise ValueError(f"{case.name}: output {index} is not finite")
        arrays[f"y{index}"] = y
        arrays[f"y{index}_occluded"] = y_occluded
    changes = [float(np.abs(a - b).max()) for a, b in zip(plain, hidden)]
    facts = {
        "name": case.name,
        "opset": case.opset,
        "operators": sorted({node.op_type for node in all_nodes(model)}),
        "input": {"dtype": case.dtype, "shape": list(case.x), "layout": "nhwc" if case.nhwc else "nchw",
                  "batch": "dynamic" if case.dynamic_batch else "fixed"},
        "outputs": [list(y.shape) for y in plain],
        "largest_change": [float(f"{c:.3g}") for c in changes],
        "optimisation_difference": float(f"{difference:.2g}"),
    }
    if half:
        facts["widened"] = True
    if case.notes:
        facts["notes"] = case.notes
    return arrays, facts


def all_nodes(model):
    yield from model.graph.node
    for function in model.functions:
        yield from function.node


def write_npz(path, arrays):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name, array in arrays.items():
            buffer = io.BytesIO()
            np.lib.format.write_array(buffer, np.asarray(array), version=(1, 0))
            archive.writestr(zipfile.ZipInfo(name + ".npy", (1980, 1, 1, 0, 0, 0)), buffer.getvalue())


def write_model(path, model, side_file):
    """Saves the model; with `side_file` (relative to its folder) all weights go there."""
    if not side_file:
        onnx.save(model, path)
        return
    (path.parent / side_file).parent.mkdir(parents=True, exist_ok=True)
    (path.parent / side_file).unlink(missing_ok=True)
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    onnx.save(copy, path, save_as_external_data=True, all_tensors_to_one_file=True, location=side_file, size_threshold=64)
