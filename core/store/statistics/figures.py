"""What people are shown of what was counted: bars of a chart, and what each connector did over all of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import redis

from core.store.statistics.counts import Over, read_bars, summed
from core.store.statistics.spans import Span, Stretch, rolling

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
    """A stretch: its name, its bars, oldest first, and where they begin and end (ms); totals of what came in by status;
    figures by connector."""

    span: str
    edges: tuple[int, ...]
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
    """One connector over a stretch: its name, its bars, oldest first, where they begin and end (ms), and all of them
    together."""

    span: str
    edges: tuple[int, ...]
    bars: tuple[ConnectorBar, ...]
    whole: Figures


def statistics(client: redis.Redis, asked: Span | Stretch, now: int, over: Over | None = None) -> Statistics:
    """Read a stretch, or a span that ends with the unit of `now`; what is in `over` is not read again. Raises
    StoreUnavailable."""
    stretch = asked if isinstance(asked, Stretch) else rolling(asked, now)
    counted = read_bars(client, stretch, now, over)
    whole = summed(counted)
    return Statistics(
        span=stretch.name,
        edges=stretch.edges,
        bars=tuple(_bar(at, found) for at, found in zip(stretch.edges, counted, strict=False)),
        received={field.removeprefix("in:"): value for field, value in whole.items() if field.startswith("in:")},
        connectors={name: _figures(name, whole) for name in _names(whole)},
    )


def connector_statistics(
    client: redis.Redis, name: str, asked: Span | Stretch, now: int, over: Over | None = None
) -> ConnectorStatistics:
    """The same of one connector alone. Raises StoreUnavailable."""
    stretch = asked if isinstance(asked, Stretch) else rolling(asked, now)
    counted = read_bars(client, stretch, now, over)
    bars = tuple(ConnectorBar(at, _figures(name, found)) for at, found in zip(stretch.edges, counted, strict=False))
    return ConnectorStatistics(stretch.name, stretch.edges, bars, _figures(name, summed(counted)))


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
