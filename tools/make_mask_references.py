"""Make crates/occlude/tests/data/masks/: what other libraries say on inpainting, mask shapes and random masks.

    python tools/make_mask_references.py [inpaint] [shapes] [random]    # all without a name

Needs tools/requirements-masks.txt, and for the part `shapes` tools/requirements-zoo.txt (MONAI).
The files that are kept were made with OpenCV 5.0.0, MONAI 1.6.1 on torch 2.15.0 and scikit-image 0.26.0.
"""

import sys
from pathlib import Path

import numpy as np

FOLDER = Path(__file__).resolve().parent.parent / "crates" / "occlude" / "tests" / "data" / "masks"


def save(name, arrays):
    FOLDER.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(FOLDER / name, **arrays)
    print(f"{name}: {len(arrays)} arrays, {(FOLDER / name).stat().st_size} bytes")


def picture(height, width, seed):
    """Ramps, a hard edge and noise, 0 to 255."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width]
    base = 90 + 70 * np.sin(x / 5.0) + 3.0 * y + 40 * ((x + 2 * y) % 17 > 8)
    return np.clip(base + rng.normal(0, 6, (height, width)), 0, 255).astype(np.float32)


def ellipse(height, width):
    y, x = np.mgrid[0:height, 0:width]
    return ((y - (height - 1) / 2) / (height / 2)) ** 2 + ((x - (width - 1) / 2) / (width / 2)) ** 2 < 1


def inpaint():
    """Per case NAME: NAME_box (y0, y1, x0, x1), NAME_hidden (in the box), NAME_radius, NAME_float, NAME_bytes (both of the box only)."""
    import cv2

    height, width = 23, 31
    gray = picture(height, width, 0)
    colour = np.stack([picture(height, width, s) for s in (1, 2, 3)], axis=-1).round().astype(np.uint8)
    arrays = {"gray": gray, "colour": colour}
    boxes = {
        "top_left": (0, 6, 0, 7),
        "top_right": (0, 5, 24, 31),
        "bottom_left": (17, 23, 0, 6),
        "bottom_right": (16, 23, 25, 31),
        "top": (0, 4, 10, 19),
        "left": (8, 15, 0, 5),
        "right": (7, 16, 26, 31),
        "bottom": (18, 23, 9, 20),
        "second_row": (1, 5, 12, 17),
        "second_column": (9, 14, 1, 6),
        "middle": (8, 15, 10, 19),
        "one": (11, 12, 15, 16),
        "line": (5, 20, 14, 15),
        "wide": (6, 18, 6, 26),
        "rows": (7, 12, 0, 31),
        "ellipse": (7, 17, 8, 22),
        "holes": (6, 16, 9, 20),
    }
    rng = np.random.default_rng(9)
    for name, (y0, y1, x0, x1) in boxes.items():
        hidden = np.ones((y1 - y0, x1 - x0), bool)
        if name == "ellipse":
            hidden = ellipse(*hidden.shape)
        if name == "holes":
            hidden = rng.random(hidden.shape) < 0.7
        mask = np.zeros((height, width), np.uint8)
        mask[y0:y1, x0:x1] = hidden
        for radius in (1, 3, 5):
            case = f"{name}_r{radius}"
            arrays[case + "_box"] = np.array([y0, y1, x0, x1], np.int32)
            arrays[case + "_hidden"] = hidden
            arrays[case + "_radius"] = np.array([radius], np.int32)
            arrays[case + "_float"] = cv2.inpaint(gray, mask, radius, cv2.INPAINT_TELEA)[y0:y1, x0:x1]
            arrays[case + "_bytes"] = cv2.inpaint(colour, mask, radius, cv2.INPAINT_TELEA)[y0:y1, x0:x1]
    save("inpaint.npz", arrays)


def shapes():
    """For each window size: occlusion_HxW (MONAI's Gaussian occlusion, the factor of the input) and importance_HxW (its weights of a sliding window)."""
    import torch
    from monai.data.utils import compute_importance_map
    from monai.visualize import OcclusionSensitivity

    sizes = [(1,), (2,), (3,), (4,), (7,), (16,), (33,), (1, 1), (2, 2), (3, 3), (3, 5), (4, 6), (5, 8), (16, 16), (15, 12), (1, 9), (32, 32), (2, 2, 2), (3, 3, 3), (4, 5, 6), (7, 3, 8), (12, 12, 12)]
    arrays = {}
    for size in sizes:
        name = "x".join(map(str, size))
        mul, _ = OcclusionSensitivity.gaussian_occlusion(torch.zeros((1, 1, *size)), size)
        arrays["occlusion_" + name] = mul[0, 0].numpy().astype(np.float32)
        arrays["importance_" + name] = compute_importance_map(size, mode="gaussian", sigma_scale=0.125).numpy()
    save("shapes.npz", arrays)


def random():
    """Per case I: I_size, I_cells, I_shift, I_grid (0 or 1 per cell), I_mask (upsampled and cropped as in RISE's generate_masks).
    And one run of the estimator: est_masks [N, H, W], est_scores [N, targets], est_p, est_map (forward of RISE), est_mean (divided by the sum of masks instead).
    ellipse_HxW: the ellipse inscribed in a box, by skimage.draw."""
    from skimage.transform import resize

    rng = np.random.default_rng(4)
    arrays = {}
    cases = [((20,), 7), ((19, 23), 7), ((24, 24), 8), ((16, 30), 3), ((13, 11), 1), ((9, 10), 2), ((7, 9, 11), 3), ((8, 8, 8), 4), ((5, 5), 8)]

    def draw(size, cells, p):
        cell = np.ceil(np.array(size) / cells).astype(int)
        grid = (rng.random([cells] * len(size)) < p).astype("float32")
        shift = [rng.integers(0, c) for c in cell]
        up = resize(grid, (cells + 1) * cell, order=1, mode="reflect", anti_aliasing=False)
        crop = tuple(slice(a, a + n) for a, n in zip(shift, size))
        return grid, shift, up[crop]

    for index, (size, cells) in enumerate(cases):
        for repeat in range(2):
            grid, shift, mask = draw(size, cells, 0.5)
            assert mask.shape == size
            name = f"{index}{'ab'[repeat]}"
            arrays[name + "_size"] = np.array(size, np.int32)
            arrays[name + "_cells"] = np.array([cells], np.int32)
            arrays[name + "_shift"] = np.array(shift, np.int32)
            arrays[name + "_grid"] = grid
            arrays[name + "_mask"] = mask.astype(np.float32)
    count, p = 60, 0.4
    masks = np.stack([draw((11, 14), 4, p)[2] for _ in range(count)]).astype(np.float32)
    scores = rng.random((count, 3)).astype(np.float32)
    flat = masks.reshape(count, -1).astype(np.float64)
    sums = scores.astype(np.float64).T @ flat
    arrays["est_masks"], arrays["est_scores"], arrays["est_p"] = masks, scores, np.array([p])
    arrays["est_map"] = (sums / count / p).reshape(3, 11, 14)
    arrays["est_mean"] = (sums / flat.sum(0)).reshape(3, 11, 14)
    from skimage.draw import ellipse as draw_ellipse

    for height, width in [(1, 1), (2, 2), (3, 5), (4, 4), (7, 6), (9, 16), (1, 5)]:
        mask = np.zeros((height, width), np.float32)
        mask[draw_ellipse((height - 1) / 2, (width - 1) / 2, height / 2, width / 2, shape=mask.shape)] = 1
        arrays[f"ellipse_{height}x{width}"] = mask
    save("random_masks.npz", arrays)


if __name__ == "__main__":
    parts = {"inpaint": inpaint, "shapes": shapes, "random": random}
    for part in sys.argv[1:] or parts:
        parts[part]()
