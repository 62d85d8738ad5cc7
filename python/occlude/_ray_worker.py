"""What a worker of `occlude.ray` does: a batch of rows in, the same rows with columns of results out.

In: a `Job`, once, and tables of pyarrow. Out: tables, whose columns have the same types in every batch, also in one that failed as
a whole. A row that fails has its error in it. Which rows, which worker and when is Ray's; what a user sees of it is in
`occlude.ray`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from occlude._function import Function
from occlude._map import Map
from occlude._model import Model
from occlude.exceptions import ArgumentError, FileError, OccludeError

if TYPE_CHECKING:
    from pyarrow import Table

Row = dict[str, Any]
# What a worker is given: a path, or a function that makes a `Model`, `Function` or `Exported`.
Opened = str | os.PathLike[str] | Callable[[], Any]

# Columns that hold arrays, and whether targets are their first axis.
ARRAYS: dict[str, tuple[type[np.generic], bool]] = {
    "map": (np.float32, True),
    "attribution": (np.float32, True),
    "sensitivity": (np.float32, True),
    "scores": (np.float32, True),
    "most_probable": (np.int32, False),
}
# Columns that say what the numbers are; those of a target become lists where several are asked for.
FACTS = ("target", "class_index", "baseline", "unit", "complete")
_PER_TARGET = ("target", "class_index", "baseline")
# Columns of a judgement, and where each is in what `Map.judge` returns.
JUDGED: dict[str, tuple[str, ...]] = {
    "share_inside": ("share_inside", "value"),
    "share_inside_uniform": ("share_inside", "uniform"),
    "pointing_hit": ("pointing", "hit", "value"),
    "pointing_hit_uniform": ("pointing", "hit", "uniform"),
    "rank_accuracy": ("rank_accuracy", "value"),
    "rank_accuracy_uniform": ("rank_accuracy", "uniform"),
    "density_ratio": ("density_ratio", "value"),
    "object_share": ("object_share",),
    "evidence_inside": ("evidence_inside",),
    "evidence_outside": ("evidence_outside",),
    "notes": ("notes",),
}


@dataclass(frozen=True)
class Job:
    """What a worker must know; travels to it once."""

    model: Opened
    inputs: str | Mapping[str, str]
    hide: str | list[str] | None
    keep_input: bool
    outputs: tuple[str, ...]
    # How and by which column `Map.judge` is told of the object, ("boxes", "boxes"); None for maps.
    judged: tuple[str, str] | None
    tolerance: float
    several: bool
    settings: Mapping[str, Any]

    @property
    def columns(self) -> list[str]:
        """The columns that a row is read from."""
        own = [self.inputs] if isinstance(self.inputs, str) else list(self.inputs.values())
        return list(dict.fromkeys(own if self.judged is None else [*own, self.judged[1]]))


def check_columns(job: Job, names: list[str]) -> None:
    """Raises ArgumentError where a column is missing, or one that is added is already there."""
    missing = [name for name in job.columns if name not in names]
    if missing:
        raise ArgumentError(f"the data set has no column {', '.join(missing)}", f"its columns are {', '.join(names)}")
    twice = [name for name in (*job.outputs, "error") if name in names]
    if twice:
        raise ArgumentError(
            f"the data set has a column {', '.join(twice)}, which the result would overwrite",
            f'rename it: dataset.rename_columns({{"{twice[0]}": "given_{twice[0]}"}})',
        )


class Worker:
    """Lives in one process of the pool: opens the model once, then turns batches into batches."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.model = open_model(job.model)
        # Number of axes of the arrays so far: tensors of a column may differ in shape, but not in that.
        self.axes: dict[str, int] = {}

    def __call__(self, table: Table) -> Table:
        job = self.job
        check_columns(job, table.column_names)
        given = {name: column_of(table, name) for name in job.columns}
        rows = [self._row({name: values[i] for name, values in given.items()}) for i in range(table.num_rows)]
        if not job.keep_input:
            boxes = job.judged[1] if job.judged is not None and job.judged[0] == "boxes" else None
            table = table.drop_columns([name for name in job.columns if name != boxes and _is_heavy(table, name)])
        for name in (*job.outputs, "error"):
            values = [row.get(name) for row in rows]
            table = table.append_column(name, self._tensors(name, values) if name in ARRAYS else _facts(name, values, job.several))
        return table

    def _row(self, given: Row) -> Row:
        """The map of one row, or why there is none. Whatever a picture or a function raises is about this row alone."""
        found: Row = {"error": None}
        try:
            map = self._map(given)
        except Exception as error:
            found["error"] = _said(error)
            part = getattr(error, "partial_map", None)
            if part is None:
                return found
            map = part
        try:
            found.update(self._read(map))
            if self.job.judged is not None and found["error"] is None:
                found.update(self._judge(map, given))
        except Exception as error:
            found["error"] = found["error"] or _said(error)
        return found

    def _map(self, given: Row) -> Map:
        inputs = self.job.inputs
        if isinstance(inputs, str):
            x = _one(given[inputs], inputs, self.model)
        else:
            x = {name: _one(given[column], column, self.model) for name, column in inputs.items()}
        settings = dict(self.job.settings)
        if isinstance(self.model, Function):
            settings.pop("threads", None)  # of the engine, which does not run a function
        made = self.model.occlusion(x, hide=self.job.hide, **settings)
        if not isinstance(made, Map):
            raise ArgumentError(f"occlusion made a {type(made).__name__}, expected an occlude.Map")
        return made

    def _read(self, map: Map) -> Row:
        targets, several = map.targets, self.job.several
        found: Row = {"unit": map.unit, "complete": map.complete}
        for name, values in (
            ("target", [target.label for target in targets]),
            ("class_index", [target.class_index for target in targets]),
            ("baseline", [target.baseline for target in targets]),
        ):
            found[name] = values if several else values[0]
        for name in self.job.outputs:
            if name not in ARRAYS:
                continue
            array = getattr(map, "values" if name == "map" else name)
            if array is not None and ARRAYS[name][1] and several and len(targets) == 1 and np.ndim(map.baseline) == 0:
                array = array[None]
            if array is not None:
                self.axes[name] = array.ndim
            found[name] = array
        return found

    def _judge(self, map: Map, given: Row) -> Row:
        argument, column = self.job.judged or ("boxes", "boxes")
        value = given[column]
        if value is None:
            raise ArgumentError(f'the column "{column}" is null: where the object is, is not known')
        judgement = map.judge(**{argument: value}, tolerance=self.job.tolerance)
        return {name: _at(judgement, path) for name, path in JUDGED.items()}

    def _tensors(self, name: str, arrays: list[NDArray[Any] | None]) -> Any:
        from ray.data.block import BlockAccessor

        empty = np.zeros((0,) * self.axes.get(name, 1), ARRAYS[name][0])
        block = BlockAccessor.batch_to_block({name: [empty if array is None else array for array in arrays]})
        return block.column(name)


def _said(error: Exception) -> str:
    return str(error) if isinstance(error, OccludeError) else f"{type(error).__name__}: {error}"


def open_model(model: Opened) -> Any:
    if isinstance(model, (str, os.PathLike)):
        try:
            return Model(model)
        except FileError as error:
            raise FileError(
                f"a worker cannot open the model: {error.message}",
                f"its working folder is {os.getcwd()}; every worker must be able to read the path: shared storage, the working_dir of the "
                "runtime_env, or the workers' image",
            ) from error
    opened = model()
    if not callable(getattr(opened, "occlusion", None)):
        raise ArgumentError(
            f"the function that makes the model returned a {type(opened).__name__}",
            "expected an occlude.Model, an occlude.Function or what occlude.from_torch returns",
        )
    return opened


def _one(value: Any, column: str, model: Any) -> Any:
    """A value of the input column as `Model.occlusion` takes it."""
    if value is None:
        raise ArgumentError(f'the column "{column}" is null')
    if isinstance(value, (str, bytes)) and not isinstance(model, Model):
        raise ArgumentError(
            f'the column "{column}" holds {"paths" if isinstance(value, str) else "bytes"}, which only an ONNX model can read',
            "a function takes tensors: make them by dataset.map(...)",
        )
    return value if isinstance(value, (str, bytes)) else np.asarray(value)[None]


def _is_heavy(table: Table, name: str) -> bool:
    import pyarrow as pa

    kind = table.schema.field(name).type
    return not (pa.types.is_string(kind) or pa.types.is_large_string(kind))


def column_of(table: Table, name: str) -> list[Any]:
    """The values of a column: str, bytes, lists, or arrays for a column of tensors."""
    import pyarrow as pa

    kind = table.schema.field(name).type
    if not isinstance(kind, pa.BaseExtensionType):
        return list(table.column(name).to_pylist())
    from ray.data.block import BlockAccessor

    return list(BlockAccessor.for_block(table.select([name])).to_numpy(name))


def _facts(name: str, values: list[Any], several: bool) -> Any:
    """A column of a fixed type, so that a batch without any value has the type of the others."""
    import pyarrow as pa

    text, number = pa.string(), pa.float64()
    kinds = {"class_index": pa.int64(), "baseline": number, "complete": pa.bool_(), "notes": pa.list_(text)}
    kind = kinds.get(name, number if name in JUDGED else text)
    return pa.array(values, pa.list_(kind) if several and name in _PER_TARGET else kind)


def _at(found: Any, path: tuple[str, ...]) -> Any:
    """A number of a judgement; None where it cannot be said."""
    for name in path:
        if found is not None:
            found = found[name]
    return found
