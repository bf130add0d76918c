"""What the tests of every real system do with the relay."""

from __future__ import annotations

from core.delivery import Delivery
from tests.support.stack import Stack, until


def settled(relay: Stack, name: str, status: str = "delivered", tries: int = 1) -> Delivery:
    """The delivery, once it has made that many attempts and come to rest."""

    def look() -> Delivery | None:
        found = [one for one in relay.ledger.deliveries(limit=100) if one.id == name]
        delivery = relay.ledger.delivery(found[0].id) if found and not found[0].in_flight else None
        return delivery if delivery and delivery.status == status and len(delivery.attempts) >= tries else None

    found: Delivery = until(look, 60, f"{name} {status}")
    return found
