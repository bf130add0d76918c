"""What the receiver and the workers do to the store. Each method is one atomic step, a Lua script."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from core.delivery import Attempt, Outcome, PayloadStatus, Reference, Revision
from core.errors import InUse, LostLease, NotFound, StoreUnsafe
from core.identity import fresh
from core.store import scripts
from core.store.claims import UNLIMITED, Claim, Limits, Next, Reading
from core.store.client import Client, errors
from core.store.keys import key
from core.summary import bare

#: The lane of bodies that no worker has read yet. Connectors cannot be called that (core/settings.py).
INBOX = "inbox"

#: A worker that is alive renews its leases every BEAT_MS; one that is not loses them after LEASE_MS.
LEASE_MS = 5_000
BEAT_MS = 1_500

How = Literal["answer", "stay", "leave"]
Trouble = Literal["", "outage", "throttled"]
#: What an attempt did to its connector's gate; see `Store.settle`.
Gate = Literal["", "held", "still", "open", "spared"]

#: Bodies that one thread reads at once.
BATCH = 16

#: So many leases of an item ran out, one after the other: whatever it is, there is no point in more. Long before, an
#: item is tried in a process of its own (workers/runtime.py), which tells whether it is to blame. It takes bad luck, or
#: an item that takes the worker outside along, to get here.
FATAL_CRASHES = 8


@dataclass(frozen=True)
class Accepted:
    """What became of a body: `known` when it was there before, then `id` is the first one's. `knock`: tell a worker."""

    id: str
    known: bool
    knock: bool


class Store:
    """Writes. Every method raises StoreUnavailable when the server cannot take one now.

    `clock` gives milliseconds and is for tests; without it the server's own clock is used, one for all machines.
    """

    def __init__(self, client: Client, clock: Any = None) -> None:
        # redis-py's types allow text for every reply; without decode_responses, which this is, all are bytes.
        self._redis: Any = client
        self._vault = client.vault
        self._clock = clock

    def accept(self, body: bytes, account: str = "", content_type: str = "") -> Accepted:
        """Keep a body and give it its place in the inbox, in one step, unless the same body is there already."""
        digest = self._vault.digest(account, body)
        # Made here, so that a repeat after a lost reply is known for one.
        identity = fresh()
        status, found, knock = self._run(
            "accept", identity, self._vault.seal(body), digest, account, content_type[:100], len(body)
        )
        return Accepted(found.decode(), status == b"duplicate", bool(knock))

    def divert(self, payload: str, status: PayloadStatus, error: str = "", *, token: str = "") -> bool:
        """Take a body without a conversation out of the inbox. False: somebody else has dealt with it.

        Without a token it is the receiver that says so, right after `accept`.
        """
        return bool(self._run("divert", payload, token, status, self._sealed(error)))

    def fan_out(
        self, claim: Claim, conversation: str, connectors: Iterable[str], note: str = "", summary: bytes = b""
    ) -> list[str]:
        """Make a claimed body a revision, with a delivery due for each connector. Returns the lanes to knock on.

        `note` is kept with the payload for people to read, `summary` (core/summary.py) is for lists and searches.
        Raises LostLease.
        """
        [lanes] = self.fan_out_each([Reading(claim, conversation, tuple(connectors), note, summary)])
        if lanes is None:
            raise LostLease(claim.id)
        return lanes

    def fan_out_each(self, readings: Sequence[Reading], following: Next | None = None) -> list[list[str] | None]:
        """The same for several, in one journey. None for each whose lease was lost."""
        calls = []
        for number, one in enumerate(readings, 1):
            kept = bare(one.summary) if self._vault.seals else one.summary
            token = following.token() if following and number == len(readings) else ""
            about = (one.claim.id, one.claim.token, one.conversation, self._sealed(one.note), kept)
            calls.append((self._now(), *about, token, LEASE_MS, FATAL_CRASHES, BATCH, *one.connectors))
        with errors():
            replies = scripts.run_each(self._redis, "fan_out", calls)
        if following and replies and replies[-1]:
            following.answer(self._claims(INBOX, token, replies[-1][1]))
        return [[lane.decode() for lane in reply[0]] if reply else None for reply in replies]

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
        reply = self._run("claim", lane, token, LEASE_MS, FATAL_CRASHES, how, *limits.spelled(), many)
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
        )

    def disown(self, lane: str, token: str) -> None:
        """Give back what a claim leased whose reply was lost, if it leased anything."""
        self._run("disown", lane, token)

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
        following: Next | None = None,
    ) -> Gate:
        """Write an attempt down and let its outcome decide what becomes of the delivery.

        `delay_ms` is for a retry, `fingerprint` (of the settings) for a pause. `trouble` says that the destination is
        out of order, or throttles; `breaker` outages in a row close the gate. Raises LostLease.

        Returns what became of the gate: it was closed (`held`), one that was sent ahead left it closed (`still`), it is
        `open` again, or nothing. `spared`: nothing was written, as the connector is held back, which is no time to give
        a delivery up; settle it as one to be tried again.
        """
        error = "" if attempt.outcome is Outcome.DELIVERED else attempt.error
        made = reference or Reference("")
        record = self._vault.seal(json.dumps(attempt.as_dict(), separators=(",", ":")).encode())
        token = following.token() if following else ""
        reply = self._run(
            "settle",
            *(claim.lane, claim.id, claim.token, attempt.outcome, record, delay_ms, error),
            *(made.id, made.url, attempt.revision, fingerprint, claim.payload),
            *(trouble, len(attempt.requests), breaker),
            *(token, LEASE_MS, FATAL_CRASHES, *(following.limits if following else UNLIMITED).spelled()),
            str(claim.paid),
            self._sealed(error),
        )
        if not reply:
            raise LostLease(claim.id)
        became: Gate = reply[1].decode()
        if following and became != "spared":
            following.answer(self._claims(claim.lane, token, reply[0]))
        return became

    def remember(self, claim: Claim, step: str, value: Any) -> None:
        """Keep what a step made (anything JSON can spell), for the next attempt. Raises LostLease."""
        if not self._run("remember", claim.lane, claim.id, claim.token, step, json.dumps(value)):
            raise LostLease(claim.id)

    def renew(self, claims: Sequence[Claim]) -> int:
        """Extend leases; returns how many were still ours."""
        if not claims:
            return 0
        items = [part for claim in claims for part in (claim.lane, claim.id, claim.token)]
        return int(self._run("renew", LEASE_MS, *items))

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
        self._run("release", claim.lane, claim.id, claim.token)

    def crashed(self, claim: Claim) -> bool:
        """The process died that had nothing else to do: give the item up. False: the lease was lost."""
        return bool(self._run("crashed", claim.lane, claim.id, claim.token))

    def replay(self, identity: str) -> tuple[str, bool]:
        """Do it again: a delivery (`connector:account:channel`) or a payload. Returns its lane, and whether to knock.

        Raises NotFound.
        """
        reply = self._run("replay", identity, "delivery" if ":" in identity else "payload")
        if not reply:
            raise NotFound(f"there is no delivery or payload '{identity}'")
        return reply[0].decode(), bool(reply[1])

    def discard(self, identity: str, reason: str, by: str = "admin") -> None:
        """Give up on purpose a delivery that waits, is retried or is dead, or a quarantined body.

        Raises NotFound, InUse.
        """
        done = self._run("discard", identity, "delivery" if ":" in identity else "payload", reason, by)
        if done == 0:
            raise NotFound(f"there is no delivery or payload '{identity}'")
        if done < 0:
            raise InUse(f"'{identity}' is being worked on, or was settled; nothing was discarded")

    def send_ahead(self, connector: str) -> tuple[bool, bool]:
        """Let one delivery through a connector's closed gate. A gate that closed by itself opens when it arrives.

        Returns whether it was closed, and whether to knock.
        """
        closed, knock = self._run("send_ahead", connector)
        return bool(closed), bool(knock)

    def pause(self, connector: str, reason: str) -> None:
        """Close a connector's gate, by hand: nothing is claimed from its lane until it is resumed by hand."""
        self._run("pause", connector, reason, "admin")

    def resume(self, connector: str, *, changed_to: str = "") -> tuple[bool, bool]:
        """Open it again. Returns whether it was closed, and whether to knock.

        With `changed_to`, the fingerprint of today's settings, it opens only when it had closed by itself under others.
        """
        opened, knock = self._run("resume", connector, changed_to)
        return bool(opened), bool(knock)

    def tick(self, period_ms: int, lanes: Iterable[str]) -> list[str]:
        """Lanes with something due, for one caller in each period; for the others none. What was interrupted goes to
        the head of its lane."""
        return [lane.decode() for lane in self._run("tick", period_ms, *lanes)]

    def turn(self, what: str, period_ms: int) -> bool:
        """Whether it is the caller's turn: one caller's in each period."""
        return bool(self._run("turn", what, period_ms))

    def beat(self, worker: str, trouble: str = "") -> None:
        """Say that a worker is alive, and what it has against the configuration, if anything.

        Leases are renewed before this, not after it: see beat.lua.
        """
        self._run("beat", worker, trouble)

    def leave(self, worker: str) -> None:
        """A worker says good-bye."""
        with errors():
            self._redis.zrem(key("workers"), worker)
            self._redis.hdel(key("trouble"), worker)

    def _run(self, script: str, *arguments: str | bytes | int) -> Any:
        with errors():
            return scripts.run(self._redis, script, self._now(), *arguments)

    def _sealed(self, text: str) -> bytes:
        """What may quote a visitor; nothing stays nothing."""
        return self._vault.seal(text.encode()) if text else b""

    def _now(self) -> int | str:
        return self._clock() if self._clock else ""


def _text(pairs: list[bytes]) -> dict[str, str]:
    return {pairs[i].decode(): pairs[i + 1].decode() for i in range(0, len(pairs), 2)}
