"""Zammad, a recipe: a ticket with internal articles."""

from __future__ import annotations

import json
from typing import Any, ClassVar

import pytest

from connectors.testing.chats import SAMPLE, chat
from connectors.testing.contract import Contract
from connectors.testing.fake import Fake
from connectors.testing.files import FileLaws
from connectors.testing.records import ANN
from core.errors import ConnectorRefused, RecordRefused, RetryLater
from tests.fakes.zammad import AGENTS, TOKEN, ZammadVendor
from tests.support.ownership import OwnedByRecipe


class TestZammad(Contract, FileLaws, OwnedByRecipe):
    kind = "zammad"
    secrets = (TOKEN,)
    needs_person = True
    answers: ClassVar[list[Any]] = [
        (422, {"error": "Title can't be blank"}, {}, RecordRefused),
        (422, {"error": "No lookup value found for 'group': \"x\""}, {}, ConnectorRefused),
        (403, {"error": "Not authorized"}, {}, ConnectorRefused),
        (502, "Zammad is being restarted", {}, RetryLater),
    ]

    def fake(self) -> ZammadVendor:
        return ZammadVendor()

    def settings(self, url: str) -> dict[str, Any]:
        return {"url": url, "token": TOKEN, "group": "Chats"}

    @staticmethod
    def zammad(vendor: Fake) -> ZammadVendor:
        assert isinstance(vendor, ZammadVendor)
        return vendor

    def test_an_agent_on_the_second_page_is_found(self, vendor: Fake) -> None:
        for number in range(AGENTS):
            self.zammad(vendor).knows_owner(f"agent{number}@example.com")
        ann = self.zammad(vendor).knows_owner(ANN)
        self.deliver(self.connector(vendor, owner=ANN), SAMPLE, {})
        assert self.zammad(vendor).owner_of(vendor.records()[0]) == ann

    def test_the_ticket_has_key_tags_fields_and_a_customer_with_a_name(self, vendor: Fake) -> None:
        fields = {"country": "{{ visitor.country_code }}"}
        reference = self.deliver(self.connector(vendor, fields=fields), SAMPLE, {})
        [ticket] = vendor.records()
        assert (ticket["smartsupp_chat"], ticket["country"]) == ("smartsupp:208:55039", "CZ")
        assert ticket["tags"] == ["smartsupp", "smartsupp-chat"]
        assert vendor.people() == [{"email": "dusan@domain.com", "firstname": "Dusan", "lastname": "Kmet"}]
        assert reference.url == f"{vendor.url}/#ticket/zoom/{ticket['id']}"

    def test_a_revision_is_an_article_and_only_fields_with_something_to_say_are_sent(self, vendor: Fake) -> None:
        memory: dict[str, Any] = {}
        self.deliver(self.connector(vendor), SAMPLE, memory)
        longer = json.loads(json.dumps(SAMPLE))
        longer["messages"].append({**SAMPLE["messages"][0], "content": "One thing more"})
        self.deliver(self.connector(vendor), longer, memory, 2)
        assert [one.method for one in vendor.requests] == ["POST", "POST"]
        self.deliver(self.connector(vendor, fields={"country": "{{ visitor.country_code }}"}), longer, memory, 3)
        assert [f"{one.method} {one.path.rpartition('/')[2]}" for one in vendor.requests[2:]] == [
            f"PUT {vendor.records()[0]['id']}",
        ]
        assert vendor.records()[0]["country"] == "CZ"
        assert len(vendor.texts()) == 2

    def test_an_attribute_that_is_missing_stops_the_connector_after_one_ticket(self, vendor: Fake) -> None:
        self.zammad(vendor).attributes.remove("smartsupp_chat")
        memory: dict[str, Any] = {}
        with pytest.raises(ConnectorRefused, match="Zammad kept no smartsupp_chat"):
            self.deliver(self.connector(vendor), SAMPLE, memory)
        with pytest.raises(ConnectorRefused, match="Zammad kept no smartsupp_chat"):
            self.deliver(self.connector(vendor), SAMPLE, memory)
        assert len(vendor.records()) == 1
        [wrong] = [one for one in self.connector(vendor).check() if not one.right]
        assert wrong.text == "tickets have no attribute smartsupp_chat"

    def test_an_address_that_zammad_refuses_becomes_the_made_up_one(self, vendor: Fake) -> None:
        self.deliver(self.connector(vendor), chat("Hi", email="typo@domain.com"), {})
        assert vendor.people()[0]["email"].endswith("@smartsupp.example.com")
        assert "typo@domain.com cannot be used" in vendor.texts()[0]

    def test_small_letters_and_capitals_are_two_conversations(self, vendor: Fake) -> None:
        for name in ("chA", "cha"):
            payload = {**SAMPLE, "channel": {**SAMPLE["channel"], "id": name}}
            self.deliver(self.connector(vendor), payload, {"ticket?": True})
        assert len(vendor.records()) == 2

    def test_a_ticket_that_was_deleted_refuses_this_chat_alone(self, vendor: Fake) -> None:
        memory: dict[str, Any] = {}
        fields = {"country": "{{ visitor.country_code }}"}
        self.deliver(self.connector(vendor, fields=fields), SAMPLE, memory)
        self.zammad(vendor).tickets.clear()
        with pytest.raises(RecordRefused, match="what the step 'ticket' created is no longer there"):
            self.deliver(self.connector(vendor, fields=fields), SAMPLE, memory, 2)
