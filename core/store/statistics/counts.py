"""Counts as they are kept: by the minute, the hour and the day, and since ever.

Scripts count minutes and hours. A day (UTC) that is over is added up once, by whoever does the chores of a worker, so
that a year is read in some hundred hashes and not in 8,760. A day of which that is not done yet is read by its hours:
the hours are the truth.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

import redis

from core.store.connection.client import errors
from core.store.protocol.base import Base
from core.store.protocol.constants import DAY_KEPT_MS
from core.store.protocol.keys import key
from core.store.statistics.spans import DAY_HOURS, HOUR_MS, MINUTE_MS, Stretch

#: What was counted in one bar, by field.
FieldCounts = Counter[str]
#: Bars that are over, by unit, first unit and the first after it: they never change, so whoever asks again may keep
#: them.
Over = dict[tuple[int, int, int, int], FieldCounts]
#: Bars that are kept like that: several spans of thirty, for each connector the same ones.
_KEPT = 256
#: Days that the server adds up in one go: some ms of its time.
_DAYS = 16
#: After so long nothing is counted in a day any more, though a clock may have been put back a little.
_SETTLED = HOUR_MS
_DAY = DAY_HOURS * HOUR_MS
#: What is over is believed for so long: a connector that is renamed takes its past along.
_BELIEVED = 60_000

#: A unit of time by its key's second part, and its number since 1970.
_Unit = tuple[str, int]


class Counts(Base):
    """What a worker's chores do. Raises StoreUnavailable."""

    def add_up(self) -> int:
        """Add up some of the days that are over, oldest first. Returns how many; 0: all are."""
        now = self.now()
        over = (now - _SETTLED) // _DAY
        with errors():
            last = _rolled(self._redis.get(key("rolled-days")), over)
        first = max(last + 1, (now - DAY_KEPT_MS) // _DAY)
        before = min(over, first + _DAYS)
        if first >= before:
            return 0
        self._run("roll_up", first=first, before=before)
        return before - first


def read_bars(client: redis.Redis, stretch: Stretch, now: int, over: Over | None = None) -> list[FieldCounts]:
    """What was counted in each bar; what is in `over` is not read again. Raises StoreUnavailable."""
    over = {} if over is None else over
    unit, last, turn = stretch.unit, now // stretch.unit, now // _BELIEVED
    bars = stretch.bars
    found = {bar: over[turn, unit, *bar] for bar in bars if (turn, unit, *bar) in over}
    found |= _read(client, unit, [bar for bar in bars if bar not in found], now)
    for bar in bars:
        if bar[1] <= last:
            over.pop((turn, unit, *bar), None)  # the newest come last
            over[turn, unit, *bar] = found[bar]
    for place in list(over)[: max(0, len(over) - _KEPT)]:
        over.pop(place, None)
    return [found[bar] for bar in bars]


def totals(client: redis.Redis) -> dict[str, int]:
    """Every counter since ever; the fields are in keys.py. Raises StoreUnavailable."""
    with errors():
        row: Any = client.hgetall(key("totals"))
    return {field.decode(): int(value) for field, value in row.items()}


def add_counts(client: redis.Redis, numbers: Mapping[str, int]) -> None:
    """Add to counters of `totals`. Raises StoreUnavailable."""
    with errors():
        pipe: Any = client.pipeline(transaction=False)
        for field, number in numbers.items():
            pipe.hincrby(key("totals"), field, number)
        pipe.execute()


def bound(bucket: int) -> float:
    """The upper end, in ms, of a bucket of `took:CONNECTOR:BUCKET`."""
    return float(2 ** ((bucket + 1) / 4))


def summed(rows: Iterable[FieldCounts]) -> FieldCounts:
    total: FieldCounts = Counter()
    for row in rows:
        total.update(row)
    return total


def _read(
    client: redis.Redis, unit: int, bars: Sequence[tuple[int, int]], now: int
) -> dict[tuple[int, int], FieldCounts]:
    over = (now - _SETTLED) // _DAY
    parts = {bar: list(_parts(unit, *bar, over)) for bar in bars}
    wanted = {one for those in parts.values() for one, _ in those}
    if not wanted:
        return {bar: Counter() for bar in bars}
    read = _hashes(client, wanted, over)
    found = {}
    for bar, those in parts.items():
        total: FieldCounts = Counter()
        for one, sign in those:
            (total.update if sign > 0 else total.subtract)(read[one])
        found[bar] = +total
    return found


def _parts(unit: int, first: int, end: int, over: int) -> Iterator[tuple[_Unit, int]]:
    """The units that make a bar: each with 1, or -1 for what is taken off from a day of which it holds the most."""
    if unit == MINUTE_MS:
        yield from ((("minute", one), 1) for one in range(first, end))
        return
    at = first
    while at < end:
        day = at // DAY_HOURS
        begins, ends = day * DAY_HOURS, (day + 1) * DAY_HOURS
        inside = range(at, min(end, ends))
        outside = [*range(begins, at), *range(min(end, ends), ends)]
        if day < over and len(outside) < len(inside):
            yield ("day", day), 1
            yield from ((("hour", one), -1) for one in outside)
        else:
            yield from ((("hour", one), 1) for one in inside)
        at = ends


def _hashes(client: redis.Redis, wanted: Collection[_Unit], over: int) -> dict[_Unit, FieldCounts]:
    names = sorted(wanted)
    rows, last = _fetched(client, names)
    rolled = _rolled(last, over)
    found = dict(zip(names, rows, strict=True))
    # Not added up yet.
    late = [day for kind, day in names if kind == "day" and day > rolled]
    hours = [("hour", one) for day in late for one in range(day * DAY_HOURS, (day + 1) * DAY_HOURS)]
    if hours:
        rows, _ = _fetched(client, hours)
        for place, day in enumerate(late):
            found["day", day] = summed(rows[place * DAY_HOURS : (place + 1) * DAY_HOURS])
    return found


def _fetched(client: redis.Redis, names: Sequence[_Unit]) -> tuple[list[FieldCounts], bytes | None]:
    """The hashes, and which day is said to be the last one that is added up."""
    with errors():
        # In one step: a day that is added up between two questions would be read neither by its hours nor as a whole.
        pipe: Any = client.pipeline(transaction=True)
        pipe.get(key("rolled-days"))
        for kind, one in names:
            pipe.hgetall(key("count", kind, str(one)))
        rolled, *rows = pipe.execute()
    return [Counter({field.decode(): int(value) for field, value in row.items()}) for row in rows], rolled


def _rolled(last: bytes | None, over: int) -> int:
    """The last day that is added up. A clock that was wrong for a while may have named one that is not over: then days
    are read by their hours until somebody has added them up anew."""
    day = int(last or 0)
    return day if day < over else 0
