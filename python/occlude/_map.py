"""The map: what a run found, as arrays, a picture, a page and files."""

from __future__ import annotations

import html
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from occlude import _core
from occlude._arrays import to_array
from occlude._text import is_truth, items_of, whole, whole_or_none
from occlude.exceptions import ArgumentError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_BOXES = "[[x0, y0, x1, y1], ...], one list of numbers for each box"
_Kind = TypeVar("_Kind", bound=np.generic)


@dataclass(frozen=True)
class Target:
    """One thing that was measured.

    Attributes
    ----------
    label : str
        For people, short: ``"espresso"``, ``"class 967"``; of a class name with several synonyms (separated by commas) the first.
    class_index : int or None
        For a class.
    spec : str
        The target as it can be asked for again: ``"967"``, ``"node:relu5:max"``. For classifiers of scikit-learn, whose classes may
        be named by numbers, ask by `class_index`.
    baseline : float
        Score on the untouched input, in `unit`.
    unit : str
        ``"probability"``, ``"logit"``, ``"log-odds"``, ``"logit margin"``, ``"output"``, ``"activation"``.
    name : str
        The full name: of a class all its synonyms, ``"cowboy hat, ten-gallon hat"`` where the label is the first.
    """

    label: str
    class_index: int | None
    spec: str
    baseline: float
    unit: str
    name: str


@dataclass(frozen=True)
class Window:
    """One window of a ranking.

    Attributes
    ----------
    index : int
        Its number; on a grid the flat index.
    place : tuple of int
        Its index per axis of the grid.
    sensitivity, score : float
        Baseline minus occluded score, and the occluded score.
    most_probable : int or None
        The most probable class with the window hidden.
    in_input : tuple of (int, int)
        ``(start, end)`` in elements, per axis of the input (batch axis left out).
    in_source : tuple of (float, float)
        ``(start, end)`` in source units (pixels of the picture file), per spatial axis.
    """

    index: int
    place: tuple[int, ...]
    sensitivity: float
    score: float
    most_probable: int | None
    in_input: tuple[tuple[int, int], ...]
    in_source: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Geometry:
    """The way from elements of the input tensor back to the source: ``source = offset + scale * edge`` per spatial axis.

    Attributes
    ----------
    source_size : tuple of int
        Size of the upright source, in `unit`: ``(height, width)`` of a picture file.
    size : tuple of int
        Size of the input tensor, in elements.
    scale, offset : tuple of float
        Source units per element, and the source position of the tensor's first edge.
    unit : str
        ``"px"``, ``"elements"``, ``"voxels"`` (of the file with its axes turned as the steps turned them) or ``"samples"``.
    """

    source_size: tuple[int, ...]
    size: tuple[int, ...]
    scale: tuple[float, ...]
    offset: tuple[float, ...]
    unit: str


def _kept(array: NDArray[_Kind]) -> NDArray[_Kind]:
    # The same array is given to all who ask, so nobody writes into it.
    array.setflags(write=False)
    return array


@dataclass(frozen=True)
class SignShares:
    """Shares of the cells of one target's map, 0 to 1.

    Attributes
    ----------
    depends : float
        The sign depends on the choice: evidence for the target by one map, against it by another.
    fades : float
        It does not, but some maps show evidence there and others none.
    by_fill, by_window, by_seed : float or None
        As `depends`, among the map and those that differ from it in that choice alone; None where there is none.
    known : int
        Cells that every map knows, which the shares are of.
    """

    depends: float
    fades: float
    by_fill: float | None
    by_window: float | None
    by_seed: float | None
    known: int


@dataclass(frozen=True)
class Stability:
    """How far the signs of a map hang on fill, window and seed.

    Attributes
    ----------
    agreement : numpy.ndarray
        float32 ``[T, windows...]``: the share of the other maps whose sign (for, against, none) is this map's there; NaN = not known.
    depends : numpy.ndarray
        bool ``[T, windows...]``: whether two of the maps have opposite signs there.
    zero_below : float
        A number below this share of the largest of its map has no sign.
    variants : tuple of dict
        The other maps: ``fill``, ``window``, ``seed``, and what ``differs`` from the map's own.
    targets : tuple of SignShares
        Per target.
    """

    agreement: NDArray[np.float32]
    depends: NDArray[np.bool_]
    zero_below: float
    variants: tuple[dict[str, Any], ...]
    targets: tuple[SignShares, ...]


class Map:
    """What a run found. Made by `Model.occlusion` and `occlusion`; not made by hand.

    ``T`` is the number of targets, whose axis is left out for one target, unless that was asked for as a list (``target=[5]``);
    ``windows...`` is the shape of the grid of windows.
    Arrays are read-only and made once. A window that was not computed (an interrupted run) is NaN.
    """

    def __init__(self, core: _core.Map) -> None:
        self._core = core

    @cached_property
    def values(self) -> NDArray[np.float32]:
        """The map as its definition says, float32 ``[T, windows...]``, or ``[T, elements...]`` where windows are joined.

        By default the sensitivities: baseline minus occluded score, in `unit`; positive = evidence for the target was hidden.
        The numbers are those of the ``.npy`` file.
        """
        return _kept(self._core.values())

    @cached_property
    def attribution(self) -> NDArray[np.float32]:
        """Sensitivities spread to the input, float32 ``[T, spatial axes...]``: the mean over the windows that cover an element.

        The channel axis stands in front of the spatial ones where windows have a size of their own along it. NaN = not covered.
        """
        return _kept(self._core.attribution())

    @cached_property
    def sensitivity(self) -> NDArray[np.float32]:
        """Baseline minus occluded score of every window, float32 ``[T, windows...]``, whatever the definition."""
        return _kept(self._core.sensitivity())

    @cached_property
    def scores(self) -> NDArray[np.float32]:
        """Score with the window hidden, float32 ``[T, windows...]``, in `unit`."""
        return _kept(self._core.scores())

    @cached_property
    def spread(self) -> NDArray[np.float32] | None:
        """Standard deviation of the scores over several noise fills, float32 ``[T, windows...]``; None without them."""
        spread = self._core.spread()
        return None if spread is None else _kept(spread)

    @cached_property
    def stability(self) -> Stability | None:
        """How far the signs hang on fill, window and seed; None where that was not asked for (`Model.stability`)."""
        signs, said = self._core.signs(), self._core.stability()
        if signs is None or said is None:
            return None
        found = json.loads(said)
        return Stability(
            agreement=_kept(signs[0]),
            depends=_kept(signs[1]),
            zero_below=found["zero_below"],
            variants=tuple(found["variants"]),
            targets=tuple(SignShares(**one) for one in found["targets"]),
        )

    @cached_property
    def most_probable(self) -> NDArray[np.int32] | None:
        """The class with the greatest output while a window is hidden, int32 ``[windows...]``; -1 = not computed; None without classes."""
        classes = self._core.most_probable()
        return None if classes is None else _kept(classes)

    @cached_property
    def map_most_probable(self) -> NDArray[np.int32] | None:
        """The class with the greatest number of a map of scores, int32 per cell of `values`; only where all classes are targets."""
        classes = self._core.map_most_probable()
        return None if classes is None else _kept(classes)

    @property
    def most_probable_baseline(self) -> int | None:
        """The most probable class of the untouched input."""
        return self._core.most_probable_baseline

    @cached_property
    def targets(self) -> tuple[Target, ...]:
        """What was measured."""
        return tuple(Target(*target) for target in self._core.targets)

    @property
    def baseline(self) -> float | NDArray[np.float32]:
        """Score on the untouched input, in `unit`: a number where the axis of targets is left out, else float32 ``[T]``."""
        if not self._core.has_target_axis:
            return self.targets[0].baseline
        return np.array([target.baseline for target in self.targets], dtype=np.float32)

    @property
    def unit(self) -> str:
        """Unit of baseline, scores and sensitivities; of several targets with different units all of them."""
        return ", ".join(dict.fromkeys(target.unit for target in self.targets))

    @cached_property
    def geometry(self) -> Geometry:
        """The way back to the source's pixels."""
        source_size, size, axes, unit = self._core.geometry
        scale, offset = tuple(scale for scale, _ in axes), tuple(offset for _, offset in axes)
        return Geometry(tuple(source_size), tuple(size), scale, offset, unit)

    @property
    def complete(self) -> bool:
        """Whether every window was computed."""
        return self._core.computed == self._core.windows

    @property
    def windows(self) -> int:
        """Number of windows."""
        return self._core.windows

    @property
    def computed(self) -> int:
        """Number of windows whose score is known."""
        return self._core.computed

    @property
    def notes(self) -> tuple[str, ...]:
        """Silent choices, in words."""
        return tuple(self._core.notes)

    @property
    def saved(self) -> float | None:
        """Share of a full run's multiply-adds that was not needed, 0 to 1; None where every window was a full run."""
        return self._core.saved

    @property
    def picture(self) -> NDArray[np.uint8]:
        """The picture that the map is drawn on, uint8 ``[height, width, 3]``, over the extent of the input's last two spatial axes."""
        return self._core.picture()

    def class_name(self, class_index: int) -> str:
        """The name of a class, ``"class 12"`` if it has none."""
        return self._core.class_name(whole("class_index", class_index))

    def window_in_input(self, index: int) -> tuple[tuple[int, int], ...]:
        """``(start, end)`` of a window (its flat index) in elements, per axis of the input."""
        self._check_window(index)
        return tuple(self._core.window_in_input(index))

    def window_in_source(self, index: int) -> tuple[tuple[float, float], ...]:
        """``(start, end)`` of a window (its flat index) in source units, per spatial axis."""
        self._check_window(index)
        return tuple(self._core.window_in_source(index))

    def _check_window(self, index: int) -> None:
        if whole_or_none(index) is None:
            raise ArgumentError(f"a window's number is {index!r}, expected a whole number")
        if not 0 <= index < self.windows:
            raise IndexError(f"window {index}: the map has {self.windows} windows")

    def _check_target(self, target: int) -> None:
        if whole_or_none(target) is None:
            raise ArgumentError(f"target is {target!r}, expected its place among the map's targets", "0 is the first of map.targets")
        if not 0 <= target < len(self.targets):
            raise IndexError(f"target {target}: the map has {len(self.targets)} targets")

    def top(self, count: int = 10, *, target: int = 0, against: bool = False) -> list[Window]:
        """The windows that speak most strongly for a target (or `against` it), strongest first.

        Parameters
        ----------
        count
            At most so many; windows of the other sign are left out.
        target
            Which of `targets`, from 0.
        """
        self._check_target(target)
        rows = self._core.top(target, bool(against), whole("count", count))
        return [
            Window(index, tuple(place), sensitivity, score, most, tuple(box), tuple(source))
            for index, place, sensitivity, score, most, box, source in rows
        ]

    def judge(
        self,
        boxes: Sequence[Sequence[float]] | None = None,
        mask: Any = None,
        *,
        target: int = 0,
        tolerance: float = 15.0,
    ) -> dict[str, Any]:
        """Tells how much of the evidence for a target lies in the object.

        What is judged is the attribution; only positive evidence counts, and only places that windows cover.

        Parameters
        ----------
        boxes
            The object: ``[[x0, y0, x1, y1], ...]`` in source units (pixels of the upright picture file; elements, for tensors), ends
            excluded; several are joined. In general the starts along the spatial axes, the last axis first, then the ends.
        mask
            The object instead: an array over the input's spatial axes (after resizing and cropping), other than 0 inside.
        target
            Which of `targets`, from 0.
        tolerance
            Of the pointing game, in elements: a hit is within this distance of the object. 0 for none; 15 as it was published.

        Returns
        -------
        dict
            ``share_inside``: positive evidence inside over all of it (mass accuracy, Arras et al. 2022; energy-based pointing game, Wang et
            al. 2020). ``pointing``: whether the strongest place hits the object (Zhang et al. 2016). ``rank_accuracy``: the object's
            share of as many strongest places as it has (Arras et al. 2022). ``density_ratio``: evidence per place inside over outside.
            Each with its ``value`` and that of a ``uniform`` map; None where nothing is evidence for the target. ``object_share``,
            ``evidence_inside``, ``evidence_outside``, and ``notes`` in words.

        Raises
        ------
        ArgumentError
            No object, both kinds, an object outside the input or under no window.
        """
        self._check_target(target)
        if (boxes is None) == (mask is None):
            raise ArgumentError("the object is boxes or a mask, one of them", "boxes=[[x0, y0, x1, y1]] in pixels of the picture")
        if is_truth(tolerance) or not isinstance(tolerance, (int, float, np.number)):
            raise ArgumentError(f"tolerance is {tolerance!r}, expected a number of elements")
        ranges = None if boxes is None else ranges_of_boxes(boxes, len(self.geometry.size))
        inside = None
        if mask is not None:
            array = to_array(mask, "the mask")
            if array.shape != self.geometry.size:
                raise ArgumentError(f"the mask has shape {array.shape}, the input's spatial axes are {self.geometry.size}")
            inside = np.ascontiguousarray(array != 0)
        judgement: dict[str, Any] = json.loads(self._core.judge(ranges, inside, tolerance))[target]
        return judgement

    def save(self, *paths: str | os.PathLike[str]) -> None:
        """Writes files; the ending chooses the format.

        ``.npy``, ``.npz``, ``.json``, ``.png``, ``.html``; of volumes also ``.nii.gz`` and ``.nii`` (over the scan, one frame per
        target), of regions ``.csv``. ``~`` is the home folder. Each is written beside its place and renamed, so that a file is whole or
        not there.

        Raises
        ------
        ArgumentError
            No path, ``"-"`` (standard output belongs to the program), or an unknown ending.
        FileError
            A place that cannot be written.
        """
        if not paths:
            raise ArgumentError("save needs a path", 'as in map.save("map.html", "map.npz")')
        self._core.save([_place(path) for path in paths])

    def to_dict(self) -> dict[str, Any]:
        """Everything, with how it was made, as the ``.json`` file has it (schema ``occlude.map/1``)."""
        return dict(json.loads(self._core.encode("json")))

    def to_html(self) -> str:
        """The page, in one string without links to anything."""
        return self._core.encode("html").decode()

    def plot(self, ax: Axes | None = None, *, target: int = 0, picture: bool = True, grey: bool = True, alpha: float = 0.6) -> Axes:
        """Draws the map over the picture with matplotlib: red = evidence for the target, blue = against, symmetric about zero.

        Parameters
        ----------
        ax
            Where; a new figure where none is given.
        target
            Which of `targets`, from 0.
        picture
            Whether the picture is drawn under it.
        grey
            Whether the picture is drawn without its colours, so that red and blue are the map's alone.
        alpha
            Opacity of the map, 0 to 1.

        Returns
        -------
        matplotlib.axes.Axes

        Raises
        ------
        ArgumentError
            An input without one or two spatial axes: choose a slice of `attribution` and draw that.
        """
        import matplotlib.pyplot as plt

        self._check_target(target)
        values = self.attribution[target] if self._core.has_target_axis else self.attribution
        size = self.geometry.size
        if values.ndim > len(size):  # channels, which are hidden one by one
            values = values.mean(axis=0)
        if values.ndim == 1:
            values = values[None]
        if values.ndim != 2:
            raise ArgumentError(
                f"the input has {values.ndim} spatial axes, a plot has 2",
                "plot a slice: plt.imshow(map.attribution[z])",
            )
        if ax is None:
            _, ax = plt.subplots()
        extent = (0.0, float(values.shape[1]), float(values.shape[0]), 0.0)
        if picture:
            ax.imshow(_grey(self.picture) if grey else self.picture, extent=extent, aspect="auto")
        finite = values[np.isfinite(values)]
        limit = float(np.abs(finite).max()) if finite.size else 0.0
        drawn = ax.imshow(
            values,
            cmap="RdBu_r",
            vmin=-(limit or 1.0),
            vmax=limit or 1.0,
            extent=extent,
            alpha=alpha,
            interpolation="nearest",
            aspect="equal" if values.shape[0] > 1 else "auto",
        )
        what = self.targets[target]
        colorbar = ax.figure.colorbar(drawn, ax=ax, label=f"sensitivity ({what.unit})")
        colorbar.solids.set_alpha(1.0)  # type: ignore[union-attr]
        ax.set_title(f"{what.label}: {what.baseline:.4g} {what.unit}" + ("" if self.complete else " (incomplete)"))
        return ax

    def __reduce__(self) -> tuple[Any, ...]:
        return _from_bytes, self._core.to_bytes()

    def __repr__(self) -> str:
        named = ", ".join(target.label for target in self.targets[:3]) + (", ..." if len(self.targets) > 3 else "")
        shape = "x".join(map(str, self.scores.shape[self._core.has_target_axis :])) or "1"
        state = "" if self.complete else f", {self.computed} computed"
        return f"<occlude.Map of {named} ({self.unit}), windows {shape}{state}>"

    def _repr_html_(self) -> str:
        """The page in a notebook, in a frame of its own."""
        page = html.escape(self.to_html(), quote=True)
        return f'<iframe srcdoc="{page}" style="width:100%;height:720px;border:0" title="{html.escape(repr(self))}"></iframe>'


def _grey(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The lightness of a picture, as equal channels (Rec. 709's weights)."""
    lightness = picture @ np.array([0.2126, 0.7152, 0.0722])
    return np.repeat(np.rint(lightness)[..., None], 3, axis=-1).astype(np.uint8)


def _place(path: Any) -> str:
    """Where a file goes, as text."""
    if not isinstance(path, (str, bytes, os.PathLike)):
        raise ArgumentError(f"save is given a {type(path).__name__}, expected a path", 'as in map.save("map.html", "map.npz")')
    place = os.fsdecode(path)
    if place == "-":
        raise ArgumentError(
            '"-" is standard output on the command line, and from Python it belongs to the program',
            "print(json.dumps(map.to_dict())) writes the JSON there",
        )
    return os.path.expanduser(place)


def _from_bytes(map: bytes, picture: bytes) -> Map:
    return Map(_core.Map.from_bytes(map, picture))


def ranges_of_boxes(boxes: Sequence[Sequence[float]], rank: int) -> list[list[tuple[float, float]]]:
    """Boxes ``[x0, y0, x1, y1]`` as ranges per spatial axis, the first axis first.

    Raises
    ------
    ArgumentError
        What is no such box.
    """
    return [_ranges(box, rank) for box in items_of("boxes", boxes, _BOXES)]


def _ranges(box: Sequence[float], rank: int) -> list[tuple[float, float]]:
    try:
        numbers = [float(n) for n in items_of("a box", box, _BOXES)]
    except (TypeError, ValueError) as error:
        if isinstance(error, ArgumentError):
            raise
        raise ArgumentError(f"the box {box!r} holds what is no number", f"expected {_BOXES}") from None
    if len(numbers) != 2 * rank:
        raise ArgumentError(f"the box {list(box)} has {len(numbers)} numbers, expected {2 * rank}", "[x0, y0, x1, y1] for pictures")
    return list(zip(numbers[:rank], numbers[rank:], strict=True))[::-1]


@contextmanager
def carrying_partial_map() -> Iterator[None]:
    """Exceptions that end a run get the map as far as it got, as ``partial_map``."""
    try:
        yield
    except BaseException as error:
        core = getattr(error, "_partial", None)
        if isinstance(core, _core.Map):
            del error._partial  # type: ignore[attr-defined]
            error.partial_map = Map(core)  # type: ignore[attr-defined]
        raise
