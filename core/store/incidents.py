"""Incidents: each trouble is told once when it begins and once when it is over, whoever looks and however many.

A channel (`webhook`, `email`) has a list of notices that are sent one after the other; whoever sends holds a lease, so
that one that dies in the middle is followed by another. A notice may so be sent twice, with the same id, but never not.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Literal

from core.store.connection.client import errors
from core.store.protocol.base import Base
from core.store.protocol.keys import key
from core.store.protocol.records import from_json

IncidentKind = Literal[
    "paused",
    "breaker",
    "dead",
    "quarantined",
    "undelivered",
    "gone",
    "backlog",
    "filling",
    "full",
    "refusing",
    "source",
    "stranded",
    "silent",
]
Event = Literal["begun", "over", "test"]

#: A trouble that was not seen for so long is over. One that comes and goes within it is one incident.
CALM_MS = 60_000
#: So long after a notice, what became dead or was quarantined since is told, as an incident of its own.
ANEW_MS = 6 * 3_600_000
#: A notice that could not be sent for so long tells nobody anything any more; of a channel so many are kept.
KEPT_MS, MOST = 3 * 86_400_000, 100
#: Longer than sending takes.
SENDING_MS = 180_000


@dataclass(frozen=True)
class Incident:
    """Something that is wrong now. `subject` is a connector, "inbox", what the store runs out of, or an account of the
    section `source`; `count` is how many are concerned, or how many percent are used; `error` has no text of visitors.

    `newest` is when the last of them came to it, or 0 for a state; `patience` is how long it must last to be told.
    All times are in ms.
    """

    kind: IncidentKind
    subject: str
    since: int
    count: int
    error: str = ""
    newest: int = 0
    patience: int = 0


@dataclass(frozen=True)
class Notice:
    """What is to be told: a trouble has begun `since`, or is over; written `at` (ms). `channel`, `token` and `text`
    are for the store."""

    id: str
    event: Event
    kind: IncidentKind
    subject: str
    count: int
    error: str
    since: int
    at: int
    channel: str = ""
    token: str = field(default="", repr=False)
    text: bytes = field(default=b"", repr=False)


class Incidents(Base):
    """Every method raises StoreUnavailable."""

    def compare(self, troubles: Iterable[Incident], channels: Sequence[str], calm_ms: int = CALM_MS) -> int:
        """Note what is wrong now. Returns how many notices that made."""
        found = [json.dumps(asdict(trouble)) for trouble in troubles]
        return int(self._run("incidents", calm=calm_ms, anew=ANEW_MS, most=MOST, channels=[*channels], troubles=found))

    def next(self, channel: str) -> Notice | None:
        """Lease a channel's oldest notice, to be followed by `sent` or `failed`; None: nothing is to be sent now."""
        token = secrets.token_hex(8)
        text = self._run("notice", channel=channel, token=token, lease=SENDING_MS, kept=KEPT_MS)
        return from_json(Notice, text, channel=channel, token=token, text=text) if text else None

    def sent(self, notice: Notice) -> None:
        self._run("told", channel=notice.channel, token=notice.token, notice=notice.text, sent=True)

    def failed(self, notice: Notice) -> int:
        """It is to be tried again. Returns in how many ms: 30 s at first, an hour in the end."""
        return int(self._run("told", channel=notice.channel, token=notice.token, notice=notice.text, sent=False))

    def waiting(self, channel: str) -> int:
        """Notices that are not sent yet."""
        with errors():
            return int(self._redis.llen(key("notices", channel)))
