"""Posts to the hook that were refused: told in the log and counted in the store, both every few seconds, so that a
flood of them costs neither a line nor a journey each."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Mapping
from typing import Any

import structlog

from app.proxies import Proxies, network_of
from core.errors import StoreUnavailable
from core.store import Client
from core.store.statistics import add

log = structlog.get_logger(__name__)

#: Every status that a post is refused with. 503 is no refusal: it says to try again.
STATUSES = (400, 403, 408, 413, 415, 429)
#: Seconds between two tellings.
PERIOD = 10.0
#: Lines of one telling, about; what comes from further addresses is summed up.
LINES = 20


class Refusals:
    """Threads share it."""

    def __init__(self, client: Client, proxies: Proxies) -> None:
        self._client, self._proxies = client, proxies
        self._lock = threading.Lock()
        self._numbers: Counter[int] = Counter()
        self._lines: Counter[tuple[int, str, str]] = Counter()

    def start(self) -> None:
        threading.Thread(target=self._run, name="refusals", daemon=True).start()

    def note(self, environ: Mapping[str, Any], status: int, reason: str) -> None:
        """A post was refused. Of a WSGI environ only the sender's address is kept: the path holds a token."""
        line = (status, reason, network_of(self._proxies.client(environ)))
        with self._lock:
            self._numbers[status] += 1
            if line not in self._lines and len(self._lines) >= LINES:
                line = (status, reason, "others")
            self._lines[line] += 1

    def tell(self) -> None:
        """Log and count what was noted since the last time. Raises StoreUnavailable; what is not counted then is the
        next time."""
        with self._lock:
            lines, self._lines = self._lines, Counter()
            numbers, self._numbers = self._numbers, Counter()
        for (status, reason, address), times in lines.items():
            log.warning("refused", status=status, reason=reason, address=address, times=times)
        try:
            if numbers:
                add(self._client, {f"refused:{status}": number for status, number in numbers.items()})
        except StoreUnavailable:
            with self._lock:
                self._numbers.update(numbers)
            raise

    def _run(self) -> None:
        while True:
            time.sleep(PERIOD)
            try:
                self.tell()
            except StoreUnavailable:
                pass  # which every body that is not kept says
            except Exception:  # whatever goes wrong with telling, the next time may go right
                log.exception("bug in the refusals")
