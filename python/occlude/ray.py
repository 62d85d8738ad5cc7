"""Maps, judgements and audits over a Ray Data data set, on one machine or on a cluster.

In: a ``ray.data.Dataset`` with a column of paths, encoded pictures or tensors, and a model. Out: a lazy ``Dataset`` with a row per
row. Ray Data does all that is distributed: workers that each open the model once, moving rows, starting again after a crash. What a
worker does with a batch is in `occlude._ray_worker` and, for audits, `occlude._ray_audit`.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable, Mapping, Sequence
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any

from occlude._arrays import to_numpy
from occlude._ray_audit import AuditJob, AuditWorker, check_audit_columns
from occlude._ray_worker import ARRAYS, FACTS, JUDGED, Job, Opened, Worker, check_columns
from occlude._settings import OcclusionSettings, new_settings
from occlude.exceptions import ArgumentError

if TYPE_CHECKING:
    from ray.data import Dataset
    from typing_extensions import Unpack

__all__ = ["audit", "judgements", "maps"]

_MAP_OUTPUTS = ("map", *FACTS[:4], "most_probable", "complete")


def maps(
    dataset: Dataset,
    model: Opened,
    *,
    input: str | Mapping[str, str] = "image",
    concurrency: int | tuple[int, int] | None = None,
    num_cpus: float = 1,
    batch_size: int = 8,
    hide: str | Iterable[str] | None = None,
    outputs: Iterable[str] = _MAP_OUTPUTS,
    keep_input: bool = False,
    options: Mapping[str, Any] | None = None,
    **settings: Unpack[OcclusionSettings],
) -> Dataset:
    """Maps every row of a data set. Nothing runs before the result is used.

    Parameters
    ----------
    dataset
        A ``ray.data.Dataset``.
    model
        The path of a model file or folder, which **every worker** must be able to open: on shared storage, in the ``working_dir`` of
        the job's ``runtime_env``, or part of the workers' image. A relative path is relative to the worker's working folder. Or a
        function without arguments that makes an `occlude.Model`, an `occlude.Function` or what `occlude.from_torch` returns; it is
        called once in every worker.
    input
        The column to map: paths (of pictures or ``.npy`` files, readable from every worker), encoded pictures or ``.npy`` files as
        bytes (``ray.data.read_binary_files``), or tensors, taken as they are, without batch axis: ``[C, H, W]``. For a model with
        several inputs a mapping from their names to columns.
    concurrency
        Workers: how many at most, ``(fewest, most)``, or None for as many as the cluster has room for. Reading the data set needs a core
        too: `fewest` (1 if not said) times `num_cpus` must be less than the cores of the cluster.
    num_cpus
        Cores of each worker, and the threads that it uses.
    batch_size
        Rows that a worker takes at once, at least; also the fewest rows in a task. Use 1 for few inputs and long runs.
    hide
        Of several inputs, the names of those that windows hide; see `occlude.Model.occlusion`.
    outputs
        The columns to add, see below; without ``"map"`` for numbers only. ``error`` is always there.
    keep_input
        Whether bytes and tensors of the input column stay in the result. Paths always do.
    options
        More arguments of ``Dataset.map_batches``: ``num_gpus``, ``memory``, ``resources``, ``runtime_env``, ...
    **settings
        See `occlude.OcclusionSettings`. `threads` replaces the number that `num_cpus` gives.

    Returns
    -------
    ray.data.Dataset
        All columns that came in (of the input column, see `keep_input`) and, of `outputs`:

        ``map``, ``attribution``, ``sensitivity``, ``scores``
            float32 ``[windows...]`` or ``[elements...]``, as the property of `occlude.Map` of that name.
        ``target``, ``class_index``, ``baseline``
            Label, class (null for other targets), score on the untouched input in ``unit``.
        ``unit``
            ``"probability"``, ``"logit"``, ...
        ``most_probable``
            int32 ``[windows...]``: the class with the greatest output while a window is hidden; of size 0 without classes.
        ``complete``
            Whether every window was computed.
        ``error``
            Null, or why the row has no map (or only a part of one): a broken picture is a row, not the end of the job. Arrays of
            such a row have size 0, facts are null.

        Where `target` asks for several (``"top5"``, ``"all"``, a list), arrays have the targets as their first axis and ``target``,
        ``class_index`` and ``baseline`` are lists, also if only one is found.

    Raises
    ------
    ArgumentError
        At once: Ray is not installed, an unknown setting or output, a column that is missing or would be overwritten. While running,
        as the cause of Ray's own error: a model that a worker cannot open.

    Warns
    -----
    UserWarning
        The workers leave no core for reading.

    Examples
    --------
    >>> import ray  # doctest: +SKIP
    >>> pictures = ray.data.read_binary_files("s3://bucket/pictures", include_paths=True)  # doctest: +SKIP
    >>> found = occlude.ray.maps(pictures, "/shared/model.onnx", input="bytes", window=32, stride=16)  # doctest: +SKIP
    >>> found.write_parquet("s3://bucket/maps")  # doctest: +SKIP
    """
    chosen = tuple(dict.fromkeys(outputs))
    unknown = [name for name in chosen if name not in (*ARRAYS, *FACTS, "error")]
    if unknown:
        raise ArgumentError(f"outputs has {', '.join(map(repr, unknown))}", f"there are {', '.join((*ARRAYS, *FACTS))}")
    job = _job(model, input, num_cpus, hide, keep_input, chosen, None, dict(settings))
    return _run(dataset, job, concurrency, num_cpus, batch_size, options)


def judgements(
    dataset: Dataset,
    model: Opened,
    *,
    input: str | Mapping[str, str] = "image",
    object_boxes: str | None = None,
    object_mask: str | None = None,
    tolerance: float = 15.0,
    concurrency: int | tuple[int, int] | None = None,
    num_cpus: float = 1,
    batch_size: int = 8,
    hide: str | Iterable[str] | None = None,
    keep_input: bool = False,
    options: Mapping[str, Any] | None = None,
    **settings: Unpack[OcclusionSettings],
) -> Dataset:
    """Like `maps`, with what a map says about a known object instead of the map: a few numbers per row.

    Parameters
    ----------
    dataset, model, input, concurrency, num_cpus, batch_size, hide, keep_input, options, **settings
        See `maps`. There must be one target.
    object_boxes
        The column of the object's boxes, ``[[x0, y0, x1, y1], ...]`` in pixels of the picture file (elements, for tensors). ``"boxes"`` if
        neither it nor `object_mask` is given.
    object_mask
        The column of the object's mask instead, a tensor over the input's spatial axes, other than 0 inside.
    tolerance
        Of the pointing game, in elements.

    Returns
    -------
    ray.data.Dataset
        The columns that came in, ``target``, ``class_index``, ``baseline``, ``unit``, ``complete``, ``error`` as in `maps`, and of
        `occlude.Map.judge`, which has the definitions: ``share_inside``, ``pointing_hit``, ``rank_accuracy`` (0 to 1, and what a uniform
        map would have beside each, ``share_inside_uniform``, ...), ``density_ratio`` (a uniform map has 1), ``object_share`` (0 to 1),
        ``evidence_inside``, ``evidence_outside``, and ``notes``, words. Null is what cannot be said, as where nothing is evidence.

    Raises
    ------
    ArgumentError
        As `maps`; also if both `object_boxes` and `object_mask` are given, or several targets are asked for.
    """
    if object_boxes is not None and object_mask is not None:
        raise ArgumentError("object_boxes and object_mask are both given", "name one column that says where the object is")
    judged = ("boxes", object_boxes or "boxes") if object_mask is None else ("mask", object_mask)
    job = _job(model, input, num_cpus, hide, keep_input, (*FACTS, *JUDGED), judged, dict(settings), tolerance)
    if job.several:
        raise ArgumentError(f"target is {settings.get('target')!r}: a judgement is of one target", "call judgements once per target")
    return _run(dataset, job, concurrency, num_cpus, batch_size, options)


def audit(
    dataset: Dataset,
    model: str | os.PathLike[str],
    *,
    input: str = "path",
    name: str | None = None,
    labels: str | None = None,
    object_boxes: str | None = None,
    object_classes: str | None = None,
    object_masks: str | None = None,
    object: Sequence[float] | None = None,
    truth: bool = False,
    judge: Mapping[str, float] | None = None,
    concurrency: int | tuple[int, int] | None = None,
    num_cpus: float = 1,
    batch_size: int = 8,
    options: Mapping[str, Any] | None = None,
    **settings: Unpack[OcclusionSettings],
) -> Dataset:
    """Audits every row of a data set: the rows that `occlude.Model.audit` keeps, made by many workers.

    Written as Parquet, they are summed up by `occlude.summarize_audit`. Nothing runs before the result is used.

    Parameters
    ----------
    dataset, concurrency, num_cpus, batch_size, options
        See `maps`.
    model
        The path of a model file or folder, which every worker must be able to open.
    input
        The column of images: paths, readable from every worker, or bytes of picture or ``.npy`` files.
    name
        The column of their names, the column ``path`` of the result; for paths the input column if not given.
    labels
        The column of the classes that they show: texts, or lists of texts.
    object_boxes, object_classes
        The columns of the objects' boxes, ``[[x0, y0, x1, y1], ...]`` in pixels, and of their classes, as many texts. An image of one
        class has objects of that class.
    object_masks
        The column of files with the objects' masks, paths or lists of paths.
    object, truth, judge, **settings
        See `occlude.Model.audit`.

    Returns
    -------
    ray.data.Dataset
        The columns of ``docs/audit.md`` and no others, a row per image and target. An image that cannot be judged has an ``error``.

    Raises
    ------
    ArgumentError
        At once: Ray is not installed, an unknown setting, a column that is missing, bytes without a column of names. While running, as
        the cause of Ray's own error: a model that a worker cannot open.

    Examples
    --------
    >>> found = occlude.ray.audit(ray.data.read_csv("birds.csv"), "/shared/model.onnx", labels="class")  # doctest: +SKIP
    >>> found.write_parquet("/shared/rows")  # doctest: +SKIP
    >>> occlude.summarize_audit("/shared/rows")["verdicts"]  # doctest: +SKIP
    """
    if callable(model) or not isinstance(model, (str, os.PathLike)):
        raise ArgumentError(f"model is a {type(model).__name__}, expected the path of a model that every worker can open")
    given = {key: value for key, value in settings.items() if value is not None}
    new_settings(given)  # here, and not as the error of every row
    given.setdefault("threads", max(1, int(num_cpus)))
    job = AuditJob(
        model=model,
        input=input,
        name=name,
        labels=labels,
        object_boxes=object_boxes,
        object_classes=object_classes,
        object_masks=object_masks,
        everywhere=None if object is None else tuple(float(share) for share in object),
        truth=truth,
        judge=dict(judge or {}),
        settings=given,
    )
    return _run(dataset, job, concurrency, num_cpus, batch_size, options)


def _job(
    model: Opened,
    input: str | Mapping[str, str],
    num_cpus: float,
    hide: str | Iterable[str] | None,
    keep_input: bool,
    outputs: tuple[str, ...],
    judged: tuple[str, str] | None,
    settings: Mapping[str, Any],
    tolerance: float = 0.0,
) -> Job:
    if not callable(model) and not isinstance(model, (str, os.PathLike)):
        raise ArgumentError(
            f"model is a {type(model).__name__}, expected a path or a function without arguments",
            "workers are other processes, and open the model themselves: lambda: occlude.Model(...)",
        )
    if isinstance(num_cpus, bool) or not isinstance(num_cpus, Real) or num_cpus < 0:
        raise ArgumentError(f"num_cpus is {num_cpus!r}, expected a number from 0")
    given = {name: value for name, value in settings.items() if value is not None}
    new_settings(given)  # here, and not as the error of every row
    for name in ("fill", "masks", "regions"):
        if name in given and not isinstance(given[name], (str, os.PathLike, Real)):
            given[name] = to_numpy(given[name])  # workers may lack the library that it comes from
    given.setdefault("threads", max(1, int(num_cpus)))
    hidden = hide if hide is None or isinstance(hide, str) else list(hide)
    return Job(model, input, hidden, keep_input, outputs, judged, tolerance, _asks_for_several(given.get("target")), given)


def _asks_for_several(target: Any) -> bool:
    """Whether a target may be more than one, by how it is written: what is found may differ from row to row, types may not."""
    if target is None or isinstance(target, Integral):
        return False
    if not isinstance(target, str):
        return True
    text = target.strip().lower()
    kind, _, rest = text.partition(":")
    pick = rest.partition("@")[0] if kind == "segment" else text
    count = pick.removeprefix("top")
    return "," in text or pick == "all" or (pick.startswith("top") and count.isdecimal() and int(count) != 1)


def _run(
    dataset: Dataset,
    job: Job | AuditJob,
    concurrency: int | tuple[int, int] | None,
    num_cpus: float,
    batch_size: int,
    options: Mapping[str, Any] | None,
) -> Dataset:
    try:
        import ray
        import ray.data.dataset
    except ImportError:
        raise ArgumentError("occlude.ray needs Ray Data, which is not installed", "pip install 'occlude[ray]'") from None
    if not isinstance(dataset, ray.data.Dataset):
        raise ArgumentError(f"dataset is a {type(dataset).__name__}, expected a ray.data.Dataset", "as of ray.data.read_binary_files(...)")
    schema = dataset.schema(fetch_if_missing=False)
    if schema is not None and isinstance(job, AuditJob):
        check_audit_columns(job, list(schema.names))
    elif schema is not None and isinstance(job, Job):
        check_columns(job, list(schema.names))
    fewest, most = concurrency if isinstance(concurrency, tuple) else (1, concurrency)
    if ray.is_initialized() and not isinstance(dataset, ray.data.dataset.MaterializedDataset):
        cores = ray.cluster_resources().get("CPU", 0)
        if fewest * num_cpus >= cores:
            warnings.warn(
                f"{fewest} workers of {num_cpus:g} cores take all {cores:g} cores of the cluster, and Ray Data needs one more to read the "
                "data set: unless the cluster grows the job waits for ever. Ask for fewer workers or a smaller num_cpus, or call "
                "dataset.materialize() first",
                stacklevel=3,
            )
    # Ray Data starts workers of a pool again, and repeats their tasks, as often as needed: its defaults for actors.
    return dataset.map_batches(
        AuditWorker if isinstance(job, AuditJob) else Worker,
        fn_constructor_kwargs={"job": job},
        batch_size=batch_size,
        batch_format="pyarrow",
        compute=ray.data.ActorPoolStrategy(min_size=fewest, max_size=most),
        num_cpus=num_cpus,
        **dict(options or {}),
    )
