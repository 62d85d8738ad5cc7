"""Make crates/occlude/tests/data/compare.json: what SciPy, scikit-image and NumPy say of random and smooth maps.

    python tools/make_compare_references.py

Needs numpy 2.4.6, scipy 1.17.1 and scikit-image 0.26.0; with them the file that is kept was made.
Per case: name, shape, a and b (row-major, float32), and
    spearman, pearson    scipy.stats.spearmanr and pearsonr
    textbook             their p-values, by Student's t
    shifted              p-values of both by all toroidal shifts of b (numpy.roll)
    ssim                 skimage.metrics.structural_similarity with Wang's weights; null where an axis is shorter than the window
and, for maps on different grids, `small` of shape `small_shape` beside `a`, with
    enlarged             Pearson's correlation of a and skimage.transform.resize(small, shape, order=1, mode="edge", anti_aliasing=False)
"""

import itertools
import json
from pathlib import Path

import numpy as np
from scipy.ndimage import gaussian_filter
from scipy.stats import pearsonr, spearmanr
from skimage.metrics import structural_similarity
from skimage.transform import resize

FILE = Path(__file__).resolve().parent.parent / "crates" / "occlude" / "tests" / "data" / "compare.json"


def shifted(a, b, correlation):
    """The p-value by all shifts; correlations are rounded, so that equal ones are."""
    moved = [
        abs(correlation(a.ravel(), np.roll(b, shift, axis=tuple(range(b.ndim))).ravel()))
        for shift in itertools.product(*map(range, b.shape))
    ]
    return float(np.mean(np.round(moved, 10) >= np.round(moved[0], 10)))


def case(name, shape, small_shape, sigma, share, digits, seed):
    rng = np.random.default_rng(seed)
    noise = lambda: gaussian_filter(rng.normal(size=shape), sigma, mode="wrap") if sigma else rng.normal(size=shape)
    common = noise()
    kept = lambda x: np.round(x, digits).astype(np.float32).astype(np.float64)
    a, b = kept(common), kept(share * common + (1 - share) * noise() + 0.05)
    small = kept(rng.normal(size=small_shape))
    both = np.concatenate([a.ravel(), b.ravel()])
    fits = min(shape) >= 11
    ssim = structural_similarity(
        a, b, data_range=both.max() - both.min(), gaussian_weights=True, sigma=1.5, use_sample_covariance=False
    ) if fits else None
    large = resize(small, shape, order=1, mode="edge", anti_aliasing=False)
    spearman, pearson = spearmanr(a.ravel(), b.ravel()), pearsonr(a.ravel(), b.ravel())
    return {
        "name": name,
        "shape": list(shape),
        "a": a.ravel().tolist(),
        "b": b.ravel().tolist(),
        "spearman": float(spearman.statistic),
        "pearson": float(pearson.statistic),
        "textbook": [float(spearman.pvalue), float(pearson.pvalue)],
        "shifted": [shifted(a, b, lambda x, y: spearmanr(x, y).statistic), shifted(a, b, lambda x, y: pearsonr(x, y).statistic)],
        "ssim": None if ssim is None else float(ssim),
        "small_shape": list(small_shape),
        "small": small.ravel().tolist(),
        "enlarged": float(pearsonr(a.ravel(), large.ravel()).statistic),
    }


if __name__ == "__main__":
    cases = [
        case("signal", (37,), (9,), 2, 0.5, 6, 0),
        case("signal with ties", (50,), (7,), 0, 0.4, 0, 1),
        case("small grid", (6, 7), (3, 2), 0, 0.6, 6, 2),
        case("grid", (13, 13), (7, 7), 0, 0.3, 6, 3),
        case("smooth", (19, 23), (7, 5), 2, 0.5, 6, 4),
        case("smooth, unrelated", (16, 21), (4, 4), 2, 0.0, 6, 5),
        case("ties", (14, 12), (5, 6), 1, 0.5, 1, 6),
        case("against", (12, 15), (4, 5), 1, -0.7, 6, 7),
        case("volume", (11, 12, 13), (4, 3, 5), 1.5, 0.4, 4, 8),
    ]
    FILE.write_text(json.dumps(cases) + "\n")
    for one in cases:
        print(*(one[key] for key in ("name", "shape", "spearman", "pearson", "textbook", "shifted", "ssim", "enlarged")))
