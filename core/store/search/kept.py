"""All that is kept of a visitor, as it is kept: every field of every record, opened, fields of other versions too. Only
reads.

What was sealed with a key that is not there is None, and hides nothing else.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from core.delivery import CONFLICTS, Reference
from core.errors import StoreUnsafe
from core.ids import ConversationId, DeliveryId, PayloadId
from core.store.connection.client import errors
from core.store.erase import Made
from core.store.protocol.base import Base
from core.store.protocol.keys import key
from core.store.protocol.records import decoded_hash
from core.store.shared.persons import Persons, Remembered

_CLOSED = b"(encrypted, and the key is missing)"


@dataclass(frozen=True)
class KeptPayload:
    """`body` is None when nobody can open it."""

    id: PayloadId
    fields: Mapping[str, str]
    body: bytes | None = field(repr=False)


@dataclass(frozen=True)
class KeptDelivery:
    """`attempts` are JSON objects, None for one that nobody can open; `due` is when the next is, in ms."""

    id: DeliveryId
    fields: Mapping[str, str]
    steps: Mapping[str, Any]
    attempts: tuple[Any, ...]
    due: int | None

    @property
    def made(self) -> Made:
        reference = Reference(self.fields["ref"], self.fields.get("url", "")) if self.fields.get("ref") else None
        steps = {name: value for name, value in self.steps.items() if name != CONFLICTS}
        return Made(self.id.connector, reference, steps)


@dataclass(frozen=True)
class KeptConversation:
    """`payloads` are its revisions, oldest first; `summary` is what lists and searches have of it; `other_ids` are
    those by which it came besides."""

    id: ConversationId
    summary: Any
    payloads: tuple[KeptPayload, ...]
    deliveries: tuple[KeptDelivery, ...]
    other_ids: tuple[ConversationId, ...] = ()


class VisitorRecords(Base):
    """Every method raises StoreUnavailable."""

    def payload(self, identity: PayloadId) -> KeptPayload | None:
        """None: it is gone."""
        with errors():
            row = self._redis.hgetall(key("payload", identity))
            body = self._redis.get(key("raw", identity))
        return KeptPayload(identity, self._fields(row), self._opened(body or b"")) if row else None

    def conversation(self, identity: ConversationId) -> KeptConversation | None:
        """None: it is gone, or there are only files left of it."""
        with errors():
            revisions = self._redis.zrange(key("revisions", identity), 0, -1)
            connectors = self._redis.smembers(key("deliveries-of", identity))
            summary = self._redis.get(key("summary", identity))
            others = self._redis.smembers(key("other-ids", identity))
        if not revisions:
            return None
        payloads = [self.payload(PayloadId(one.decode())) for one in revisions]
        deliveries = [self._delivery(DeliveryId.of(name.decode(), identity)) for name in sorted(connectors)]
        return KeptConversation(
            identity,
            _read(self._opened(summary)) if summary else None,
            tuple(one for one in payloads if one),
            tuple(one for one in deliveries if one),
            tuple(sorted(ConversationId(one.decode()) for one in others)),
        )

    def persons(self, names: Collection[str]) -> list[Remembered]:
        """Whom connectors remember the visitor as, by these emails and ids of theirs."""
        return Persons(self._redis).remembered(names)

    def _delivery(self, identity: DeliveryId) -> KeptDelivery | None:
        with errors():
            pipe = self._redis.pipeline()
            pipe.hgetall(key("delivery", identity))
            pipe.hgetall(key("steps", identity))
            pipe.lrange(key("attempts", identity), 0, -1)
            pipe.zscore(key("lane", identity.connector), identity)
            row, steps, attempts, due = pipe.execute()
        if not row:
            return None
        return KeptDelivery(
            identity,
            self._fields(row),
            {name.decode(): self._step(json.loads(value)) for name, value in steps.items()},
            tuple(_read(self._opened(one)) for one in attempts),
            None if due is None else int(due),
        )

    def _step(self, value: Any) -> Any:
        """One that quotes what a visitor wrote is sealed (core/store/steps.py)."""
        if isinstance(value, dict) and value.keys() == {"sealed"}:
            return _read(self._opened(value["sealed"].encode("latin-1")))
        return value

    def _fields(self, row: Mapping[bytes, bytes]) -> dict[str, str]:
        """Of a payload or a delivery. Only what went wrong may be sealed."""
        opened = {name: self._opened(value) for name, value in row.items()}
        return decoded_hash(
            {name: b"(encrypted; the key is missing)" if one is None else one for name, one in opened.items()}
        )

    def _opened(self, kept: bytes) -> bytes | None:
        try:
            return self._vault.open(kept)
        except StoreUnsafe:
            return None


def _read(text: bytes | None) -> Any:
    """JSON, where it is: what another version kept may be something else."""
    try:
        return None if text is None else json.loads(text)
    except ValueError:
        return text.decode(errors="replace") if text is not None else None
