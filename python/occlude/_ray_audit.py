"""What a worker of `occlude.ray.audit` does: a batch of images in, rows of an audit out.

In: an `AuditJob`, once, and tables of pyarrow. Out: tables with the columns of an audit, of the same types in every batch. Rows are made
by `Model.audit_rows`, as everywhere.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from occlude._audit import COLUMNS
from occlude._ray_worker import column_of, open_model
from occlude.exceptions import ArgumentError

if TYPE_CHECKING:
    from pyarrow import Table


@dataclass(frozen=True)
class AuditJob:
    """What a worker must know; travels to it once. Names are those of columns, None where the data set does not say it."""

    model: str | os.PathLike[str]
    input: str
    name: str | None
    labels: str | None
    object_boxes: str | None
    object_classes: str | None
    object_masks: str | None
    everywhere: tuple[float, ...] | None
    truth: bool
    judge: Mapping[str, float]
    settings: Mapping[str, Any]

    @property
    def columns(self) -> list[str]:
        """The columns that a row is read from."""
        named = (self.input, self.name, self.labels, self.object_boxes, self.object_classes, self.object_masks)
        return [column for column in dict.fromkeys(named) if column is not None]


def check_audit_columns(job: AuditJob, names: list[str]) -> None:
    """Raises ArgumentError where a column is missing."""
    missing = [name for name in job.columns if name not in names]
    if missing:
        raise ArgumentError(f"the data set has no column {', '.join(missing)}", f"its columns are {', '.join(names)}")


class AuditWorker:
    """Lives in one process of the pool: opens the model once, then turns batches of images into batches of rows."""

    def __init__(self, job: AuditJob) -> None:
        self.job = job
        self.model = open_model(job.model)

    def __call__(self, table: Table) -> Table:
        check_audit_columns(self.job, table.column_names)
        given = {name: column_of(table, name) for name in self.job.columns}
        rows = []
        for number in range(table.num_rows):
            rows += self._rows({name: values[number] for name, values in given.items()})
        return as_table(rows)

    def _rows(self, given: dict[str, Any]) -> list[dict[str, Any]]:
        job = self.job
        image = given[job.input]
        name = given[job.name] if job.name is not None else image
        if isinstance(name, bytes):
            raise ArgumentError(f'the column "{job.input}" holds bytes, which have no name', "name= is the column of their names")
        classes = _listed(given.get(job.labels or ""))
        try:
            data = image if isinstance(image, bytes) else Path(image).read_bytes()
            objects = self._objects(given, classes)
        except (OSError, TypeError, ArgumentError) as error:
            return [{"path": str(name), "key": "", "classes": classes, "error": _said(image, error)}]
        found: list[dict[str, Any]] = self.model.audit_rows(
            data,
            str(name),
            path=None if isinstance(image, bytes) else image,
            labels=classes,
            objects=objects,
            object=job.everywhere,
            truth=job.truth,
            judge=job.judge,
            **job.settings,
        )
        return found

    def _objects(self, given: dict[str, Any], classes: list[str]) -> list[tuple[str | None, Any, str | None]]:
        job = self.job
        boxes = given.get(job.object_boxes or "")
        boxes = [] if boxes is None else list(boxes)
        named = _listed(given.get(job.object_classes or ""))
        if named and len(named) != len(boxes):
            raise ArgumentError(f"{len(boxes)} boxes have {len(named)} classes", "object_classes names one per box")
        only = classes[0] if len(classes) == 1 else None
        objects: list[tuple[str | None, Any, str | None]] = [
            (named[number] if named else only, box, None) for number, box in enumerate(boxes)
        ]
        return objects + [(only, None, mask) for mask in _listed(given.get(job.object_masks or ""))]


def _said(image: Any, error: Exception) -> str:
    """The words of the command line for a file that cannot be read."""
    return f"cannot read {image}: {error.strerror}" if isinstance(error, OSError) else str(error)


def _listed(value: Any) -> list[str]:
    """A text, a list of texts, or nothing, as a list."""
    if value is None:
        return []
    listed = [value] if isinstance(value, str) else [str(one) for one in value]
    return [one for one in listed if one.strip()]


def as_table(rows: list[dict[str, Any]]) -> Table:
    """Rows of an audit as a table; a column without any value has the type of the others."""
    import pyarrow as pa

    text, number, whole = pa.string(), pa.float64(), pa.int64()
    kinds = {
        "text": text,
        "number": number,
        "whole": whole,
        "truth": pa.bool_(),
        "texts": pa.list_(text),
        "numbers": pa.list_(number),
        "wholes": pa.list_(whole),
    }

    def values(name: str, kind: str) -> list[Any]:
        empty: Any = [] if kind.endswith("s") else None
        return [empty if row.get(name) is None else row[name] for row in rows]

    arrays = [pa.array(values(name, kind), kinds[kind]) for name, kind, _ in COLUMNS]
    return pa.table(arrays, names=[name for name, _, _ in COLUMNS])
