"""The torch notebook with the real torch and Captum: it runs, and what its text says of the numbers holds."""

import json
import re

import pytest

pytest.importorskip("torch")
pytest.importorskip("torchvision")
pytest.importorskip("captum")


def test_what_the_text_says(run_notebook):
    said = "".join(output["text"] for cell in run_notebook("torch") for output in cell.outputs if output.get("name") == "stdout")

    def number(pattern):
        found = re.search(pattern, said)
        assert found, f"{pattern} is not in\n{said}"
        return float(found[1])

    assert "incremental: True" in said
    assert number(r"with marks: (\d+)% right") > 90
    assert number(r"without marks: .*, of the rings (\d+)%") < 50
    assert number(r"evidence in the corner: (\d+)%") > 50
    assert number(r"not needed: \d+%; largest difference: ([\d.e+-]+) of") < 1e-3
    assert number(r"Tensor, largest difference ([\d.e+-]+) of") < 1e-3


def test_it_is_committed_executed(repository):
    notebook = json.loads((repository / "docs" / "notebooks" / "torch.ipynb").read_text(encoding="utf-8"))
    cells = [cell for cell in notebook["cells"] if "shows" in cell["metadata"].get("tags", [])]
    assert cells and all(cell["outputs"] for cell in cells)
