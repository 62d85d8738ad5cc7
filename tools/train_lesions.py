"""Train the small 3-D classifier of examples/lesions/ on volumes that are made here, and write the example volumes.

In:  nothing; every volume comes from a seed.
Out: examples/lesions/model.onnx (input `volume` [batch, 1, 48, 48, 32], grey values from 0 to 255; output `logits`:
     no lesion, lesion), config.json with the names, volumes/*.nii.gz (uint8, axes run to RAS) and truth.json: where
     each lesion is, what ONNX Runtime answers, and how the model does on volumes that it was not trained on.

A volume is a body of uneven tissue in air, axes x, y, z, voxels of 2 x 2 x 3 mm, with a bright shell, bright
vessels, bright specks and dark holes. A lesion is a blob as bright as vessels and shell, and smaller than they are,
so that neither the brightest voxel nor the mean tells the classes apart: only form does. While training, boxes are
hidden, or all but a box, as an occlusion map does: where that hides the lesion, there is none any more.

    python tools/train_lesions.py        # some minutes on two cores; needs tools/requirements-zoo.txt, scipy and nibabel
"""

import argparse
import json
import sys
import time
import warnings
from pathlib import Path

import nibabel
import numpy as np
import onnx
import onnxruntime as ort
import torch
from scipy.ndimage import gaussian_filter
from torch import nn

OUT = Path(__file__).resolve().parent.parent / "examples" / "lesions"
SHAPE = (48, 48, 32)
SPACING = np.array([2.0, 2.0, 3.0], np.float32)  # mm
CLASSES = ("no lesion", "lesion")
# Places of voxels in mm from the middle.
PLACE = np.stack(np.meshgrid(*[(np.arange(n, dtype=np.float32) - (n - 1) / 2) * s for n, s in zip(SHAPE, SPACING)], indexing="ij"))
# How much of a lesion a hidden box may cover for the label to be certain.
SEEN, GONE = 0.1, 0.9
# Voxels of tissue around a lesion that its box holds: a blob is one by its edge.
MARGIN = 2


def smooth_noise(rng, mm):
    """Normal noise of about that many mm between ups and downs, mean 0, deviation 1."""
    noise = gaussian_filter(rng.standard_normal(SHAPE).astype(np.float32), mm / SPACING)
    return (noise - noise.mean()) / noise.std()


def soft(distance, width=2.0):
    """1 inside (negative distance in mm), 0 outside, with an edge of about `width` mm."""
    return 1 / (1 + np.exp(np.clip(4 * distance / width, -30, 30)))


def ball(centre, radii):
    """Distance in mm to an ellipsoid's surface, about."""
    away = np.sqrt(sum(((p - c) / r) ** 2 for p, c, r in zip(PLACE, centre, radii)))
    return (away - 1) * float(np.min(radii))


def tube(rng, body_radii):
    """Distance in mm to a bent tube through the body: a vessel."""
    start, end = (rng.uniform(-0.75, 0.75, 3) * body_radii for _ in range(2))
    bend = rng.normal(0, 10, 3)
    steps = np.linspace(0, 1, 24, dtype=np.float32)
    line = start + (end - start) * steps[:, None] + bend * np.sin(np.pi * steps)[:, None]
    nearest = np.full(SHAPE, np.inf, np.float32)
    for point in line:
        np.minimum(nearest, sum((p - c) ** 2 for p, c in zip(PLACE, point)), out=nearest)
    return np.sqrt(nearest) - rng.uniform(1.8, 2.6)


def make(rng, has_lesion, at=None):
    """A volume: (uint8 [48, 48, 32], lesion as bool of the same shape). `at`: the lesion's place in parts of the body's radii."""
    radii = rng.uniform([36, 38, 36], [44, 45, 44])
    body = ball((0, 0, 0), radii)
    tissue = 0.42 + 0.05 * smooth_noise(rng, 14) + 0.03 * smooth_noise(rng, 5)
    bright = rng.uniform(0.26, 0.36)  # of all that is bright
    seen = tissue.copy()
    seen += bright * soft(np.abs(body + 4) - 1.5)  # the shell
    for _ in range(rng.integers(2, 5)):
        seen = np.maximum(seen, tissue + bright * soft(tube(rng, radii)))
    for _ in range(rng.integers(3, 9)):
        place = rng.uniform(-0.7, 0.7, 3) * radii
        seen = np.maximum(seen, tissue + bright * soft(ball(place, (1.6, 1.6, 1.6))))  # specks
    for _ in range(rng.integers(0, 3)):
        place = rng.uniform(-0.6, 0.6, 3) * radii
        seen -= 0.25 * soft(ball(place, rng.uniform(5, 10, 3)), 4)  # holes
    lesion = np.zeros(SHAPE, bool)
    if has_lesion:
        if at is None:
            at = rng.normal(size=3)
            at *= rng.uniform(0, 0.62) / np.linalg.norm(at)
        distance = ball(np.asarray(at) * radii, rng.uniform(6.5, 10, 3))
        seen = np.maximum(seen, tissue + bright * soft(distance + 1.2 * smooth_noise(rng, 6), 3))
        lesion = distance < 0
    seen = np.where(body < 0, seen, 0) + rng.normal(0, 0.02, SHAPE)
    seen *= rng.uniform(0.85, 1.15)
    return np.clip(np.where(body < 1.5, seen, 0) * 255, 0, 255).astype(np.uint8), lesion


def hide(rng, volume, lesion):
    """Hides a box, or all but a box, and says whether a lesion is still seen; None where that is uncertain."""
    size = [int(rng.integers(3, n // 2 + 1)) for n in SHAPE]
    if lesion.any() and rng.random() < 0.5:
        middle = [int(places.mean()) for places in np.nonzero(lesion)]
    else:
        middle = [int(rng.integers(0, n)) for n in SHAPE]
    box = np.zeros(SHAPE, bool)
    box[tuple(slice(max(0, m - s // 2), m + (s + 1) // 2) for m, s in zip(middle, size))] = True
    if rng.random() < 0.35:
        box = ~box
    if rng.random() < 0.06:
        box[:] = True
    gone = (box & lesion).sum() / max(1, lesion.sum())
    if lesion.any() and SEEN < gone < GONE:
        return None
    fill = rng.integers(4)
    if fill == 0:
        with_what = np.float32(0)
    elif fill == 1:
        with_what = volume.mean()
    elif fill == 2:
        with_what = np.float32(rng.uniform(0, 130))
    else:
        with_what = gaussian_filter(volume, np.array(size) / 2)
    return np.where(box, with_what, volume), bool(lesion.any() and gone <= SEEN)


class Net(nn.Module):
    """Three levels of convolutions; the strongest place of the last one decides."""

    def __init__(self):
        super().__init__()

        def level(channels_in, channels_out, kernel=3, stride=1):
            convolution = nn.Conv3d(channels_in, channels_out, kernel, stride, padding=(kernel - 1) // 2, bias=False)
            return [convolution, nn.BatchNorm3d(channels_out), nn.ReLU()]

        self.body = nn.Sequential(
            *level(1, 12, kernel=4, stride=2), *level(12, 16), nn.MaxPool3d(2), *level(16, 24), *level(24, 32), nn.AdaptiveMaxPool3d(1)
        )
        self.head = nn.Linear(32, 2)

    def forward(self, volume):
        return self.head(self.body(volume / 255).flatten(1))


def batch(rng, volumes, lesions, size):
    """Volumes with something hidden in most of them, mirrored at random, and their labels."""
    made, labels = [], []
    while len(made) < size:
        i = rng.integers(len(volumes))
        volume, lesion = volumes[i].astype(np.float32), lesions[i]
        label = bool(lesion.any())
        if rng.random() < 0.7:
            hidden = hide(rng, volume, lesion)
            if hidden is None:
                continue
            volume, label = hidden
        flips = [axis for axis in range(3) if rng.random() < 0.5]
        made.append(np.flip(volume, flips))
        labels.append(int(label))
    return torch.from_numpy(np.stack(made)[:, None].astype(np.float32)), torch.tensor(labels)


def answers(model, volumes):
    """Probability of a lesion for each volume."""
    with torch.no_grad():
        parts = [model(torch.from_numpy(volumes[i : i + 16, None].astype(np.float32))) for i in range(0, len(volumes), 16)]
    return torch.cat(parts).softmax(1)[:, 1].numpy()


def train(rng, count, steps, size):
    volumes, lesions = zip(*(make(rng, i % 2 == 1) for i in range(count)))
    print(f"{count} volumes made", flush=True)
    model = Net()
    optimiser = torch.optim.AdamW(model.parameters(), lr=3e-3, weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 6e-3, total_steps=steps)
    began, shown = time.time(), []
    for step in range(steps):
        x, labels = batch(rng, volumes, lesions, size)
        loss = nn.functional.cross_entropy(model(x), labels, label_smoothing=0.02)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
        shown.append(loss.item())
        if (step + 1) % 100 == 0:
            print(f"step {step + 1} of {steps}, loss {np.mean(shown[-100:]):.4f}, {time.time() - began:.0f} s", flush=True)
    return model.eval()


# The volumes of the example: the lesion's place in parts of the body's radii, or none.
EXAMPLES = {
    "left": (-0.5, 0.15, 0.1),
    "front": (0.15, 0.5, -0.2),
    "top": (0.2, -0.2, 0.5),
    "none": None,
}


def box_of(lesion):
    """The box around a lesion, [start, end) per axis."""
    ends = [(int(places.min()) - MARGIN, int(places.max()) + 1 + MARGIN) for places in np.nonzero(lesion)]
    return [[max(0, start), min(length, end)] for (start, end), length in zip(ends, SHAPE)]


def save(volume, path):
    """As NIfTI, 0 mm in the middle of the volume."""
    affine = np.diag([*SPACING, 1.0])
    affine[:3, 3] = -(np.array(SHAPE) - 1) / 2 * SPACING
    image = nibabel.Nifti1Image(volume, affine)
    image.set_qform(affine, 1)
    image.set_sform(affine, 1)
    image.header.set_xyzt_units("mm")
    nibabel.save(image, path)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--volumes", type=int, default=1200)
    parser.add_argument("--steps", type=int, default=1200)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    model = train(np.random.default_rng(0), options.volumes, options.steps, options.batch)

    rng = np.random.default_rng(1)
    unseen = [make(rng, i % 2 == 1) for i in range(400)]
    said = answers(model, np.stack([volume for volume, _ in unseen])) > 0.5
    truth = np.array([lesion.any() for _, lesion in unseen])
    right = float((said == truth).mean())
    brightest = np.array([np.percentile(volume, 99) for volume, _ in unseen])
    by_threshold = max(float(((brightest > t) == truth).mean()) for t in brightest)
    print(f"of 400 unseen volumes {right:.1%} are right; the best threshold on brightness gets {by_threshold:.1%}")
    if right < 0.97 or by_threshold > 0.75:
        sys.exit("this is no model to ship: it errs too often, or a threshold does as well")

    (OUT / "volumes").mkdir(parents=True, exist_ok=True)
    path = OUT / "model.onnx"
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            model, (torch.zeros(1, 1, *SHAPE),), str(path), dynamo=False, opset_version=17, input_names=["volume"],
            output_names=["logits"], dynamic_axes={"volume": {0: "batch"}, "logits": {0: "batch"}}, do_constant_folding=True)
    onnx.checker.check_model(str(path))
    session = ort.InferenceSession(path, providers=["CPUExecutionProvider"])
    truth = {"unseen_right": right, "brightness_threshold_right": by_threshold, "axes": ["x", "y", "z"], "spacing_mm": SPACING.tolist(), "volumes": {}}
    rng = np.random.default_rng(2)
    for name, at in EXAMPLES.items():
        volume, lesion = make(rng, at is not None, at)
        save(volume, OUT / "volumes" / f"{name}.nii.gz")
        logits = session.run(None, {"volume": volume[None, None].astype(np.float32)})[0][0]
        probability = float(np.exp(logits[1]) / np.exp(logits).sum())
        truth["volumes"][name] = {"lesion": box_of(lesion) if lesion.any() else None, "logits": [float(v) for v in logits], "probability_of_lesion": probability}
        print(f"{name}: lesion {truth['volumes'][name]['lesion']}, probability {probability:.4f}")
    (OUT / "truth.json").write_text(json.dumps(truth, indent=1) + "\n")
    config = {"architectures": ["LesionNet"], "problem_type": "single_label_classification", "id2label": dict(enumerate(CLASSES))}
    (OUT / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    print(f"{path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
