"""What a connector did over a span, drawn; and when it was paused or did not respond."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from app.admin.connector_state import State
from app.dashboard.view.formatting import share, span
from app.dashboard.view.over_time import charts
from app.dashboard.view.over_time.ranges import TimeRange
from app.dashboard.view.zone import viewer_zone
from core.store.ledger.lanes import GateChange
from core.store.statistics import ConnectorStatistics
from core.wording.sentence import say, to_be_said

#: Periods that a page lists.
_LISTED = 20
#: Who closed a gate, or "" when it opened -> the state that began.
_STATES: Mapping[str, State] = {
    "": State.ON,
    "admin": State.PAUSED,
    "relay": State.REJECTED,
    "breaker": State.NOT_RESPONDING,
}


@dataclass(frozen=True)
class StatePeriod:
    """A state that began at `since` (ms); `lasted` is None while it is so still."""

    state: str
    since: int
    lasted: int | None


def periods(changes: Sequence[GateChange]) -> list[StatePeriod]:
    """The newest first."""
    found = [StatePeriod(_state(one), one.at, max(0, then.at - one.at)) for one, then in pairwise(changes)]
    found += [StatePeriod(_state(one), one.at, None) for one in changes[-1:]]
    return found[: -_LISTED - 1 : -1]


def _state(change: GateChange) -> str:
    # A version that knows more may have closed it.
    return _STATES.get(change.by, change.by)


def traffic_charts(found: ConnectorStatistics, asked: TimeRange) -> list[tuple[str, charts.Chart]]:
    """The charts and what each is called."""
    figures = [bar.figures for bar in found.bars]

    def values(of: Iterable[float | None]) -> tuple[int, ...]:
        return tuple(round(value or 0) for value in of)

    deliveries = (
        charts.Series(
            "series-good", say("Delivered"), values(one.delivered for one in figures), to_be_said("%(value)s delivered")
        ),
        charts.Series(
            "series-warn",
            say("Failed attempts"),
            values(one.retried for one in figures),
            to_be_said("%(value)s failed attempts"),
        ),
        charts.Series(
            "series-bad", say("Dead letters"), values(one.dead for one in figures), to_be_said("%(value)s dead letters")
        ),
    )
    success = (
        charts.Series(
            "series-good",
            say("Success"),
            values(100 * (one.success or 0) for one in figures),
            to_be_said("%(value)s success"),
        ),
    )
    times = (
        charts.Series("series-4", say("Median"), values(one.median for one in figures), to_be_said("%(value)s median")),
        charts.Series(
            "series-3",
            say("95th percentile"),
            values(one.p95 for one in figures),
            to_be_said("%(value)s 95th percentile"),
        ),
    )

    def drawn(series: Sequence[charts.Series], spell: Callable[[int], str] | None = None) -> charts.Chart:
        return charts.chart(asked, series, viewer_zone(), spell)

    shown = [(say("Deliveries"), drawn(deliveries))]
    # Of what did not happen there is neither a share nor a time.
    if found.whole.success is not None:
        shown.append((say("Success"), drawn(success, lambda value: share(value, 100))))
    if found.whole.median is not None:
        shown.append((say("From receipt to record"), drawn(times, span)))
    return shown
