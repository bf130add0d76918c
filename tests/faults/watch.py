"""Measures how long it takes until what was interrupted goes on."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import redis

from core.store import INBOX, connect
from core.store.protocol.constants import SLOW_CRASHES
from core.store.protocol.keys import key

#: Seconds between two looks.
LOOK = 0.05
LANES = ("inbox", "desk", "hook")


class Watch:
    """`mark` what was interrupted; `longest` says how long the slowest of it took."""

    def __init__(self, url: str) -> None:
        self.took: list[float] = []
        self.interrupted = 0
        self._redis = connect(url)
        self._pending: list[tuple[float, Callable[[], bool]]] = []
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def mark(self, since: float, gone_on: Callable[[], bool]) -> None:
        """From `since` on (monotonic seconds), wait for `gone_on` to come true."""
        with self._lock:
            self._pending.append((since, gone_on))

    def in_flight(self) -> dict[tuple[str, str], str]:
        """What somebody works on at this moment: lane and item -> token of the lease."""
        try:
            found = zip(LANES, self._leases(), strict=True)
        except redis.ConnectionError:  # the server has been restarted since the last look
            self._redis.connection_pool.disconnect()
            found = zip(LANES, self._leases(), strict=True)
        return {(lane, item.decode()): token.decode() for lane, leases in found for item, token in leases.items()}

    def _leases(self) -> list[dict[bytes, bytes]]:
        pipe = self._redis.pipeline(transaction=True)
        for lane in LANES:
            pipe.hgetall(f"relay:leases:{lane}")
        return pipe.execute()

    def mark_work(self, since: float, interrupted: dict[tuple[str, str], str]) -> None:
        """Wait until each of these items is done, or somebody has begun with it anew. One that is only put off until
        later has not gone on, unless so many processes have died of it that it has to wait (docs/adr/0001)."""
        left = dict(interrupted)
        self.interrupted += len(left)

        def gone_on() -> bool:
            now = self.in_flight()
            for (lane, item), token in list(left.items()):
                lease = now.get((lane, item))
                due = self._redis.zscore(f"relay:lane:{lane}", item)
                if (due is None or self._has_to_wait(lane, item)) if lease is None else lease != token:
                    del left[lane, item]
            return not left

        self.mark(since, gone_on)

    def _has_to_wait(self, lane: str, item: str) -> bool:
        died: Any = self._redis.hget(key("payload" if lane == INBOX else "delivery", item), "crashes")
        return int(died or 0) >= SLOW_CRASHES

    def longest(self, seconds: float = 40.0) -> float:
        """Wait for everything that was marked; 0.0 when nothing was."""
        ends = time.monotonic() + seconds
        while self._pending and time.monotonic() < ends:
            time.sleep(LOOK)
        # What has not gone on by now counts with all the time that it had.
        late = [time.monotonic() - since for since, _ in self._pending]
        return max([*self.took, *late], default=0.0)

    def end(self) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._over.wait(LOOK):
            for one in list(self._pending):
                try:
                    if not one[1]():
                        continue
                except redis.RedisError:  # it is the server that is down
                    break
                self.took.append(time.monotonic() - one[0])
                with self._lock:
                    self._pending.remove(one)
