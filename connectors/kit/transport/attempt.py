"""One attempt: when it ends, and what was sent and answered in it. Each thread has its own."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Protocol

from connectors.kit.transport.preview import Imagine, Sent
from core.delivery import Exchange
from core.errors import TimedOut

#: Seconds that one attempt may take in all.
ATTEMPT_SECONDS = 60.0
#: Characters of a body, sent or answered, that are kept with an exchange: one that failed, and one that did not.
KEPT_FAILED, KEPT = 2_000, 300


class Wire(Protocol):
    """What a connector sends by: HTTP, or a mail server."""

    def attempt(self, seconds: float = ATTEMPT_SECONDS) -> AbstractContextManager[list[Exchange]]:
        """Everything between is one attempt and ends within `seconds`; the list fills with its exchanges."""

    def pretending(self, imagine: Imagine) -> AbstractContextManager[list[Sent]]:
        """Nothing is sent meanwhile, by any thread: `imagine` answers, and the list fills with what would be."""

    @property
    def is_pretending(self) -> bool:
        """Whether nothing is sent."""

    def include(self, exchanges: Sequence[Exchange]) -> None:
        """Note what was sent elsewhere for this attempt."""


@dataclass
class AttemptLog(threading.local):
    """The exchanges of the attempt of this thread."""

    exchanges: list[Exchange] = field(default_factory=list)


@dataclass
class AttemptClock(threading.local):
    """When the attempt of this thread ends. It is all that a connection knows of us."""

    ends: float | None = None

    def remaining(self) -> float:
        """Seconds left of the attempt; below zero when it should have ended."""
        return ATTEMPT_SECONDS if self.ends is None else self.ends - time.monotonic()

    def left(self) -> float:
        """The same. Raises TimedOut when there are none."""
        left = self.remaining()
        if left <= 0:
            raise TimedOut("the attempt took longer than it may; it will be tried again")
        return left


class Attempts:
    """What every wire has of the attempt of each thread that shares it: its end, and what went over it."""

    def __init__(self) -> None:
        self._own, self._clock = AttemptLog(), AttemptClock()

    @contextmanager
    def attempt(self, seconds: float = ATTEMPT_SECONDS) -> Iterator[list[Exchange]]:
        """Everything between is one attempt and ends within `seconds`; the list fills with its exchanges."""
        self._clock.ends = time.monotonic() + seconds
        exchanges: list[Exchange] = []
        self._own.exchanges = exchanges
        try:
            yield exchanges
        finally:
            self._clock.ends = None
            # They are the caller's, who lets go of what a visitor wrote.
            self._own.exchanges = []

    def remaining(self) -> float:
        """Seconds left of this thread's attempt; zero or below when it is over."""
        return self._clock.remaining()

    def include(self, exchanges: Sequence[Exchange]) -> None:
        """Note what was sent elsewhere for this attempt."""
        self._own.exchanges.extend(exchanges)
