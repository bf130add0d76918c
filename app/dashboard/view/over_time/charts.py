"""Bar charts as geometry: where bars, rules and words stand. templates/chart.html draws them as SVG.

Our own, because pygal, the maintained library in pure Python, writes <style> and <script> into every picture, which the
pages' Content-Security-Policy forbids. Across, everything is a percentage of the width: bars follow the page, and
letters keep their size. Downwards everything is in pixels.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo

from app.dashboard.language.spelling import day_and_time, short_day
from app.dashboard.view.over_time.ranges import AxisMark, TimeRange
from core.wording.sentence import say, say_all

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
    shown: TimeRange,
    series: Sequence[Series],
    zone: tzinfo = UTC,
    spell: Callable[[int], str] | None = None,
) -> Chart:
    """Draw `series`, which have a value for each bar of what is shown; its times are those of `zone`. `spell` writes a
    value, as a duration for example; without it numbers are written."""
    edges = shown.stretch.edges
    top, rise = _scale(max((value for one in series for value in one.values), default=0))
    width = (100 - LEFT) / (len(edges) - 1)

    def slot(index: int) -> Slot:
        x = LEFT + index * width
        told = (say(one.told, value=spell(one.values[index]) if spell else one.values[index]) for one in series)
        marks = _marks(x, width, [(one.kind, one.values[index]) for one in series], top)
        return Slot(
            round(x, 3),
            round(width, 3),
            say_all(f"{_between(edges[index], edges[index + 1], zone)}:", say_all(*told, between=", ")),
            tuple(marks),
        )

    return Chart(
        series=tuple(series),
        slots=tuple(slot(index) for index in range(len(edges) - 1)),
        rules=tuple(Words(_y(value, top), (spell or short)(value)) for value in range(0, top + 1, rise)),
        times=tuple(_times(shown.marks)),
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


def _times(marks: Sequence[AxisMark]) -> Iterator[Words]:
    for mark in marks:
        at = LEFT + (100 - LEFT) * mark.at
        yield Words(round(at, 2), mark.text, "start" if mark.at == 0 else "end" if mark.at == 1 else "middle")


def _between(since: int, until: int, zone: tzinfo) -> str:
    begin, end = (datetime.fromtimestamp(ms / 1000, zone) for ms in (since, until))
    if (begin.hour, begin.minute, end.hour, end.minute) == (0, 0, 0, 0):  # whole days
        first, final = (short_day(one, zone) for one in (begin, end - timedelta(days=1)))
        return f"{first} {begin.tzname()}" if first == final else f"{first} – {final} {begin.tzname()}"
    last = f"{end:%H:%M}" if begin.date() == end.date() else day_and_time(until, zone)
    return f"{day_and_time(since, zone)} – {last} {begin.tzname()}"
