"""What the store keeps: payloads, deliveries, attempts. Times are Unix milliseconds, ids text.

A payload is one body as it came. A conversation is (account, channel); its payloads are its revisions. A delivery
is one conversation × one connector and always carries the newest revision.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from core.ids import NO_CONVERSATION, ConversationId, DeliveryId, PayloadId


class PayloadStatus(StrEnum):
    """Where a body is. A duplicate is no payload: it is counted on the payload that it repeats."""

    RECEIVED = "received"  # in the inbox, not yet read by a worker
    ROUTED = "routed"  # a revision of a conversation; its deliveries tell the rest
    UNROUTED = "unrouted"  # a conversation that was not delivered anywhere; `why` says why
    SET_ASIDE = "set-aside"  # the statistics report
    QUARANTINED = "quarantined"  # no conversation in it; `error` says what and where
    DISCARDED = "discarded"  # was quarantined and given up by an admin; `error` says why


class Nowhere(StrEnum):
    """Why a conversation goes to no connector."""

    NO_ROUTE = "no-route"
    OFF = "off"  # every connector that its routes name is off
    NO_CONNECTOR = "no-connector"  # the configuration has none
    MEANT = "meant"  # a route with `to: []` says so


class DeliveryStatus(StrEnum):
    WAITING = "waiting"  # queued: not tried yet, or due for a newer revision
    RETRYING = "retrying"  # tried, failed for now; `due` is the next try
    DELIVERED = "delivered"
    SKIPPED = "skipped"  # not delivered on purpose; `error` says why
    DEAD = "dead"  # a dead letter; `error` says why
    DISCARDED = "discarded"  # given up by an admin; `error` says why

    @property
    def spelled(self) -> str:
        """As options and addresses name it; the value is what Redis, JSON and metrics have had from the start."""
        return "queued" if self is DeliveryStatus.WAITING else str(self)

    @classmethod
    def named(cls, word: str) -> DeliveryStatus:
        """By either spelling. Raises ValueError."""
        return cls.WAITING if word == cls.WAITING.spelled else cls(word)

    @property
    def shown(self) -> str:
        """As people read it."""
        return "dead letter" if self is DeliveryStatus.DEAD else self.spelled


#: What the status of conversations is called that no connector has: there is no delivery that could have one.
UNDELIVERED = "undelivered"
#: What somebody can ask for, as options and addresses name it.
STATUS_NAMES = (*(one.spelled for one in DeliveryStatus), UNDELIVERED)


class Outcome(StrEnum):
    """How an attempt ended, and with it what becomes of the delivery."""

    DELIVERED = "delivered"
    SKIPPED = "skipped"
    RETRY = "retry"  # postponed to the next try
    REFUSED = "refused"  # dead: the destination will never take this record
    PAUSED = "paused"  # waiting: the whole connector is paused
    EXHAUSTED = "exhausted"  # dead: three days of tries have failed
    BUG = "bug"  # dead: our own code failed
    CRASHED = "crashed"  # the process died in the middle; written by the store
    DISCARDED = "discarded"  # no attempt: an admin gave it up, `worker` is who; written by the store


@dataclass(frozen=True)
class Exchange:
    """One request of an attempt, or one email, and its answer. `status` is HTTP's, or SMTP's; None without an answer.

    `sent` and `answered` are the beginnings of the bodies, as text, without secrets.
    """

    method: str
    url: str
    status: int | None
    ms: int
    error: str = ""
    sent: str = ""
    answered: str = ""


@dataclass(frozen=True)
class Attempt:
    """One try at one delivery. `next` is when the next one is due, `requests` what went over the wire."""

    at: int
    ms: int
    outcome: Outcome
    revision: int
    status: int | None = None
    error: str = ""
    next: int | None = None
    worker: str = ""
    requests: tuple[Exchange, ...] = ()

    @property
    def answer(self) -> str:
        """The status as people read it: `HTTP 503`, `SMTP 450`; "" where there was no answer."""
        protocol = "SMTP" if any(one.url.startswith("smtp://") for one in self.requests[-1:]) else "HTTP"
        return f"{protocol} {self.status}" if self.status else ""

    def as_dict(self) -> dict[str, Any]:
        return {**vars(self), "requests": [vars(one) for one in self.requests]}


@dataclass(frozen=True)
class Reference:
    """What a connector made: the record's id there, and a page that a person can open, or ""."""

    id: str
    url: str = ""


#: The step under which a delivery keeps its conflicts.
CONFLICTS = "conflicts"


@dataclass(frozen=True)
class Conflict:
    """What a chat says of a person where the destination has something else, which stays: the field there, and what was
    said. `refused`: nothing stood there, and the destination did not take what was said."""

    field: str
    said: str
    refused: bool = False


@dataclass(frozen=True)
class Revision:
    """One body of a conversation. `number` counts from 1; `account` is the token's, or "". One that is `beneath` came
    after the next one, and says no more."""

    number: int
    payload: PayloadId
    received: int
    account: str
    body: bytes = field(repr=False)
    beneath: bool = False

    @property
    def received_at(self) -> datetime:
        return datetime.fromtimestamp(self.received / 1000, UTC)


@dataclass(frozen=True)
class Payload:
    """A body and how it came. `account` is the token's, or ""; `revision` is its number among its conversation's, and 0
    where the payload was looked up by itself. `why` is a Nowhere, or "", where the payload is unrouted. `origin` is the
    account of the section `source` by whose webhooks it came, or ""."""

    id: PayloadId
    received: int
    status: PayloadStatus
    account: str
    content_type: str
    size: int
    body: bytes = b""
    conversation: ConversationId = NO_CONVERSATION
    revision: int = 0
    error: str = ""
    duplicates: int = 0
    why: str = ""
    origin: str = ""


#: Begins the names of steps that are no steps but what a connector has to say of a delivery.
NOTE = "note "


def says(step: str) -> bool:
    """Whether a step is what a connector has to say. Notes that were made at a destination have numbers: `note 1.1`."""
    return step.startswith(NOTE) and not step[len(NOTE) :][:1].isdigit()


def made(steps: Mapping[str, Any]) -> dict[str, Any]:
    """Of what is remembered, the steps that are done or begun at the destination."""
    return {name: value for name, value in steps.items() if not says(name)}


@dataclass(frozen=True)
class Delivery:
    """One conversation × one connector. `due` is None when nothing is to be done, `tries` counts those that failed
    since the last success or replay, `revision` is the one delivered last, or 0. It is blocked while its
    connector is `paused`, by an admin or as its credentials were rejected, or `not_responding`. With `wait` it is due
    at `quiet_until`, when no further revision comes."""

    id: DeliveryId
    connector: str
    conversation: ConversationId
    status: DeliveryStatus
    created: int
    updated: int
    due: int | None = None
    in_flight: bool = False
    paused: bool = False
    not_responding: bool = False
    tries: int = 0
    crashes: int = 0
    revision: int = 0
    error: str = ""
    quiet_until: int | None = None
    reference: Reference | None = None
    attempts: tuple[Attempt, ...] = field(default=(), repr=False)
    steps: dict[str, Any] = field(default_factory=dict, repr=False)
    conflicts: tuple[Conflict, ...] = field(default=(), repr=False)

    @property
    def blocked(self) -> bool:
        return self.paused or self.not_responding

    @property
    def awaits_quiet(self) -> bool:
        """Whether it is due when the chat has been quiet. A version without `wait` may have made it due earlier."""
        return self.due is not None and self.due == self.quiet_until

    @property
    def notes(self) -> tuple[str, ...]:
        """What its connector says of it to people."""
        return tuple(str(value) for name, value in sorted(self.steps.items()) if says(name))

    @property
    def made(self) -> dict[str, Any]:
        """The steps that are done or begun at the destination."""
        return made(self.steps)
