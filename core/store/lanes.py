"""What the receiver and the workers do to the store. Each method is one atomic step, a Lua script."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from core.delivery import Attempt, Outcome, PayloadStatus, Reference, Revision
from core.errors import InUse, LostLease, NotFound, StoreUnsafe
from core.store.claims import UNLIMITED, Claim, ClaimRequest, Limits, Reading
from core.store.connection.client import errors
from core.store.protocol.constants import BATCH, INBOX, Gate, How, Trouble
from core.store.protocol.identity import fresh
from core.store.protocol.keys import key
from core.store.protocol.scripts import Argument
from core.store.steps import Steps
from core.summary import bare


@dataclass(frozen=True)
class Accepted:
    """What became of a body: `known` when it was there before, then `id` is the first one's. `knock`: tell a worker."""

    id: str
    known: bool
    knock: bool


@dataclass(frozen=True)
class FannedOut:
    """For each body the lanes to knock on, or None: its lease was lost. `following`: the next ones, or None where none
    were asked for."""

    lanes: Sequence[list[str] | None]
    following: Sequence[Claim] | None


@dataclass(frozen=True)
class Settled:
    """What became of the connector's gate; `spared`: see `Store.settle`. `following`: the next one, if it was due, or
    None where none was asked for."""

    gate: Gate
    spared: bool
    following: Sequence[Claim] | None


class Store(Steps):
    """Writes. Every method raises StoreUnavailable when the server cannot take one now."""

    def accept(self, body: bytes, account: str = "", content_type: str = "") -> Accepted:
        """Keep a body and give it its place in the inbox, in one step, unless the same body is there already."""
        found, known, knock = self._run(
            "accept",
            # Made here, so that a repeat after a lost reply is known for one.
            id=fresh(),
            body=self._vault.seal(body),
            digest=self._vault.digest(account, body),
            account=account,
            content_type=content_type[:100],
            size=len(body),
        )
        return Accepted(found.decode(), bool(known), bool(knock))

    def divert(self, payload: str, status: PayloadStatus, error: str = "", *, token: str = "") -> bool:
        """Take a body without a conversation out of the inbox. False: somebody else has dealt with it.

        Without a token it is the receiver that says so, right after `accept`.
        """
        return bool(self._run("divert", id=payload, token=token, status=status, reason=self._sealed(error)))

    def fan_out(
        self, claim: Claim, conversation: str, connectors: Iterable[str], note: str = "", summary: bytes = b""
    ) -> list[str]:
        """Make a claimed body a revision, with a delivery due for each connector. Returns the lanes to knock on.

        `note` is kept with the payload for people to read, `summary` (core/summary.py) is for lists and searches.
        Raises LostLease.
        """
        [lanes] = self.fan_out_each([Reading(claim, conversation, tuple(connectors), note, summary)]).lanes
        if lanes is None:
            raise LostLease(claim.id)
        return lanes

    def fan_out_each(self, readings: Sequence[Reading], request: ClaimRequest | None = None) -> FannedOut:
        """The same for several, in one journey; and the next bodies, where they are asked for."""
        calls: list[dict[str, Argument]] = []
        for number, one in enumerate(readings, 1):
            token = request.token if request and number == len(readings) else ""
            calls.append(
                {
                    "id": one.claim.id,
                    "token": one.claim.token,
                    "conversation": one.conversation,
                    "began": one.began,
                    "note": self._sealed(one.note),
                    "summary": bare(one.summary) if self._vault.seals else one.summary,
                    "why": one.why,
                    "next_token": token,
                    "connectors": one.connectors,
                }
            )
        replies = self._run_each("fan_out", calls)
        lanes = [[lane.decode() for lane in reply[0]] if reply else None for reply in replies]
        if request is None or not replies[-1]:
            return FannedOut(lanes, None)
        return FannedOut(lanes, self._claims(INBOX, request.token, replies[-1][1]))

    def claim(self, lane: str, token: str, how: How = "leave", limits: Limits = UNLIMITED) -> Claim | None:
        """Lease the item that is longest due, or None: nothing is, or the connector is paused or at its limits.

        `how`: this is the first claim that answers a knock; or the caller will stay and look again if nothing is due,
        so that nobody needs to knock; or leave, so that somebody must.
        `token` is new for each call. When this raises StoreUnavailable, `disown` it later.
        """
        found = self._claim(lane, token, how, limits, 1)
        return found[0] if found else None

    def claim_bodies(self, token: str, how: How = "leave") -> list[Claim]:
        """The same for the inbox, up to BATCH at once; one that a process has died on comes last."""
        return self._claim(INBOX, token, how, UNLIMITED, BATCH)

    def _claim(self, lane: str, token: str, how: How, limits: Limits, many: int) -> list[Claim]:
        reply = self._run("claim", lane=lane, token=token, how=how, at_once=limits.at_once, rate=limits.rate, many=many)
        return self._claims(lane, token, reply)

    def _claims(self, lane: str, token: str, replies: Any) -> list[Claim]:
        return [self._claimed(lane, token, reply) for reply in replies]

    def _claimed(self, lane: str, token: str, reply: Any) -> Claim:
        item, crashes, more, fields, meta, body, revision, steps, payload = reply
        own, about = _text(fields), _text(meta)
        try:
            body, trouble = self._vault.open(body), ""
        except StoreUnsafe as error:
            body, trouble = b"", str(error)
        return Claim(
            lane=lane,
            id=item.decode(),
            token=token,
            crashes=crashes,
            more=bool(more),
            payload=payload.decode(),
            account=about.get("account", ""),
            received=int(about["received"]),
            body=body,
            trouble=trouble,
            conversation=own.get("conversation", ""),
            revision=revision,
            tries=int(own.get("tries", 0)),
            waited=int(own.get("waited", 0)),
            paid=float(own.get("paid", 0)),
            steps={name: json.loads(value) for name, value in _text(steps).items()},
            first="unsure" not in own,
            late="late" in own,
        )

    def disown(self, lane: str, token: str) -> None:
        """Give back what a claim leased whose reply was lost, if it leased anything."""
        self._run("disown", lane=lane, token=token)

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
        request: ClaimRequest | None = None,
    ) -> Settled:
        """Write an attempt down and let its outcome decide what becomes of the delivery.

        `delay_ms` is for a retry, `fingerprint` (of the settings) for a pause. `trouble` says that the destination is
        out of order, or throttles; `breaker` outages in a row close the gate. Raises LostLease.

        While a connector is held back is no time to give a delivery up: `instead` of an exhausted attempt, this retry
        is written down then, and the delivery was `spared`. With `doubted`, a pause takes a second delivery that is
        refused: until then nothing was written, and the gate is `doubted`. `blame` stands before a gate's reason.

        The gate was closed (`held`), or one that was sent ahead left it closed (`still`), it is `open` again, or
        nothing became of it.
        """
        made = reference or Reference("")
        reason, kept_reason = self._reasons(attempt)
        retry_reason, kept_retry_reason = self._reasons(instead) if instead else ("", b"")
        limits = request.limits if request else UNLIMITED
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
            ref=made.id,
            url=made.url,
            revision=attempt.revision,
            fingerprint=fingerprint,
            payload=claim.payload,
            trouble=trouble,
            requests=len(attempt.requests),
            paid=claim.paid,
            too_many=breaker,
            doubted=doubted,
            blame=blame,
            retry=self._record(instead) if instead else "",
            retry_reason=retry_reason,
            kept_retry_reason=kept_retry_reason,
            next_token=request.token if request else "",
            at_once=limits.at_once,
            rate=limits.rate,
        )
        if not reply:
            raise LostLease(claim.id)
        following, gate, spared = reply
        claims = self._claims(claim.lane, request.token, following) if request else None
        return Settled(gate.decode(), bool(spared), claims)

    def renew(self, claims: Sequence[Claim]) -> int:
        """Extend leases; returns how many were still ours."""
        if not claims:
            return 0
        return int(
            self._run(
                "renew",
                lanes=[one.lane for one in claims],
                ids=[one.id for one in claims],
                tokens=[one.token for one in claims],
            )
        )

    def revisions(self, conversation: str) -> list[Revision]:
        """Every revision of a conversation with its body, in the order of arrival."""
        with errors():
            found = [one.decode() for one in self._redis.zrange(key("revisions", conversation), 0, -1)]
            pipe = self._redis.pipeline(transaction=False)
            for payload in found:
                pipe.hmget(key("payload", payload), "received", "account")
                pipe.get(key("raw", payload))
            replies = pipe.execute()
        return [
            Revision(number, payload, int(meta[0]), (meta[1] or b"").decode(), self._vault.open(body))
            for number, (payload, meta, body) in enumerate(zip(found, replies[::2], replies[1::2], strict=True), 1)
            if body is not None
        ]

    def knows(self, conversation: str) -> bool:
        """Whether anything of a conversation is kept."""
        with errors():
            return bool(self._redis.exists(key("revisions", conversation)))

    def release(self, claim: Claim) -> None:
        """Give an item back untouched and at once, without a mark against it."""
        self._run("release", lane=claim.lane, id=claim.id, token=claim.token)

    def crashed(self, claim: Claim) -> bool:
        """The process died that had nothing else to do: give the item up. False: the lease was lost."""
        return bool(self._run("crashed", lane=claim.lane, id=claim.id, token=claim.token))

    def replay(self, identity: str) -> tuple[str, bool]:
        """Do it again: a delivery (`connector:account:channel`) or a payload. Returns its lane, and whether to knock.

        Raises NotFound.
        """
        reply = self._run("replay", id=identity, kind="delivery" if ":" in identity else "payload")
        if not reply:
            raise NotFound(f"there is no delivery or payload '{identity}'")
        return reply[0].decode(), bool(reply[1])

    def discard(self, identity: str, reason: str, by: str = "admin") -> None:
        """Give up on purpose a delivery that waits, is retried or is dead, a quarantined body, or a conversation that
        was delivered nowhere.

        Raises NotFound, InUse.
        """
        kind = ("payload", "conversation", "delivery")[min(identity.count(":"), 2)]
        done = self._run("discard", id=identity, kind=kind, reason=reason, by=by)
        if done == 0:
            raise NotFound(f"there is no delivery or payload '{identity}'")
        if done < 0:
            raise InUse(f"'{identity}' is in progress, or has been dealt with; nothing was discarded")

    def send_ahead(self, connector: str) -> tuple[bool, bool]:
        """Let one delivery through a connector's closed gate. A gate that closed by itself opens when it arrives.

        Returns whether it was closed, and whether to knock.
        """
        closed, knock = self._run("send_ahead", connector=connector)
        return bool(closed), bool(knock)

    def pause(self, connector: str, reason: str) -> None:
        """Close a connector's gate, by hand: nothing is claimed from its lane until it is resumed by hand."""
        self._run("pause", connector=connector, reason=reason, by="admin")

    def resume(self, connector: str, *, changed_to: str = "") -> tuple[bool, bool]:
        """Open it again. Returns whether it was closed, and whether to knock.

        With `changed_to`, the fingerprint of today's settings, it opens only when it had closed by itself under others.
        """
        opened, knock = self._run("resume", connector=connector, fingerprint=changed_to)
        return bool(opened), bool(knock)

    def tick(self, period_ms: int, lanes: Iterable[str]) -> list[str]:
        """Lanes with something due, for one caller in each period; for the others none. What was interrupted goes to
        the head of its lane."""
        return [lane.decode() for lane in self._run("tick", period=period_ms, lanes=[*lanes])]

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
        return self._vault.seal(json.dumps(attempt.as_dict(), separators=(",", ":")).encode())

    def _reasons(self, attempt: Attempt) -> tuple[str, bytes]:
        """Why it did not arrive, as it is and as it is kept."""
        reason = "" if attempt.outcome is Outcome.DELIVERED else attempt.error
        return reason, self._sealed(reason)

    def _sealed(self, text: str) -> bytes:
        """What may quote a visitor; nothing stays nothing."""
        return self._vault.seal(text.encode()) if text else b""


def _text(pairs: list[bytes]) -> dict[str, str]:
    return {pairs[i].decode(): pairs[i + 1].decode() for i in range(0, len(pairs), 2)}
