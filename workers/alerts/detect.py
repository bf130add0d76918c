"""What is wrong now, as far as it is worth an alert. Only reads."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from http import HTTPStatus
from pathlib import Path

from connectors.kit.responses import words
from core.config.alerts import Alerts
from core.config.settings import Settings
from core.delivery import Attempt, DeliveryStatus, Outcome, PayloadStatus
from core.errors import NotFound
from core.routing import reason
from core.store import INBOX, Client, Ledger
from core.store.connection.condition import shortages
from core.store.incidents import Incident
from core.store.ledger.lanes import Lane
from core.store.sources.catch_ups import CatchUps
from core.store.sources.queues import fetch_queues
from core.store.sources.stranded import StrandedOrders
from core.store.statistics import totals

#: After a pause, or when workers come back, what is due is old for a moment.
BACKLOG_PATIENCE_MS = 60_000
#: So long after the last post that was refused, none is refused any more.
REFUSING_MS = 300_000
#: What a post is answered with that should have been kept: a bug, and a store that does not answer or is full.
_NOT_KEPT = (500, 503)

#: A connector that was renamed in two saves of the file is not gone.
GONE_PATIENCE_MS = 60_000

# A vendor's own words follow the status, and may repeat what a visitor wrote. What follows a 3xx is ours.
_QUOTED = re.compile(r"((?:HTTP (?!3)|SMTP )\d{3}[^:]*):.*", re.DOTALL)
_ADDRESS = re.compile(r"\S+@\S+")

_WHY = {
    Outcome.REFUSED: "the destination rejected it",
    Outcome.EXHAUSTED: "no attempt succeeded for three days",
    Outcome.BUG: "internal error in the connector",
    Outcome.CRASHED: "worker processes crashed on it repeatedly",
}


class Look:
    """Looks again and again. The reason of the delivery that died last is read once."""

    def __init__(self, client: Client, disk: Path | None = None) -> None:
        """`disk`: a folder on the disk of the store, where that is here."""
        self._client, self._disk = client, disk
        self._ledger, self._catch_ups, self._stranded = Ledger(client), CatchUps(client), StrandedOrders(client)
        # How many were refused before it began, how many are known, and when the last of them was seen.
        self._refused: tuple[int, int, int] | None = None
        self._reasons: dict[str, tuple[str, int, str]] = {}

    def troubles(self, settings: Settings | None, lanes: Mapping[str, Lane] | None = None) -> Iterator[Incident]:
        """`settings` are None where they cannot be read; `lanes` of all connectors, where the caller knows them. Raises
        StoreUnavailable."""
        now = self._ledger.now()
        oldest = round((settings.alerts if settings else Alerts()).oldest_after * 60_000)
        configured = settings.connectors if settings else {}
        for name in sorted(lanes or {*configured, *self._ledger.connectors()}):
            lane = lanes[name] if lanes else self._ledger.lane(name)
            if lane.counts[DeliveryStatus.DEAD]:
                yield from self._dead(lane)
            # One that was switched off is meant to hold what it has.
            if settings is None or name in settings.enabled:
                yield from _held(lane) if lane.gate else _backlog(lane, now, oldest)
            elif name not in settings.connectors and lane.waiting:
                yield Incident("gone", name, now - lane.oldest_due, lane.waiting, patience=GONE_PATIENCE_MS)
        yield from _backlog(self._ledger.lane(INBOX), now, oldest)
        for queue in fetch_queues(self._ledger, settings) if settings else ():
            if queue.since:
                yield Incident("source", queue.name, queue.since, queue.waiting, quotable(queue.reason))
            elif queue.oldest_due >= oldest:
                since = now - queue.oldest_due
                yield Incident("source", queue.name, since, queue.due, patience=BACKLOG_PATIENCE_MS)
        for one in self._stranded.queues(settings) if settings else ():
            yield Incident("stranded", one.name, now - one.oldest_due, one.waiting, patience=GONE_PATIENCE_MS)
        yield from self._quarantined()
        yield from self._undelivered()
        yield from self._refusing(now)
        yield from self._silent(settings)
        for short in shortages(self._client, self._disk):
            yield Incident("filling", short.what, now, short.percent)
            if short.full:
                yield Incident("full", short.what, now, short.percent)

    def _silent(self, settings: Settings | None) -> Iterator[Incident]:
        """Accounts whose chats come from Smartsupp's API alone, though their hook has worked."""
        for name, compared in self._catch_ups.comparisons().items() if settings else ():
            if settings and compared.silent and name in settings.accounts:
                yield Incident("silent", name, compared.silent, compared.missing)

    def _refusing(self, now: int) -> Iterator[Incident]:
        """Posts that had the right token, and were not kept: as far as this one has seen their number grow."""
        counted = totals(self._client)
        number = sum(counted.get(f"refused:{status}", 0) for status in _NOT_KEPT)
        if self._refused is None or number < self._refused[0]:
            self._refused = (number, number, 0)
        before, known, since = self._refused
        if number > known:
            self._refused = (before, number, now) if since else (known, number, now)
        elif since and now - since > REFUSING_MS:
            self._refused = (number, number, 0)
        before, known, since = self._refused
        if since:
            yield Incident("refusing", INBOX, since, known - before)

    def _dead(self, lane: Lane) -> Iterator[Incident]:
        for last in self._ledger.deliveries(DeliveryStatus.DEAD, lane.name, limit=1):
            known = self._reasons.get(lane.name)
            if known is None or known[:2] != (last.id, last.updated):
                attempts: tuple[Attempt, ...] = ()
                with suppress(NotFound):  # erased a moment ago
                    attempts = self._ledger.delivery(last.id).attempts
                known = self._reasons[lane.name] = (last.id, last.updated, _why(attempts[-1]) if attempts else "")
            count = lane.counts[DeliveryStatus.DEAD]
            yield Incident("dead", lane.name, last.updated, count, known[2], newest=last.updated)

    def _undelivered(self) -> Iterator[Incident]:
        for last in self._ledger.lost(limit=1):
            at, count = last.payloads[-1].received, self._ledger.undelivered()
            yield Incident("undelivered", INBOX, at, count, reason(last.payloads[-1].why), newest=at)

    def _quarantined(self) -> Iterator[Incident]:
        for last in self._ledger.payloads(PayloadStatus.QUARANTINED, limit=1):
            count = self._ledger.payload_counts()[PayloadStatus.QUARANTINED]
            # Where the body is wrong, without what stands there.
            why = words(_ADDRESS.sub("…", last.error.partition(", got ")[0]))
            why = "internal error" if why.startswith(("bug: ", "internal error: ")) else why
            yield Incident("quarantined", INBOX, last.received, count, why, newest=last.received)


def _held(lane: Lane) -> Iterator[Incident]:
    """A gate that closed by itself; an admin knows of his own."""
    gate = lane.gate
    if gate and gate.by == "relay":
        yield Incident("paused", lane.name, gate.since, lane.waiting, quotable(gate.reason))
    elif gate and gate.by == "breaker":
        yield Incident("breaker", lane.name, gate.since, lane.waiting, quotable(gate.reason))


def _backlog(lane: Lane, now: int, oldest: int) -> Iterator[Incident]:
    if lane.oldest_due >= oldest:
        yield Incident("backlog", lane.name, now - lane.oldest_due, lane.due, patience=BACKLOG_PATIENCE_MS)


def quotable(error: str) -> str:
    """An error without what a vendor said, and without email addresses: either may be a visitor's. One line."""
    return words(_ADDRESS.sub("…", _QUOTED.sub(r"\1", error)))


def _why(attempt: Attempt) -> str:
    """By the outcome alone: the text of the error may quote the conversation."""
    said = _WHY.get(attempt.outcome, str(attempt.outcome))
    if attempt.status is None:
        return said
    phrase = ""
    if attempt.answer.startswith("HTTP"):
        with suppress(ValueError):
            phrase = f" {HTTPStatus(attempt.status).phrase}"
    return f"{said} ({attempt.answer}{phrase})"
