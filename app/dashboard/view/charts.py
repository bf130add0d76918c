"""Bar charts as geometry: where bars, rules and words stand. templates/chart.html draws them as SVG.

Our own, because pygal, the maintained library in pure Python, writes <style> and <script> into every picture, which the
pages' Content-Security-Policy forbids. Across, everything is a percentage of the width: bars follow the page, and
letters keep their size. Downwards everything is in pixels.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Protocol

from app.dashboard.language.spelling import day_and_time
from core.store.statistics import Span
from core.wording.sentence import say, say_all, to_be_said

#: Percent of the width that the words of the upright axis take.
LEFT = 9.0
#: Pixels from above: the highest bar's end, the foot of all bars, the words below them.
TOP, FOOT, LABELS = 10, 130, 148
#: Percent of a bar's place that it fills; the rest parts it from the next.
_FILLED = 76.0
#: Pixels of a bar that stands for a little of a lot.
_LEAST = 2.0
#: Lines across, at most, without the one at the foot.
_RULES = 4

_MINUTE, _HOUR, _DAY = 60_000, 3_600_000, 86_400_000

#: What one bar of each span is.
BAR_LENGTHS: Mapping[Span, str] = {
    "hour": say("2 minutes"),
    "day": say("hour"),
    "week": say("6 hours"),
    "month": say("day"),
}

#: Each span: ms between the words below the bars, and the unit of these words (ms, words).
_TIMES: dict[Span, tuple[int, int, str]] = {
    "hour": (15 * _MINUTE, _MINUTE, to_be_said("−%(number)s min")),
    "day": (6 * _HOUR, _HOUR, to_be_said("−%(number)s h")),
    "week": (_DAY, _DAY, to_be_said("−%(number)s d")),
    "month": (6 * _DAY, _DAY, to_be_said("−%(number)s d")),
}


class Timed(Protocol):
    """A stretch of time from `at` (ms)."""

    @property
    def at(self) -> int: ...


@dataclass(frozen=True)
class Series:
    """Bars of one colour. `kind` is the class of relay.css, `words` stand in the legend, and `told` says one value."""

    kind: str
    words: str
    values: tuple[int, ...]
    told: str = "%(value)s"


@dataclass(frozen=True)
class ChartBar:
    """One bar: x and width in percent, y and height in pixels."""

    kind: str
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True)
class Slot:
    """A stretch of time: what hovering over it tells, and its bars."""

    x: float
    width: float
    title: str
    marks: tuple[ChartBar, ...]


@dataclass(frozen=True)
class Words:
    """Words of an axis: `at` is in pixels for the upright one, in percent for the other."""

    at: float
    text: str
    anchor: str = "end"


@dataclass(frozen=True)
class Chart:
    series: tuple[Series, ...]
    slots: tuple[Slot, ...]
    rules: tuple[Words, ...]
    times: tuple[Words, ...]


def chart(
    span: Span,
    step: int,
    bars: Sequence[Timed],
    series: Sequence[Series],
    zone: tzinfo = UTC,
    spell: Callable[[int], str] | None = None,
) -> Chart:
    """Draw `series`, which have a value for each of `bars`; each bar is `step` ms, its times those of `zone`. `spell`
    writes a value, as a duration for example; without it numbers are written."""
    top, rise = _scale(max((value for one in series for value in one.values), default=0))
    width = (100 - LEFT) / len(bars)

    def slot(index: int, bar: Timed) -> Slot:
        x = LEFT + index * width
        told = (say(one.told, value=spell(one.values[index]) if spell else one.values[index]) for one in series)
        marks = _marks(x, width, [(one.kind, one.values[index]) for one in series], top)
        return Slot(
            round(x, 3),
            round(width, 3),
            say_all(f"{_between(bar.at, bar.at + step, zone)}:", say_all(*told, between=", ")),
            tuple(marks),
        )

    return Chart(
        series=tuple(series),
        slots=tuple(slot(index, bar) for index, bar in enumerate(bars)),
        rules=tuple(Words(_y(value, top), (spell or short)(value)) for value in range(0, top + 1, rise)),
        times=tuple(_times(span, step * len(bars))),
    )


def short(value: int) -> str:
    """A number for an axis: 950, 1.2k, 30M."""
    for size, letter in ((1_000_000, "M"), (1_000, "k")):
        if value >= size:
            return f"{value / size:g}{letter}"
    return str(value)


def _scale(highest: int) -> tuple[int, int]:
    """The end of the upright axis and the step between its rules: 1, 2 or 5 times a power of ten."""
    size = 1
    while True:
        for factor in (1, 2, 5):
            step = factor * size
            if step * _RULES >= highest:
                return max(1, -(-highest // step)) * step, step
        size *= 10


def _y(value: int, top: int) -> float:
    return round(FOOT - (FOOT - TOP) * value / top, 1)


def _marks(x: float, width: float, values: Sequence[tuple[str, int]], top: int) -> Iterator[ChartBar]:
    each = width * _FILLED / 100 / len(values)
    start = x + width * (100 - _FILLED) / 200
    for place, (kind, value) in enumerate(values):
        if value:
            height = max(_LEAST, FOOT - _y(value, top))
            yield ChartBar(
                kind, round(start + place * each, 3), round(FOOT - height, 1), round(each, 3), round(height, 1)
            )


def _times(span: Span, whole: int) -> Iterator[Words]:
    """Counted back from now, so that they are right in every time zone."""
    every, unit, words = _TIMES[span]
    for ago in range(whole, -1, -every):
        at = LEFT + (100 - LEFT) * (1 - ago / whole)
        text = say(words, number=ago // unit) if ago else say("now")
        yield Words(round(at, 2), text, "start" if ago == whole else "middle" if ago else "end")


def _between(since: int, until: int, zone: tzinfo) -> str:
    begin, end = (datetime.fromtimestamp(ms / 1000, zone) for ms in (since, until))
    last = f"{end:%H:%M}" if begin.date() == end.date() else day_and_time(until, zone)
    return f"{day_and_time(since, zone)} – {last} {begin.tzname()}"
