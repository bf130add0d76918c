"""What dead letters died of: outcome, HTTP status, and the message without what differs between chats. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

from core.delivery import Attempt, Outcome

#: Characters of a message that tell causes apart.
_LONGEST = 300

_TRIES = re.compile(r"^gave up after \d+ attempts: ")
_EMAIL = re.compile(r"[^\s\"'<>(),;:]+@[^\s\"'<>(),;]+")
# The place is worth knowing, the path has ids.
_ADDRESS = re.compile(r"(https?://[^\s/\"'<>?#]*)[^\s\"'<>]*")
# Numbers, dates, UUIDs, tickets: whatever has a digit, but not the status.
_NUMBERED = re.compile(r"(?:HTTP|SMTP) \d{3}\b|(?<![\w-])[\w-]*\d[\w-]*")


@dataclass(frozen=True)
class Cause:
    """`text` is without ids, numbers and addresses: `HTTP 422: ticket # does not exist`."""

    outcome: Outcome
    status: int | None
    text: str


#: What the store notes by itself, of a delivery that ended its processes.
CRASHED = Cause(Outcome.CRASHED, None, "it ended its process several times, alone in it each time")


def cause_of(attempt: Attempt) -> Cause:
    """Of the attempt after which a delivery was dead."""
    return Cause(attempt.outcome, attempt.status, normalised(attempt.error, attempt.status))


def normalised(error: str, status: int | None = None) -> str:
    """A message without what differs from one chat to the next."""

    def replaced(found: re.Match[str]) -> str:
        text = found[0]
        return text if text.startswith(("HTTP ", "SMTP ")) or text == str(status) else "#"

    text = _ADDRESS.sub(r"\1/…", _EMAIL.sub("…", _TRIES.sub("", " ".join(error.split()))))
    return _NUMBERED.sub(replaced, text)[:_LONGEST]
