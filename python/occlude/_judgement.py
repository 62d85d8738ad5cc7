"""Verdicts: what `Model.judge` found, by target."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from occlude._map import Map, Target
from occlude._text import is_truth
from occlude.exceptions import ArgumentError

Verdict = Literal["object", "both", "surroundings", "unclear"]


@dataclass(frozen=True)
class Shares:
    """How what a score gains is shared between the object and the rest, as parts of the gain.

    Attributes
    ----------
    lost_without : float
        What is lost with the object hidden; 1: nothing is left.
    kept_alone : float
        What is kept with everything else hidden; 1: the object is enough.
    share : float
        The mean of both, the object's Shapley value. The surroundings have 1 minus it.
    interaction : float
        ``lost_without - kept_alone``. 0: they add up; 1: neither brings anything without the other; -1: either is enough.
    """

    lost_without: float
    kept_alone: float
    share: float
    interaction: float


@dataclass(frozen=True)
class Finding:
    """What was found about one target.

    Attributes
    ----------
    target : Target
        What was measured.
    verdict : str
        ``"object"``, ``"both"``, ``"surroundings"`` or ``"unclear"``.
    sentence : str
        The verdict in words.
    reasons : tuple of str
        Why.
    untouched, object_hidden, object_alone, all_hidden : float
        The score of the input, with the object hidden, with everything else hidden, with everything hidden; the last one None for
        inpainting, which needs something that is left.
    shares : Shares or None
        The direct test; None where the score gains nothing over the input with everything hidden.
    direct : dict
        All of the direct test, with the most probable class of each example and what regions of the object's form elsewhere do.
    evidence : dict
        Where the evidence of the map lies, as `Map.judge` gives it.
    """

    target: Target
    verdict: Verdict
    sentence: str
    reasons: tuple[str, ...]
    untouched: float
    object_hidden: float
    object_alone: float
    all_hidden: float | None
    shares: Shares | None
    direct: dict[str, Any]
    evidence: dict[str, Any]


class Judgement:
    """What was found about an input given the object in it.

    Attributes
    ----------
    map : Map
        The map.
    judgements : tuple of Finding
        One for each target of the map.
    """

    def __init__(self, map: Map, said: str) -> None:
        self.map = map
        self._said: dict[str, Any] = json.loads(said)
        pairs = zip(map.targets, self._said["targets"], strict=True)
        self.judgements = tuple(_finding(target, found) for target, found in pairs)

    @property
    def verdict(self) -> Verdict:
        """The verdict on the first target."""
        return self.judgements[0].verdict

    @property
    def sentence(self) -> str:
        """The verdict on the first target in words."""
        return self.judgements[0].sentence

    @property
    def object_share(self) -> float:
        """The object's share of the places of the input."""
        return float(self._said["object"]["share"])

    def to_dict(self) -> dict[str, Any]:
        """All of it: the JSON ``occlude.judgement/1`` of the command line."""
        return json.loads(json.dumps(self._said))  # type: ignore[no-any-return]

    def __repr__(self) -> str:
        return f"<occlude.Judgement {self.verdict}: {self.sentence}>"


def _finding(target: Target, said: dict[str, Any]) -> Finding:
    direct = said["direct"]
    hidden = direct["all_hidden"]
    return Finding(
        target=target,
        verdict=said["verdict"],
        sentence=said["sentence"],
        reasons=tuple(said["reasons"]),
        untouched=direct["untouched"]["score"],
        object_hidden=direct["object_hidden"]["score"],
        object_alone=direct["object_alone"]["score"],
        all_hidden=None if hidden is None else hidden["score"],
        shares=None if direct["shares"] is None else Shares(**direct["shares"]),
        direct=direct,
        evidence=said["evidence"],
    )


def judge_options(given: Mapping[str, Any]) -> list[tuple[str, float]]:
    """Options of a judgement, by the crate's names; None is the default.

    Raises
    ------
    ArgumentError
        A value that is no number.
    """
    options = []
    for name, value in given.items():
        if value is None:
            continue
        if is_truth(value) or not isinstance(value, (int, float, np.number)):
            raise ArgumentError(f"{name.replace('-', '_')} is {value!r}, expected a number")
        options.append((name, float(value)))
    return options


def named_judge_options(given: Mapping[str, Any] | None) -> list[tuple[str, float]]:
    """The same from a mapping by the keywords of `occlude.Model.judge`."""
    return judge_options({name.replace("_", "-"): value for name, value in (given or {}).items()})
