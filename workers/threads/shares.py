"""Shares a worker's threads out among lanes, so that a slow destination cannot take them all."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Collection


class Slots:
    """`total` threads. A lane gets another one only while one stays free for every other lane that has none.

    So a lane may have nearly all while the others have nothing to do. When one of those wants more, threads go over to
    it as they end an item, until the two have equally many.
    """

    def __init__(self, total: int) -> None:
        self._total = total
        self._taken: Counter[str] = Counter()
        self._wanting: set[str] = set()
        self._lock = threading.Lock()

    def take(self, lane: str, lanes: Collection[str]) -> bool:
        """Whether `lane` may occupy one more thread, with `lanes` being all that there are."""
        with self._lock:
            if not self._may_take(lane, lanes):
                self._wanting.add(lane)
                return False
            self._taken[lane] += 1
            return True

    def want(self, lane: str) -> None:
        """More is due in a lane than its threads have in hand, so far as they know."""
        with self._lock:
            self._wanting.add(lane)

    def owes(self, lane: str, lanes: Collection[str]) -> bool:
        """Whether a thread of `lane` is to go over to another one (`go_over`)."""
        with self._lock:
            return self._creditor(lane, lanes) is not None

    def go_over(self, lane: str, lanes: Collection[str]) -> str | None:
        """Move a thread to a lane that wants one and has fewer. Returns that lane, or None: it stays."""
        with self._lock:
            other = self._creditor(lane, lanes)
            if other is not None:
                self._taken[lane] -= 1
                self._taken[other] += 1
            return other

    def leave_to_others(self, lane: str) -> bool:
        """There is nothing to do: give the thread back unless it is the last that this worker has at a lane. Returns
        whether it did."""
        with self._lock:
            self._wanting.discard(lane)
            if self._taken[lane] < 2:
                return False
            self._taken[lane] -= 1
            return True

    def give_back(self, lane: str) -> None:
        with self._lock:
            self._taken[lane] -= 1

    def _may_take(self, lane: str, lanes: Collection[str]) -> bool:
        free = self._total - self._taken.total()
        if free <= 0 or not self._taken[lane]:
            return free > 0
        kept = sum(1 for other in lanes if other != lane and not self._taken[other])
        if len(lanes) > 2 and self._taken[lane] >= self._total // len(lanes):
            # Beyond its share: what takes a minute an item gives no thread back when another connector's work comes.
            kept = max(kept, self._total // 4)
        return free > kept

    def _creditor(self, lane: str, lanes: Collection[str]) -> str | None:
        poorer = [
            other
            for other in self._wanting.intersection(lanes)
            if self._taken[other] + 1 < self._taken[lane] and not self._may_take(other, lanes)
        ]
        return min(poorer, key=self._taken.__getitem__, default=None)
