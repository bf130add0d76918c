"""What this process has read lately: often the worker that reads a body delivers it, too, soon after."""

from __future__ import annotations

import threading

from core.conversation import Conversation
from core.smartsupp import parse_conversation
from core.store import Claim

#: Bytes of bodies whose conversations are remembered, of all together. In memory that is three to four times as much.
REMEMBERED = 4 << 20


class Memory:
    """Conversations by payload. The oldest are forgotten first."""

    def __init__(self, limit: int = REMEMBERED) -> None:
        self._limit = limit
        self._lock = threading.Lock()
        self._read: dict[str, tuple[Conversation, int]] = {}
        self._bytes = 0

    def add(self, claim: Claim, found: Conversation) -> None:
        with self._lock:
            self._drop(claim.payload)
            self._read[claim.payload] = (found, len(claim.body))
            self._bytes += len(claim.body)
            while self._bytes > self._limit:
                self._drop(next(iter(self._read)))

    def conversation(self, claim: Claim) -> Conversation:
        """The body of a claim, read anew only where it is not remembered. Raises PayloadError."""
        known = self._read.get(claim.payload)
        return known[0] if known else parse_conversation(claim.body, claim.account)

    def _drop(self, payload: str) -> None:
        self._bytes -= self._read.pop(payload, (None, 0))[1]


memory = Memory()
