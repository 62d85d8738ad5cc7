"""How alike two maps are: occlusion maps, or an occlusion map and a saliency map from elsewhere."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from typing import Any

from occlude import _core
from occlude._arrays import to_float32
from occlude._map import Map
from occlude._text import is_truth, shown, whole
from occlude.exceptions import ArgumentError


@dataclass(frozen=True)
class Side:
    """One side of a comparison, as it was compared.

    Attributes
    ----------
    name : str
        ``"a"`` or ``"b"``.
    kind : str
        ``"map"`` for an occlusion map, ``"array"`` for numbers from elsewhere.
    target, unit : str or None
        Of a map.
    known : int
        Places that are known of this side, of all that were compared.
    """

    name: str
    kind: str
    target: str | None
    unit: str | None
    known: int


@dataclass(frozen=True)
class Correlation:
    """A correlation, and how it stands against chance.

    Attributes
    ----------
    value : float
        -1 to 1; 0 by chance.
    p : float or None
        ``(1 + shifts whose |correlation| is at least as large) / (1 + shifts)``: how often a map of the same texture at another place
        correlates as strongly. Cells of overlapping windows are not independent, so no textbook's p-value holds; a map that is moved as a
        whole (what leaves at one end comes in at the other) keeps its dependence and loses its place. Two-sided. None where no shift
        gives a correlation.
    shifts, all_shifts : int
        Shifts that were tried, and that there are.
    n : int
        Places that both maps know.
    """

    value: float
    p: float | None
    shifts: int
    all_shifts: int
    n: int


@dataclass(frozen=True)
class Similarity:
    """Structural similarity.

    Attributes
    ----------
    value : float
        The mean index (Wang et al. 2004): a Gaussian window of sigma 1.5 on 11 elements per axis, K1 = 0.01, K2 = 0.03, L the joint
        range. 1 for equal maps.
    scaled : bool
        Each side was divided by its largest magnitude before, since their units differ.
    n : int
        Positions of the window that it is the mean of: all that hold known places only.
    """

    value: float
    scaled: bool
    n: int


@dataclass(frozen=True)
class Overlap:
    """The strongest places of both maps.

    Attributes
    ----------
    share : float
        The share of places that is looked at: 0.05, 0.1, 0.2.
    k : int
        So many places.
    value : float
        Of the `k` places with the largest numbers of one map the share that is among those of the other, 0 to 1. Where places tie for the
        last ranks, the mean over all ways to choose.
    chance : float
        Of maps that have nothing to do with each other: ``k / n``.
    n : int
        Places that both maps know.
    """

    share: float
    k: int
    value: float
    chance: float
    n: int


@dataclass(frozen=True)
class Comparison:
    """How alike two maps are. Measures are None where they have no value; `notes` say why.

    Attributes
    ----------
    a, b : Side
        What was compared.
    compared : str
        What was done to compare it, in words.
    by_window : bool
        Whether windows of one grid were compared, not places.
    shape : tuple of int
        Shape of what was compared.
    n, left_out : int
        Windows or places that both sides know, and those that were left out because a side does not know them.
    positive : bool
        Numbers below 0 were taken as 0.
    spearman : Correlation or None
        Spearman's rank correlation; ties take the mean of their ranks.
    pearson : Correlation or None
        Pearson's correlation.
    ssim : Similarity or None
        Structural similarity.
    top : tuple of Overlap
        Overlap of the strongest 5, 10 and 20 %.
    notes : tuple of str
        What was chosen, left out or cannot be said, in words.
    """

    a: Side
    b: Side
    compared: str
    by_window: bool
    shape: tuple[int, ...]
    n: int
    left_out: int
    positive: bool
    spearman: Correlation | None
    pearson: Correlation | None
    ssim: Similarity | None
    top: tuple[Overlap, ...]
    notes: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Everything, as the command line's JSON has it (schema ``occlude.compare/1``)."""
        plain: dict[str, Any] = json.loads(json.dumps(asdict(self)))
        return {"schema": "occlude.compare/1", **plain}


def compare(
    a: Any,
    b: Any,
    *,
    target: int = 0,
    target_b: int | None = None,
    positive: bool = False,
    axes: int | None = None,
    seed: int = 0,
) -> Comparison:
    """Tells how alike two maps are.

    Windows of one grid are compared one by one; other maps of inputs of one size by their evidence per place; arrays of another size are
    enlarged linearly first. What was done is in ``compared``.

    Parameters
    ----------
    a, b
        Maps, or arrays of any library: saliency maps ``[H, W]``, ``[1, H, W]`` or ``[C, H, W]``, which is summed over its channels (with
        the number of spatial axes that the other side has). NaN where nothing is known.
    target
        Which of the targets of a map, from 0.
    target_b
        Which of `b`, where that is another one.
    positive
        Take numbers below 0 as 0 on both sides: for maps that know no evidence against, as Grad-CAM's.
    axes
        How many axes of arrays are places. Of two arrays with three axes the first one is channels where it has at most 4 elements,
        unless this is 3.
    seed
        Which shifts are drawn for p-values, where there are more than 4999.

    Returns
    -------
    Comparison

    Raises
    ------
    ArgumentError
        Different numbers of spatial axes, no place that both know, what is no map and no array.
    IndexError
        No such target.
    NumberError
        Infinite values.

    Examples
    --------
    >>> import numpy as np, occlude
    >>> a = np.arange(12.0).reshape(3, 4)
    >>> found = occlude.compare(a, a**2)
    >>> found.spearman.value, found.top[2].k, found.top[2].value
    (1.0, 2, 1.0)
    """
    if not is_truth(positive):
        raise ArgumentError(f"positive is {shown(positive)}, expected True or False")
    target = whole("target", target)
    second = target if target_b is None else whole("target_b", target_b)
    said = _core.compare(
        _side(a, target, "a"),
        _side(b, second, "b"),
        target=target,
        target_b=second,
        positive=bool(positive),
        axes=None if axes is None else whole("axes", axes, 1),
        seed=whole("seed", seed),
    )
    found: dict[str, Any] = json.loads(said)
    return Comparison(
        a=Side(**found["a"]),
        b=Side(**found["b"]),
        compared=found["compared"],
        by_window=found["by_window"],
        shape=tuple(found["shape"]),
        n=found["n"],
        left_out=found["left_out"],
        positive=found["positive"],
        spearman=_correlation(found["spearman"]),
        pearson=_correlation(found["pearson"]),
        ssim=None if found["ssim"] is None else Similarity(**found["ssim"]),
        top=tuple(Overlap(**one) for one in found["top"]),
        notes=tuple(found["notes"]),
    )


def _correlation(found: dict[str, Any] | None) -> Correlation | None:
    return None if found is None else Correlation(**found)


def _side(given: Any, target: int, name: str) -> Any:
    if isinstance(given, Map):
        given._check_target(target)
        return given._core
    if isinstance(given, (str, bytes, os.PathLike)):
        raise ArgumentError(f"{name} is a {type(given).__name__}, expected a map or an array", "np.load(path) reads a saliency map")
    return to_float32(given, name)
