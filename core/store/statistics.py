"""What came in and went out, over time, and how long it took. The scripts count (lua/lib/counts.lua), and
`add` what none of them sees."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import redis

from core.store.connection.client import errors
from core.store.protocol.keys import key

Span = Literal["hour", "day", "week", "month"]

_MINUTE, _HOUR = 60_000, 3_600_000

#: Each span: the unit in which it was counted (ms), how many of them one bar holds, and how many bars there are.
SPANS: Mapping[Span, tuple[int, int, int]] = {
    "hour": (_MINUTE, 2, 30),
    "day": (_HOUR, 1, 24),
    "week": (_HOUR, 6, 28),
    "month": (_HOUR, 24, 30),
}

#: Outcomes after which a delivery is dead.
DEAD = ("refused", "exhausted", "bug", "killed")


@dataclass(frozen=True)
class Bar:
    """A stretch of time from `at` (ms): bodies accepted, deliveries made, failed attempts that are retried, dead."""

    at: int
    accepted: int
    delivered: int
    retried: int
    dead: int


@dataclass(frozen=True)
class Figures:
    """One connector over a span. `success` is the share of deliveries that ended well among those that ended, or None
    when none did; the times from receipt to record are in ms, to about a tenth, or None."""

    delivered: int = 0
    skipped: int = 0
    retried: int = 0
    dead: int = 0
    success: float | None = None
    median: int | None = None
    p95: int | None = None


@dataclass(frozen=True)
class Statistics:
    """A span: its bars, oldest first, `step` ms each; totals of what came in by status; figures by connector."""

    span: Span
    step: int
    bars: tuple[Bar, ...]
    received: Mapping[str, int]
    connectors: Mapping[str, Figures]


@dataclass(frozen=True)
class ConnectorBar:
    """What a connector did in a stretch of time from `at` (ms)."""

    at: int
    figures: Figures


@dataclass(frozen=True)
class ConnectorStatistics:
    """One connector over a span: its bars, oldest first, `step` ms each, and all of them together."""

    span: Span
    step: int
    bars: tuple[ConnectorBar, ...]
    whole: Figures


#: Bars that are over, by unit, first unit and units: they never change, so whoever asks again may keep them.
Over = dict[tuple[str, int, int], Counter[str]]


def statistics(client: redis.Redis, span: Span, now: int, over: Over | None = None) -> Statistics:
    """Read a span that ends with the unit of `now`; what is in `over` is not read again. Raises StoreUnavailable."""
    unit, group, _ = SPANS[span]
    grouped = _grouped(client, span, now, over)
    whole = _summed(grouped.values())
    return Statistics(
        span=span,
        step=unit * group,
        bars=tuple(_bar(start * unit, found) for start, found in grouped.items()),
        received={field.removeprefix("in:"): value for field, value in whole.items() if field.startswith("in:")},
        connectors={name: _figures(name, whole) for name in _names(whole)},
    )


def connector_statistics(
    client: redis.Redis, name: str, span: Span, now: int, over: Over | None = None
) -> ConnectorStatistics:
    """The same of one connector alone. Raises StoreUnavailable."""
    unit, group, _ = SPANS[span]
    grouped = _grouped(client, span, now, over)
    bars = tuple(ConnectorBar(start * unit, _figures(name, found)) for start, found in grouped.items())
    return ConnectorStatistics(span, unit * group, bars, _figures(name, _summed(grouped.values())))


def _grouped(client: redis.Redis, span: Span, now: int, over: Over | None) -> dict[int, Counter[str]]:
    """The counts of each bar by the unit with which it begins, oldest first."""
    unit, group, bars = SPANS[span]
    name = "minute" if unit == _MINUTE else "hour"
    last = now // unit
    starts = range(last - group * bars + 1, last + 1, group)
    over = {} if over is None else over
    grouped = {start: found for start in starts if (found := over.get((name, start, group))) is not None}
    grouped |= _read(client, name, [start for start in starts if start not in grouped], group)
    for place in list(over):
        if (place[0], place[2]) == (name, group) and place[1] not in starts:
            over.pop(place, None)
    over.update({(name, start, group): one for start, one in grouped.items() if start + group <= last})
    return {start: grouped[start] for start in starts}


def _read(client: redis.Redis, name: str, starts: Sequence[int], group: int) -> dict[int, Counter[str]]:
    with errors():
        pipe: Any = client.pipeline(transaction=False)
        for start in starts:
            for one in range(start, start + group):
                pipe.hgetall(key("count", name, str(one)))
        rows = pipe.execute()
    counted = [Counter({field.decode(): int(value) for field, value in row.items()}) for row in rows]
    return {start: _summed(counted[i * group : (i + 1) * group]) for i, start in enumerate(starts)}


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


def _summed(rows: Iterable[Counter[str]]) -> Counter[str]:
    total: Counter[str] = Counter()
    for row in rows:
        total.update(row)
    return total


def _names(counted: Mapping[str, int]) -> list[str]:
    return sorted({field.split(":")[1] for field in counted if field.startswith("out:")})


def _bar(at: int, counted: Mapping[str, int]) -> Bar:
    def ended(*outcomes: str) -> int:
        return sum(
            value
            for field, value in counted.items()
            if field.startswith("out:") and field.endswith(_suffixes(outcomes))
        )

    return Bar(at, counted.get("in:accepted", 0), ended("delivered"), ended("retry", "paused"), ended(*DEAD))


def _suffixes(outcomes: Iterable[str]) -> tuple[str, ...]:
    return tuple(f":{outcome}" for outcome in outcomes)


def _figures(name: str, counted: Mapping[str, int]) -> Figures:
    def of(*outcomes: str) -> int:
        return sum(counted.get(f"out:{name}:{outcome}", 0) for outcome in outcomes)

    delivered, dead = of("delivered"), of(*DEAD)
    prefix = f"took:{name}:"
    took = {int(field.removeprefix(prefix)): value for field, value in counted.items() if field.startswith(prefix)}
    return Figures(
        delivered=delivered,
        skipped=of("skipped"),
        retried=of("retry", "paused", "crashed"),
        dead=dead,
        success=delivered / (delivered + dead) if delivered + dead else None,
        median=_quantile(took, 0.5),
        p95=_quantile(took, 0.95),
    )


def _quantile(took: Mapping[int, int], share: float) -> int | None:
    """The middle of the bucket in which the quantile lies, ms."""
    total = sum(took.values())
    passed = 0
    for bucket in sorted(took):
        passed += took[bucket]
        if passed >= share * total:
            return round(2 ** ((bucket + 0.5) / 4))
    return None
