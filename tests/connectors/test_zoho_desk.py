"""Zoho Desk, a recipe: a contact and a ticket with private comments."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest

from connectors.testing.chats import SAMPLE, chat
from connectors.testing.fake import Fake
from connectors.testing.records import WorkLaws
from core.errors import ConnectorRefused, RecordRefused, RetryLater
from tests.fakes.authorization import CLIENT, SECRET
from tests.fakes.zoho_desk import DEPARTMENT, ORG, ZohoDeskVendor, invalid
from tests.support.desks import DeskContract
from tests.support.ownership import OwnedByRecipe, RefusesOwners
from tests.support.recipes import Clock, longer

REFRESH = "refresh-token-0001"


class TestZohoDesk(DeskContract, OwnedByRecipe, RefusesOwners, WorkLaws):
    kind = "zoho-desk"
    secrets = (SECRET, REFRESH)
    needs_person = True
    country: ClassVar[dict[str, str]] = {"cf_country": "{{ visitor.country_code }}"}
    answers: ClassVar[list[Any]] = [
        (422, invalid("/subject").answer.body, {}, RecordRefused),
        (403, {"errorCode": "SCOPE_MISMATCH"}, {}, ConnectorRefused),
        (403, {"errorCode": "THRESHOLD_EXCEEDED"}, {"Retry-After": "600"}, RetryLater),
        (400, {"errorCode": "OAUTH_ORG_MISMATCH"}, {}, ConnectorRefused),
    ]

    def fake(self) -> ZohoDeskVendor:
        vendor = ZohoDeskVendor()
        assert vendor.refresh_token == REFRESH
        return vendor

    def settings(self, url: str) -> dict[str, Any]:
        own = {"org": ORG, "department": DEPARTMENT, "client_id": CLIENT, "client_secret": SECRET}
        return {"url": url, **own, "refresh_token": REFRESH}

    @staticmethod
    def zoho(vendor: Fake) -> ZohoDeskVendor:
        assert isinstance(vendor, ZohoDeskVendor)
        return vendor

    def test_the_ticket_has_key_fields_channel_and_a_contact_with_a_name(self, vendor: Fake) -> None:
        reference = self.deliver(self.connector(vendor, fields=self.country), SAMPLE, {})
        [ticket], [contact] = vendor.records(), vendor.people()
        assert ticket["cf"] == {"cf_smartsupp_chat": "smartsupp:208:55039", "cf_country": "CZ"}
        assert (ticket["contactId"], ticket["channel"]) == (contact["id"], "Chat")
        assert (contact["firstName"], contact["lastName"]) == ("Dusan", "Kmet")
        assert reference.url == f"{vendor.url}/support/shop/ShowHomePage.do#Cases/dv/{ticket['id']}"

    def test_tokens_come_from_where_the_data_is(self, vendor: Fake) -> None:
        credentials: Any = self.connector(vendor, url="https://desk.zoho.eu").credentials
        assert credentials.provider.token_url == "https://accounts.zoho.eu/oauth/v2/token"

    def test_no_visitor_mentions_a_colleague(self, vendor: Fake) -> None:
        self.deliver(self.connector(vendor), chat("zsu[@user:1234567890]zsu look"), {})
        [text] = vendor.texts()
        assert "zsu[@" not in text
        assert "user:1234567890]zsu look" in text

    def test_a_ticket_that_the_list_does_not_show_yet_is_waited_for(self, vendor: Fake, clock: Clock) -> None:
        clock.step = 0
        memory: dict[str, Any] = {}
        vendor.lose_reply_after = 2
        for lagging in (False, True):
            self.zoho(vendor).lagging = lagging
            with pytest.raises(RetryLater, match="the search lags" if lagging else "closed the connection"):
                self.deliver(self.connector(vendor), SAMPLE, memory)
        self.zoho(vendor).lagging = False
        self.deliver(self.connector(vendor), SAMPLE, memory)
        assert len(vendor.records()) == 1

    def test_a_contact_that_the_search_does_not_show_yet_is_waited_for(self, vendor: Fake) -> None:
        self.deliver(self.connector(vendor), SAMPLE, {})
        self.zoho(vendor).lagging = True
        other = {**SAMPLE, "channel": {**SAMPLE["channel"], "id": 60000}}
        with pytest.raises(RetryLater, match="does not show this contact yet"):
            self.deliver(self.connector(vendor), other, {})
        assert (len(vendor.people()), len(vendor.records())) == (1, 1)

    def test_an_address_that_zoho_desk_refuses_becomes_the_made_up_one(self, vendor: Fake) -> None:
        self.deliver(self.connector(vendor), chat("Hi", email="typo@domain.com"), {})
        assert [one["email"] for one in vendor.people()] == ["visitor-27671@smartsupp.example.com"]
        assert "typo@domain.com cannot be used" in vendor.texts()[0]

    def test_a_contact_that_was_deleted_is_made_again(self, vendor: Fake) -> None:
        memory: dict[str, Any] = {}
        self.deliver(self.connector(vendor), SAMPLE, memory)
        self.zoho(vendor).contacts.clear()
        self.zoho(vendor).tickets.clear()
        rest = {name: value for name, value in memory.items() if name.startswith("contact")}
        self.deliver(self.connector(vendor), SAMPLE, rest)
        assert len(vendor.people()) == len(vendor.records()) == 1

    def test_a_field_that_is_missing_stops_the_connector_after_one_ticket(self, vendor: Fake) -> None:
        self.zoho(vendor).fields.remove("cf_smartsupp_chat")
        memory: dict[str, Any] = {}
        for _ in range(2):
            with pytest.raises(ConnectorRefused, match="Zoho Desk kept no cf_smartsupp_chat"):
                self.deliver(self.connector(vendor), SAMPLE, memory)
        assert len(vendor.records()) == 1
        assert self.wrong(vendor) == ["tickets have no field cf_smartsupp_chat"]

    def test_a_department_that_is_not_there_pauses(self, vendor: Fake) -> None:
        with pytest.raises(ConnectorRefused, match="/departmentId"):
            self.deliver(self.connector(vendor, department="7"), SAMPLE, {})

    def test_a_comment_is_looked_for_on_all_pages(self, vendor: Fake) -> None:
        memory: dict[str, Any] = {}
        self.deliver(self.connector(vendor), SAMPLE, memory)
        comments = vendor.records()[0]["comments"]
        comments += [{"id": f"{number}", "content": "By a colleague"} for number in range(150)]
        self.deliver(self.connector(vendor), longer(), memory, 2)
        del memory["comment 2.1"]
        self.deliver(self.connector(vendor), longer(), memory, 2)
        assert len(comments) == 152
