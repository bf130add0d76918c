"""What a benchmark found: figures, each with its spread over the rounds."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


class Missing(Exception):
    """This machine lacks what a benchmark needs; says what."""


@dataclass(frozen=True)
class Figure:
    """One figure of every round. `least` or `most` is what its median must show."""

    name: str
    unit: str
    rounds: tuple[float, ...]
    least: float | None = None
    most: float | None = None

    @property
    def median(self) -> float:
        return statistics.median(self.rounds)

    @property
    def wanted(self) -> str:
        if self.least is not None:
            return f"at least {self.least:g}"
        return f"at most {self.most:g}" if self.most is not None else ""

    @property
    def reached(self) -> bool | None:
        """None where nothing is wanted."""
        if self.least is not None:
            return self.median >= self.least
        return self.median <= self.most if self.most is not None else None

    def as_dict(self) -> dict[str, Any]:
        found = {
            "unit": self.unit,
            "min": round(min(self.rounds), 3),
            "median": round(self.median, 3),
            "max": round(max(self.rounds), 3),
            "rounds": [round(one, 3) for one in self.rounds],
        }
        return {**found, "wanted": self.wanted, "reached": self.reached} if self.wanted else found


def ratio(name: str, upper: Figure, lower: Figure, **wanted: float) -> Figure:
    """Round by round, because those of one round met the same noise."""
    return Figure(name, "×", tuple(a / b for a, b in zip(upper.rounds, lower.rounds, strict=True)), **wanted)


@dataclass(frozen=True)
class Result:
    """Of one benchmark: what was measured, its ceiling measured beside it, what follows, and what one should know."""

    title: str
    figures: Sequence[Figure]
    ceiling: Sequence[Figure] = ()
    ratios: Sequence[Figure] = ()
    notes: Sequence[str] = ()

    def as_dict(self) -> dict[str, Any]:
        def named(figures: Sequence[Figure]) -> dict[str, Any]:
            return {one.name: one.as_dict() for one in figures}

        return {
            "title": self.title,
            "figures": named(self.figures),
            "ceiling": named(self.ceiling),
            "ratios": named(self.ratios),
            "notes": list(self.notes),
        }


class Rounds:
    """Collects what each round found, by name and unit: `rounds.add("accepts", "/s", 812.0)`."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, str], list[float]] = {}

    def add(self, name: str, unit: str, value: float) -> None:
        self._found.setdefault((name, unit), []).append(value)

    def add_cpu(self, name: str, spent: Mapping[str, float], conversations: int) -> None:
        """What a conversation costs each process: on a machine that does something else besides, this is what to
        believe. `spent` is a Meter's."""
        for process, seconds in spent.items():
            self.add(f"{name}{process}", "ms of CPU a conversation", 1000 * seconds / conversations)

    def figure(self, wanted: str, **bounds: float) -> Figure:
        for (name, unit), values in self._found.items():
            if name == wanted:
                return Figure(name, unit, tuple(values), **bounds)
        raise KeyError(wanted)

    def named(self, beginning: str) -> list[Figure]:
        """Those whose name begins so."""
        return [
            Figure(name, unit, tuple(values))
            for (name, unit), values in self._found.items()
            if name.startswith(beginning)
        ]
