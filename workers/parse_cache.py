"""What this process has read lately: often the worker that reads a body delivers it, too, soon after."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from core.conversation import Conversation
from core.sameness import known_as
from core.smartsupp.parser import parse_conversation
from core.store import Claim

#: Bytes of memory that all remembered conversations may take together, going by `weight`.
REMEMBERED_BYTES = 16 << 20
#: Bytes that a message, a page or a variable takes beside its text.
PART_BYTES = 1_100
#: Seconds after which one is forgotten: who is erased is not to be found here for long.
REMEMBERED_SECONDS = 60.0


@dataclass(frozen=True)
class _Read:
    conversation: Conversation
    size: int
    at: float


def weight(claim: Claim, found: Conversation) -> int:
    """About how many bytes of memory a conversation takes: its text four times, and each of its parts."""
    return 4 * len(claim.body) + PART_BYTES * (len(found.messages) + len(found.paths) + len(found.visitor.variables))


class ParseCache:
    """Conversations by payload. The oldest are forgotten first. `clock` gives seconds."""

    def __init__(self, limit: int = REMEMBERED_BYTES, clock: Callable[[], float] = time.monotonic) -> None:
        self._limit = limit
        self._clock = clock
        self._lock = threading.Lock()
        self._read: dict[str, _Read] = {}
        self._bytes = 0

    def add(self, claim: Claim, found: Conversation) -> None:
        with self._lock:
            self._drop(claim.payload)
            size = weight(claim, found)
            self._read[claim.payload] = _Read(found, size, self._clock())
            self._bytes += size
            while self._bytes > self._limit:
                self._drop(next(iter(self._read)))

    def conversation(self, claim: Claim) -> Conversation:
        """The body of a claim, read anew only where it is not remembered. Raises PayloadError."""
        if known := self._read.get(claim.payload):
            return known.conversation
        return known_as(parse_conversation(claim.body, claim.account), claim.conversation)

    def forget_old(self) -> None:
        with self._lock:
            end = self._clock() - REMEMBERED_SECONDS
            for payload in [payload for payload, one in self._read.items() if one.at < end]:
                self._drop(payload)

    def _drop(self, payload: str) -> None:
        known = self._read.pop(payload, None)
        self._bytes -= known.size if known else 0


memory = ParseCache()
