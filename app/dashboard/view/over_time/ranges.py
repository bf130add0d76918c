"""The stretch of time that a page is about: the last hour, today, from one day to another. One control for all pages
(templates/time_range.html), and one way to spell it in an address: `span`, or `from` and `to`.

Days are those of the viewer's zone. Counted is by the hour: where a zone is not whole hours from UTC, a day begins up
to an hour early.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Any

from app.dashboard.language.spelling import month_of, short_day, whole_day
from app.dashboard.view.filters import WrongValue, day_begins, day_written
from core.store.protocol.constants import DAY_KEPT_MS
from core.store.statistics import Stretch, rolling
from core.store.statistics.spans import HOUR_MS
from core.wording.sentence import say, say_n, to_be_said

#: Name in an address -> what its tab says, and how a sentence goes on.
NAMED: Mapping[str, tuple[str, str]] = {
    "hour": (say("Hour"), say("in the last hour")),
    "day": (say("Day"), say("in the last day")),
    "today": (say("Today"), say("today")),
    "yesterday": (say("Yesterday"), say("yesterday")),
    "week": (say("Week"), say("in the last week")),
    "month": (say("Month"), say("in the last month")),
}
DEFAULT_SPAN = "day"
#: Days of each that is made of them: how many before today it begins, and how many it has.
_DAYS: Mapping[str, tuple[int, int]] = {"today": (0, 1), "yesterday": (1, 1), "week": (6, 7), "month": (29, 30)}
#: What one bar is, as a sentence says it.
HOUR_BARS, SIX_HOURS, WEEK_BARS, MONTH_BARS = say("hour"), say("6 hours"), say("week"), say("month")
#: As many days at most -> what one bar is.
_STEPS: Sequence[tuple[int, str]] = (
    (2, HOUR_BARS),
    (8, SIX_HOURS),
    (62, say("day")),
    (190, WEEK_BARS),
    (100_000, MONTH_BARS),
)
#: Words below a chart, at most.
_WORDS = 8
#: The longest, and how far back it may begin: as far as counts are kept.
_KEPT_DAYS = DAY_KEPT_MS // (24 * HOUR_MS)
_MINUTES = {"hour": say("2 minutes"), "day": HOUR_BARS}


@dataclass(frozen=True)
class AxisMark:
    """Words below a chart: `at` is the part of its width that lies before them."""

    at: float
    text: str


@dataclass(frozen=True)
class TimeRange:
    """`name` is one of NAMED, or "" from one day to another. `words` end a sentence, `step` is what one bar is.
    `values` are the two days as somebody typed them, `errors` says by field what is wrong with them; then it is the
    DEFAULT_SPAN."""

    name: str
    stretch: Stretch
    words: str
    step: str
    marks: tuple[AxisMark, ...]
    values: Mapping[str, str]
    errors: Mapping[str, str]

    @property
    def query(self) -> dict[str, Any]:
        """For url_for."""
        return {"span": self.name} if self.name else dict(self.values)


def time_range(query: Mapping[str, str], now: int, zone: tzinfo = UTC) -> TimeRange:
    """Read a query string; nothing in it is an error here."""
    values = {name: query.get(name, "").strip() for name in ("from", "to")}
    errors: dict[str, str] = {}
    if any(values.values()):
        days = _days(values, errors, now, zone)
        if days:
            return _of_days("", *days, zone, values)
    name = query.get("span", DEFAULT_SPAN)
    name = name if name in NAMED else DEFAULT_SPAN
    if name in _DAYS:
        back, count = _DAYS[name]
        first = _today(now, zone) - timedelta(days=back)
        return _of_days(name, first, first + timedelta(days=count - 1), zone, values, errors)
    stretch = rolling("hour" if name == "hour" else "day", now)
    return TimeRange(name, stretch, NAMED[name][1], _MINUTES[name], _counted_back(name), values, errors)


def days_of(name: str, now: int, zone: tzinfo = UTC) -> dict[str, str]:
    """`from` and `to` of one that is made of days, for lists that are filtered by days."""
    back, count = _DAYS[name]
    first = _today(now, zone) - timedelta(days=back)
    return {"from": first.isoformat(), "to": (first + timedelta(days=count - 1)).isoformat()}


#: Those of NAMED that are made of days.
OF_DAYS = tuple(_DAYS)


def _days(values: Mapping[str, str], errors: dict[str, str], now: int, zone: tzinfo) -> tuple[date, date] | None:
    read: dict[str, date] = {}
    today = _today(now, zone)
    for name, text in values.items():
        try:
            read[name] = day_written(text) if text else today
        except WrongValue as wrong:
            errors[name] = wrong.args[0]
    if errors:
        return None
    if not values["from"]:
        errors["from"] = say("The first day is missing.")
    elif read["from"] > today:
        errors["from"] = say("This day has not come yet.")
    elif read["from"] <= today - timedelta(days=_KEPT_DAYS):
        errors["from"] = say_n(
            "Figures are kept for %(count)s day.", "Figures are kept for %(count)s days.", _KEPT_DAYS
        )
    elif read["to"] < read["from"]:
        errors["to"] = say("This is before “From”.")
    return None if errors else (read["from"], min(read["to"], today))


def _of_days(
    name: str,
    first: date,
    last: date,
    zone: tzinfo,
    values: Mapping[str, str],
    errors: Mapping[str, str] = {},  # a Mapping: nobody writes into it
) -> TimeRange:
    count = (last - first).days + 1
    step = next(step for most, step in _STEPS if count <= most)
    edges = tuple(_rising(_edges(step, first, last, zone)))
    if name:
        words = NAMED[name][1]
    else:
        days = {"first": whole_day(first), "last": whole_day(last)}
        words = say("on %(day)s", day=days["first"]) if first == last else say("from %(first)s to %(last)s", **days)
    return TimeRange(name, Stretch(name, HOUR_MS, edges), words, step, tuple(_dated(edges, step, zone)), values, errors)


def _edges(step: str, first: date, last: date, zone: tzinfo) -> Iterator[int]:
    """Where bars begin, and where the last one ends. The clock of the wall decides: some days have 23 hours."""
    end = last + timedelta(days=1)
    if step == HOUR_BARS:
        yield from range(day_begins(first, zone), day_begins(end, zone), HOUR_MS)
    elif step == SIX_HOURS:
        for ahead in range((end - first).days):
            day = first + timedelta(days=ahead)
            yield from (day_begins(day, zone, hour) for hour in (0, 6, 12, 18))
    elif step == MONTH_BARS:
        yield day_begins(first, zone)
        month = (first.replace(day=1) + timedelta(days=32)).replace(day=1)
        while month < end:
            yield day_begins(month, zone)
            month = (month + timedelta(days=32)).replace(day=1)
    else:
        days = 7 if step == WEEK_BARS else 1
        yield from (day_begins(first + timedelta(days=ahead), zone) for ahead in range(0, (end - first).days, days))
    yield day_begins(end, zone)


def _rising(edges: Iterator[int]) -> Iterator[int]:
    """To the hour, as things are counted."""
    last = -1
    for edge in edges:
        hour = edge - edge % HOUR_MS
        if hour > last:
            yield hour
        last = hour


def _counted_back(name: str) -> tuple[AxisMark, ...]:
    """Back from now, so that they are right in every time zone."""
    whole, every, words = (
        (60, 15, to_be_said("−%(number)s min")) if name == "hour" else (24, 6, to_be_said("−%(number)s h"))
    )
    return tuple(
        AxisMark(1 - ago / whole, say(words, number=ago) if ago else say("now")) for ago in range(whole, -1, -every)
    )


def _dated(edges: Sequence[int], step: str, zone: tzinfo) -> Iterator[AxisMark]:
    """What begins at an edge: an hour of the only day, or a day."""
    begins = [datetime.fromtimestamp(edge / 1000, zone) for edge in edges[:-1]]
    if step != HOUR_BARS:  # a day that begins within an hour was put to its beginning
        begins = [begin + timedelta(minutes=59) for begin in begins]
    if step == SIX_HOURS:
        chosen = [place for place, one in enumerate(begins) if one.hour == 0]
    else:
        every = 6 if step == HOUR_BARS else 1
        chosen = list(range(0, len(begins), every))
    for place in chosen[:: max(1, -(-len(chosen) // _WORDS))]:
        at = begins[place]
        text = f"{at:%H:%M}" if step == HOUR_BARS else month_of(at) if step == MONTH_BARS else short_day(at, zone)
        yield AxisMark(place / len(begins), text)


def _today(now: int, zone: tzinfo) -> date:
    return datetime.fromtimestamp(now / 1000, zone).date()
