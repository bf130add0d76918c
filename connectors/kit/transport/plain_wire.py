"""What a wire that is not HTTP has besides its attempts: what went over it, and the preview that sends nothing."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from connectors.kit.transport.attempt import KEPT, KEPT_FAILED, Attempts
from connectors.kit.transport.preview import Imagine, Sent
from core.delivery import Exchange
from core.errors import TimedOut


class PlainWire(Attempts):
    """Threads share it. `mask` takes secrets out of what is kept."""

    def __init__(self, mask: Callable[[str], str] = str) -> None:
        super().__init__()
        self._mask = mask
        self._sent: list[Sent] | None = None

    @contextmanager
    def pretending(self, imagine: Imagine) -> Iterator[list[Sent]]:
        """Nothing is sent meanwhile, by any thread: the list fills with what would be."""
        sent: list[Sent] = []
        self._sent = sent
        try:
            yield sent
        finally:
            self._sent = None

    @property
    def is_pretending(self) -> bool:
        return self._sent is not None

    def _begin(self) -> None:
        """Raises TimedOut where the attempt is over, so that nothing is sent any more."""
        if self._clock.remaining() <= 0:
            raise TimedOut("the attempt took longer than it may; it will be tried again", untaken=True)

    def _pretended(self, method: str, place: str, body: Any) -> bool:
        """Whether nothing is sent now; then this is noted as what would be."""
        if self._sent is None:
            return False
        self._sent.append(Sent(method, place, {}, body))
        return True

    def _note(
        self, method: str, place: str, started: float, code: int | None, problem: str, sent: str = "", said: str = ""
    ) -> None:
        """Keep what went over the wire, without secrets; masked before it is cut: half a secret is one too."""
        limit = KEPT_FAILED if problem else KEPT
        kept = [self._mask(text)[:limit] for text in (sent, said)]
        elapsed = round((time.monotonic() - started) * 1000)
        self._own.exchanges.append(Exchange(method, self._mask(place), code, elapsed, self._mask(problem), *kept))
