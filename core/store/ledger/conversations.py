"""Conversations with what became of them: the story of each delivery."""

from __future__ import annotations

import heapq
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace

from core.delivery import CONFLICTS, Attempt, Delivery, DeliveryStatus, Payload, PayloadStatus, Reference
from core.errors import NotFound
from core.ids import ConversationId, DeliveryId, PayloadId
from core.store.connection.client import errors
from core.store.ledger.lanes import LaneLedger
from core.store.ledger.payloads import PayloadLedger, read_payload
from core.store.protocol.keys import key
from core.store.protocol.records import decoded_hash, from_json, from_record
from core.store.steps import conflicts_in


@dataclass(frozen=True)
class StoredConversation:
    """A conversation's payloads, oldest first, and its deliveries."""

    id: ConversationId
    payloads: tuple[Payload, ...]
    deliveries: tuple[Delivery, ...]

    @property
    def nowhere(self) -> Payload | None:
        """Its newest payload, if no connector has it: `why` and `status` of that say the rest."""
        newest = self.payloads[-1] if self.payloads else None
        there = newest and newest.status in (PayloadStatus.UNROUTED, PayloadStatus.DISCARDED)
        return newest if there and not self.deliveries else None


class ConversationLedger(LaneLedger, PayloadLedger):
    """Every method raises StoreUnavailable when the server does not answer."""

    def undelivered(self) -> int:
        """How many conversations were delivered nowhere, though nobody wanted that."""
        with errors():
            return int(self._redis.zcard(key("undelivered")))

    def lost(self, limit: int = 50) -> list[StoredConversation]:
        """The newest of these, each with its newest payload."""
        with errors():
            found = self._redis.zrange(key("undelivered"), 0, limit - 1, desc=True)
        return self.newest([ConversationId(one.decode()) for one in found])

    def conversation(self, identity: ConversationId) -> StoredConversation:
        """By any of its ids. Raises NotFound."""
        with errors():
            if other := self._redis.get(key("other-id", identity)):
                identity = ConversationId(other.decode())
            revisions = self._redis.zrange(key("revisions", identity), 0, -1)
            connectors = self._redis.smembers(key("deliveries-of", identity))
        if not revisions:
            raise NotFound(f"there is no conversation '{identity}'")
        return StoredConversation(
            identity,
            tuple(
                replace(self.payload(PayloadId(one.decode())), revision=number)
                for number, one in enumerate(revisions, 1)
            ),
            tuple(self.delivery(DeliveryId.of(name.decode(), identity)) for name in sorted(connectors)),
        )

    def newest(self, conversations: Sequence[ConversationId]) -> list[StoredConversation]:
        """Conversations with their newest payload alone and without attempts, all in one go. Those that are gone are
        left out."""
        with errors():
            pipe = self._redis.pipeline(transaction=False)
            for one in conversations:
                pipe.zrange(key("revisions", one), 0, 0, desc=True)
                pipe.zcard(key("revisions", one))
                pipe.smembers(key("deliveries-of", one))
            replies = pipe.execute()
            heads = zip(conversations, *(replies[i::3] for i in range(3)), strict=True)
            found = [(one, PayloadId(ids[0].decode()), number, names) for one, ids, number, names in heads if ids]
            for _, payload, _, _ in found:
                pipe.hgetall(key("payload", payload))
                pipe.get(key("raw", payload))
            bodies = pipe.execute()
        deliveries: dict[str, list[Delivery]] = {}
        for given in self._deliveries(
            [DeliveryId.of(name.decode(), row[0]) for row in found for name in sorted(row[3])]
        ):
            deliveries.setdefault(given.conversation, []).append(given)
        return [
            StoredConversation(
                one,
                (replace(read_payload(payload, self._opened(row), self._vault.open(body or b"")), revision=number),),
                tuple(deliveries.get(one, ())),
            )
            for (one, payload, number, _), row, body in zip(found, bodies[::2], bodies[1::2], strict=True)
            if row
        ]

    def delivery(self, identity: DeliveryId) -> Delivery:
        """One delivery with its whole story. Raises NotFound."""
        with errors():
            pipe = self._redis.pipeline(transaction=False)
            pipe.lrange(key("attempts", identity), 0, -1)
            pipe.hgetall(key("steps", identity))
            attempts, steps = pipe.execute()
        found = self._deliveries([identity])
        if not found:
            raise NotFound(f"there is no delivery '{identity}'")
        made = {name: json.loads(value) for name, value in decoded_hash(steps).items()}
        story = {
            "attempts": tuple(from_json(Attempt, self._vault.open(one)) for one in attempts),
            "conflicts": conflicts_in(self._vault, made),
            "steps": {name: value for name, value in made.items() if name != CONFLICTS},
        }
        return Delivery(**{**found[0].__dict__, **story})

    def deliveries(
        self, status: DeliveryStatus | None = None, connector: str | None = None, limit: int = 50
    ) -> list[Delivery]:
        """The deliveries that changed last, without their attempts."""
        names = [connector] if connector else self.connectors()
        statuses = [status] if status else list(DeliveryStatus)
        with errors():
            pipe = self._redis.pipeline(transaction=False)
            for name in names:
                for one in statuses:
                    pipe.zrange(key("deliveries", name, one), 0, limit - 1, desc=True, withscores=True)
            merged = heapq.merge(*pipe.execute(), key=lambda row: -row[1])
        return self._deliveries([DeliveryId(identity.decode()) for identity, _ in list(merged)[:limit]])

    def _deliveries(self, identities: list[DeliveryId]) -> list[Delivery]:
        with errors():
            pipe = self._redis.pipeline(transaction=False)
            for identity in identities:
                pipe.hgetall(key("delivery", identity))
                pipe.zscore(key("lane", identity.connector), identity)
                pipe.hexists(key("leases", identity.connector), identity)
                pipe.hget(key("gate", identity.connector), "by")
            replies = pipe.execute()
        rows = zip(identities, *(replies[i::4] for i in range(4)), strict=True)
        return [_delivery(identity, decoded_hash(self._opened(row)), *rest) for identity, row, *rest in rows if row]


def _delivery(identity: DeliveryId, row: dict[str, str], due: float | None, leased: bool, by: bytes | None) -> Delivery:
    return from_record(
        Delivery,
        row,
        id=identity,
        due=int(due) if due is not None and not leased else None,
        in_flight=bool(leased),
        paused=by not in (None, b"breaker") and due is not None,
        not_responding=by == b"breaker" and due is not None,
        reference=Reference(row["ref"], row.get("url", "")) if row.get("ref") else None,
        attempts=(),
        steps={},
    )
