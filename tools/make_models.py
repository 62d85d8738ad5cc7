"""Make the model zoo, models/NAME.onnx with NAME.npz and NAME.json (nothing of it is in git).

Random, calibrated weights; see tools/zoo/. Needs tools/requirements-zoo.txt; the Keras models need
tools/requirements-keras.txt, in an environment of its own if the two don't fit together.

    python tools/make_models.py              # all that this environment can make
    python tools/make_models.py resnet50 vgg16
    python tools/make_models.py --list
"""

import argparse
import importlib.util
import sys
import time
from pathlib import Path

MODELS = Path(__file__).resolve().parent.parent / "models"
KERAS = ("keras_mobilenet_v2", "keras_resnet50")


def make_torch(name, threads):
    import numpy as np
    import torch

    from zoo import calibrate, reference
    from zoo.architectures import ARCHITECTURES
    from zoo.export import export

    torch.set_num_threads(threads)
    torch.manual_seed(0)
    architecture = ARCHITECTURES[name]
    model = architecture.build()
    calibrate.switch_on(model)
    calibrate.set_statistics(model, architecture.statistics())
    x = architecture.x()
    boxes = reference.grid(x.shape, architecture.window, architecture.places_per_axis)
    some = boxes[np.linspace(0, len(boxes) - 1, min(16, len(boxes))).astype(int)]
    _, removed = calibrate.spread_outputs(model, x, [reference.hide(x, box) for box in some])
    path = MODELS / f"{name}.onnx"
    export(model, x, path, architecture)
    facts = {
        "name": name, "framework": f"torch {torch.__version__}", "exporter": architecture.exporter, "opset": architecture.opset,
        "batch": "dynamic" if architecture.dynamic_batch else "fixed", "window": architecture.window,
        "head_mean_removed": removed,
    }
    return path, reference.write(path, x, boxes, facts, calibrate.run(model, x), threads)


def make(name, threads):
    if name in KERAS:
        from zoo.keras_models import make_keras

        return make_keras(name, MODELS, threads)
    return make_torch(name, threads)


def main():
    from zoo.architectures import ARCHITECTURES

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="default: all that this environment has the framework for")
    parser.add_argument("--list", action="store_true", help="print the names and stop")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    if options.list:
        print("\n".join([*ARCHITECTURES, *KERAS]))
        return
    has = {framework: importlib.util.find_spec(framework) is not None for framework in ("torch", "tensorflow")}
    default = [*(ARCHITECTURES if has["torch"] else ()), *(KERAS if has["tensorflow"] else ())]
    if not default:
        sys.exit("neither torch nor tensorflow is installed: pip install -r tools/requirements-zoo.txt")
    unknown = [name for name in options.names if name not in ARCHITECTURES and name not in KERAS]
    if unknown:
        sys.exit(f"unknown model {unknown[0]}; --list prints the names")
    MODELS.mkdir(exist_ok=True)
    failed = []
    for name in options.names or default:
        started = time.perf_counter()
        try:
            path, facts = make(name, options.threads)
        except Exception as error:  # the other models are still wanted; the exit status tells
            failed.append(name)
            print(f"{name:22s} FAILED: {type(error).__name__}: {str(error)[:300]}", flush=True)
            continue
        size = sum(part.stat().st_size for part in MODELS.glob(f"{name}.onnx*"))
        print(
            f"{name:22s} {size / 1e6:6.1f} MB {time.perf_counter() - started:6.1f} s  map range {facts['map_range_of_largest_output']:.3f}"
            f"  to framework {facts['framework_difference']:.1e}  optimisations: outputs {facts['optimisation_difference_outputs']:.1e}"
            f" map {facts['optimisation_difference_map']:.1e}", flush=True)
    if failed:
        sys.exit(f"failed: {' '.join(failed)}")


if __name__ == "__main__":
    main()
