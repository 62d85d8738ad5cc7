"""Copy a model of the zoo for another input size: models/sizes/NAME_SIZE.onnx with its input x in NAME_SIZE.npz.

For networks that end in a global pooling, so that only the declared size changes. Needs tools/requirements-zoo.txt.

    python tools/resize_model.py monai_resnet18_3d 64 128
"""

import sys
from pathlib import Path

MODELS = Path(__file__).resolve().parent.parent / "models"


def resize(name, size):
    import numpy as np
    import onnx

    model = onnx.load(MODELS / f"{name}.onnx")
    declared = model.graph.input[0].type.tensor_type.shape.dim
    for dim in declared[2:]:
        dim.dim_value = size
    # Shapes that the exporter noted on the way are of the other size.
    del model.graph.value_info[:]
    folder = MODELS / "sizes"
    folder.mkdir(exist_ok=True)
    onnx.save(model, folder / f"{name}_{size}.onnx")
    shape = [1, declared[1].dim_value] + [size] * (len(declared) - 2)
    x = np.random.default_rng(size).standard_normal(shape, dtype=np.float32)
    np.savez(folder / f"{name}_{size}.npz", x=x)
    print(f"{name}_{size}: {shape}")


if __name__ == "__main__":
    for size in sys.argv[2:]:
        resize(sys.argv[1], int(size))
