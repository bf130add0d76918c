"""Knocks that nobody waits for."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextvars import copy_context
from queue import SimpleQueue


def in_background(knock: Callable[[str], None]) -> Callable[[str], None]:
    """The same, from a thread of its own, in order: while a knock waits for a server that says nothing, the leases of
    whoever knocks would run out. Traces go on, as the caller's context goes with it."""
    waiting: SimpleQueue[Callable[[], None]] = SimpleQueue()

    def work() -> None:
        while True:
            waiting.get()()

    def later(lane: str) -> None:
        context = copy_context()
        waiting.put(lambda: context.run(knock, lane))

    threading.Thread(target=work, name="knocks", daemon=True).start()
    return later
