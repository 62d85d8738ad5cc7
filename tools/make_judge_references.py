"""Make crates/occlude/tests/data/judge.json: what Quantus and TorchRay say of random maps and random objects.

    python tools/make_judge_references.py

Needs quantus 0.6.0, torchray 1.0.0.2 (both without their dependencies on torch's versions) and torch 2.15.0; with them the file that is kept was made.
Per case: shape, values and inside (row-major), and
    mass        RelevanceMassAccuracy of the positive part
    rank        RelevanceRankAccuracy
    pointing    PointingGame, whether the largest value lies in the object
    tolerance   TorchRay's PointingGame: tolerance in elements -> hit
"""

import json
from pathlib import Path

import numpy as np
import quantus
import torch
from torchray.benchmark.pointing_game import PointingGame

FILE = Path(__file__).resolve().parent.parent / "crates" / "occlude" / "tests" / "data" / "judge.json"


def case(height, width, seed):
    rng = np.random.default_rng(seed)
    values = rng.normal(0.1, 1.0, (height, width)).astype(np.float32)
    y, x = rng.integers(0, height), rng.integers(0, width)
    inside = np.zeros((height, width), bool)
    inside[y : y + rng.integers(1, 6), x : x + rng.integers(1, 6)] = True
    inside |= rng.random((height, width)) < 0.02
    kept = dict(abs=False, normalise=False, disable_warnings=True)

    def say(metric, a):
        metric = metric(**kept)
        batch = dict(x_batch=np.zeros((1, 1, height, width), np.float32), a_batch=a[None, None], s_batch=inside[None, None])
        return float(metric(model=None, y_batch=np.zeros(1, int), **batch)[0])

    v, u = np.unravel_index(values.argmax(), values.shape)
    hits = {
        str(tolerance): PointingGame(1, tolerance).evaluate(torch.from_numpy(inside), (int(u), int(v))) == 1
        for tolerance in (1, 2, 3, 5, 15)
    }
    return {
        "shape": [height, width],
        "values": [float(v) for v in values.ravel()],
        "inside": [int(v) for v in inside.ravel()],
        "mass": say(quantus.RelevanceMassAccuracy, np.maximum(values, 0)),
        "rank": say(quantus.RelevanceRankAccuracy, values),
        "pointing": say(quantus.PointingGame, values),
        "tolerance": hits,
    }


if __name__ == "__main__":
    cases = [case(*size, seed) for seed, size in enumerate([(5, 7), (9, 4), (12, 12), (16, 10), (20, 20), (23, 31)])]
    FILE.write_text(json.dumps(cases) + "\n")
    for one in cases:
        print(one["shape"], sum(one["inside"]), one["mass"], one["rank"], one["pointing"], one["tolerance"])
