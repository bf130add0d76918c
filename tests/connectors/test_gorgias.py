"""Gorgias, a recipe: a ticket with internal notes."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest

from connectors.testing.chats import SAMPLE, chat
from connectors.testing.fake import Fake
from connectors.testing.records import ANN, BOB
from core.errors import ConnectorRefused, RecordRefused
from tests.fakes.gorgias import EMAIL, KEY, GorgiasVendor
from tests.support.desks import DeskContract
from tests.support.ownership import OwnedByRecipe, RefusesOwners
from tests.support.recipes import longer


class TestGorgias(DeskContract, OwnedByRecipe, RefusesOwners):
    kind = "gorgias"
    secrets = (KEY,)
    needs_person = True
    country: ClassVar[dict[str, str]] = {"7": "{{ visitor.country_code }}"}
    follows = False
    answers: ClassVar[list[Any]] = [
        (400, {"error": {"msg": "Failed to create the ticket.", "data": {}}}, {}, RecordRefused),
        (403, {"error": {"msg": "Forbidden"}}, {}, ConnectorRefused),
    ]

    def fake(self) -> GorgiasVendor:
        return GorgiasVendor()

    def settings(self, url: str) -> dict[str, Any]:
        return {"url": url, "email": EMAIL, "key": KEY}

    @staticmethod
    def gorgias(vendor: Fake) -> GorgiasVendor:
        assert isinstance(vendor, GorgiasVendor)
        return vendor

    def test_a_bot_is_no_owner(self, vendor: Fake) -> None:
        self.gorgias(vendor).roles[self.gorgias(vendor).knows_owner(ANN)] = "bot"
        bob, memory = self.gorgias(vendor).knows_owner(BOB), dict[str, Any]()
        self.deliver(self.connector(vendor, owner=ANN, owner_fallback=BOB), SAMPLE, memory)
        assert self.gorgias(vendor).owner_of(vendor.records()[0]) == bob
        assert ANN in memory["note owner"]

    def test_the_ticket_has_key_time_tags_fields_and_a_customer_with_a_name(self, vendor: Fake) -> None:
        connector = self.connector(vendor, fields=self.country, channel="email", status="closed")
        reference = self.deliver(connector, SAMPLE, {})
        [ticket] = vendor.records()
        assert vendor.people() == [{"email": "dusan@domain.com", "name": "Dusan Kmet"}]
        assert (ticket["external_id"], ticket["channel"], ticket["status"]) == (
            "smartsupp:208:55039",
            "email",
            "closed",
        )
        assert ticket["created_datetime"] == "2015-03-27T15:33:59Z"
        assert ticket["tags"] == [{"name": "smartsupp"}, {"name": "smartsupp-chat"}]
        assert ticket["custom_fields"] == [{"id": 7, "value": "CZ"}]
        assert reference.url == f"{vendor.url}/app/ticket/{ticket['id']}"

    def test_a_note_is_looked_for_on_all_pages(self, vendor: Fake) -> None:
        memory: dict[str, Any] = {}
        self.deliver(self.connector(vendor), SAMPLE, memory)
        messages = vendor.records()[0]["messages"]
        messages += [{"id": number, "body_html": "By a colleague"} for number in range(150)]
        self.deliver(self.connector(vendor), longer(), memory, 2)
        del memory["note 2.1"]
        self.deliver(self.connector(vendor), longer(), memory, 2)
        assert len(messages) == 152

    def test_an_address_that_gorgias_refuses_becomes_the_made_up_one(self, vendor: Fake) -> None:
        self.deliver(self.connector(vendor), chat("Hi", email="typo@domain.com"), {})
        assert [one["email"] for one in vendor.people()] == ["visitor-27671@smartsupp.example.com"]
        assert "typo@domain.com cannot be used" in vendor.texts()[0]

    def test_a_gorgias_that_ignores_the_filter_is_found_by_the_check_and_gets_no_wrong_record(
        self, vendor: Fake
    ) -> None:
        self.deliver(self.connector(vendor), {**SAMPLE, "channel": {**SAMPLE["channel"], "id": 1}}, {})
        assert self.wrong(vendor) == []
        self.gorgias(vendor).filters = False
        assert self.wrong(vendor) == ["tickets cannot be looked for by external_id"]
        self.deliver(self.connector(vendor), SAMPLE, {"ticket?": True})
        assert [one["external_id"] for one in vendor.records()] == ["smartsupp:208:1", "smartsupp:208:55039"]

    def test_a_wrong_key_is_one(self, vendor: Fake) -> None:
        with pytest.raises(ConnectorRefused, match="Invalid credentials"):
            self.deliver(self.connector(vendor, key="another-0123456789"), SAMPLE, {})
