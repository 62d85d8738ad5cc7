"""Audits: what `Model.audit` found over a data set, and the rows that it kept."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from occlude import _core

# Columns of a row with their types and meanings, as in docs/audit.md.
COLUMNS: tuple[tuple[str, str, str], ...] = tuple(_core.audit_columns())


class Audit:
    """What an audit found.

    Attributes
    ----------
    folder : pathlib.Path
        Where rows, summary, report and pages are.
    summary : dict
        What the rows say together: the JSON ``occlude.audit/1`` (docs/audit.md). ``summary["verdicts"]["surroundings_of_clear"]`` has
        ``count``, ``of``, ``share`` and the 95% ``interval``.
    complete : bool
        Whether every image was done.
    known : int
        Images whose rows were there from earlier runs.
    notes : tuple of str
        What could not be shown, in words.
    """

    def __init__(self, folder: Path, said: str) -> None:
        found: dict[str, Any] = json.loads(said)
        self.folder = folder
        self.summary: dict[str, Any] = found["summary"]
        self.complete: bool = found["complete"]
        self.known: int = found["known"]
        self.notes: tuple[str, ...] = tuple(found["notes"])

    @property
    def report(self) -> Path:
        """The report, one HTML file."""
        return self.folder / "report.html"

    @property
    def rows(self) -> Path:
        """The folder of the rows as Parquet files, for pandas, polars, DuckDB, `pyarrow.dataset.dataset`."""
        return self.folder / "rows"

    @property
    def surroundings(self) -> float | None:
        """The share of ``surroundings`` among the clear verdicts, 0 to 1; None where none is clear."""
        share: float | None = self.summary["verdicts"]["surroundings_of_clear"]["share"]
        return share

    def __repr__(self) -> str:
        clear = self.summary["verdicts"]["surroundings_of_clear"]
        done = "" if self.complete else ", not complete"
        return f"<occlude.Audit {self.folder}: surroundings {clear['count']} of {clear['of']} clear verdicts{done}>"


def summarize_audit(rows: str | os.PathLike[str], *, shown: int = 24) -> dict[str, Any]:
    """What the rows of an audit say together, whoever made them: `Model.audit`, the command line, `occlude.ray.audit`.

    Parameters
    ----------
    rows
        A folder of Parquet files with rows of an audit.
    shown
        How many of the images most driven by their surroundings are listed.

    Returns
    -------
    dict
        The part of the JSON ``occlude.audit/1`` that rows say (docs/audit.md).

    Raises
    ------
    FileError
        No ``.parquet`` file there, or one whose columns are others.
    """
    found: dict[str, Any] = json.loads(_core.audit_summary(rows, shown))
    return found


def read_rows(said: str) -> Iterator[dict[str, Any]]:
    """Rows as they come from the compiled part, with every column."""
    for row in json.loads(said):
        yield {name: row.get(name) for name, _, _ in COLUMNS}
