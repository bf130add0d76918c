"""What was refused: posts, with a status and a reason, and connections that were cut off. Logged and counted in the
store, both every few seconds, so that a flood of them costs neither a line nor a journey each."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import structlog

from app.proxies import Proxies, network_of
from core.errors import StoreUnavailable
from core.store import Client
from core.store.statistics import add_counts

log = structlog.get_logger(__name__)

#: Every status and reason that a post is refused with; the first reason of a status is the usual one. `elsewhere` is a
#: path that nobody who means the hook would type. 503 says to try again, which Smartsupp may not do.
REASONS = (
    (400, "cut"),
    (400, "empty"),
    (403, "token"),
    (403, "source"),
    (403, "signature"),
    (403, "elsewhere"),
    (404, "path"),
    (404, "elsewhere"),
    (405, "method"),
    (405, "elsewhere"),
    (408, "slow"),
    (413, "large"),
    (415, "packed"),
    (429, "guesses"),
    (500, "bug"),
    (503, "store"),
)
#: Why a connection is cut off (app/server/connections.py).
CUTS = ("unread", "address", "crowded")
#: Seconds between two tellings.
_PERIOD = 10.0
#: Lines of one telling, about; what comes from further addresses is summed up.
LINES = 20


_USUAL = dict(reversed(REASONS))


class Refusals:
    """Threads share it."""

    def __init__(self, client: Client, proxies: Proxies) -> None:
        self._client, self._proxies = client, proxies
        self._lock = threading.Lock()
        self._numbers: Counter[str] = Counter()
        self._lines: Counter[tuple[int, str, str]] = Counter()

    def start(self) -> None:
        threading.Thread(target=self._run, name="refusals", daemon=True).start()

    def note(self, environ: Mapping[str, Any], status: int, reason: str, why: str = "") -> None:
        """A post was refused; `why` is one of REASONS, the usual one of its status where none is given. Of a WSGI
        environ only the sender's address is kept: the path holds a token."""
        counters = (f"refused:{status}", f"refused:{status}:{why or _USUAL.get(status, 'other')}")
        self._count(counters, (status, reason, network_of(self._proxies.client(environ))))

    def cut(self, address: str, why: str) -> None:
        """A connection was cut off; `why` is one of CUTS."""
        self._count((f"refused:connection:{why}",), (0, why, network_of(address)))

    def _count(self, counters: Iterable[str], line: tuple[int, str, str]) -> None:
        with self._lock:
            self._numbers.update(counters)
            if line not in self._lines and len(self._lines) >= LINES:
                line = (*line[:2], "others")
            self._lines[line] += 1

    def tell(self) -> None:
        """Log and count what was noted since the last time. Raises StoreUnavailable; what is not counted then is the
        next time."""
        with self._lock:
            lines, self._lines = self._lines, Counter()
            numbers, self._numbers = self._numbers, Counter()
        for (status, reason, address), times in lines.items():
            if status:
                log.warning("refused", status=status, reason=reason, address=address, times=times)
            else:
                log.warning("connection closed", reason=reason, address=address, times=times)
        try:
            if numbers:
                add_counts(self._client, numbers)
        except StoreUnavailable:
            with self._lock:
                self._numbers.update(numbers)
            raise

    def _run(self) -> None:
        while True:
            time.sleep(_PERIOD)
            try:
                self.tell()
            except StoreUnavailable:
                pass  # which every body that is not kept says
            except Exception:  # whatever goes wrong with telling, the next time may go right
                log.exception("unhandled error in the log of refused posts")
