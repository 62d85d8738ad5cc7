"""Inputs for the zoo: pictures, a synthetic volume and a synthetic signal; f32, batch axis first."""

from pathlib import Path

import numpy as np
from PIL import Image

IMAGES = Path(__file__).resolve().parents[2] / "examples" / "images"
MEAN = np.array([0.485, 0.456, 0.406], np.float32)
DEVIATION = np.array([0.229, 0.224, 0.225], np.float32)


def normalise(picture):
    """RGB picture -> f32 [3, H, W], ImageNet's mean and deviation."""
    return ((np.asarray(picture, np.float32) / 255 - MEAN) / DEVIATION).transpose(2, 0, 1)


def chelsea(size):
    """The cat, short side resized to size * 8/7, centre cropped: [1, 3, size, size]."""
    picture = Image.open(IMAGES / "chelsea.jpg").convert("RGB")
    short = size * 8 // 7
    scale = short / min(picture.size)
    width, height = (int(side * scale + 1e-6) for side in picture.size)
    picture = picture.resize((width, height), Image.Resampling.BICUBIC)
    left, top = (width - size) // 2, (height - size) // 2
    return normalise(picture.crop((left, top, left + size, top + size)))[None]


def crops(size, count=16):
    """Random crops and flips of the example pictures, for statistics: [count, 3, size, size]."""
    rng = np.random.default_rng(1)
    pictures = [Image.open(path).convert("RGB") for path in sorted(IMAGES.glob("*.jpg"))]
    made = []
    for index in range(count):
        picture = pictures[index % len(pictures)]
        side = int(min(picture.size) * rng.uniform(0.5, 1))
        left, top = (int(rng.integers(0, extent - side + 1)) for extent in picture.size)
        crop = picture.resize((size, size), Image.Resampling.BICUBIC, box=(left, top, left + side, top + side))
        if rng.random() < 0.5:
            crop = crop.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        made.append(normalise(crop))
    return np.stack(made)


def volume(side, seed=3):
    """Smooth blobs in a body-like ellipsoid, zero outside: [1, 1, side, side, side], about unit deviation."""
    rng = np.random.default_rng(seed)
    axis = np.linspace(-1, 1, side, dtype=np.float32)
    z, y, x = np.meshgrid(axis, axis, axis, indexing="ij")
    body = (z / 0.9) ** 2 + (y / 0.8) ** 2 + (x / 0.7) ** 2 < 1
    values = np.zeros_like(z)
    for _ in range(24):
        centre, width = rng.uniform(-0.7, 0.7, 3), rng.uniform(0.06, 0.35)
        distance = (z - centre[0]) ** 2 + (y - centre[1]) ** 2 + (x - centre[2]) ** 2
        values += rng.uniform(-1, 2) * np.exp(-distance / (2 * width**2)).astype(np.float32)
    values += 0.05 * rng.standard_normal(values.shape).astype(np.float32)
    return (np.where(body, values + 0.5, 0)[None, None] * 1.2).astype(np.float32)


def heartbeat(leads, length, seed=5):
    """An ECG-like signal, one beat every 180 samples with its own shape per lead: [1, leads, length]."""
    rng = np.random.default_rng(seed)
    time = np.arange(length, dtype=np.float32)
    signal = np.zeros((leads, length), np.float32)
    # P, Q, R, S and T wave: place in the beat, width, height.
    waves = [(50, 8, 0.2), (82, 3, -0.3), (90, 4, 1.8), (98, 3, -0.5), (140, 14, 0.4)]
    for lead in range(leads):
        for place, width, height in waves:
            gain = height * rng.uniform(0.4, 1.3) * (1 if lead % 4 else -1)
            for start in range(int(rng.integers(0, 5)), length, 180):
                signal[lead] += gain * np.exp(-((time - start - place) ** 2) / (2 * width**2))
        signal[lead] += 0.1 * np.sin(time / (60 + 5 * lead)) + 0.03 * rng.standard_normal(length)
    return signal[None].astype(np.float32)
