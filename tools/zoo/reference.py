"""What ONNX Runtime answers for a zoo model: outputs, and the outputs behind each window of a coarse grid.

Writes NAME.npz (`x`, `y`, `ref_windows` [n, 2 * spatial axes]: starts then sizes, `ref_outputs` [n, classes],
`ref_outputs_noopt`, `fill`) and NAME.json (settings and measured facts).
"""

import itertools
import json

import numpy as np
import onnxruntime as ort

FILL = 0.0  # in tensor space


def grid(shape, window, places, nhwc=False):
    """Boxes spread evenly over the spatial axes, [n, 2 * axes]; the last one touches the far edge."""
    spatial = shape[1:-1] if nhwc else shape[2:]
    starts = [np.unique(np.linspace(0, extent - window, places).astype(int)) for extent in spatial]
    boxes = [(*corner, *[window] * len(spatial)) for corner in itertools.product(*starts)]
    return np.array(boxes, np.int64)


def hide(x, box, nhwc=False):
    """A copy of x with the box filled."""
    axes = len(box) // 2
    region = tuple(slice(start, start + size) for start, size in zip(box[:axes], box[axes:]))
    hidden = x.copy()
    hidden[(slice(None), *region, slice(None)) if nhwc else (slice(None), slice(None), *region)] = FILL
    return hidden


def session(path, optimise, threads):
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    level = ort.GraphOptimizationLevel
    options.graph_optimization_level = level.ORT_ENABLE_ALL if optimise else level.ORT_DISABLE_ALL
    return ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def outputs_of(path, x, boxes, optimise, threads, nhwc):
    opened = session(path, optimise, threads)
    name = opened.get_inputs()[0].name
    run = lambda value: opened.run(None, {name: value})[0][0]
    return run(x), np.stack([run(hide(x, box, nhwc)) for box in boxes])


def write(path, x, boxes, facts, framework_output, threads=1, nhwc=False):
    """Runs the model at `path`, checks it against the framework's own output, writes .npz and .json beside it."""
    y, occluded = outputs_of(path, x, boxes, True, threads, nhwc)
    y_noopt, occluded_noopt = outputs_of(path, x, boxes, False, threads, nhwc)
    largest = float(np.abs(y).max())
    target = int(y.argmax())
    map_now, map_noopt = y[target] - occluded[:, target], y_noopt[target] - occluded_noopt[:, target]
    extent = float(np.ptp(map_now))
    opened = session(path, True, threads)
    facts = dict(
        facts,
        input_name=opened.get_inputs()[0].name,
        input_shape=list(x.shape),
        declared_input_shape=[str(d) if isinstance(d, str) else d for d in opened.get_inputs()[0].shape],
        layout="nhwc" if nhwc else "nchw",
        output_name=opened.get_outputs()[0].name,
        classes=len(y),
        fill=FILL,
        target=target,
        largest_abs_output=largest,
        map_range=extent,
        map_range_of_largest_output=extent / largest,
        framework_difference=float(np.abs(y - framework_output).max()) / largest,
        optimisation_difference_outputs=max(float(np.abs(y - y_noopt).max()), float(np.abs(occluded - occluded_noopt).max())) / largest,
        optimisation_difference_map=float(np.abs(map_now - map_noopt).max()) / extent,
        onnxruntime=ort.__version__,
    )
    np.savez(
        path.with_suffix(".npz"), x=x, y=y[None], y_noopt=y_noopt[None], fill=np.float32(FILL), ref_windows=boxes,
        ref_outputs=occluded, ref_outputs_noopt=occluded_noopt)
    path.with_suffix(".json").write_text(json.dumps(facts, indent=1) + "\n")
    return facts
