"""Shares a worker's threads out among lanes, so that a slow destination cannot take them all."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable


class Slots:
    """`total` threads. A lane gets another one only while one stays free for every other lane that has none."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._taken: Counter[str] = Counter()
        self._lock = threading.Lock()

    def take(self, lane: str, lanes: Iterable[str]) -> bool:
        """Whether `lane` may occupy one more thread, with `lanes` being all that there are."""
        with self._lock:
            others_without = sum(1 for other in lanes if other != lane and not self._taken[other])
            free = self._total - self._taken.total()
            if free <= 0 or (self._taken[lane] and free <= others_without):
                return False
            self._taken[lane] += 1
            return True

    def leave_to_others(self, lane: str) -> bool:
        """Give the thread back unless it is the last that this worker has at a lane. Returns whether it did."""
        with self._lock:
            if self._taken[lane] < 2:
                return False
            self._taken[lane] -= 1
            return True

    def give_back(self, lane: str) -> None:
        with self._lock:
            self._taken[lane] -= 1
