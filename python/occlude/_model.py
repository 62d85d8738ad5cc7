"""A model file, opened."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from occlude import _core
from occlude._arrays import library_of, noted_float32, shape_text, to_array
from occlude._audit import Audit, read_rows
from occlude._evaluation import Evaluation, named_maps, option_texts
from occlude._judgement import Judgement, judge_options, named_judge_options
from occlude._map import Map, carrying_partial_map, ranges_of_boxes
from occlude._progress import bar
from occlude._settings import OcclusionSettings, new_settings, run_settings
from occlude._text import is_truth, plain, sizes, whole
from occlude.exceptions import ArgumentError

if TYPE_CHECKING:
    from typing_extensions import Unpack

Progress = bool | Callable[..., Any] | None


def hidden_names(hide: str | Iterable[str] | None, names: list[str]) -> list[str]:
    """Which of the inputs windows hide: by default the first."""
    if not isinstance(hide, (str, Iterable, type(None))):
        raise ArgumentError(f"hide is {hide!r}, expected names of inputs", f"the inputs are {', '.join(names)}")
    wanted = names[:1] if hide is None else [hide] if isinstance(hide, str) else list(hide)
    unknown = [name for name in wanted if name not in names]
    if unknown or not wanted:
        raise ArgumentError(f"hide names {unknown or 'nothing'}, the inputs are {', '.join(names)}")
    return wanted


def joined(inputs: dict[str, _core.Input], hide: str | Iterable[str] | None) -> _core.Input:
    """All inputs of a model as one; windows are laid in the first that is hidden."""
    hidden = hidden_names(hide, list(inputs))
    result = inputs[hidden[0]]
    for name, other in inputs.items():
        if name != hidden[0]:
            result = result.beside(other, name in hidden)
    return result


class Model:
    """An ONNX model, ready to be occluded.

    Parameters
    ----------
    path
        An ``.onnx`` file, or a folder in the Hugging Face style, whose ``config.json`` (class names) and ``preprocessor_config.json``
        configure everything.
    layout
        ``"nchw"`` or ``"nhwc"`` where the model does not tell.
    preprocess
        How a picture becomes the input: ``"imagenet"``, ``"tf"``, ..., ``"resize=256,crop=224"`` (docs/formats.md); and how a volume does:
        ``"orient=RAS,spacing=1,window=400/40"`` (docs/volumes.md).
    threads, memory_limit, runtime
        Defaults of its runs: all cores, half of the memory, ``"builtin"``.

    Raises
    ------
    FileError
        Nothing there, or damaged.
    ModelError, UnsupportedError
        A model that contradicts itself or has an unknown operator, by operator and node.

    Examples
    --------
    >>> import numpy as np
    >>> import occlude
    >>> model = occlude.Model("examples/efficientnet-lite0")
    >>> map = model.occlusion("examples/images/coffee.jpg", window=64, stride=32)
    >>> map.targets[0].label, map.unit, map.values.shape
    ('espresso', 'probability', (6, 6))
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        layout: str | None = None,
        preprocess: str | None = None,
        threads: int | None = None,
        memory_limit: int | str | None = None,
        runtime: str | None = None,
    ) -> None:
        self._given: dict[str, Any] = {
            "layout": layout,
            "preprocess": preprocess,
            "threads": threads,
            "memory_limit": memory_limit,
            "runtime": runtime,
        }
        self._settings = new_settings(self._given)
        if not isinstance(path, (str, bytes, os.PathLike)):
            raise ArgumentError(
                f"a {type(path).__name__} is no path of a model",
                "expected an .onnx file or a folder that holds one; functions are mapped by occlude.occlusion(f, x)",
            )
        self._path = os.path.abspath(os.fsdecode(path))
        self._core = _core.Model(os.fsdecode(path), self._settings)

    @property
    def path(self) -> str:
        """The ``.onnx`` file."""
        return str(self._core.path)

    @property
    def inputs(self) -> dict[str, tuple[int | None, ...]]:
        """Shape of each input without the batch axis, by name; None = open."""
        return {name: tuple(dims) for name, dims, _ in self._core.inputs}

    @property
    def layout(self) -> str:
        """Where the channels of the first input are: ``"nchw"`` or ``"nhwc"``."""
        return self._core.inputs[0][2]

    @property
    def labels(self) -> list[str]:
        """Names of the classes by index; empty where the files beside the model do not say them."""
        return self._core.labels

    def inspect(self) -> dict[str, Any]:
        """What is known about the model: inputs, outputs, operators, cost per node, receptive field, what runs on whole tensors."""
        return dict(json.loads(self._core.inspect()))

    def _one(self, x: Any, name: str | None) -> _core.Input:
        if isinstance(x, (str, os.PathLike)):
            return self._core.read(x, name)
        if isinstance(x, (bytes, bytearray, memoryview)) or library_of(x) == "PIL":
            return self._picture(x, name)
        where, dims, _ = next(port for port in self._core.inputs if name in (None, port[0]))
        values, notes = noted_float32(x, f'the input "{where}"')
        if values.ndim == len(dims) + 1:
            if values.shape[0] != 1:
                raise ArgumentError(
                    f'the input "{where}" has shape {shape_text(values.shape)}: {values.shape[0]} examples',
                    "a map is of one example: give them one by one, x[i : i + 1]",
                )
            values = values[0]
        return self._core.tensor(values, name).noted(notes)

    def _picture(self, x: Any, name: str | None) -> _core.Input:
        first = self._core.inputs[0][0]
        if name not in (None, first):
            raise ArgumentError(f'a {type(x).__name__} cannot be the input "{name}"', f'pictures are for the first input, "{first}"')
        if library_of(x) != "PIL":
            return self._core.read_bytes(bytes(x), "bytes")
        from PIL import ImageOps

        return self._core.picture(np.ascontiguousarray(ImageOps.exif_transpose(x).convert("RGB"), dtype=np.uint8))

    def _input(self, x: Any, hide: str | Iterable[str] | None) -> _core.Input:
        if not isinstance(x, Mapping):
            if hide is not None:
                hidden_names(hide, [self._core.inputs[0][0]])
            return self._one(x, None)
        unknown = [name for name in x if name not in self.inputs]
        if unknown:
            raise ArgumentError(f"the model has no input {', '.join(unknown)}", f"its inputs are {', '.join(self.inputs)}")
        return joined({name: self._one(x[name], name) for name in self.inputs if name in x}, hide)

    def occlusion(
        self,
        x: Any,
        *,
        hide: str | Iterable[str] | None = None,
        progress: Progress = False,
        **settings: Unpack[OcclusionSettings],
    ) -> Map:
        """Hides one window after the other and maps how the score changes.

        Only what a window can reach inside the network is computed again. The interpreter is let go meanwhile. Ctrl-C stops the run;
        the exception has what was computed as ``partial_map``.

        Parameters
        ----------
        x
            A picture, through the model's preprocessing: a path, the bytes of a file, or a ``PIL.Image``; or the path of an ``.npy``
            file, of a volume (``.nii.gz``, a folder of DICOM files, a TIFF stack) or of a signal (CSV, WAV). Or a tensor of NumPy, torch,
            jax, TensorFlow or anything with DLPack, taken as it is: ``[1, C, H, W]`` or ``[C, H, W]`` for a channels-first model. For a
            model with several inputs, a mapping from their names.
        hide
            Of several inputs, the names of those that windows hide, at the same places; the first if not given.
        progress
            True for a tqdm bar, or a class like ``tqdm``.
        **settings
            See `OcclusionSettings`.

        Returns
        -------
        Map

        Raises
        ------
        ArgumentError
            A setting that is not understood, or does not fit the input or the model.
        FileError
            A file that cannot be read.
        LimitError
            More memory needed than allowed.
        NumberError
            NaN or infinity in the input or out of the model, or a self-check beyond its tolerance; has ``partial_map``.
        """
        input, chosen = self._prepared(x, hide, dict(settings))
        with carrying_partial_map(), bar(progress) as tell:
            return Map(self._core.run(input, chosen, tell))

    def stability(
        self,
        x: Any,
        *,
        fills: Any = (),
        windows: Iterable[Any] = (),
        seeds: int = 1,
        zero: float = 0.05,
        hide: str | Iterable[str] | None = None,
        progress: Progress = False,
        **settings: Unpack[OcclusionSettings],
    ) -> Map:
        """Makes a map, and says of every cell whether its sign depends on how the map is made: ``map.stability``.

        The same map is made by every combination of the fills, window sizes and seeds, the settings' own among them. Drawn maps and
        pages have stripes over the cells for which one of them says evidence for the target and another evidence against it;
        ``docs/stability.md`` has the rules.

        Parameters
        ----------
        x
            As for `occlusion`.
        fills
            Other fills by name, a list of names or numbers: ``["blur", "noise", 0]``.
        windows
            Other sizes of windows, as for ``window``: ``[16, (16, 32)]``.
        seeds
            Seeds of the fill ``"noise"``: the settings' own and those after it.
        zero
            A number below this share of the largest of its map has no sign.
        hide
            As for `occlusion`.
        progress
            As for `occlusion`; for each of the maps.
        **settings
            Of the map itself; see `OcclusionSettings`.

        Returns
        -------
        Map
            The map of the settings, with ``stability``.

        Raises
        ------
        ArgumentError
            Nothing to choose from, and what `occlusion` says.

        Examples
        --------
        >>> import occlude
        >>> model = occlude.Model("examples/efficientnet-lite0")
        >>> map = model.stability("examples/images/coffee.jpg", fills=["blur"], window=112)
        >>> map.stability.depends.shape, len(map.stability.variants)
        ((1, 3, 3), 1)
        """
        names = [fills] if isinstance(fills, (str, int, float)) else list(fills)
        if is_truth(zero) or not isinstance(zero, (int, float, np.number)):
            raise ArgumentError(f"zero is {zero!r}, expected a share from 0 to below 1")
        texts = [plain("fills", fill) for fill in names]
        of_windows = [windows] if isinstance(windows, (str, int, np.integer)) else list(windows)
        sizes_of = [sizes("windows", one) for one in of_windows]
        input, chosen = self._prepared(x, hide, dict(settings))
        with carrying_partial_map(), bar(progress) as tell:
            return Map(self._core.stability(input, chosen, texts, sizes_of, whole("seeds", seeds, 1), float(zero), tell))

    def judge(
        self,
        x: Any,
        object_boxes: Sequence[Sequence[float]] | None = None,
        object_mask: Any = None,
        *,
        hide: str | Iterable[str] | None = None,
        elsewhere: int | None = None,
        tolerance: float | None = None,
        object_from: float | None = None,
        surroundings_to: float | None = None,
        least_gain: float | None = None,
        least_probability: float | None = None,
        beyond_chance: float | None = None,
        progress: Progress = False,
        **settings: Unpack[OcclusionSettings],
    ) -> Judgement:
        """Says whether the model reads the object or what is around it.

        Beside the map it asks the model with the object hidden, with everything else hidden and with everything hidden, and with
        regions of the object's form elsewhere. What the verdict hangs on is in ``docs/judgement.md``.

        Parameters
        ----------
        x
            As for `occlusion`.
        object_boxes
            The object: ``[[x0, y0, x1, y1], ...]`` in pixels of the upright picture (elements, for tensors), as for `Map.judge`.
        object_mask
            The object instead: an array as large as the picture or the input's spatial axes, other than 0 inside.
        hide
            As for `occlusion`.
        elsewhere
            Regions of the object's form elsewhere; 8 if not given, 0 for none.
        tolerance
            Of the pointing game, in elements; 15 if not given.
        object_from
            The verdict is ``"object"`` from this share of the object on; 0.75 if not given.
        surroundings_to
            The verdict is ``"surroundings"`` up to this share; 0.25 if not given.
        least_gain
            What the score must gain over the input with everything hidden; 0.05 if not given.
        least_probability
            What a class must have to be judged, unless it is the most probable one; 0.1 if not given.
        beyond_chance
            By how much the object's share must exceed that of regions elsewhere; 0.05 if not given.
        progress
            As for `occlusion`.
        **settings
            See `OcclusionSettings`.

        Returns
        -------
        Judgement

        Raises
        ------
        ArgumentError
            No object, both kinds, one outside the input or all of it, and what `occlusion` says.
        """
        if (object_boxes is None) == (object_mask is None):
            raise ArgumentError("the object is boxes or a mask, one of them", "object_boxes=[[x0, y0, x1, y1]] in pixels of the picture")
        options = judge_options(
            {
                "elsewhere": elsewhere,
                "tolerance": tolerance,
                "object-from": object_from,
                "surroundings-to": surroundings_to,
                "least-gain": least_gain,
                "least-probability": least_probability,
                "beyond-chance": beyond_chance,
            }
        )
        input, chosen = self._prepared(x, hide, dict(settings))
        ranges = None if object_boxes is None else ranges_of_boxes(object_boxes, input.spatial_rank)
        inside = None
        if object_mask is not None:
            array = to_array(object_mask, "the mask")
            inside = np.ascontiguousarray(array != 0, dtype=np.int64)
        with carrying_partial_map(), bar(progress) as tell:
            map, said = self._core.judge(input, chosen, ranges, inside, options, tell)
            return Judgement(Map(map), said)

    def evaluate(
        self,
        x: Any,
        maps: Any = None,
        *,
        hide: str | Iterable[str] | None = None,
        map_target: int = 0,
        metrics: str | Iterable[str] | None = None,
        steps: int | None = None,
        random_maps: int | None = None,
        cells: int | None = None,
        subsets: int | None = None,
        subset_share: float | None = None,
        sensitivity_subsets: int | None = None,
        deletion_fill: Any = None,
        insertion_fill: Any = None,
        progress: Progress = False,
        **settings: Unpack[OcclusionSettings],
    ) -> Evaluation:
        """Says whether the model's answer follows maps of an input, beside what random maps of the same texture get.

        Deletion and insertion curves, average drop, sensitivity-n and MuFidelity for one target; formulas are in ``docs/evaluate.md``.

        Parameters
        ----------
        x
            As for `occlusion`.
        maps
            A `Map` of this input, an array of any library (a saliency map ``[H, W]``, ``[1, H, W]`` or ``[C, H, W]``, which is summed
            over its channels; NaN where nothing is known), a list of them, or a dict that names them. None makes the map of the
            settings and evaluates it.
        hide
            As for `occlusion`.
        map_target
            Which target of maps, from 0.
        metrics
            ``"deletion"``, ``"insertion"``, ``"drop"``, ``"sensitivity-n"``, ``"mufidelity"``, or a list of them; all if not given.
        steps
            Steps of the curves; 20 if not given.
        random_maps
            Random maps beside each map; 19 if not given, 0 for none.
        cells
            Cells along each axis that random sets are made of; 9 if not given.
        subsets, subset_share
            Random sets of MuFidelity, and the share of the cells in each; 200 and 0.2 if not given.
        sensitivity_subsets
            Random sets of sensitivity-n for each size; 100 if not given.
        deletion_fill
            What places are replaced by, a number or a name as for ``fill``; the fill of the settings if not given.
        insertion_fill
            What places are brought back into; ``"blur"`` if not given.
        progress
            As for `occlusion`.
        **settings
            See `OcclusionSettings`; ``seed`` also draws random sets and random maps.

        Returns
        -------
        Evaluation

        Raises
        ------
        ArgumentError
            Several targets, a map that does not fit the input, and what `occlusion` says.

        Examples
        --------
        >>> import occlude
        >>> model = occlude.Model("examples/efficientnet-lite0")
        >>> found = model.evaluate("examples/images/coffee.jpg", metrics="deletion", steps=4, random_maps=3, window=56)
        >>> found["deletion"].better, len(found["deletion"].random.values)
        ('lower', 3)
        """
        options = option_texts(
            {
                "metrics": metrics,
                "steps": steps,
                "random-maps": random_maps,
                "cells": cells,
                "subsets": subsets,
                "subset-share": subset_share,
                "sensitivity-subsets": sensitivity_subsets,
                "deletion-fill": deletion_fill,
                "insertion-fill": insertion_fill,
            }
        )
        target = whole("map_target", map_target)
        sides = named_maps(maps, target)
        input, chosen = self._prepared(x, hide, dict(settings))
        with bar(progress) as tell:
            return Evaluation(self._core.evaluate(input, chosen, sides, target, options, tell))

    def audit(
        self,
        dataset: str | os.PathLike[str],
        output: str | os.PathLike[str],
        *,
        images: str | os.PathLike[str] | None = None,
        object_masks: str | os.PathLike[str] | None = None,
        object: Sequence[float] | None = None,
        truth: bool = False,
        workers: int | None = None,
        retry_errors: bool = False,
        pages: int = 24,
        judge: Mapping[str, float] | None = None,
        progress: Progress = False,
        **settings: Unpack[OcclusionSettings],
    ) -> Audit:
        """Says over a data set whether the model reads objects or what is around them.

        Every image is judged as by `judge`, and has a row. Called again with the same settings it goes on where it was stopped. What
        it reads, keeps and counts is in ``docs/audit.md``.

        Parameters
        ----------
        dataset
            A folder of images, a folder with one folder per class, a ``.csv`` file (columns ``path``, and of ``class``, ``x0``, ``y0``,
            ``x1``, ``y1``, ``mask`` what is known), COCO's ``.json``, or Pascal VOC's folder.
        output
            The folder of the audit, made or gone on with.
        images
            The folder of the images that a table or a COCO file names; looked for beside it if not given.
        object_masks
            A folder of masks of the objects: for ``a/b.jpg`` the file ``a/b.png`` or ``a/b.npy`` in it.
        object
            The object of images that have none of their own, ``[x0, y0, x1, y1]`` as shares of width and height, 0 to 1.
        truth
            Measures the classes that the data set says an image shows, instead of `target`.
        workers
            Images at once; one per thread if not given, as far as memory allows.
        retry_errors
            Tries images again whose rows are errors.
        pages
            Images most driven by surroundings that are listed, each with a page of its map.
        judge
            What verdicts hang on, by the keywords of `judge`: ``{"elsewhere": 4, "object_from": 0.8}``.
        progress
            As for `occlusion`; counts images.
        **settings
            See `OcclusionSettings`; arrays in memory (fill, regions, masks) are for single maps.

        Returns
        -------
        Audit

        Raises
        ------
        ArgumentError
            Settings that fit none of the first images, a folder of another audit.
        FileError
            No such data set, or what the system says about the folder. What is wrong with one image is the ``error`` of its row.
        """
        if truth and settings.get("target") is not None:
            raise ArgumentError("truth and target are both given", "truth=True measures the classes of the data set")
        chosen = self._audit_settings(dict(settings))
        everywhere = None if object is None else [float(share) for share in object]
        if everywhere is not None and len(everywhere) != 4:
            raise ArgumentError(f"object has {len(everywhere)} numbers, expected x0, y0, x1, y1", "as shares of width and height, 0 to 1")
        folder = Path(output)
        with bar(progress, "image") as tell:
            said = _core.audit(
                self._core,
                dataset,
                folder,
                chosen,
                named_judge_options(judge),
                images=images,
                object_masks=object_masks,
                everywhere=everywhere,
                truth=truth,
                workers=workers,
                retry_errors=retry_errors,
                pages=pages,
                progress=tell,
            )
        return Audit(folder, said)

    def _audit_settings(self, settings: dict[str, Any]) -> _core.Settings:
        """Settings that are the same for every image."""
        for name in ("layout", "preprocess"):
            if name in settings:
                raise ArgumentError(f"{name} is a setting of the model, not of a run", f"occlude.Model(path, {name}=...)")
        for name in ("regions", "masks"):
            if settings.get(name) is not None and not isinstance(settings[name], (str, os.PathLike)):
                raise ArgumentError(f"{name} is an array, and an audit's settings are text", "save it, and give the file")
        fill = settings.get("fill")
        if fill is not None and np.ndim(fill) > 1:
            raise ArgumentError(f"fill has {np.ndim(fill)} axes, and an audit's fill is a name, a number or one per channel")
        return run_settings(settings, [], self._settings)

    def audit_rows(
        self,
        data: bytes,
        name: str,
        *,
        path: str | os.PathLike[str] | None = None,
        labels: Sequence[str] = (),
        objects: Sequence[tuple[str | None, Sequence[float] | None, str | os.PathLike[str] | None]] = (),
        object: Sequence[float] | None = None,
        truth: bool = False,
        judge: Mapping[str, float] | None = None,
        **settings: Unpack[OcclusionSettings],
    ) -> list[dict[str, Any]]:
        """The rows that an audit keeps of one image; a failure is a row with its ``error``. For data sets of other kinds.

        Parameters
        ----------
        data
            The bytes of a picture file or of an ``.npy`` file.
        name
            Its name in the data set, the column ``path``.
        path
            The file that the bytes are of; volumes are read from it.
        labels
            The classes that it shows.
        objects
            Its objects: class or None, box ``[x0, y0, x1, y1]`` in pixels or None, file of a mask or None.
        object, truth, judge, **settings
            As for `audit`.

        Returns
        -------
        list of dict
            By the columns of ``docs/audit.md``, one per target.
        """
        boxed = [(kind, None if box is None else [float(edge) for edge in box], mask) for kind, box, mask in objects]
        said = _core.audit_rows(
            self._core,
            data,
            name,
            list(labels),
            boxed,
            self._audit_settings(dict(settings)),
            named_judge_options(judge),
            path=path,
            everywhere=None if object is None else [float(share) for share in object],
            truth=truth,
        )
        return list(read_rows(said))

    def _prepared(self, x: Any, hide: str | Iterable[str] | None, settings: dict[str, Any]) -> tuple[_core.Input, _core.Settings]:
        for name in ("layout", "preprocess"):
            if name in settings:
                raise ArgumentError(f"{name} is a setting of the model, not of a run", f"occlude.Model(path, {name}=...)")
        input = self._input(x, hide)
        return input, run_settings(settings, input.shape, self._settings)

    def outputs(self, x: Any) -> dict[str, NDArray[np.float32]]:
        """What the model makes of an input, by one full run: its outputs ``[1, ...]`` by name.

        Parameters
        ----------
        x
            As for `occlusion`.
        """
        return dict(self._core.outputs(self._input(x, None)))

    def __reduce__(self) -> tuple[Any, ...]:
        return _open, (self._path, self._given)

    def __repr__(self) -> str:
        shapes = ", ".join(
            f'"{name}" {shape_text(["?" if n is None else n for n in dims])}'  # type: ignore[misc]
            for name, dims in self.inputs.items()
        )
        return f"<occlude.Model {os.path.basename(self.path)}: {shapes}>"


def _open(path: str, given: dict[str, Any]) -> Model:
    return Model(path, **given)
