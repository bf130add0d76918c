"""What people ask the store. Only reads: of lanes, of the bodies that were received, of conversations and their
deliveries, and of the workers that serve them."""

from __future__ import annotations

from core.store.connection.client import errors
from core.store.ledger.conversations import ConversationLedger
from core.store.protocol.keys import key
from core.store.protocol.records import decoded_hash


class Ledger(ConversationLedger):
    """Reads. Every method raises StoreUnavailable when the server does not answer."""

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
