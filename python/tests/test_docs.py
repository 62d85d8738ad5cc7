"""The code of docs/python.md runs, block after block, and says what the comments ``# -> ...`` say."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "python.md"
# The language of a block, what it needs beside the package, and its lines; with the line of the page that it starts at.
FENCE = re.compile(r"^```python ?(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SAID = re.compile(r"\s# -> (.+)$")


def blocks() -> Iterator[Any]:
    text = PAGE.read_text(encoding="utf-8")
    for match in FENCE.finditer(text):
        line = text.count("\n", 0, match.start(2))
        yield pytest.param(match[1], line, match[2], id=f"line{line + 1}")


@pytest.fixture(scope="module")
def namespace() -> dict[str, Any]:
    return {"__name__": "docs"}


@pytest.fixture(scope="module", autouse=True)
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A working folder with the examples in it, for the whole page."""
    folder = tmp_path_factory.mktemp("docs")
    (folder / "examples").symlink_to(ROOT / "examples")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        yield


def run(source: str, line: int, namespace: dict[str, Any]) -> int:
    """Runs a block, statement by statement; the number of values that were compared."""
    tree = ast.increment_lineno(ast.parse(source), line)
    compared = 0
    for statement in tree.body:
        last = source.splitlines()[(statement.end_lineno or 0) - line - 1]
        said = SAID.search(last)
        if said is None:
            exec(compile(ast.Module([statement], []), str(PAGE), "exec"), namespace)
            continue
        assert isinstance(statement, ast.Expr), f"line {statement.lineno}: only an expression has a value"
        value = eval(compile(ast.Expression(statement.value), str(PAGE), "eval"), namespace)
        assert repr(value) == said[1], f"line {statement.lineno}"
        compared += 1
    return compared


@pytest.mark.parametrize(("needs", "line", "source"), list(blocks()))
def test_block(needs: str, line: int, source: str, namespace: dict[str, Any]) -> None:
    if needs:
        pytest.importorskip(needs)
    for package in ("matplotlib", "tenacity", "tqdm"):
        if package in source:
            pytest.importorskip(package)
    run(source, line, namespace)


def test_what_is_said_is_compared() -> None:
    assert run("a = 2\na + 1    # -> 3\n", 0, {}) == 1
    with pytest.raises(AssertionError, match="line 12"):
        run("a = 2\na + 1    # -> 4\n", 10, {})
