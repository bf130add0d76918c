"""What an admin decides about what waits, is paused or was given up. What becomes due is told to the workers here."""

from __future__ import annotations

from core.errors import InUse, NotFound
from core.ids import ConversationId, DeliveryId, PayloadId
from core.store.protocol.base import Base
from core.store.protocol.constants import Kind


class Control(Base):
    """Every method raises StoreUnavailable when the server cannot take a write now."""

    def replay(self, identity: DeliveryId | PayloadId) -> str:
        """Do it again. Returns its lane. Raises NotFound."""
        reply = self._run("replay", id=identity, kind=_kind(identity))
        if not reply:
            raise NotFound(f"there is no delivery or payload '{identity}'")
        lane: str = reply[0].decode()
        if reply[1]:
            self._wake_up(lane)
        return lane

    def discard(self, identity: DeliveryId | PayloadId | ConversationId, reason: str, by: str = "admin") -> None:
        """Give up on purpose a delivery that waits, is retried or is dead, a quarantined body, or a conversation that
        was delivered nowhere.

        Raises NotFound, InUse.
        """
        done = self._run("discard", id=identity, kind=_kind(identity), reason=reason, by=by)
        if done == 0:
            raise NotFound(f"there is no delivery or payload '{identity}'")
        if done < 0:
            raise InUse(f"'{identity}' is being worked on, or was settled; nothing was discarded")

    def send_ahead(self, connector: str) -> bool:
        """Let one delivery through a connector's closed gate. A gate that closed by itself opens when it arrives.
        Returns whether it was closed."""
        closed, wanted = self._run("send_ahead", connector=connector)
        if wanted:
            self._wake_up(connector)
        return bool(closed)

    def pause(self, connector: str, reason: str) -> None:
        """Close a connector's gate, by hand: nothing is claimed from its lane until it is resumed by hand."""
        self._run("pause", connector=connector, reason=reason, by="admin")

    def resume(self, connector: str, *, changed_to: str = "") -> bool:
        """Open it again. Returns whether it was closed.

        With `changed_to`, the fingerprint of today's settings, it opens only when it had closed by itself under others.
        """
        opened, wanted = self._run("resume", connector=connector, fingerprint=changed_to)
        if wanted:
            self._wake_up(connector)
        return bool(opened)


def _kind(identity: DeliveryId | PayloadId | ConversationId) -> Kind:
    if isinstance(identity, DeliveryId):
        return "delivery"
    return "payload" if isinstance(identity, PayloadId) else "conversation"
