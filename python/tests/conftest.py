"""What the tests share: where the repository's models and pictures are, and small models that are known to the last number."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of the repository."""
    return REPOSITORY


@pytest.fixture(scope="session")
def demo():
    """The shipped classifier, opened."""
    import occlude

    return occlude.Model(REPOSITORY / "examples" / "efficientnet-lite0")


@pytest.fixture(scope="session")
def coffee() -> Path:
    """The shipped picture."""
    return REPOSITORY / "examples" / "images" / "coffee.jpg"


@pytest.fixture(scope="session")
def program() -> Path:
    """The command line that was built from the same sources."""
    target = Path(os.environ.get("CARGO_TARGET_DIR", REPOSITORY / "target"))
    path = Path(os.environ.get("OCCLUDE", target / "release" / "occlude"))
    if not path.exists():
        pytest.fail(f"{path} is not there: build it first (make build), or name it by OCCLUDE")
    return path


@pytest.fixture
def x() -> np.ndarray:
    """One example of two channels of 6 x 5 places, NCHW."""
    return np.random.default_rng(3).standard_normal((1, 2, 6, 5)).astype(np.float32)


@pytest.fixture(scope="session")
def weights() -> np.ndarray:
    """Weights of a linear model with three outputs for it."""
    return np.random.default_rng(4).standard_normal((3, 2 * 6 * 5)).astype(np.float32)


@pytest.fixture
def linear(weights):
    """A linear model: a window's sensitivity is the sum of weight times what was hidden."""

    def f(batch):
        return np.asarray(batch).reshape(len(batch), -1) @ weights.T

    return f


def occluded_by_hand(f, x, window, stride, fill, target):
    """Sensitivities of whole windows, by one call per window."""
    height, width = x.shape[2:]
    base = f(x)[0, target]
    rows = range(0, height - window + 1, stride)
    columns = range(0, width - window + 1, stride)
    out = np.zeros((len(rows), len(columns)), np.float32)
    for i, row in enumerate(rows):
        for j, column in enumerate(columns):
            hidden = x.copy()
            hidden[:, :, row : row + window, column : column + window] = fill
            out[i, j] = base - f(hidden)[0, target]
    return out


@pytest.fixture
def by_hand():
    """The definition, written out."""
    return occluded_by_hand


@pytest.fixture
def run_notebook(monkeypatch):
    """Executes a notebook of docs/notebooks without a network; its code cells. Cells tagged "shows" must have shown something."""
    nbformat = pytest.importorskip("nbformat")
    nbclient = pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    pytest.importorskip("matplotlib")
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    folder = REPOSITORY / "docs" / "notebooks"

    def shows(output):
        if output["output_type"] == "stream":
            return output["name"] == "stdout" and bool(output["text"].strip())
        return any(output.get("data", {}).values())

    def run(name):
        notebook = nbformat.read(folder / f"{name}.ipynb", as_version=4)
        nbclient.NotebookClient(notebook, timeout=600, kernel_name="python3", resources={"metadata": {"path": str(folder)}}).execute()
        cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
        shown = [cell for cell in cells if "shows" in cell.metadata.get("tags", [])]
        assert len(shown) >= 4
        for cell in shown:
            assert any(map(shows, cell.outputs)), f"nothing comes out of:\n{cell.source}"
            if ".plot(" in cell.source or "imshow(" in cell.source:
                assert any("image/png" in output.get("data", {}) for output in cell.outputs), f"no picture comes out of:\n{cell.source}"
        return cells

    return run
