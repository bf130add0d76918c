"""Knocks that nobody waits for."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextvars import copy_context
from queue import SimpleQueue

import structlog

log = structlog.get_logger(__name__)


def in_background(knock: Callable[[str], None]) -> Callable[[str], None]:
    """The same, from a thread of its own, in order: while a knock waits for a server that says nothing, the leases of
    whoever knocks would run out. Traces go on, as the caller's context goes with it."""
    waiting: SimpleQueue[Callable[[], None]] = SimpleQueue()

    def work() -> None:
        while True:
            try:
                waiting.get()()
            except Exception:  # the tick makes up for one lost knock, but not for all that this thread has to send
                log.exception("bug in a knock")

    def later(lane: str) -> None:
        context = copy_context()
        waiting.put(lambda: context.run(knock, lane))

    threading.Thread(target=work, name="knocks", daemon=True).start()
    return later
