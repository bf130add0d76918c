"""Connectors that are written in YAML, through a real receiver and real workers: `type: http`, and a recipe."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from connectors.testing.chats import SAMPLE
from connectors.testing.fake import Fake, Handler, Request
from core.delivery import Delivery, DeliveryStatus
from core.ids import DeliveryId
from tests.connectors.test_declared import desk
from tests.fakes.desk import KEY, DeskVendor
from tests.fakes.zammad import TOKEN, ZammadVendor
from tests.support.stack import Stack, until

#: Where each delivers, and its secret.
WRITTEN: dict[str, tuple[type[Fake], str]] = {"http": (DeskVendor, KEY), "zammad": (ZammadVendor, TOKEN)}


@pytest.fixture(params=sorted(WRITTEN))
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def vendor(kind: str) -> Iterator[Fake]:
    with WRITTEN[kind][0]() as there:
        yield there


def configured(relay: Stack, kind: str, url: str) -> None:
    """Its secret stands in the environment, as an admin's does."""
    zammad = {"url": url, "token": "${DESK_KEY}", "group": "Chats"}
    own = desk(url, auth={"bearer": "${DESK_KEY}"}) if kind == "http" else zammad
    settings = {**own, "type": kind, "rate": None, "allow_networks": ["127.0.0.0/8"]}
    relay.environment["DESK_KEY"] = WRITTEN[kind][1]
    relay.configure(json.dumps({"connectors": {"desk": settings}}))


def settled(relay: Stack, status: DeliveryStatus, revision: int = 0) -> Delivery:
    identity = DeliveryId("desk:208:55039")

    def look() -> Delivery | None:
        listed = [one for one in relay.ledger.deliveries(limit=10) if one.id == identity and not one.in_flight]
        found = relay.ledger.delivery(identity) if listed and listed[0].status == status else None
        return found if found and found.revision >= revision else None

    found: Delivery = until(look, what=f"{status}, of revision {revision} or later")
    return found


def lose_the_reply_to_the_first_ticket(vendor: Fake) -> None:
    for index, (method, path, answer) in enumerate(vendor.routes):
        if method == "POST" and path.pattern.endswith("/tickets\\Z"):

            def create(request: Request, answer: Handler = answer) -> Any:
                made = answer(request)
                vendor.lose_reply_after = 0 if len(vendor.records()) == 1 else None
                return made

            vendor.routes[index] = (method, path, create)


def continued() -> dict[str, Any]:
    longer: dict[str, Any] = json.loads(json.dumps(SAMPLE))
    longer["messages"].append({**SAMPLE["messages"][0], "content": "One thing more", "sentAt": 1427470480000})
    return longer


def test_a_chat_and_its_revision_come_from_the_receiver_to_the_destination(
    relay: Stack, kind: str, vendor: Fake
) -> None:
    configured(relay, kind, vendor.url)
    relay.web()
    relay.worker()
    assert relay.post(json.dumps(SAMPLE).encode()).json()["status"] == "accepted"
    first = settled(relay, DeliveryStatus.DELIVERED)
    assert relay.post(json.dumps(continued()).encode()).json()["status"] == "accepted"
    second = settled(relay, DeliveryStatus.DELIVERED, 2)
    assert (len(vendor.people()), len(vendor.records())) == (1, 1)
    assert second.reference == first.reference
    assert first.reference
    assert first.reference.id == str(vendor.records()[0]["id"])
    assert "One thing more" in vendor.texts()[-1]
    seen = relay.logs() + relay.cli("show", "desk:208:55039") + relay.cli("connectors", "check", "desk")
    assert WRITTEN[kind][1] not in seen


def test_a_ticket_whose_reply_was_lost_is_found_by_the_next_attempt(relay: Stack, kind: str, vendor: Fake) -> None:
    configured(relay, kind, vendor.url)
    relay.web()
    relay.worker()
    lose_the_reply_to_the_first_ticket(vendor)
    relay.post(json.dumps(SAMPLE).encode())
    settled(relay, DeliveryStatus.RETRYING)
    assert len(vendor.records()) == 1
    asked = len(vendor.requests)
    relay.hurry("desk")
    found = settled(relay, DeliveryStatus.DELIVERED)
    assert [one.outcome for one in found.attempts] == ["retry", "delivered"]
    assert vendor.requests[asked].method == "GET"
    assert (len(vendor.people()), len(vendor.records())) == (1, 1)
    assert "".join(vendor.texts()).count("tanks.") == 1
