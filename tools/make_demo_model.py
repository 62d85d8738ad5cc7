"""Make examples/efficientnet-lite0/ and tests/corpus/demo/expected.json.

In:  the trained EfficientNet-Lite0 as ONNX (f32, input `image` [batch,3,224,224], output `logits`),
     the four pictures in examples/images/.
Out: model.onnx with the large weights stored as fp16 (a Cast to f32 behind each, so that input, output
     and arithmetic stay f32), config.json (class names), preprocessor_config.json (resize, crop, mean,
     deviation) and what ONNX Runtime answers for the four pictures.

Not here: training, download of weights. Class names come from torchvision when it is installed, else
from the config.json that is already there.

    python tools/make_demo_model.py ORIGINAL.onnx
"""

import argparse
import ast
import importlib.util
import json
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
MODEL_DIR = ROOT / "examples" / "efficientnet-lite0"
IMAGE_DIR = ROOT / "examples" / "images"

# Initializers with fewer elements than this stay f32: they are biases, and they weigh next to nothing.
SMALLEST_FP16_ELEMENTS = 2048

PREPROCESSOR = {
    "image_processor_type": "EfficientNetImageProcessor",
    "do_resize": True,
    "size": {"shortest_edge": 224},
    "resample": 3,
    "do_center_crop": True,
    "crop_size": {"height": 224, "width": 224},
    "do_rescale": True,
    "rescale_factor": 1 / 255,
    "do_normalize": True,
    "image_mean": [127 / 255] * 3,
    "image_std": [128 / 255] * 3,
}


def store_weights_as_fp16(model):
    """Replace each large f32 initializer by its fp16 rounding and a Cast to f32 of the old name."""
    graph = model.graph
    casts, kept = [], []
    for tensor in graph.initializer:
        values = numpy_helper.to_array(tensor)
        if values.dtype != np.float32 or values.size < SMALLEST_FP16_ELEMENTS:
            kept.append(tensor)
            continue
        if np.abs(values).max() > np.finfo(np.float16).max:
            sys.exit(f"{tensor.name}: {np.abs(values).max()} does not fit fp16")
        half = numpy_helper.from_array(values.astype(np.float16), tensor.name + "_fp16")
        kept.append(half)
        casts.append(
            helper.make_node("Cast", [half.name], [tensor.name], name=f"widen {tensor.name}", to=TensorProto.FLOAT)
        )
    nodes = casts + list(graph.node)
    del graph.initializer[:], graph.node[:]
    graph.initializer.extend(kept)
    graph.node.extend(nodes)
    onnx.checker.check_model(model, full_check=True)
    return model


def class_names():
    """The 1000 ImageNet class names in the order of the logits."""
    spec = importlib.util.find_spec("torchvision")
    if spec and spec.submodule_search_locations:
        # Read as text: importing torchvision would import torch.
        source = (Path(spec.submodule_search_locations[0]) / "models" / "_meta.py").read_text()
        for statement in ast.parse(source).body:
            if isinstance(statement, ast.Assign) and statement.targets[0].id == "_IMAGENET_CATEGORIES":
                return ast.literal_eval(statement.value)
    present = MODEL_DIR / "config.json"
    if present.exists():
        names = json.loads(present.read_text())["id2label"]
        return [names[str(index)] for index in range(len(names))]
    sys.exit("no class names: install torchvision")


def preprocess(path):
    """Picture file -> f32 [1,3,224,224], as PREPROCESSOR says (Hugging Face's rounding: down)."""
    picture = Image.open(path).convert("RGB")
    width, height = picture.size
    short, crop = PREPROCESSOR["size"]["shortest_edge"], PREPROCESSOR["crop_size"]["width"]
    if width <= height:
        size = (short, int(short * height / width))
    else:
        size = (int(short * width / height), short)
    picture = picture.resize(size, Image.Resampling(PREPROCESSOR["resample"]))
    left, top = (size[0] - crop) // 2, (size[1] - crop) // 2
    pixels = np.asarray(picture.crop((left, top, left + crop, top + crop)), dtype=np.float32)
    return ((pixels - 127) / 128).transpose(2, 0, 1)[None]


def softmax(logits):
    exps = np.exp(logits.astype(np.float64) - logits.max())
    return exps / exps.sum()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("original", type=Path, help="the f32 model")
    original_path = parser.parse_args().original

    MODEL_DIR.mkdir(parents=True, exist_ok=True)
    names = class_names()
    if len(set(names)) != 1000:
        sys.exit(f"expected 1000 different class names, found {len(set(names))}")
    config = {
        "architectures": ["EfficientNetForImageClassification"],
        "model_type": "efficientnet-lite0",
        "num_labels": 1000,
        "problem_type": "single_label_classification",
        "id2label": {str(index): name for index, name in enumerate(names)},
    }
    (MODEL_DIR / "config.json").write_text(json.dumps(config, indent=1, ensure_ascii=False) + "\n")
    (MODEL_DIR / "preprocessor_config.json").write_text(json.dumps(PREPROCESSOR, indent=2) + "\n")

    half = store_weights_as_fp16(onnx.load(original_path))
    half.metadata_props.add(key="license", value="Apache-2.0")
    half.metadata_props.add(key="origin", value="EfficientNet-Lite0, trained on ImageNet; see NOTICE")
    target = MODEL_DIR / "model.onnx"
    onnx.save(half, target)
    if target.stat().st_size > 10_000_000:
        sys.exit(f"{target} has {target.stat().st_size} bytes, wanted at most 10,000,000")

    before, after = ort.InferenceSession(original_path), ort.InferenceSession(target)
    pictures = {}
    for path in sorted(IMAGE_DIR.glob("*.jpg")):
        x = preprocess(path)
        original, stored = (session.run(None, {"image": x})[0][0] for session in (before, after))
        top, top_original = np.argsort(-stored, kind="stable")[:10], np.argsort(-original, kind="stable")[:5]
        if set(top[:5]) != set(top_original):
            sys.exit(f"{path.name}: fp16 weights change the top 5: {top_original} became {top[:5]}")
        probability = softmax(stored)
        pictures[path.name] = {
            "top10": [
                {"index": int(i), "name": names[i], "logit": round(float(stored[i]), 5), "probability": round(float(probability[i]), 6)}
                for i in top
            ],
            "largest_abs_logit": round(float(np.abs(stored).max()), 5),
            "largest_logit_difference_to_f32_weights": round(float(np.abs(stored - original).max()), 5),
        }
        print(path.name, [(int(i), names[i], round(float(probability[i]), 4)) for i in top[:5]], "f32 order", top_original)
    expected = {
        "model": "examples/efficientnet-lite0/model.onnx",
        "made_by": f"tools/make_demo_model.py, onnxruntime {ort.__version__}, Pillow {Image.__version__}",
        "pictures": pictures,
    }
    destination = ROOT / "tests" / "corpus" / "demo" / "expected.json"
    destination.parent.mkdir(parents=True, exist_ok=True)
    destination.write_text(json.dumps(expected, indent=1) + "\n")
    print(f"{target}: {target.stat().st_size} bytes")


if __name__ == "__main__":
    main()
