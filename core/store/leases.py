"""Leases on the items of a lane: taken, extended, given back. Each method is one atomic step, a Lua script."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from core.errors import StoreUnsafe
from core.ids import ConversationId, DeliveryId, PayloadId
from core.store.claims import UNLIMITED, Claim, Limits
from core.store.protocol.base import Base
from core.store.protocol.constants import BATCH, INBOX, How


class Leases(Base):
    """Every method raises StoreUnavailable when the server cannot take a write now."""

    def claim(self, lane: str, token: str, how: How = "leave", limits: Limits = UNLIMITED) -> Claim | None:
        """Lease the item that is longest due, or None: nothing is, or the connector is paused or at its limits.

        `how`: this is the first claim that answers a wake-up; or the caller will stay and look again if nothing is due,
        so that nobody needs to be woken; or leave, so that somebody must.
        `token` is new for each call. When this raises StoreUnavailable, `disown` it later.
        """
        found = self._claim(lane, token, how, limits, 1)
        return found[0] if found else None

    def claim_bodies(self, token: str, how: How = "leave") -> list[Claim]:
        """The same for the inbox, up to BATCH at once; one that a process has died on comes last."""
        return self._claim(INBOX, token, how, UNLIMITED, BATCH)

    def _claim(self, lane: str, token: str, how: How, limits: Limits, many: int) -> list[Claim]:
        reply = self._run(
            "claim",
            lane=lane,
            token=token,
            how=how,
            many=many,
            at_once=limits.at_once,
            rate=limits.rate,
            per_day=limits.per_day,
            day_over=limits.day_over,
        )
        return self._claims(lane, token, reply)

    def _claims(self, lane: str, token: str, replies: Any) -> list[Claim]:
        found = [self._claimed(lane, token, reply) for reply in replies]
        if found and found[-1].more:
            self._wake_up(lane)
        return found

    def _claimed(self, lane: str, token: str, reply: Any) -> Claim:
        item, crashes, more, fields, meta, body, revision, steps, payload = reply
        own, about = _text(fields), _text(meta)
        try:
            body, trouble = self._vault.open(body), ""
        except StoreUnsafe as error:
            body, trouble = b"", str(error)
        return Claim(
            lane=lane,
            id=PayloadId(item.decode()) if lane == INBOX else DeliveryId(item.decode()),
            token=token,
            crashes=crashes,
            more=bool(more),
            payload=PayloadId(payload.decode()),
            account=about.get("account", ""),
            received=int(about["received"]),
            body=body,
            trouble=trouble,
            conversation=ConversationId(own.get("conversation", "")),
            revision=revision,
            tries=int(own.get("tries", 0)),
            waited=int(own.get("waited", 0)),
            paid=float(own.get("paid", 0)),
            steps={name: json.loads(value) for name, value in _text(steps).items()},
            first="unsure" not in own,
            late="late" in own,
            delivered="delivered" in own,
            beneath=int(own.get("beneath", 0)),
            created=int(own.get("created", 0)),
            origin=about.get("origin", ""),
            only=about.get("only", ""),
        )

    def disown(self, lane: str, token: str) -> None:
        """Give back what a claim leased whose reply was lost, if it leased anything."""
        self._run("disown", lane=lane, token=token)

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

    def release(self, claim: Claim) -> None:
        """Give an item back untouched and at once, without a mark against it."""
        self._run("release", lane=claim.lane, id=claim.id, token=claim.token)

    def crashed(self, claim: Claim) -> int | None:
        """The process died that had nothing else to do. Returns ms until the next try; 0: given up; None: not ours."""
        wait = int(self._run("crashed", lane=claim.lane, id=claim.id, token=claim.token))
        return wait if wait >= 0 else None


def _text(pairs: list[bytes]) -> dict[str, str]:
    return {pairs[i].decode(): pairs[i + 1].decode() for i in range(0, len(pairs), 2)}
