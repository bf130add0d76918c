"""Threads that have nothing to do wait a moment for what this worker itself makes due: a wake-up by way of Celery takes
longer than reading a chat."""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import Empty, SimpleQueue

#: Seconds that a thread waits. Meanwhile Celery takes it for busy, and what others make due may have to wait as long.
MOMENT = 0.1

#: What a thread does that is called.
Called = Callable[[], None]


class WaitingThreads:
    """At most so many `at_once`."""

    def __init__(self, at_once: int) -> None:
        self._at_once = at_once
        self._lock = threading.Lock()
        self._waiting: list[SimpleQueue[Called | None]] = []

    def call(self, work: Called, may: Callable[[], bool] = lambda: True) -> bool:
        """Let a thread do something that waits, if it `may`, which is asked only where one waits. Returns whether one
        does."""
        with self._lock:
            if not self._waiting or not may():
                return False
            thread = self._waiting.pop()  # the last to come: what it needs is still in the processor's cache
        thread.put(work)
        return True

    def attend(self) -> bool:
        """Wait as a thread that has nothing to do, and do what it is called for. Returns whether it was."""
        mine: SimpleQueue[Called | None] = SimpleQueue()
        with self._lock:
            if len(self._waiting) >= self._at_once:
                return False
            self._waiting.append(mine)
        try:
            work = mine.get(timeout=MOMENT)
        except Empty:
            with self._lock:
                if mine in self._waiting:
                    self._waiting.remove(mine)
                    return False
            work = mine.get()  # it was called just now
        if work is None:
            return False
        work()
        return True

    def dismiss(self) -> None:
        """The worker stops: nobody waits any longer."""
        with self._lock:
            gone, self._waiting, self._at_once = self._waiting, [], 0
        for thread in gone:
            thread.put(None)
