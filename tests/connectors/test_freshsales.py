"""Freshsales, a recipe: a contact with notes."""

from __future__ import annotations

import json
from typing import Any, ClassVar

import pytest

from connectors.testing.chats import SAMPLE, chat
from connectors.testing.contract import Contract
from connectors.testing.fake import Fake
from core.errors import ConnectorRefused, RecordRefused, RetryLater
from tests.fakes.freshsales import KEY, FreshsalesVendor, failed
from tests.support.ownership import OwnedByRecipe, RefusesOwners
from tests.support.recipes import longer


class TestFreshsales(Contract, OwnedByRecipe, RefusesOwners):
    kind = "freshsales"
    secrets = (KEY,)
    needs_person = True
    answers: ClassVar[list[Any]] = [
        (400, failed(400, "Last name can't be blank").answer.body, {}, RecordRefused),
        (403, failed(403, "Access denied").answer.body, {}, ConnectorRefused),
        (404, failed(404, "no such path").answer.body, {}, ConnectorRefused),
    ]

    def fake(self) -> FreshsalesVendor:
        return FreshsalesVendor()

    def settings(self, url: str) -> dict[str, Any]:
        return {"url": url, "key": KEY}

    @staticmethod
    def freshsales(vendor: Fake) -> FreshsalesVendor:
        assert isinstance(vendor, FreshsalesVendor)
        return vendor

    def test_the_contact_has_a_name_and_fields_and_the_note_a_link(self, vendor: Fake) -> None:
        fields = {"cf_country": "{{ visitor.country_code }}"}
        reference = self.deliver(self.connector(vendor, fields=fields), SAMPLE, {})
        [contact] = vendor.people()
        assert (contact["email"], contact["first_name"], contact["last_name"]) == ("dusan@domain.com", "Dusan", "Kmet")
        assert contact["custom_field"] == {"cf_country": "CZ"}
        assert reference.url == f"{vendor.url}/crm/sales/contacts/{contact['id']}"

    def test_a_contact_who_is_known_is_left_as_it_is(self, vendor: Fake) -> None:
        self.deliver(self.connector(vendor), SAMPLE, {})
        before = json.dumps(vendor.people())
        other = {**SAMPLE, "channel": {**SAMPLE["channel"], "id": 60000}}
        renamed = {**other, "visitor": {**SAMPLE["visitor"], "name": "Somebody Else"}}
        self.deliver(self.connector(vendor, fields={"cf_country": "CZ"}), renamed, {})
        assert json.dumps(vendor.people()) == before
        assert len(vendor.records()) == 2

    def test_a_revision_is_written_over_the_note(self, vendor: Fake) -> None:
        memory: dict[str, Any] = {}
        self.deliver(self.connector(vendor), SAMPLE, memory)
        self.deliver(self.connector(vendor), longer(), memory, 2)
        assert [one.method for one in vendor.writes()] == ["POST", "POST", "PUT"]
        [text] = vendor.texts()
        assert "One thing more" in text

    def test_a_contact_that_freshsales_does_not_show_yet_is_waited_for(self, vendor: Fake) -> None:
        self.deliver(self.connector(vendor), SAMPLE, {})
        self.freshsales(vendor).lagging = True
        other = {**SAMPLE, "channel": {**SAMPLE["channel"], "id": 60000}}
        with pytest.raises(RetryLater, match="does not show it yet"):
            self.deliver(self.connector(vendor), other, {})
        assert (len(vendor.people()), len(vendor.records())) == (1, 1)

    def test_an_address_that_freshsales_refuses_becomes_the_made_up_one(self, vendor: Fake) -> None:
        self.deliver(self.connector(vendor), chat("Hi", email="typo@domain.com"), {})
        assert [one["email"] for one in vendor.people()] == ["visitor-27671@smartsupp.example.com"]
        assert "typo@domain.com cannot be used" in vendor.texts()[0]

    def test_a_contact_that_was_deleted_is_made_again(self, vendor: Fake) -> None:
        memory: dict[str, Any] = {}
        self.deliver(self.connector(vendor), SAMPLE, memory)
        self.freshsales(vendor).contacts.clear()
        self.freshsales(vendor).notes.clear()
        rest = {name: value for name, value in memory.items() if name.startswith("contact")}
        self.deliver(self.connector(vendor), SAMPLE, rest)
        assert len(vendor.people()) == len(vendor.records()) == 1

    def test_a_note_is_looked_for_on_all_pages(self, vendor: Fake) -> None:
        memory: dict[str, Any] = {}
        self.deliver(self.connector(vendor), SAMPLE, memory)
        there = self.freshsales(vendor)
        [contact] = vendor.people()
        for number in range(30):
            there.notes[str(number)] = {"id": number, "description": "By a colleague", "targetable_id": contact["id"]}
        del memory["note 1"]
        self.deliver(self.connector(vendor), SAMPLE, memory)
        assert len(there.notes) == 31

    def test_a_note_that_was_deleted_refuses_this_chat_alone(self, vendor: Fake) -> None:
        memory: dict[str, Any] = {}
        self.deliver(self.connector(vendor), SAMPLE, memory)
        self.freshsales(vendor).notes.clear()
        with pytest.raises(RecordRefused, match="what the step 'note' created is no longer there"):
            self.deliver(self.connector(vendor), longer(), memory, 2)

    def test_small_letters_and_capitals_are_two_conversations(self, vendor: Fake) -> None:
        for name in ("chA", "cha"):
            payload = {**SAMPLE, "channel": {**SAMPLE["channel"], "id": name}}
            self.deliver(self.connector(vendor), payload, {"note 1?": True})
        assert len(vendor.records()) == 2
