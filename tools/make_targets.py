"""Makes the small segmenters, detectors and regressors of tests/targets, and what they must answer.

    .venv-zoo/bin/python tools/make_targets.py        (needs numpy, onnx, onnxruntime)

answers.json has one case per target: the model, its input, windows, settings, and the baseline and scores. ONNX Runtime runs every occluded input; the outputs become numbers by
the definitions below, in numpy: the mean class score over the untouched input's own mask, the largest IoU x class score against a box, one element. Random weights; what counts is that all
readings differ from window to window.
"""

import json
from itertools import product
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

FOLDER = Path(__file__).parent.parent / "tests" / "targets"
FILL = 0.25
rng = np.random.default_rng(11)
cases = []


def save(name, nodes, shape, outputs, weights):
    graph = helper.make_graph(
        nodes,
        name,
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in outputs],
        [numpy_helper.from_array(np.asarray(v, getattr(v, "dtype", np.float32)), k) for k, v in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], producer_name="occlude tests")
    model.ir_version = 8
    onnx.checker.check_model(model)
    (FOLDER / f"{name}.onnx").write_bytes(model.SerializeToString(deterministic=True))


def node(op, inputs, output, **attributes):
    return helper.make_node(op, inputs.split(), [output], **attributes)


def normal(*shape, scale=1.0):
    return (rng.normal(size=shape) * scale).astype(np.float32)


def windows(shape, window, channel_axis):
    """Boxes that tile the spatial axes, row-major; the channel axis whole."""
    spatial = [axis for axis in range(len(shape)) if axis != channel_axis]
    starts = [range(0, shape[axis] - size + 1, size) for axis, size in zip(spatial, window)]
    for corner in product(*starts):
        box = [slice(None)] * len(shape)
        for axis, start, size in zip(spatial, corner, window):
            box[axis] = slice(start, start + size)
        yield tuple(box)


def case(model, shape, window, target, read, channel_axis=0, kind="logit", **settings):
    """`read(outputs, untouched)` is the number for one run."""
    session = onnxruntime.InferenceSession(FOLDER / f"{model}.onnx", providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    x = np.round(np.random.default_rng(5).normal(size=shape), 3).astype(np.float32)

    def run(values):
        outputs = session.run(None, {"x": values[None]})
        return {name: values.astype(np.float64) for name, values in zip(names, outputs)}

    untouched = run(x)
    scores = []
    for box in windows(shape, window, channel_axis):
        hidden = x.copy()
        hidden[box] = FILL
        scores.append(float(read(run(hidden), untouched)))
    assert np.ptp(scores) > 1e-3, (model, target, scores)
    cases.append(
        {
            "model": model,
            "shape": shape,
            "x": [round(float(v), 3) for v in x.ravel()],
            "window": "x".join(map(str, window)),
            "fill": str(FILL),
            "target": target,
            "unit": kind,
            "settings": {name.rstrip("_"): value for name, value in settings.items()},
            "baseline": float(read(untouched, untouched)),
            "scores": scores,
        }
    )


def softmax(values, axis):
    exps = np.exp(values - values.max(axis, keepdims=True))
    return exps / exps.sum(axis, keepdims=True)


def sigmoid(values):
    return 1 / (1 + np.exp(-values))


# --- segmentation


def mean_over_own_mask(output, label, axis=1, change=lambda v: v, mask=None):
    def read(outputs, untouched):
        before, now = (np.moveaxis(o[output], axis, 0) for o in (untouched, outputs))
        own = mask(before[label]) if mask else before.argmax(0) == label
        return change(now)[label][own].mean()

    return read


def by_size(model, shape, output, axis=1):
    session = onnxruntime.InferenceSession(FOLDER / f"{model}.onnx", providers=["CPUExecutionProvider"])
    x = np.round(np.random.default_rng(5).normal(size=shape), 3).astype(np.float32)
    values = session.run([output], {"x": x[None]})[0]
    counts = np.bincount(values.argmax(axis).ravel(), minlength=values.shape[axis])
    return np.argsort(-counts, kind="stable")


def segmentation():
    body = [node("Conv", "x w1 b1", "c1", pads=[1, 1, 1, 1]), node("Relu", "c1", "r1")]
    weights = {"w1": normal(16, 3, 3, 3, scale=0.4), "b1": normal(16)}
    head = {"w2": normal(5, 16, 3, 3, scale=0.3), "b2": normal(5, scale=0.3)}
    shape, image = [3, 16, 20], ["n", 3, 16, 20]
    last = node("Conv", "r1 w2 b2", "out", pads=[1, 1, 1, 1])
    save("segment", [*body, last], image, [("out", ["n", 5, 16, 20])], weights | head)
    order = by_size("segment", shape, "out")
    for label in order[:2]:
        case("segment", shape, [4, 4], f"segment:{label}", mean_over_own_mask("out", label))
    case("segment", shape, [4, 4], "segment:top", mean_over_own_mask("out", order[0]))
    probability = mean_over_own_mask("out", order[1], change=lambda v: softmax(v, 0))
    case("segment", shape, [4, 4], f"segment:{order[1]}", probability, score="probability", kind="probability")
    each = mean_over_own_mask("out", order[1], change=sigmoid, mask=lambda v: v > 0)
    how = {"score": "probability", "classes": "independent", "kind": "probability"}
    case("segment", shape, [4, 4], f"segment:{order[1]}", each, **how)

    # Two outputs of that kind, as torchvision's: one has to be named.
    pooled = [node("AveragePool", "r1", "p1", kernel_shape=[2, 2], strides=[2, 2]), node("Conv", "p1 w2 b2", "aux", pads=[1, 1, 1, 1])]
    outputs = [("out", ["n", 5, 16, 20]), ("aux", ["n", 5, 8, 10])]
    save("segment_two", [*body, last, *pooled], image, outputs, weights | head)
    label = by_size("segment_two", shape, "aux")[0]
    case("segment_two", shape, [4, 4], f"segment:{label}@aux", mean_over_own_mask("aux", label))

    # One class: logits, and probabilities.
    single = {"w2": normal(1, 16, 1, 1, scale=0.5), "b2": np.zeros(1, np.float32)}
    save("segment_one", [*body, node("Conv", "r1 w2 b2", "out")], image, [("out", ["n", 1, 16, 20])], weights | single)
    case("segment_one", shape, [4, 4], "segment:0", mean_over_own_mask("out", 0, mask=lambda v: v > 0))
    end = [node("Conv", "r1 w2 b2", "z"), node("Sigmoid", "z", "out")]
    save("segment_sigmoid", [*body, *end], image, [("out", ["n", 1, 16, 20])], weights | single)
    above = mean_over_own_mask("out", 0, mask=lambda v: v > 0.5)
    case("segment_sigmoid", shape, [4, 4], "segment:top", above, kind="probability")

    # Channels last, ending in Softmax.
    into = node("Transpose", "x", "first", perm=[0, 3, 1, 2])
    nodes = [into, node("Conv", "first w1 b1", "c1", pads=[1, 1, 1, 1]), node("Relu", "c1", "r1"), node("Conv", "r1 w2 b2", "z", pads=[1, 1, 1, 1])]
    nodes += [node("Transpose", "z", "back", perm=[0, 2, 3, 1]), node("Softmax", "back", "out", axis=3)]
    save("segment_nhwc", nodes, ["n", 16, 20, 3], [("out", ["n", 16, 20, 5])], weights | head)
    label = by_size("segment_nhwc", [16, 20, 3], "out", 3)[1]
    read = mean_over_own_mask("out", label, axis=3)
    case("segment_nhwc", [16, 20, 3], [4, 4], f"segment:{label}", read, channel_axis=2, kind="probability")

    # A volume.
    volume = {"w1": normal(8, 1, 3, 3, 3, scale=0.5), "b1": normal(8), "w2": normal(3, 8, 1, 1, 1, scale=0.5), "b2": normal(3, scale=0.2)}
    nodes = [node("Conv", "x w1 b1", "c1", pads=[1] * 6), node("Relu", "c1", "r1"), node("Conv", "r1 w2 b2", "out")]
    save("segment_volume", nodes, ["n", 1, 6, 8, 8], [("out", ["n", 3, 6, 8, 8])], volume)
    label = by_size("segment_volume", [1, 6, 8, 8], "out")[1]
    case("segment_volume", [1, 6, 8, 8], [2, 4, 4], f"segment:{label}", mean_over_own_mask("out", label))


# --- detection


def edges(boxes, form):
    a, b, c, d = boxes.T
    return {
        "xyxy": lambda: np.array([a, b, c, d]),
        "yxyx": lambda: np.array([b, a, d, c]),
        "cxcywh": lambda: np.array([a - c / 2, b - d / 2, a + c / 2, b + d / 2]),
        "xywh": lambda: np.array([a, b, a + c, b + d]),
    }[form]()


def iou(boxes, chosen):
    left, top, right, bottom = boxes
    width = np.clip(np.minimum(right, chosen[2]) - np.maximum(left, chosen[0]), 0, None)
    height = np.clip(np.minimum(bottom, chosen[3]) - np.maximum(top, chosen[1]), 0, None)
    both = width * height
    union = (right - left) * (bottom - top) + (chosen[2] - chosen[0]) * (chosen[3] - chosen[1]) - both
    return both / union


def detections():
    """A grid of 4 x 5 places of stride 4 on 16 x 20 pixels, a box each."""
    shape, image, count = [3, 16, 20], ["n", 3, 16, 20], 20
    body = [node("Conv", "x w1 b1", "c1", pads=[1, 1, 1, 1], strides=[2, 2]), node("Relu", "c1", "r1")]
    body += [node("Conv", "r1 w2 b2", "c2", pads=[1, 1, 1, 1], strides=[2, 2]), node("Relu", "c2", "r2")]
    weights = {"w1": normal(16, 3, 3, 3, scale=0.4), "b1": normal(16, scale=0.2), "w2": normal(16, 16, 3, 3, scale=0.2), "b2": normal(16, scale=0.2)}
    # Centres move by up to 2 pixels about their place, sizes are 8 by up to 2 more or less.
    ys, xs = np.mgrid[0:4, 0:5]
    place = np.stack([xs.ravel() * 4 + 2, ys.ravel() * 4 + 2, np.full(20, 8), np.full(20, 8)]).astype(np.float32)
    weights |= {"wb": normal(4, 16, 1, 1, scale=0.4), "place": place[None], "two": np.float32(2.0), "flat4": np.array([0, 4, -1])}
    boxes = [node("Conv", "r2 wb", "cb"), node("Reshape", "cb flat4", "fb"), node("Tanh", "fb", "tb")]
    boxes += [node("Mul", "tb two", "mb"), node("Add", "mb place", "across")]

    def scores(classes):
        more = {"ws": normal(classes, 16, 1, 1, scale=0.5), "bs": normal(classes, scale=0.5), "flats": np.array([0, classes, -1])}
        return [node("Conv", "r2 ws bs", "cs"), node("Reshape", "cs flats", "fs")], more

    def rows(name):
        return node("Transpose", name, f"{name}_rows", perm=[0, 2, 1])

    def add(model, nodes, outputs, more):
        save(model, [*body, *boxes, *nodes], image, outputs, weights | more)

    def best(model, read_boxes, read_scores):
        session = onnxruntime.InferenceSession(FOLDER / f"{model}.onnx", providers=["CPUExecutionProvider"])
        x = np.round(np.random.default_rng(5).normal(size=shape), 3).astype(np.float32)
        names = [output.name for output in session.get_outputs()]
        outputs = {n: v.astype(np.float64) for n, v in zip(names, session.run(None, {"x": x[None]}))}
        p = read_scores(outputs)
        row, label = np.unravel_index(p.argmax(), p.shape)
        return int(label), read_boxes(outputs)[:, row]

    def detect(model, read_boxes, read_scores, **settings):
        def reading(label, chosen):
            return lambda o, _: (iou(read_boxes(o), chosen) * read_scores(o)[:, label]).max()

        label, chosen = best(model, read_boxes, read_scores)
        other, area = (label + 1) % 3, [3, 2.5, 12, 11]
        text = "/".join(map(str, area))
        case(model, shape, [4, 4], f"detect:{other}@{text}", reading(other, area), kind="IoU x score", **settings)
        if settings.get("classes") != "exclusive":
            case(model, shape, [4, 4], "detect:top", reading(label, chosen), kind="IoU x score", **settings)

    # Corners in pixels and probabilities, apart.
    score, more = scores(3)
    corners = {"half": np.float32(0.5), "n2": np.array([2, 2])}
    nodes = [*score, rows("across"), helper.make_node("Split", ["across_rows", "n2"], ["centre", "size"], axis=2)]
    nodes += [node("Mul", "size half", "hs"), node("Sub", "centre hs", "lt"), node("Add", "centre hs", "rb")]
    nodes += [node("Concat", "lt rb", "boxes", axis=2), rows("fs"), node("Sigmoid", "fs_rows", "scores")]
    add("detect_pair", nodes, [("boxes", ["n", count, 4]), ("scores", ["n", count, 3])], more | corners)
    detect("detect_pair", lambda o: edges(o["boxes"][0], "xyxy"), lambda o: o["scores"][0], boxes="xyxy")

    # One output [1, 4 + C, N] with probabilities, as YOLOv8's.
    nodes = [*score, node("Sigmoid", "fs", "ps"), node("Concat", "across ps", "out", axis=1)]
    add("detect_columns", nodes, [("out", ["n", 7, count])], more)
    detect("detect_columns", lambda o: edges(o["out"][0, :4].T, "cxcywh"), lambda o: o["out"][0, 4:].T, boxes="cxcywh")

    # One output [1, N, 5 + C] of logits with objectness and boxes in 0 to 1, as YOLOv5's layout.
    score, more = scores(4)
    unit = {"sides": np.array([20, 16, 20, 16], np.float32)}
    nodes = [*score, rows("across"), node("Div", "across_rows sides", "share"), rows("fs"), node("Concat", "share fs_rows", "out", axis=2)]
    add("detect_rows", nodes, [("out", ["n", count, 8])], more | unit)
    sides = np.array([20, 16, 20, 16])
    read_boxes = lambda o: edges(o["out"][0, :, :4] * sides, "cxcywh")  # noqa: E731
    read_scores = lambda o: sigmoid(o["out"][0, :, 4:5]) * sigmoid(o["out"][0, :, 5:])  # noqa: E731
    detect("detect_rows", read_boxes, read_scores, boxes="cxcywh,objectness=yes", classes="independent")

    # DETR's: boxes in 0 to 1 apart from logits, whose last class is "no object".
    nodes = [*score, rows("across"), node("Div", "across_rows sides", "boxes"), rows("fs"), node("Identity", "fs_rows", "logits")]
    add("detect_softmax", nodes, [("logits", ["n", count, 4]), ("boxes", ["n", count, 4])], more | unit)
    read_boxes = lambda o: edges(o["boxes"][0] * sides, "cxcywh")  # noqa: E731
    read_scores = lambda o: softmax(o["logits"][0], 1)[:, :3]  # noqa: E731
    detect("detect_softmax", read_boxes, read_scores, boxes="cxcywh,boxes=boxes,scores=logits", classes="exclusive")


def suppression():
    """Boxes of detect_pair after NonMaxSuppression: their number differs from input to input, the batch is fixed to 1."""
    model = onnx.load(FOLDER / "detect_pair.onnx")
    weights = {"most": np.array([20]), "at": np.float32(0.5), "least": np.float32(0.3)}
    nodes = [node("Transpose", "scores", "scores_across", perm=[0, 2, 1]), node("NonMaxSuppression", "boxes scores_across most at least", "kept")]
    nodes += [node("Gather", "kept last", "rows", axis=1), node("Gather", "boxes zero", "all_boxes", axis=0), node("Gather", "scores zero", "all_scores", axis=0)]
    nodes += [node("Gather", "all_boxes rows", "kept_boxes", axis=0), node("Gather", "all_scores rows", "kept_scores", axis=0)]
    weights |= {"last": np.array(2), "zero": np.array(0)}
    model.graph.node.extend(nodes)
    model.graph.initializer.extend(numpy_helper.from_array(np.asarray(v), k) for k, v in weights.items())
    del model.graph.output[:]
    for name, width in [("kept_boxes", 4), ("kept_scores", 3)]:
        model.graph.output.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, ["kept", width]))
    for batch, name in [(1, "detect_suppressed"), ("n", "detect_suppressed_batch")]:
        dim = model.graph.input[0].type.tensor_type.shape.dim[0]
        dim.Clear()
        setattr(dim, "dim_value" if batch == 1 else "dim_param", batch)
        onnx.checker.check_model(model)
        (FOLDER / f"{name}.onnx").write_bytes(model.SerializeToString(deterministic=True))
    session = onnxruntime.InferenceSession(FOLDER / "detect_suppressed.onnx", providers=["CPUExecutionProvider"])
    shape, window = [3, 16, 20], [4, 4]
    x = np.round(np.random.default_rng(5).normal(size=shape), 3).astype(np.float32)
    chosen, label = [3, 2.5, 12, 11], 1

    def read(values):
        boxes, scores = (o.astype(np.float64) for o in session.run(["kept_boxes", "kept_scores"], {"x": values[None]}))
        counts.append(len(boxes))
        return float((iou(edges(boxes, "xyxy"), chosen) * scores[:, label]).max()) if len(boxes) else 0.0

    counts = []
    scores = []
    for box in windows(shape, window, 0):
        hidden = x.copy()
        hidden[box] = FILL
        scores.append(read(hidden))
    assert len(set(counts)) > 1, counts
    answer = {"target": f"detect:{label}@3/2.5/12/11", "x": [round(float(v), 3) for v in x.ravel()], "scores": scores, "baseline": read(x)}
    (FOLDER / "suppressed.json").write_text(json.dumps(answer) + "\n")


# --- several heads: classes, regression


def heads():
    weights = {"w1": normal(16, 1, 3, 3, scale=0.4), "b1": normal(16, scale=0.2), "wl": normal(16, 3), "wa": normal(16, 1), "wp": normal(16, 6), "pose": np.array([0, 2, 3])}
    nodes = [node("Conv", "x w1 b1", "c1", pads=[1, 1, 1, 1], strides=[2, 2]), node("Relu", "c1", "early"), node("Conv", "early w2", "c2", pads=[1, 1, 1, 1])]
    nodes += [node("Relu", "c2", "late"), node("GlobalAveragePool", "late", "g"), node("Flatten", "g", "f")]
    nodes += [node("MatMul", "f wl", "logits"), node("MatMul", "f wa", "age"), node("MatMul", "f wp", "p6"), node("Reshape", "p6 pose", "pose_out")]
    weights["w2"] = normal(16, 16, 3, 3, scale=0.2)
    outputs = [("logits", ["n", 3]), ("age", ["n", 1]), ("pose_out", ["n", 2, 3])]
    save("heads", nodes, ["n", 1, 12, 12], outputs, weights)
    shape = [1, 12, 12]
    case("heads", shape, [3, 3], "output:age", lambda o, _: o["age"][0, 0], kind="output")
    case("heads", shape, [3, 3], "output:pose_out[1/2]", lambda o, _: o["pose_out"][0, 1, 2], kind="output")
    case("heads", shape, [3, 3], "output:pose_out[4]", lambda o, _: o["pose_out"][0, 1, 1], kind="output")
    # One channel of input and several classes: what probability means hangs on the outputs alone.
    exclusive = lambda o, _: softmax(o["logits"][0], 0)[1]  # noqa: E731
    independent = lambda o, _: sigmoid(o["logits"][0])[1]  # noqa: E731
    for given, read in [({"score": "probability"}, exclusive), ({"classes": "exclusive"}, exclusive), ({"classes": "independent"}, independent)]:
        case("heads", shape, [3, 3], "1", read, kind="probability", **given)


FOLDER.mkdir(exist_ok=True)
segmentation()
detections()
suppression()
heads()
(FOLDER / "answers.json").write_text("[\n" + ",\n".join(json.dumps(c) for c in cases) + "\n]\n")
print(len(cases), "cases")
