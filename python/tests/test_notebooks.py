"""The notebooks run from the first cell to the last, without a network, and show something where they say that they do."""

from __future__ import annotations

from pathlib import Path

import pytest

nbformat = pytest.importorskip("nbformat")
nbclient = pytest.importorskip("nbclient")
pytest.importorskip("ipykernel")
pytest.importorskip("matplotlib")

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "notebooks"


@pytest.mark.parametrize("name", ["image", "dataset"])
def test_notebook(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    notebook = nbformat.read(FOLDER / f"{name}.ipynb", as_version=4)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert not any(cell.outputs for cell in cells), "it is committed without outputs"
    nbclient.NotebookClient(notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(FOLDER)}}).execute()
    shown = [cell for cell in cells if "shows" in cell.metadata.get("tags", [])]
    assert len(shown) > 4
    for cell in shown:
        assert any(_shows(output) for output in cell.outputs), f"nothing comes out of:\n{cell.source}"
        if ".plot(" in cell.source or "imshow(" in cell.source:
            assert any("image/png" in output.get("data", {}) for output in cell.outputs), f"no picture comes out of:\n{cell.source}"


def _shows(output: dict) -> bool:
    if output["output_type"] == "stream":
        return output["name"] == "stdout" and bool(output["text"].strip())
    return any(output.get("data", {}).values())
