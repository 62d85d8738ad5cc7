"""How long the drop-ins take beside the libraries that they replace: the same call, in one process, in turn.

A round is one call of the original and one of ours, on the same model and input; the median of the ratios is printed, with the medians of
both times. Ours keeps its export between rounds, as a script that maps several inputs does; the row also says how long its first call took,
export included. The largest difference of the two results, as a share of the largest value, is printed beside. Weights are random.

    python benches/python/dropins.py captum          ResNet-50 at 224, window 3x16x16, stride 3x8x8
    python benches/python/dropins.py monai-2d        DenseNet-121 at 128, one channel, mask 16, overlap 0.6
    python benches/python/dropins.py monai-3d        DenseNet-121 at 64x64x64, mask 16, overlap 0.25
    python benches/python/dropins.py mindspore       a Cell of three convolutions at 32, margin 2, all three channels
"""

from __future__ import annotations

import os
import statistics
import sys
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

ROUNDS = 5


def report(name: str, theirs: Callable[[], Any], ours: Callable[[], Any], why_not: Callable[[], Any]) -> None:
    """One row."""

    def timed(f):
        started = time.perf_counter()
        result = f()
        return time.perf_counter() - started, np.asarray(result)

    first, _ = timed(ours)
    pairs, difference = [], 0.0
    for _ in range(ROUNDS):
        (their_time, a), (our_time, b) = timed(theirs), timed(ours)
        pairs.append((their_time, our_time))
        difference = max(difference, float(np.abs(a - b).max() / np.abs(a).max()))
        print(f"  {their_time:8.2f} s {our_time:8.2f} s", flush=True)
    their_median, our_median = (statistics.median(column) for column in zip(*pairs, strict=True))
    ratio = statistics.median(a / b for a, b in pairs)
    print(
        f"{name}: original {their_median:.2f} s, ours {our_median:.2f} s, ratio {ratio:.1f}; first call of ours {first:.2f} s "
        f"({their_median / first:.1f}); difference {difference:.1e}; {why_not() or 'incremental'}",
        flush=True,
    )


def captum() -> None:
    """Captum on ResNet-50."""
    import captum.attr
    import torch
    import torchvision

    import occlude.captum

    torch.manual_seed(0)
    model = torchvision.models.resnet50(weights=None).eval()
    x = torch.randn(1, 3, 224, 224)
    arguments = {"sliding_window_shapes": (3, 16, 16), "strides": (3, 8, 8), "target": 1}
    ours = occlude.captum.Occlusion(model)
    # One window per call is Captum's default; eight are faster for it here.
    arguments["perturbations_per_eval"] = 8
    theirs = captum.attr.Occlusion(model)
    report(
        "Captum, ResNet-50 at 224", lambda: theirs.attribute(x, **arguments), lambda: ours.attribute(x, **arguments), lambda: ours.why_not
    )


def monai(axes: int) -> None:
    """MONAI on DenseNet-121."""
    import monai.visualize
    import torch
    from monai.networks.nets import DenseNet121

    import occlude.monai

    torch.manual_seed(0)
    model = DenseNet121(spatial_dims=axes, in_channels=1, out_channels=3).eval()
    x = torch.rand(1, 1, *([128] * 2 if axes == 2 else [64] * 3))
    arguments = {"verbose": False, "overlap": 0.6 if axes == 2 else 0.25}
    theirs = monai.visualize.OcclusionSensitivity(model, **arguments)
    ours = occlude.monai.OcclusionSensitivity(model, **arguments)
    name = f"MONAI, DenseNet-121 in {axes}-D at {tuple(x.shape[2:])}"
    report(name, lambda: theirs(x)[0], lambda: ours(x)[0], lambda: ours.why_not)


def mindspore() -> None:
    """MindSpore on a small Cell."""
    import mindspore.train
    from mindspore import nn

    import occlude.mindspore

    class Network(nn.Cell):
        def __init__(self):
            super().__init__()
            self.layers = nn.SequentialCell(
                nn.Conv2d(3, 16, 3, weight_init="normal"), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2, 2),
                nn.Conv2d(16, 32, 3, weight_init="normal"), nn.BatchNorm2d(32), nn.ReLU(), nn.MaxPool2d(2, 2),
                nn.Conv2d(32, 64, 3, weight_init="normal"), nn.ReLU(), nn.Flatten(), nn.Dense(64 * 8 * 8, 10, weight_init="normal"),
            )  # fmt: skip

        def construct(self, x):
            return self.layers(x)

    mindspore.set_seed(0)
    model = Network()
    model.set_train(False)
    x = np.random.default_rng(0).standard_normal((1, 3, 32, 32)).astype(np.float32)
    label = np.array(1, np.int32)
    ours = occlude.mindspore.OcclusionSensitivity()
    theirs = mindspore.train.OcclusionSensitivity()
    report("MindSpore, three convolutions at 32", lambda: theirs(model, x, label), lambda: ours(model, x, label), lambda: ours.why_not)


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        model_name = next((line.split(":")[1].strip() for line in file if line.startswith("model name")), "unknown")
    print(f"{model_name}, {os.cpu_count()} cores, {ROUNDS} rounds")
    benches = {"captum": captum, "monai-2d": lambda: monai(2), "monai-3d": lambda: monai(3), "mindspore": mindspore}
    for wanted in sys.argv[1:] or ["captum", "monai-2d", "monai-3d"]:
        benches[wanted]()
