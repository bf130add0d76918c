"""What came in and went out, over time, and how long it took: `spans` are the stretches of time that are looked at,
`counts` reads what the scripts counted in them (lua/lib/counts.lua) and adds what none of them sees, `figures` is what
people are shown. Other parts of Relay import from here."""

from core.store.statistics.counts import Counts, Over, add_counts, bound, totals
from core.store.statistics.figures import (
    DEAD,
    Bar,
    ConnectorBar,
    ConnectorStatistics,
    Figures,
    Statistics,
    connector_statistics,
    statistics,
)
from core.store.statistics.spans import SPANS, Span, Stretch, rolling

__all__ = [
    "DEAD",
    "SPANS",
    "Bar",
    "ConnectorBar",
    "ConnectorStatistics",
    "Counts",
    "Figures",
    "Over",
    "Span",
    "Statistics",
    "Stretch",
    "add_counts",
    "bound",
    "connector_statistics",
    "rolling",
    "statistics",
    "totals",
]
