"""Bitrix24, a recipe: a contact and a lead or a deal, with comments in its timeline."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest

from connectors.testing.chats import SAMPLE, chat, other
from connectors.testing.fake import Answer, Fake
from connectors.testing.records import ANN, BOB
from core.errors import ConnectorRefused, RecordRefused, RetryLater
from tests.fakes.bitrix24 import CODE, USER, Bitrix24Vendor
from tests.support.ownership import OwnedByRecipe, RefusesOwners, WorkOfRecipe
from tests.support.recipes import RecipeContract


def said(code: str) -> dict[str, str]:
    return {"error": code, "error_description": "no"}


class TestBitrix24(RecipeContract, OwnedByRecipe, RefusesOwners, WorkOfRecipe):
    kind = "bitrix24"
    secrets = (CODE,)
    takes_html = False
    reading = (rf"POST /rest/{USER}/{CODE}/crm\.(duplicate\.findbycomm|item\.(list|fields)|timeline\.comment\.list)",)
    custom: ClassVar[dict[str, str]] = {"ufCrmCountry": "{{ visitor.country_code }}"}
    revision = ("POST crm.timeline.comment.add",)
    answers: ClassVar[list[Any]] = [
        (400, said("INVALID_ARG_VALUE"), {}, RecordRefused),
        (401, said("NO_AUTH_FOUND"), {}, ConnectorRefused),
        (403, said("insufficient_scope"), {}, ConnectorRefused),
        (503, said("OVERLOAD_LIMIT"), {}, ConnectorRefused),
        (503, said("QUERY_LIMIT_EXCEEDED"), {}, RetryLater),
        (429, said("OPERATION_TIME_LIMIT"), {}, RetryLater),
    ]

    def fake(self) -> Bitrix24Vendor:
        return Bitrix24Vendor()

    def settings(self, url: str) -> dict[str, Any]:
        return {"url": url, "user": USER, "code": CODE}

    def delete_records(self, vendor: Any) -> None:
        vendor.items[1].clear()

    def spelled(self, method: str, path: str) -> str:
        return f"{method} {path.rpartition('/')[2]}"

    def test_a_user_who_gets_no_activity_gives_way_and_the_activity_is_made(self, vendor: Fake) -> None:
        bitrix, memory = self.bitrix(vendor), dict[str, Any]()
        bitrix.no_work.add(bitrix.knows_owner(ANN))
        bob = bitrix.knows_owner(BOB)
        missed = other("Hello?", kind="isMissed")
        self.deliver(self.connector(vendor, owner=ANN, owner_fallback=BOB, task={"due": "4h"}), missed, memory)
        [todo] = bitrix.todo
        assert todo["owner"] == bob
        assert "the destination does not give this record to that user" in memory["note owner"]

    @staticmethod
    def bitrix(vendor: Fake) -> Bitrix24Vendor:
        assert isinstance(vendor, Bitrix24Vendor)
        return vendor

    def test_the_lead_has_key_source_and_contact_with_a_phone_number(self, vendor: Fake) -> None:
        payload = chat("Hi", variables={"phone": {"label": "Phone", "value": "+420602123456"}})
        reference = self.deliver(self.connector(vendor, assigned_to=5), payload, {})
        [lead], [contact] = vendor.records(), vendor.people()
        assert (lead["originatorId"], lead["originId"]) == ("smartsupp", "smartsupp:208:55039")
        assert (lead["contactId"], lead["sourceId"], lead["assignedById"]) == (contact["id"], "WEB", 5)
        assert [one["value"] for one in contact["fm"]] == ["dusan@domain.com", "+420602123456"]
        assert reference.url == f"{vendor.url}/crm/lead/details/{lead['id']}/"

    def test_a_chat_can_be_a_deal_which_has_no_name_of_its_own(self, vendor: Fake) -> None:
        memory: dict[str, Any] = {}
        connector = self.connector(vendor, record="deal", fields=self.custom)
        for number in (1, 2):
            reference = self.deliver(connector, chat("Hi", email=""), memory, number)
        [deal] = self.bitrix(vendor).items[2].values()
        assert "name" not in deal
        assert deal["ufCrmCountry"] == "CZ"
        assert reference.url == f"{vendor.url}/crm/deal/details/{deal['id']}/"
        assert self.bitrix(vendor).items[1] == {}

    def test_a_portal_that_keeps_no_origin_stops_the_connector_after_one_lead(self, vendor: Fake) -> None:
        self.bitrix(vendor).fields.remove("originId")
        memory: dict[str, Any] = {}
        for _ in range(2):
            with pytest.raises(ConnectorRefused, match="Bitrix24 kept no originId"):
                self.deliver(self.connector(vendor), SAMPLE, memory)
        assert len(vendor.records()) == 1
        assert self.wrong(vendor) == ["there is no lead with an origin that the user may see"]

    def test_a_webhook_without_the_crm_is_found_by_the_check(self, vendor: Fake) -> None:
        self.bitrix(vendor).scopes = ["task"]
        assert self.wrong(vendor) == ["the webhook may not use the CRM"]

    def test_neither_a_list_nor_an_object_says_nothing_of_the_contact(self, vendor: Fake) -> None:
        vendor.instead = [Answer(200, {"result": {"LEAD": [1]}})] * 4
        with pytest.raises(RetryLater, match="CONTACT: expected a value"):
            self.deliver(self.connector(vendor), SAMPLE, {})
        assert vendor.people() == []

    def test_a_visitor_writes_no_tag(self, vendor: Fake) -> None:
        self.deliver(self.connector(vendor), chat("[B]bold[/B] [URL=https://evil.example]x[/URL]"), {})
        comment = self.bitrix(vendor).comments[0]["COMMENT"]
        assert "[URL=https://evil" not in comment
        assert "[\u2060B]bold" in comment

    def test_a_limit_of_the_portal_says_how_long(self, vendor: Fake) -> None:
        vendor.instead = [Answer(429, said("OPERATION_TIME_LIMIT"))] * 4
        with pytest.raises(RetryLater) as raised:
            self.deliver(self.connector(vendor), SAMPLE, {})
        assert raised.value.retry_after == 600
