"""Evaluations: what `Model.evaluate` found, by map."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from occlude import _core
from occlude._arrays import to_float32
from occlude._map import Map, _place
from occlude._text import is_truth, shown
from occlude.exceptions import ArgumentError


@dataclass(frozen=True)
class Chance:
    """What random maps of the same texture get.

    Attributes
    ----------
    mean, deviation : float
        Mean and standard deviation (n - 1 in the denominator) over the random maps.
    values : tuple of float
        The value of each.
    better_than : int
        How many of them the map is better than; ties do not count.
    """

    mean: float
    deviation: float
    values: tuple[float, ...]
    better_than: int


@dataclass(frozen=True)
class Measure:
    """One measure of one map.

    Attributes
    ----------
    name : str
        ``"deletion"``, ``"insertion"``, ``"average drop"``, ``"average increase"``, ``"average gain"``, ``"sensitivity-n"`` or
        ``"MuFidelity"``.
    value : float or None
        None where it has no value; the notes say why.
    better : str
        ``"higher"`` or ``"lower"``.
    random : Chance or None
        None where no random map has a value.
    """

    name: str
    value: float | None
    better: Literal["higher", "lower"]
    random: Chance | None


@dataclass(frozen=True)
class Curve:
    """A deletion or insertion curve.

    Attributes
    ----------
    share : numpy.ndarray
        float64 ``[points]``: share of the places that are changed, 0 to 1.
    scores : numpy.ndarray
        float64 ``[points]``: the target's score, in its unit.
    area : float
        The area under it, RISE's formula, in the unit of the score.
    of_untouched : float or None
        ``area / untouched score``; None where that is not above 0.
    random : numpy.ndarray
        float64 ``[random maps, points]``: the scores of each random map.
    """

    share: NDArray[np.float64]
    scores: NDArray[np.float64]
    area: float
    of_untouched: float | None
    random: NDArray[np.float64]


@dataclass(frozen=True)
class AtSize:
    """Sensitivity-n for one size of sets.

    Attributes
    ----------
    n : int
        Cells in a set.
    sets : int
        Different random sets of this size.
    correlation : Measure
        Pearson's, between the map's sum over a set and the fall of the score with it taken away.
    """

    n: int
    sets: int
    correlation: Measure


@dataclass(frozen=True)
class EvaluatedMap:
    """One map, evaluated.

    Attributes
    ----------
    name : str
        What it is called.
    kind : str
        ``"map"`` for an occlusion map, ``"array"`` for numbers from elsewhere.
    target : str or None
        The target that it is of, where that is known.
    random_maps : str
        What its random maps are, in words.
    known : int
        Places that it has a number for.
    measures : dict of str to Measure
        By name.
    deletion, insertion : Curve or None
        The curves.
    sensitivity_n : tuple of AtSize
        Sensitivity-n by size.
    """

    name: str
    kind: str
    target: str | None
    random_maps: str
    known: int
    measures: dict[str, Measure]
    deletion: Curve | None
    insertion: Curve | None
    sensitivity_n: tuple[AtSize, ...]


class Evaluation:
    """What an evaluation found, for all maps alike; ``found["deletion"]`` is a measure of the first map.

    Attributes
    ----------
    maps : tuple of EvaluatedMap
        In the order in which they were given.
    target, unit : str
        What was measured.
    baseline : float
        The score of the untouched input.
    complete : bool
        Whether everything was computed.
    notes : tuple of str
        What was chosen, left out or cannot be said, in words.
    """

    def __init__(self, core: _core.Evaluation) -> None:
        self._core = core
        self._said: dict[str, Any] = json.loads(core.json())
        said = self._said
        self.maps = tuple(_map(one) for one in said["maps"])
        self.target: str = said["target"]["label"]
        self.unit: str = said["target"]["unit"]
        self.baseline: float = said["target"]["baseline"]
        self.complete: bool = said["complete"]
        self.notes: tuple[str, ...] = tuple(said["notes"])

    def __getitem__(self, name: str) -> Measure:
        measures = self.maps[0].measures
        if name not in measures:
            raise KeyError(f"no measure {name!r} was computed; there are {', '.join(measures)}")
        return measures[name]

    def to_dict(self) -> dict[str, Any]:
        """All of it: the JSON ``occlude.evaluation/1`` of the command line."""
        return json.loads(json.dumps(self._said))  # type: ignore[no-any-return]

    def save(self, *paths: str | os.PathLike[str]) -> None:
        """Writes files: ``.png`` (the curves and the table) or ``.json``.

        Raises
        ------
        ArgumentError
            No path, another ending, a figure without a curve.
        FileError
            A place that cannot be written.
        """
        if not paths:
            raise ArgumentError("save needs a path", 'as in found.save("curves.png")')
        self._core.save([_place(path) for path in paths])

    def __repr__(self) -> str:
        names = ", ".join(map.name for map in self.maps)
        return f"<occlude.Evaluation of {names}: {self.target}, {self.unit} {self.baseline:.4f}>"


def _measure(said: dict[str, Any]) -> Measure:
    random = said["random"]
    chance = None if random is None else Chance(random["mean"], random["deviation"], tuple(random["values"]), random["better_than"])
    return Measure(said["name"], said["value"], said["better"], chance)


def _curve(said: dict[str, Any] | None) -> Curve | None:
    if said is None:
        return None
    share, scores = np.array(said["share"]), np.array(said["scores"])
    random = np.array(said["random"]).reshape(-1, len(share))
    return Curve(share, scores, said["area"], said["of_untouched"], random)


def _map(said: dict[str, Any]) -> EvaluatedMap:
    return EvaluatedMap(
        name=said["name"],
        kind=said["kind"],
        target=said["target"],
        random_maps=said["random_maps"],
        known=said["known"],
        measures={one["name"]: _measure(one) for one in said["measures"]},
        deletion=_curve(said["deletion"]),
        insertion=_curve(said["insertion"]),
        sensitivity_n=tuple(AtSize(one["n"], one["sets"], _measure(one["correlation"])) for one in said["sensitivity_n"]),
    )


def named_maps(maps: Any, target: int) -> list[tuple[str, Any]]:
    """Maps with their names, as the core takes them.

    Raises
    ------
    ArgumentError
        Something that is no map and no array.
    IndexError
        No such target.
    """
    if maps is None:
        return []
    if isinstance(maps, Mapping):
        named = [(str(name), one) for name, one in maps.items()]
    elif isinstance(maps, (list, tuple)):
        named = [(f"map {place}", one) for place, one in enumerate(maps)]
    else:
        named = [("map", maps)]
    if not named:
        raise ArgumentError("maps is empty, expected at least one", "leave it out to evaluate the map of the settings")
    return [(name, _side(one, target, name)) for name, one in named]


def _side(given: Any, target: int, name: str) -> Any:
    if isinstance(given, Map):
        given._check_target(target)
        return given._core
    if isinstance(given, (str, bytes, os.PathLike)):
        raise ArgumentError(f"{name} is a {type(given).__name__}, expected a map or an array", "np.load(path) reads a saliency map")
    return to_float32(given, name)


def option_texts(given: dict[str, Any]) -> list[tuple[str, str]]:
    """Options that were given, as text by the crate's names.

    Raises
    ------
    ArgumentError
        A value that is no number and no text.
    """
    texts = []
    for name, value in given.items():
        if value is None:
            continue
        several = isinstance(value, Iterable) and not isinstance(value, (str, bytes, Mapping))
        parts = list(value) if several else [value]
        is_fine = all(isinstance(part, (str, int, float, np.number)) and not is_truth(part) for part in parts)
        if not parts or not is_fine or (several and not name.endswith(("metrics", "fill"))):
            expected = "a name or a list of names" if name == "metrics" else "a number or a name" if name.endswith("fill") else "a number"
            raise ArgumentError(f"{name.replace('-', '_')} is {shown(value)}, expected {expected}")
        texts.append((name, ",".join(str(part) for part in parts)))
    return texts
