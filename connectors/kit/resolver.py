"""Names are looked up within a time. The system's own call has no end: a name server that hangs held an attempt, and
its lease, for as long as it liked."""

from __future__ import annotations

import socket
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from typing import Any

#: Look-ups that may hang at once, whoever asks. A further one is told so at once instead of waiting behind them.
HANGING = 64

_places = threading.BoundedSemaphore(HANGING)


def look_up(host: str, port: int, seconds: float) -> Sequence[Any]:
    """As socket.getaddrinfo, for TCP. Raises OSError, and TimeoutError, which is one, when the answer does not come."""
    if not _places.acquire(blocking=False):
        raise TimeoutError(f"the name server does not respond ({HANGING} open queries)")
    answer: Future[Sequence[Any]] = Future()
    # A thread of its own, and a daemon: one that hangs keeps neither a pool nor the end of the process.
    threading.Thread(target=_ask, args=(host, port, answer), name="resolver", daemon=True).start()
    try:
        return answer.result(seconds)
    except TimeoutError:
        raise TimeoutError(f"the name server did not respond within {seconds:.0f} s") from None


def _ask(host: str, port: int, answer: Future[Sequence[Any]]) -> None:
    try:
        answer.set_result(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
    except (OSError, ValueError, OverflowError) as error:  # no such name, no name at all, no port
        answer.set_exception(error)
    finally:
        _places.release()
