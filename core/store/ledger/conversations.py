"""What people ask the store. Only reads."""

from __future__ import annotations

import heapq
import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from core.delivery import CONFLICTS, Attempt, Delivery, DeliveryStatus, Payload, PayloadStatus, Reference
from core.errors import NotFound, StoreUnsafe
from core.ids import ConversationId, DeliveryId, PayloadId
from core.store.connection.client import errors
from core.store.protocol.base import Base
from core.store.protocol.keys import key
from core.store.protocol.records import decoded_hash, from_json, from_record
from core.store.steps import conflicts_in

#: Orders of a source that are looked at for what went wrong.
_FAILED_LOOKS = 200


@dataclass(frozen=True)
class ClosedGate:
    """Why nothing is delivered to a connector: `by` an admin, who paused it; by relay, because credentials or address
    were rejected; or by the circuit breaker, because it does not respond, until the next test at `until`. In ms."""

    since: int
    reason: str
    by: str
    until: int | None = None


@dataclass(frozen=True)
class GateChange:
    """A gate closed `at` (ms), `by` as ClosedGate has it, or opened: then that is ""."""

    at: int
    by: str


@dataclass(frozen=True)
class Lane:
    """A connector, or the inbox, at a glance. Of those that wait some are `due` now; `oldest_due` is how long the
    longest due item has waited, in ms. A connector is `slowed` by that factor since its vendor answered 429; 1: not.
    Time-outs lowered its concurrency to `narrowed`; None: they did not.
    `limited`: what was due in the last half minute had to wait for the connector's own limits. `used_up`: when (ms) the
    day is over whose requests are used up; None: there are some left, or there is no such limit."""

    name: str
    waiting: int
    due: int
    in_flight: int
    oldest_due: int
    counts: dict[str, int]
    gate: ClosedGate | None = None
    slowed: float = 1.0
    limited: bool = False
    narrowed: int | None = None
    used_up: int | None = None


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


class Ledger(Base):
    """Reads. Every method raises StoreUnavailable when the server does not answer."""

    def connectors(self) -> list[str]:
        """Every connector that was ever given anything."""
        with errors():
            return sorted(name.decode() for name in self._redis.smembers(key("connectors")))

    def payload_counts(self) -> dict[str, int]:
        with errors():
            pipe = self._redis.pipeline(transaction=False)
            for status in PayloadStatus:
                pipe.zcard(key("payloads", status))
            return dict(zip([str(status) for status in PayloadStatus], pipe.execute(), strict=True))

    def undelivered(self) -> int:
        """How many conversations were delivered nowhere, though nobody wanted that."""
        with errors():
            return int(self._redis.zcard(key("undelivered")))

    def lost(self, limit: int = 50) -> list[StoredConversation]:
        """The newest of these, each with its newest payload."""
        with errors():
            found = self._redis.zrange(key("undelivered"), 0, limit - 1, desc=True)
        return self.newest([ConversationId(one.decode()) for one in found])

    def lane(self, name: str) -> Lane:
        now = self.now()
        with errors():
            pipe = self._redis.pipeline(transaction=False)
            pipe.zcard(key("lane", name))
            pipe.hlen(key("leases", name))
            pipe.zrange(key("lane", name), 0, 0, withscores=True)
            pipe.zcount(key("lane", name), "-inf", now)
            pipe.hgetall(key("gate", name))
            pipe.hmget(key("pace", name), "slow", "wide", "used_up")
            pipe.exists(key("limited", name))
            for status in DeliveryStatus:
                pipe.zcard(key("deliveries", name, status))
            total, in_flight, first, due, gate, (slow, wide, used_up), limited, *counts = pipe.execute()
        return Lane(
            name=name,
            waiting=total - in_flight,
            due=due,
            in_flight=in_flight,
            oldest_due=max(0, now - int(first[0][1])) if first else 0,
            counts=dict(zip([str(status) for status in DeliveryStatus], counts, strict=True)),
            gate=_gate(gate),
            slowed=float(slow or 1),
            limited=bool(limited),
            narrowed=int(float(wide)) if wide else None,
            used_up=int(used_up) if used_up and int(used_up) > now else None,
        )

    def failed_fetches(self, lane: str, tries: int) -> list[str]:
        """Why chats of a source were not fetched, of those that failed at least so often; the ones that failed most
        often, and wait longest, first."""
        with errors():
            found = self._redis.zrange(key("lane", lane), 0, _FAILED_LOOKS - 1, desc=True)
            pipe = self._redis.pipeline(transaction=False)
            for one in found:
                pipe.hmget(key("order", one.decode()), "tries", "error")
            rows = pipe.execute()
        return [error.decode() for number, error in rows if error and int(number or 0) >= tries]

    def gate_changes(self, connector: str) -> list[GateChange]:
        """The last ones, oldest first."""
        with errors():
            return [from_json(GateChange, one) for one in self._redis.lrange(key("gates", connector), 0, -1)]

    def gone(self, configured: Collection[str]) -> list[Lane]:
        """Connectors that are not configured, and have deliveries that wait."""
        with errors():
            renamed = {name.decode() for name in self._redis.hkeys(key("renamed"))}  # on their way to another name
        lanes = (self.lane(name) for name in self.connectors() if name not in configured and name not in renamed)
        return [lane for lane in lanes if lane.waiting]

    def workers(self) -> dict[str, int]:
        """Workers seen in the last minute, and how long ago, in ms."""
        now = self.now()
        with errors():
            found = self._redis.zrangebyscore(key("workers"), now - 60_000, "+inf", withscores=True)
        return {name.decode(): max(0, now - int(seen)) for name, seen in found}

    def troubles(self) -> dict[str, str]:
        """What workers have against the configuration that they were last asked to take."""
        with errors():
            return decoded_hash(self._redis.hgetall(key("trouble")))

    def payloads(
        self, status: PayloadStatus, limit: int = 50, *, after: tuple[int, str] | None = None
    ) -> list[Payload]:
        """The newest bodies of a status, without their bytes, or those after one (when it was received, its id)."""
        name = key("payloads", status)
        with errors():
            if after is None:
                found = self._redis.zrange(name, 0, limit - 1, desc=True)
            else:
                # Of those that came in the same millisecond, the order is that of their ids.
                received, last = after
                same = self._redis.zcount(name, received, received)
                rows = self._redis.zrevrangebyscore(name, received, "-inf", 0, limit + same, withscores=True)
                found = [one for one, at in rows if (at, one) < (received, last.encode())][:limit]
            pipe = self._redis.pipeline(transaction=False)
            for identity in found:
                pipe.hgetall(key("payload", identity.decode()))
            rows = pipe.execute()
        return [
            _payload(PayloadId(identity.decode()), self._opened(row))
            for identity, row in zip(found, rows, strict=True)
            if row
        ]

    def payload(self, identity: PayloadId) -> Payload:
        """One body, with its bytes. Raises NotFound."""
        with errors():
            row = self._redis.hgetall(key("payload", identity))
            body = self._redis.get(key("raw", identity))
        if not row:
            raise NotFound(f"there is no payload '{identity}'")
        return _payload(identity, self._opened(row), self._vault.open(body or b""))

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
                (replace(_payload(payload, self._opened(row), self._vault.open(body or b"")), revision=number),),
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

    def _opened(self, row: dict[bytes, bytes]) -> dict[bytes, bytes]:
        """A payload or a delivery, whose error may be sealed. One without its key says so and hides nothing else."""
        if b"error" not in row:
            return row
        try:
            return {**row, b"error": self._vault.open(row[b"error"])}
        except StoreUnsafe as error:
            return {**row, b"error": str(error).encode()}


def _gate(row: dict[bytes, bytes]) -> ClosedGate | None:
    return from_record(ClosedGate, decoded_hash(row)) if row else None


def _payload(identity: PayloadId, row: dict[bytes, bytes], body: bytes = b"") -> Payload:
    found = decoded_hash(row)
    # A payload has no number of its own.
    return from_record(Payload, found, id=identity, content_type=found.get("type", ""), body=body, revision=0)


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
