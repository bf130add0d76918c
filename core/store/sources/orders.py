"""Orders: chats that are to be fetched from Smartsupp's API, in a lane of each account (docs/adr/0030).

An order names a conversation. However often it is asked for, it is one, and one fetch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from core.ids import NO_CONVERSATION, ConversationId, DeliveryId, PayloadId
from core.store.claims import Claim, Order
from core.store.protocol.base import Base
from core.store.protocol.constants import Ended, How
from core.store.protocol.records import decoded_hash, from_record

#: No connector's name has a dot.
_PREFIX = "source."


def source_lane(name: str) -> str:
    """The lane of an account of relay.yaml's section `source`."""
    return _PREFIX + name


def source_name(lane: str) -> str:
    """The account whose lane it is, or "": it is no source's."""
    return lane.removeprefix(_PREFIX) if lane.startswith(_PREFIX) else ""


@dataclass(frozen=True)
class Wish:
    """A chat that somebody wants fetched, when nothing more was heard of it for `wait_ms`, but `at_most_ms` after the
    first time. `began` (ms): its id is the hook's, so it is looked for by that. `known_only`: or not at all."""

    conversation: ConversationId
    lane: str
    wait_ms: int
    at_most_ms: int
    began: int | None = None
    known_only: bool = False


class Orders(Base):
    """Every method raises StoreUnavailable when the server cannot take a write now."""

    def order(self, wish: Wish, event: Claim | None = None) -> bool | None:
        """Order a fetch; a claimed `event` that led to it is done with in the same step, whatever becomes of it.
        Returns whether it is ordered, or None: the lease of the event was lost."""
        ordered, wake = self._run(
            "order",
            payload=event.payload if event else "",
            token=event.token if event else "",
            conversation=wish.conversation,
            lane=wish.lane,
            wait=wish.wait_ms,
            at_most=wish.at_most_ms,
            began=wish.began,
            known_only=wish.known_only,
        )
        if wake:
            self._wake_up(wish.lane)
        return None if ordered < 0 else bool(ordered)

    def claim_order(self, lane: str, token: str, how: How = "leave") -> Claim | None:
        """As `claim`, of a source's lane: `order` of the claim says what is to be fetched."""
        reply = self._run("claim_order", lane=lane, token=token, how=how)
        if not reply:
            return None
        conversation, more, fields = reply
        if more:
            self._wake_up(lane)
        identity = ConversationId(conversation.decode())
        order: Order = from_record(Order, decoded_hash(_pairs(fields)), conversation=identity)
        return Claim(
            lane=lane,
            id=DeliveryId(identity),  # as its lane has it
            token=token,
            crashes=0,  # counted by the script, which holds it off
            more=bool(more),
            payload=PayloadId(""),
            account=identity.account,
            received=order.asked,
            body=b"",
            conversation=NO_CONVERSATION,
            order=order,
        )

    def settle_order(self, claim: Claim, ended: Ended, delay_ms: int = 0, reason: str = "") -> bool:
        """A fetch has ended. False: the lease was lost, and somebody else fetches it."""
        return bool(
            self._run(
                "settle_order",
                lane=claim.lane,
                id=claim.id,
                token=claim.token,
                ended=ended,
                delay=delay_ms,
                reason=reason,
            )
        )


def _pairs(flat: list[Any]) -> dict[bytes, bytes]:
    return dict(zip(flat[::2], flat[1::2], strict=True))
