"""When somebody is there: the shop's business hours, and what a deadline is in them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property
from itertools import pairwise
from typing import Annotated, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BeforeValidator, Field

from core.config.environment import Strict

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_IN_FULL = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_DAY = timedelta(days=1)
#: Days that are looked through for the next hour in which somebody is there.
_FAR = 800
_TIMES = "write times such as 8:00-16:30, several with commas between them"
_CLOSED = "write a date: 2026-12-24, or 12-24 for every year"


def known_zone(name: str) -> str:
    """A name of the time zone database. Raises ValueError, with what to type."""
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"'{name}' is not a time zone; write one such as Europe/Prague") from None
    return name


def _days(text: str) -> tuple[int, ...]:
    """`mon-fri`, `sat`, `mon,wed`, in whichever case, also in full. Raises ValueError."""
    found: list[int] = []
    for part in text.lower().split(","):
        named = [one.strip() for one in part.split("-")]
        ends = [_DAYS[_IN_FULL.index(one)] if one in _IN_FULL else one for one in named]
        if len(ends) > 2 or any(one not in _DAYS for one in ends):
            raise ValueError(f"'{text}' is not a day; write mon, or mon-fri")
        first, last = _DAYS.index(ends[0]), _DAYS.index(ends[-1])
        if first > last:
            raise ValueError(f"'{text}': the week begins on Monday; write two lines")
        found += range(first, last + 1)
    return tuple(found)


def _spans(text: Any) -> tuple[tuple[time, time], ...]:
    """`8:00-12:00, 13:00-16:30`; 24:00 is the end of a day. Raises ValueError."""
    found = []
    for part in str(text).split(","):
        match = re.fullmatch(r"\s*(\d{1,2}):(\d\d)\s*[-–]\s*(\d{1,2}):(\d\d)\s*", part, re.ASCII)
        if not match:
            raise ValueError(_TIMES)
        opens, closes = (int(match[1]), int(match[2])), (int(match[3]), int(match[4]))
        try:
            span = time(*opens), time.max if closes == (24, 0) else time(*closes)
        except ValueError:
            raise ValueError(f"'{part.strip()}' has a time that no day has; {_TIMES}") from None
        if span[0] >= span[1]:
            raise ValueError(f"'{part.strip()}' ends before it begins")
        found.append(span)
    found.sort()
    if any(after[0] < before[1] for before, after in pairwise(found)):
        raise ValueError(f"'{text}' has times that overlap")
    return tuple(found)


def _checked_days(table: dict[str, str]) -> dict[str, str]:
    seen: dict[int, str] = {}
    for days, spans in table.items():
        _spans(spans)
        for day in _days(days):
            if day in seen:
                raise ValueError(f"{_DAYS[day]} is in '{seen[day]}' and in '{days}'; write it once")
            seen[day] = days
    if not table:
        raise ValueError("names no day; write one such as mon-fri: 8:00-16:30")
    return table


def _closed(value: Any) -> str:
    text = value.isoformat() if isinstance(value, date) else str(value).strip()
    try:
        date.fromisoformat(text if len(text) > 5 else f"2024-{text}")
    except ValueError:
        raise ValueError(_CLOSED) from None
    return text


class BusinessHours(Strict):
    """When somebody is there."""

    time_zone: Annotated[str, AfterValidator(known_zone)] = Field(
        description="Time zone of the hours, such as Europe/Prague."
    )
    open: Annotated[dict[str, str], AfterValidator(_checked_days)] = Field(
        description="Days -> hours, such as mon-fri: 8:00-16:30."
    )
    closed: tuple[Annotated[str, BeforeValidator(_closed)], ...] = Field(
        default=(), description="Days off: 2026-12-24, or 12-24 for every year."
    )

    def after(self, moment: datetime, length: timedelta) -> datetime:
        """The moment at which so much time in which somebody was there has gone by. Whole days are days on which
        somebody is there: a day later is the same time on the next of them."""
        if length >= _DAY and not length % _DAY:
            return self._days_after(moment, length // _DAY)
        left = length
        for opens, closes in self._open_from(moment):
            if opens + left <= closes:
                return opens + left
            left -= closes - opens
        return moment + length

    def _days_after(self, moment: datetime, many: int) -> datetime:
        local = moment.astimezone(self._zone)
        day = local.date()
        for _ in range(_FAR):
            day += _DAY
            many -= bool(self._on(day))
            if not many:
                break
        at = datetime.combine(day, local.timetz().replace(tzinfo=None), self._zone)
        spans = list(self._moments(day))
        if not spans:
            return moment + _DAY
        within = next((opens for opens, closes in spans if at <= closes), None)
        return min(max(at, within), spans[-1][1]).astimezone(UTC) if within else spans[-1][1]

    def _open_from(self, moment: datetime) -> Iterator[tuple[datetime, datetime]]:
        day = moment.astimezone(self._zone).date()
        for number in range(_FAR):
            for opens, closes in self._moments(day + number * _DAY):
                if closes > moment:
                    yield max(opens, moment), closes

    def _moments(self, day: date) -> Iterator[tuple[datetime, datetime]]:
        """In UTC: on the day on which clocks change, hours are not what they are called."""
        for opens, closes in self._on(day):
            # The microsecond before midnight is midnight.
            last = timedelta(microseconds=1) if closes == time.max else timedelta()
            ends = datetime.combine(day, closes, self._zone).astimezone(UTC) + last
            yield datetime.combine(day, opens, self._zone).astimezone(UTC), ends

    def _on(self, day: date) -> tuple[tuple[time, time], ...]:
        text = day.isoformat()
        return () if text in self.closed or text[5:] in self.closed else self._week.get(day.weekday(), ())

    @cached_property
    def _zone(self) -> ZoneInfo:
        return ZoneInfo(self.time_zone)

    @cached_property
    def _week(self) -> dict[int, tuple[tuple[time, time], ...]]:
        return {day: _spans(spans) for days, spans in self.open.items() for day in _days(days)}


def due_after(moment: datetime, length: timedelta, hours: BusinessHours | None) -> datetime:
    """A deadline: in business hours where the shop has told them."""
    return hours.after(moment, length) if hours else moment + length
