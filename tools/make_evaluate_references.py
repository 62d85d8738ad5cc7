"""Make crates/occlude/tests/data/evaluate.json and models/evaluate.onnx: what the measures of an evaluation are on a small network, in NumPy and ONNX Runtime.

    python tools/make_evaluate_references.py

Needs numpy, scipy, onnx and onnxruntime; NumPy 2.x, SciPy 1.x and ONNX Runtime 1.2x made the files that are kept. Formulas follow the code of their authors, nothing of this project is called:
    deletion, insertion   RISE, evaluation.py: CausalMetric.single_run and auc; ties of the ranking go to the first place (there the last)
    drop, increase, gain  Xplique, metrics/fidelity.py: AverageDropMetric, AverageIncreaseMetric, AverageGainMetric
    mufidelity            Xplique, metrics/fidelity.py: MuFidelity.evaluate, with sets of one size as Bhatt et al. define them
    sensitivity_n         Ancona et al. 2018: Pearson's correlation over random sets of n cells
Random sets and random maps come from the same counter-based generator as the program's (SplitMix64's finaliser), written here again.
"""

import json
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from scipy.ndimage import gaussian_filter1d
from scipy.stats import pearsonr, spearmanr

DATA = Path(__file__).resolve().parent.parent / "crates" / "occlude" / "tests" / "data"
SHAPE, CLASSES, TARGET = (3, 12, 10), 4, 2
WINDOW, STRIDE, SEED, STEPS, CELLS, RANDOM = 4, 2, 5, 7, 4, 3
SUBSETS, SENSITIVITY_SUBSETS, SUBSET_SHARE = 40, 25, 0.2
MASK = 2**64 - 1


def model():
    rng = np.random.default_rng(1)
    weights = {
        "w1": rng.normal(0, 0.5, (6, 3, 3, 3)),
        "b1": rng.normal(0, 0.2, 6),
        "w2": rng.normal(0, 0.3, (8, 6, 3, 3)),
        "b2": rng.normal(0, 0.2, 8),
        "w3": rng.normal(0, 0.12, (8 * 6 * 5, CLASSES)),
        "b3": rng.normal(0, 0.2, CLASSES),
    }
    nodes = [
        helper.make_node("Conv", ["x", "w1", "b1"], ["a"], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["a"], ["b"]),
        helper.make_node("Conv", ["b", "w2", "b2"], ["c"], pads=[1, 1, 1, 1], strides=[2, 2]),
        helper.make_node("Relu", ["c"], ["d"]),
        helper.make_node("Flatten", ["d"], ["e"]),
        helper.make_node("Gemm", ["e", "w3", "b3"], ["f"]),
        helper.make_node("Softmax", ["f"], ["y"], axis=1),
    ]
    constants = [numpy_helper.from_array(w.astype(np.float32), name) for name, w in weights.items()]
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", *SHAPE])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", CLASSES])
    graph = helper.make_graph(nodes, "evaluate", [x], [y], constants)
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])
    made.ir_version = 8
    return made


def mix(z):
    z = (z + 0x9E3779B97F4A7C15) & MASK
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
    return z ^ (z >> 31)


class Draws:
    def __init__(self, stream):
        self.next = stream << 40

    def below(self, bound):
        self.next += 1
        bits = mix(mix((SEED + 0x9E3779B97F4A7C15) & MASK) ^ mix(self.next))
        return (bits * bound) >> 64

    def shuffle(self, values):
        values = list(values)
        for last in range(len(values) - 1, 0, -1):
            other = self.below(last + 1)
            values[last], values[other] = values[other], values[last]
        return values


def subsets(of, size, count, draws):
    found = []
    for _ in range(50 * count):
        if len(found) == count:
            break
        cells = list(range(of))
        for place in range(size):
            other = place + draws.below(of - place)
            cells[place], cells[other] = cells[other], cells[place]
        cells = sorted(cells[:size])
        if cells not in found:
            found.append(cells)
    return found


def starts(length):
    found = list(range(0, length - WINDOW + 1, STRIDE))
    return found if found[-1] + WINDOW == length else [*found, length - WINDOW]


def spread(grid):
    """The mean over the windows that cover a place."""
    sums, counts = np.zeros(SHAPE[1:]), np.zeros(SHAPE[1:])
    for i, y in enumerate(starts(SHAPE[1])):
        for j, x in enumerate(starts(SHAPE[2])):
            sums[y : y + WINDOW, x : x + WINDOW] += grid[i, j]
            counts[y : y + WINDOW, x : x + WINDOW] += 1
    return (sums / counts).astype(np.float32)


def enlarge(values):
    """Linear, numbers at the middles of their cells (align_corners=False)."""
    for axis, wanted in enumerate(SHAPE[1:]):
        length = values.shape[axis]
        at = np.clip((np.arange(wanted) + 0.5) * length / wanted - 0.5, 0, length - 1)
        low = np.floor(at).astype(int)
        high, part = np.minimum(low + 1, length - 1), (at - low).reshape((-1, 1) if axis == 0 else (1, -1))
        values = np.take(values, low, axis) * (1 - part) + np.take(values, high, axis) * part
    return values.astype(np.float32)


def main():
    (DATA / "models").mkdir(exist_ok=True)
    made = model()
    onnx.checker.check_model(made)
    onnx.save(made, DATA / "models" / "evaluate.onnx")
    session = onnxruntime.InferenceSession(made.SerializeToString(), providers=["CPUExecutionProvider"])
    rng = np.random.default_rng(2)
    x = rng.normal(0.3, 1.0, SHAPE).astype(np.float32)

    def f(batch):
        return session.run(None, {"x": np.asarray(batch, np.float32)})[0][:, TARGET].astype(np.float64)

    whole = float(f([x])[0])
    mean = np.broadcast_to(x.mean(axis=(1, 2), dtype=np.float64).astype(np.float32)[:, None, None], SHAPE)
    blur = x.astype(np.float64)
    for axis in (1, 2):
        blur = gaussian_filter1d(blur, WINDOW / 2, axis=axis, mode="reflect", truncate=4.0).astype(np.float32).astype(np.float64)
    blur = blur.astype(np.float32)

    ys, xs = starts(SHAPE[1]), starts(SHAPE[2])
    grid = np.zeros((len(ys), len(xs)), np.float32)
    for i, y in enumerate(ys):
        for j, u in enumerate(xs):
            hidden = x.copy()
            hidden[:, y : y + WINDOW, u : u + WINDOW] = mean[:, y : y + WINDOW, u : u + WINDOW]
            grid[i, j] = np.float32(whole) - np.float32(f([hidden])[0])
    coarse = rng.normal(0, 1, (4, 5)).astype(np.float32)

    cell = [(2 * np.arange(n) + 1) * CELLS // (2 * n) for n in SHAPE[1:]]
    cell = cell[0][:, None] * CELLS + cell[1][None, :]
    cells = CELLS * CELLS
    sizes = [1] + [int(np.floor(share * cells + 0.5)) for share in (0.1, 0.25, 0.5, 0.75)]
    sensitivity = [(n, subsets(cells, n, SENSITIVITY_SUBSETS, Draws(1 + k))) for k, n in enumerate(sizes)]
    fidelity = subsets(cells, int(SUBSET_SHARE * cells), SUBSETS, Draws(0))

    def falls(sets):
        masks = [np.isin(cell, one) for one in sets]
        return whole - f([np.where(mask, mean, x) for mask in masks])

    sensitivity = [(n, sets, falls(sets)) for n, sets in sensitivity]
    falls_of_fidelity = falls(fidelity)

    def rise(a, start, finish):
        hw = a.size
        step = -(-hw // STEPS)
        order = np.argsort(-a.reshape(-1), kind="stable")
        start, finish = start.reshape(3, hw).copy(), finish.reshape(3, hw)
        scores = []
        for i in range((hw + step - 1) // step + 1):
            scores.append(float(f([start.reshape(SHAPE)])[0]))
            coords = order[step * i : step * (i + 1)]
            start[:, coords] = finish[:, coords]
        scores = np.array(scores)
        return scores, (scores.sum() - scores[0] / 2 - scores[-1] / 2) / (scores.shape[0] - 1)

    def measured(a):
        a = np.asarray(a, np.float32)
        deletion, deletion_auc = rise(a, x, np.array(mean))
        insertion, insertion_auc = rise(a, blur, x)
        kept = np.abs(a)
        kept = ((kept - kept.min()) / (kept.max() - kept.min())).astype(np.float32)
        masked = float(f([x * kept + (1 - kept) * mean])[0])
        sums = np.bincount(cell.ravel(), a.ravel().astype(np.float64), cells)
        sums_of = lambda sets: [sums[one].sum() for one in sets]
        by_size = [float(pearsonr(sums_of(sets), fall)[0]) for _, sets, fall in sensitivity]
        return {
            "deletion": deletion_auc,
            "insertion": insertion_auc,
            "average drop": max(0.0, whole - masked) / (whole + 1e-8),
            "average increase": float(masked > whole),
            "average gain": max(0.0, masked - whole) / (1 - whole + 1e-8),
            "sensitivity-n": float(np.mean(by_size)),
            "MuFidelity": float(spearmanr(sums_of(fidelity), falls_of_fidelity)[0]),
            "deletion_scores": deletion.tolist(),
            "insertion_scores": insertion.tolist(),
            "by_size": by_size,
        }

    def random(kind, number):
        draws = Draws(1024 + number)
        if kind == "windows":
            return spread(np.array(draws.shuffle(grid.ravel()), np.float32).reshape(grid.shape))
        if kind == "coarse":
            return enlarge(np.array(draws.shuffle(coarse.ravel()), np.float32).reshape(coarse.shape))
        return np.roll(fine, [draws.below(n) for n in SHAPE[1:]], (0, 1))

    fine = gaussian_filter1d(gaussian_filter1d(rng.normal(0, 1, SHAPE[1:]), 1.5, 0), 1.5, 1).astype(np.float32)
    own = {"windows": spread(grid), "coarse": enlarge(coarse), "fine": fine}
    maps = {
        kind: {"own": measured(a), "random": [measured(random(kind, number)) for number in range(RANDOM)]}
        for kind, a in own.items()
    }
    floats = lambda values: [float(v) for v in np.asarray(values).ravel()]
    said = {
        "x": floats(x),
        "grid": floats(grid),
        "coarse": floats(coarse),
        "fine": floats(fine),
        "whole": whole,
        "nothing_left": float(f([mean])[0]),
        "nothing_inserted": float(f([blur])[0]),
        "sizes": sizes,
        "maps": maps,
    }
    (DATA / "evaluate.json").write_text(json.dumps(said) + "\n")
    for kind, found in maps.items():
        print(kind, {name: round(value, 4) for name, value in found["own"].items() if not isinstance(value, list)})


if __name__ == "__main__":
    main()
