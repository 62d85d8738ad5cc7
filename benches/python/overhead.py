"""What a callable pays for being called by `occlude`: the time of a run over the time of the calls alone.

The model burns about 5 ms of one core per example (a matrix product, which lets the interpreter go, as the libraries that people call do).
The same calls on a batch that is there already are the other side; both are run in turn, and the median of their ratios is printed.
The second row is a model that only waits, as one behind a network does: with 8 workers the waits overlap.

    python benches/python/overhead.py
"""

from __future__ import annotations

import statistics
import time

import numpy as np

import occlude

BATCH, ROUNDS = 32, 7
x = np.random.default_rng(0).standard_normal((1, 3, 224, 224), np.float32)
batch = np.repeat(x, BATCH, axis=0)
weights = np.random.default_rng(1).standard_normal((512, 512), np.float32)


def calibrated() -> int:
    """Products that take 5 ms."""
    started, count = time.perf_counter(), 0
    while time.perf_counter() - started < 0.5:
        weights @ weights
        count += 1
    return max(1, round(count * 0.005 / (time.perf_counter() - started)))


products = calibrated()


def burns(examples: np.ndarray) -> np.ndarray:
    """5 ms per example."""
    for _ in range(products * len(examples)):
        weights @ weights
    return examples[:, 0, 112, 112:114]


def waits(examples: np.ndarray) -> np.ndarray:
    """5 ms per example, asleep."""
    time.sleep(0.005 * len(examples))
    return examples[:, 0, 112, 112:114]


def seconds(f) -> float:
    """How long it takes."""
    started = time.perf_counter()
    f()
    return time.perf_counter() - started


def report(name: str, model, workers: int) -> None:
    """One row: the median of run over calls, interleaved."""
    window, stride = 32, 12
    windows = occlude.occlusion(burns if workers == 1 else waits, x, window=window, stride=stride, batch=BATCH).windows
    # The untouched input and the self-check are calls too.
    calls = 0

    def counting(examples: np.ndarray) -> np.ndarray:
        nonlocal calls
        calls += len(examples)
        return model(examples)

    occlude.occlusion(counting, x, window=window, stride=stride, batch=BATCH)
    ratios = []
    for _ in range(ROUNDS):
        alone = seconds(lambda: [model(batch[:n]) for n in [BATCH] * (calls // BATCH) + [calls % BATCH] * (calls % BATCH > 0)])
        run = seconds(lambda: occlude.occlusion(model, x, window=window, stride=stride, batch=BATCH, workers=workers))
        ratios.append(run / alone)
    print(f"{name}: {windows} windows, {calls} examples; run / calls alone: median {statistics.median(ratios):.3f}, {min(ratios):.3f} to {max(ratios):.3f}")


if __name__ == "__main__":
    report("burns 5 ms an example, 1 worker", burns, 1)
    report("waits 5 ms an example, 1 worker", waits, 1)
    report("waits 5 ms an example, 8 workers", waits, 8)
