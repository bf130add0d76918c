"""The lanes as people look at them: how many wait, why nothing is delivered, and what a source could not fetch."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from core.delivery import DeliveryStatus
from core.store.connection.client import errors
from core.store.protocol.base import Base
from core.store.protocol.keys import key
from core.store.protocol.records import decoded_hash, from_json, from_record

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


class LaneLedger(Base):
    """Every method raises StoreUnavailable when the server does not answer."""

    def connectors(self) -> list[str]:
        """Every connector that was ever given anything."""
        with errors():
            return sorted(name.decode() for name in self._redis.smembers(key("connectors")))

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


def _gate(row: dict[bytes, bytes]) -> ClosedGate | None:
    return from_record(ClosedGate, decoded_hash(row)) if row else None
