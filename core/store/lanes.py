"""What the workers do to the store, beside what the receiver does. Each method is one atomic step, a Lua script."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict

from core.delivery import Attempt, Outcome, Reference, Revision
from core.errors import LostLease
from core.ids import ConversationId, PayloadId
from core.store.accept import Acceptance
from core.store.causes import sealed_cause
from core.store.claims import NO_WAITS, UNLIMITED, Claim, ClaimRequest, FannedOut, Quiet, Reading, Settled
from core.store.connection.client import errors
from core.store.leases import Leases
from core.store.protocol.constants import INBOX, Trouble
from core.store.protocol.keys import key
from core.store.protocol.scripts import Argument
from core.store.sources.orders import Orders
from core.store.sources.twins import Twins
from core.store.steps import Steps
from core.summary import bare

#: How an attempt ends after which a delivery is not dead.
_LIVES = (Outcome.DELIVERED, Outcome.SKIPPED, Outcome.RETRY, Outcome.PAUSED)


class Store(Acceptance, Leases, Steps, Orders, Twins):
    """Writes. Every method raises StoreUnavailable when the server cannot take one now."""

    def fan_out(
        self,
        claim: Claim,
        conversation: ConversationId,
        connectors: Iterable[str],
        note: str = "",
        summary: bytes = b"",
    ) -> None:
        """Make a claimed body a revision, with a delivery due for each connector.

        `note` is kept with the payload for people to read, `summary` (core/summary.py) is for lists and searches.
        Raises LostLease.
        """
        [held] = self.fan_out_each([Reading(claim, conversation, tuple(connectors), note, summary)]).held
        if not held:
            raise LostLease(claim.id)

    def fan_out_each(
        self, readings: Sequence[Reading], request: ClaimRequest | None = None, waits: Mapping[str, Quiet] = NO_WAITS
    ) -> FannedOut:
        """The same for several, in one journey; and the next bodies, where they are asked for. `waits`: connectors
        that want chats to be quiet."""
        rules = _rules(waits)
        calls: list[dict[str, Argument]] = []
        for number, one in enumerate(readings, 1):
            next_token = request.token if request and number == len(readings) else ""
            calls.append(
                {
                    "id": one.claim.id,
                    "token": one.claim.token,
                    "conversation": one.conversation,
                    "began": one.began,
                    "begun": one.begun,
                    "seen": one.seen,
                    "other": one.other,
                    "beneath": one.beneath,
                    "above": one.above,
                    "compared": one.compared,
                    "note": self._sealed(one.note),
                    "summary": bare(one.summary) if self._vault.seals else one.summary,
                    "why": one.why,
                    "waits": rules if one.waits is None else _rules(one.waits),
                    "next_token": next_token,
                    "connectors": one.connectors,
                }
            )
        replies = self._run_each("fan_out", calls)
        stale = [reply == [0] for reply in replies]
        done = [reply for reply, early in zip(replies, stale, strict=True) if reply and not early]
        for lane in {lane for reply in done for lane in reply[0]}:
            self._wake_up(lane.decode())
        held = [bool(reply) for reply in replies]
        if request is None or not replies[-1] or stale[-1]:
            return FannedOut(held, None, stale)
        return FannedOut(held, self._claims(INBOX, request.token, replies[-1][1]), stale)

    def settle(
        self,
        claim: Claim,
        attempt: Attempt,
        *,
        delay_ms: int = 0,
        reference: Reference | None = None,
        fingerprint: str = "",
        trouble: Trouble = "",
        breaker: int = 0,
        doubted: bool = False,
        blame: str = "",
        instead: Attempt | None = None,
        late_ms: int = 0,
        request: ClaimRequest | None = None,
    ) -> Settled:
        """Write an attempt down and let its outcome decide what becomes of the delivery.

        `delay_ms` is for a retry, `fingerprint` (of the settings) for a pause. `trouble` says that the destination is
        out of order, or throttles; `breaker` outages in a row close the gate. Raises LostLease.

        While a connector is held back is no time to give a delivery up: `instead` of an exhausted attempt, this retry
        is written down then, and the delivery was `spared`. With `doubted`, a pause takes a second delivery that is
        refused: until then nothing was written, and the gate is `doubted`. `blame` stands before a gate's reason.
        `late_ms`: the attempt waited for an answer in vain, and took so long.

        The gate was closed (`held`), or a test delivery left it closed (`still`), it is `open` again, or
        nothing became of it.
        """
        ref, url = (reference.id, reference.url) if reference else ("", "")
        reason, kept_reason = self._reasons(attempt)
        retry_reason, kept_retry_reason = self._reasons(instead) if instead else ("", b"")
        limits, next_token = (request.limits, request.token) if request else (UNLIMITED, "")
        cause, kept_cause = ("", b"") if attempt.outcome in _LIVES else sealed_cause(self._vault, attempt)
        reply = self._run(
            "settle",
            connector=claim.lane,
            id=claim.id,
            token=claim.token,
            outcome=attempt.outcome,
            attempt=self._record(attempt),
            delay=delay_ms,
            reason=reason,
            kept_reason=kept_reason,
            ref=ref,
            url=url,
            revision=attempt.revision,
            fingerprint=fingerprint,
            payload=claim.payload,
            trouble=trouble,
            requests=len(attempt.requests),
            paid=claim.paid,
            too_many=breaker,
            doubted=doubted,
            blame=blame,
            late=late_ms,
            retry=self._record(instead) if instead else "",
            retry_reason=retry_reason,
            kept_retry_reason=kept_retry_reason,
            cause=cause,
            kept_cause=kept_cause,
            next_token=next_token,
            at_once=limits.at_once,
            rate=limits.rate,
            per_day=limits.per_day,
            day_over=limits.day_over,
        )
        if not reply:
            raise LostLease(claim.id)
        following, gate, spared = reply
        claims = self._claims(claim.lane, request.token, following) if request else None
        return Settled(gate.decode(), bool(spared), claims)

    def revisions(self, conversation: ConversationId) -> list[Revision]:
        """Every revision of a conversation with its body, in the order of arrival."""
        with errors():
            found = [PayloadId(one.decode()) for one in self._redis.zrange(key("revisions", conversation), 0, -1)]
            pipe = self._redis.pipeline(transaction=False)
            for payload in found:
                pipe.hmget(key("payload", payload), "received", "account", "beneath")
                pipe.get(key("raw", payload))
            replies = pipe.execute()
        return [
            Revision(number, payload, int(meta[0]), (meta[1] or b"").decode(), self._vault.open(body), bool(meta[2]))
            for number, (payload, meta, body) in enumerate(zip(found, replies[::2], replies[1::2], strict=True), 1)
            if body is not None
        ]

    def known(self, conversations: Iterable[ConversationId]) -> set[ConversationId]:
        """Those of which anything is kept."""
        asked = list(conversations)
        with errors():
            pipe = self._redis.pipeline(transaction=False)
            for one in asked:
                pipe.exists(key("revisions", one))
            return {one for one, there in zip(asked, pipe.execute(), strict=True) if there}

    def knows(self, conversation: ConversationId) -> bool:
        """Whether anything of a conversation is kept."""
        return bool(self.known([conversation]))

    def tick(self, period_ms: int, lanes: Iterable[str]) -> list[str]:
        """Wake the workers for lanes with something due, once in each period, whoever calls. What was interrupted goes
        to the head of its lane. Returns these lanes."""
        due = [lane.decode() for lane in self._run("tick", period=period_ms, lanes=[*lanes])]
        for lane in due:
            self._wake_up(lane)
        return due

    def call(self, lane: str) -> None:
        """Whoever worked in a lane leaves it before it is empty: another one is to come."""
        self._wake_up(lane)

    def turn(self, what: str, period_ms: int) -> bool:
        """Whether it is the caller's turn: one caller's in each period."""
        return bool(self._run("turn", what=what, period=period_ms))

    def beat(self, worker: str, trouble: str = "") -> None:
        """Say that a worker is alive, and what it has against the configuration, if anything.

        Leases are renewed before this, not after it: see beat.lua.
        """
        self._run("beat", worker=worker, trouble=trouble)

    def leave(self, worker: str) -> None:
        """A worker says good-bye."""
        with errors():
            self._redis.zrem(key("workers"), worker)
            self._redis.hdel(key("trouble"), worker)

    def _record(self, attempt: Attempt) -> bytes:
        return self._vault.seal_small(json.dumps(attempt.as_dict(), separators=(",", ":")).encode())

    def _reasons(self, attempt: Attempt) -> tuple[str, bytes]:
        """Why it did not arrive, as it is and as it is kept."""
        reason = "" if attempt.outcome is Outcome.DELIVERED else attempt.error
        return reason, self._sealed(reason)


def _rules(waits: Mapping[str, Quiet]) -> str:
    return json.dumps({name: asdict(one) for name, one in waits.items()}) if waits else ""
