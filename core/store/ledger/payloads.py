"""The bodies that were received, each by itself."""

from __future__ import annotations

from core.delivery import Payload, PayloadStatus
from core.errors import NotFound, StoreUnsafe
from core.ids import PayloadId
from core.store.connection.client import errors
from core.store.protocol.base import Base
from core.store.protocol.keys import key
from core.store.protocol.records import decoded_hash, from_record


class PayloadLedger(Base):
    """Every method raises StoreUnavailable when the server does not answer."""

    def payload_counts(self) -> dict[str, int]:
        with errors():
            pipe = self._redis.pipeline(transaction=False)
            for status in PayloadStatus:
                pipe.zcard(key("payloads", status))
            return dict(zip([str(status) for status in PayloadStatus], pipe.execute(), strict=True))

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
            read_payload(PayloadId(identity.decode()), self._opened(row))
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
        return read_payload(identity, self._opened(row), self._vault.open(body or b""))

    def _opened(self, row: dict[bytes, bytes]) -> dict[bytes, bytes]:
        """A payload or a delivery, whose error may be sealed. One without its key says so and hides nothing else."""
        if b"error" not in row:
            return row
        try:
            return {**row, b"error": self._vault.open(row[b"error"])}
        except StoreUnsafe as error:
            return {**row, b"error": str(error).encode()}


def read_payload(identity: PayloadId, row: dict[bytes, bytes], body: bytes = b"") -> Payload:
    found = decoded_hash(row)
    # A payload has no number of its own.
    return from_record(Payload, found, id=identity, content_type=found.get("type", ""), body=body, revision=0)
