"""The notebooks run from the first cell to the last, without a network, and show something where they say that they do."""

import json

import pytest


@pytest.mark.parametrize("name", ["image", "dataset"])
def test_notebook(name, run_notebook, repository):
    committed = json.loads((repository / "docs" / "notebooks" / f"{name}.ipynb").read_text(encoding="utf-8"))
    assert not any(cell.get("outputs") for cell in committed["cells"]), "it is committed without outputs"
    run_notebook(name)
