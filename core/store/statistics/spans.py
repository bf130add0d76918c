"""Stretches of time over which things are counted: where each bar begins and ends. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

Span = Literal["hour", "day", "week", "month"]

MINUTE_MS, HOUR_MS = 60_000, 3_600_000
#: Hours of a day that is counted as a whole, from midnight in UTC.
DAY_HOURS = 24

#: Each span: the unit in which it was counted (ms), how many of them one bar holds, and how many bars there are.
SPANS: Mapping[Span, tuple[int, int, int]] = {
    "hour": (MINUTE_MS, 2, 30),
    "day": (HOUR_MS, 1, 24),
    "week": (HOUR_MS, 6, 28),
    "month": (HOUR_MS, 24, 30),
}


@dataclass(frozen=True)
class Stretch:
    """Bars that lie end to end, oldest first: bar i is from `edges[i]` to `edges[i + 1]`, in ms. Counted is by minutes
    or hours (`unit`, ms), so an edge between them is that of the unit in which it lies. `name` is whatever the caller
    calls it."""

    name: str
    unit: int
    edges: tuple[int, ...]

    @property
    def bars(self) -> list[tuple[int, int]]:
        """First unit of each, and the first one after it."""
        units = [edge // self.unit for edge in self.edges]
        return list(pairwise(units))


def rolling(span: Span, now: int) -> Stretch:
    """The one that ends with the unit of `now` (ms), and is as long as its name says."""
    unit, group, bars = SPANS[span]
    end = now // unit + 1
    return Stretch(span, unit, tuple((end - group * left) * unit for left in range(bars, -1, -1)))
