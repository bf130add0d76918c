"""A past for a store: what would have happened hours and weeks ago, done by the real scripts with their clock moved."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from core.delivery import Attempt, Exchange, Outcome, PayloadStatus, Reference
from core.errors import PayloadError
from core.smartsupp.parser import parse_conversation
from core.store import INBOX, Claim, Client, Store
from core.summary import line


@dataclass(frozen=True)
class Try:
    """One attempt, `after` ms since the body came. `delay` ms to the next one, after a retry."""

    after: int
    outcome: Outcome = Outcome.DELIVERED
    ms: int = 400
    error: str = ""
    delay: int = 0
    reference: Reference | None = None
    requests: tuple[Exchange, ...] = ()


class Past:
    """`fingerprints` are those of the connectors' settings, so that one that paused itself stays paused.

    No worker may run meanwhile: it would take what is due.
    """

    def __init__(self, client: Client, fingerprints: Mapping[str, str]) -> None:
        self._fingerprints = fingerprints
        self._now = 0
        self._tokens = (f"past-{number}" for number in itertools.count())
        self.store = Store(client, lambda: self._now)

    def came(self, at: int, body: bytes, tries: Mapping[str, Sequence[Try]]) -> None:
        """A body came at `at` ms and went to these connectors. Without tries, a delivery waits."""
        claim = self._accepted(at, body)
        conversation = parse_conversation(body)
        self.store.fan_out(claim, conversation.key, tries, summary=line(conversation))
        for connector, made in tries.items():
            for one in made:
                self._now = at + one.after
                self._tried(connector, f"{connector}:{conversation.key}", one)

    def quarantined(self, at: int, body: bytes) -> None:
        claim = self._accepted(at, body)
        try:
            parse_conversation(body)
        except PayloadError as error:
            self.store.divert(claim.payload, PayloadStatus.QUARANTINED, str(error), token=claim.token)

    def _accepted(self, at: int, body: bytes) -> Claim:
        self._now = at
        kept = self.store.accept(body, content_type="application/json")
        self._now = at + 20
        return self._claimed(INBOX, kept.id)

    def _tried(self, connector: str, delivery: str, one: Try) -> None:
        claim = self._claimed(connector, delivery)
        attempt = Attempt(
            at=self._now - one.ms,
            ms=one.ms,
            outcome=one.outcome,
            revision=claim.revision,
            status=one.requests[-1].status if one.requests else None,
            error=one.error,
            next=self._now + one.delay if one.outcome is Outcome.RETRY else None,
            worker="shop:4711",
            requests=one.requests,
        )
        fingerprint = self._fingerprints.get(connector, "")
        self.store.settle(claim, attempt, delay_ms=one.delay, reference=one.reference, fingerprint=fingerprint)

    def _claimed(self, lane: str, identity: str) -> Claim:
        claim = self.store.claim(lane, next(self._tokens))
        assert claim, f"nothing is due in {lane}"
        assert claim.id == identity, f"{claim.id} is due in {lane} before {identity}"
        return claim
