"""The tabs above the chats: all, missed, offline, not delivered anywhere, and how many each has."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from flask import url_for

from core.delivery import UNDELIVERED
from core.store import Filter, Search
from core.wording.sentence import say

#: What each tab asks for, in its words and as a query.
_VIEWS: Mapping[str, tuple[Filter, Mapping[str, Any]]] = {
    say("All"): (Filter(), {}),
    say("Missed"): (Filter(missed=True), {"missed": "1"}),
    say("Offline"): (Filter(offline=True), {"offline": "1"}),
    say("Not delivered"): (Filter(undelivered=True), {"status": UNDELIVERED}),
}
#: Seconds that one count may take, and for which it is good: a year of chats takes longer to look through.
_COUNTING, _GOOD = 0.03, 15.0


@dataclass(frozen=True)
class ChatView:
    """`whole` is False when there may be more than `count`."""

    label: str
    url: str
    count: int
    whole: bool
    current: bool


class ViewCounts:
    """Counts are kept for a moment, for all who look."""

    def __init__(self, search: Search, clock: Callable[[], float] = time.monotonic) -> None:
        self._search, self._clock = search, clock
        self._kept: dict[str, tuple[float, int, bool]] = {}

    def views(self, shown: Filter) -> list[ChatView]:
        """`shown` is the filter of the page. Raises StoreUnavailable."""
        return [
            ChatView(label, url_for("dashboard.conversations", **query), *self._count(label, wanted), shown == wanted)
            for label, (wanted, query) in _VIEWS.items()
        ]

    def _count(self, label: str, wanted: Filter) -> tuple[int, bool]:
        if wanted.exact:  # the length of a list
            return self._search.count(wanted)
        until, count, whole = self._kept.get(label, (0.0, 0, True))
        if self._clock() >= until:
            count, whole = self._search.count(wanted, _COUNTING)
            self._kept[label] = (self._clock() + _GOOD, count, whole)
        return count, whole
