"""Intercom, a recipe: a contact and a ticket with notes."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest

from connectors.testing.chats import SAMPLE, chat
from connectors.testing.fake import Answer, Fake
from core.errors import ConnectorRefused, RecordRefused, RetryLater
from tests.fakes.intercom import ADMIN, TICKET_TYPE, TOKEN, WORKSPACE, IntercomVendor, failed
from tests.support.desks import DeskContract
from tests.support.ownership import OwnedByRecipe, RefusesOwners
from tests.support.recipes import Clock


class TestIntercom(DeskContract, OwnedByRecipe, RefusesOwners):
    kind = "intercom"
    secrets = (TOKEN,)
    needs_person = True
    reading = (r"POST /contacts/search", r"POST /tickets/search")
    country: ClassVar[dict[str, str]] = {"Country": "{{ visitor.country_code }}"}
    answers: ClassVar[list[Any]] = [
        (400, {"errors": [{"code": "parameter_invalid", "message": "x"}]}, {}, RecordRefused),
        (403, {"errors": [{"code": "api_plan_restricted", "message": "x"}]}, {}, ConnectorRefused),
        (400, {"errors": [{"code": "intercom_version_invalid", "message": "x"}]}, {}, ConnectorRefused),
    ]

    def fake(self) -> IntercomVendor:
        return IntercomVendor()

    def settings(self, url: str) -> dict[str, Any]:
        return {"url": url, "token": TOKEN, "workspace": WORKSPACE, "ticket_type": TICKET_TYPE, "admin": ADMIN}

    @staticmethod
    def intercom(vendor: Fake) -> IntercomVendor:
        assert isinstance(vendor, IntercomVendor)
        return vendor

    def test_the_ticket_has_key_fields_and_a_contact_with_a_name(self, vendor: Fake) -> None:
        reference = self.deliver(self.connector(vendor, fields=self.country), SAMPLE, {})
        [ticket], [contact] = vendor.records(), vendor.people()
        assert ticket["ticket_attributes"] == {
            "_default_title_": "Chat: Dusan Kmet",
            "smartsupp_chat": "smartsupp:208:55039",
            "Country": "CZ",
        }
        assert (contact["email"], contact["name"]) == ("dusan@domain.com", "Dusan Kmet")
        assert reference.url == f"{vendor.url}/a/inbox/{WORKSPACE}/inbox/conversation/{ticket['id']}"

    @pytest.mark.parametrize(
        ("api", "page"),
        [
            ("https://api.intercom.io", "https://app.intercom.com"),
            ("https://api.eu.intercom.io/", "https://app.eu.intercom.com"),
        ],
    )
    def test_the_page_is_where_the_workspace_is(self, vendor: Fake, api: str, page: str) -> None:
        connector = self.connector(vendor, url=api)
        with connector.http.pretending(connector.imagine):
            assert self.deliver(connector, SAMPLE, {}).url == f"{page}/a/inbox/{WORKSPACE}/inbox/conversation/1"

    def test_a_ticket_that_the_search_does_not_show_yet_is_waited_for(self, vendor: Fake, clock: Clock) -> None:
        """The create got through, and its answer was lost."""
        memory: dict[str, Any] = {}
        clock.step = 0
        # The looks for the contact, the contact; then the ticket.
        vendor.lose_reply_after = 2
        with pytest.raises(RetryLater, match="closed the connection without a response"):
            self.deliver(self.connector(vendor), SAMPLE, memory)
        assert len(vendor.records()) == 1
        self.intercom(vendor).lagging = True
        clock.now += 60
        with pytest.raises(RetryLater, match="the search lags") as raised:
            self.deliver(self.connector(vendor), SAMPLE, memory)
        # An answer, so no outage: the circuit breaker leaves it alone.
        assert (raised.value.retry_after, raised.value.status) == (240, 200)
        self.intercom(vendor).lagging = False
        self.deliver(self.connector(vendor), SAMPLE, memory)
        assert len(vendor.records()) == 1

    def test_a_ticket_that_was_not_created_is_created_when_the_search_must_show_it(
        self, vendor: Fake, clock: Clock
    ) -> None:
        memory: dict[str, Any] = {"ticket?": True}
        clock.step = 0
        # When that was, nobody remembers.
        for waited in (0, 299):
            clock.now += waited
            with pytest.raises(RetryLater, match="the search lags"):
                self.deliver(self.connector(vendor), SAMPLE, memory)
        clock.now += 1
        self.deliver(self.connector(vendor), SAMPLE, memory)
        assert len(vendor.records()) == 1

    def test_a_contact_that_the_search_does_not_show_yet_is_waited_for(self, vendor: Fake) -> None:
        self.deliver(self.connector(vendor), SAMPLE, {})
        self.intercom(vendor).lagging = True
        other = {**SAMPLE, "channel": {**SAMPLE["channel"], "id": 60000}}
        with pytest.raises(RetryLater, match="does not show this contact yet"):
            self.deliver(self.connector(vendor), other, {})
        assert (len(vendor.people()), len(vendor.records())) == (1, 1)

    @pytest.mark.parametrize("why", ["archived", "typo"])
    def test_an_address_that_intercom_does_not_take_becomes_the_made_up_one(self, vendor: Fake, why: str) -> None:
        email = f"{why}@domain.com"
        self.intercom(vendor).archived.add("archived@domain.com")
        self.deliver(self.connector(vendor), chat("Hi", email=email), {})
        assert [one["email"] for one in vendor.people()] == ["visitor-27671@smartsupp.example.com"]
        assert f"{email} cannot be used" in vendor.texts()[0]

    def test_a_contact_that_was_deleted_is_made_again(self, vendor: Fake) -> None:
        memory: dict[str, Any] = {}
        self.deliver(self.connector(vendor), SAMPLE, memory)
        self.intercom(vendor).contacts.clear()
        self.intercom(vendor).tickets.clear()
        rest = {name: value for name, value in memory.items() if name.startswith("contact")}
        self.deliver(self.connector(vendor), SAMPLE, rest)
        assert len(vendor.people()) == len(vendor.records()) == 1

    def test_an_attribute_that_is_missing_stops_the_connector_after_one_ticket(self, vendor: Fake) -> None:
        self.intercom(vendor).attributes.remove("smartsupp_chat")
        memory: dict[str, Any] = {}
        for _ in range(2):
            with pytest.raises(ConnectorRefused, match="Intercom kept no smartsupp_chat"):
                self.deliver(self.connector(vendor), SAMPLE, memory)
        assert len(vendor.records()) == 1
        assert self.wrong(vendor) == [f"there is no ticket type {TICKET_TYPE} with an attribute smartsupp_chat"]

    def test_the_check_finds_what_is_not_there(self, vendor: Fake) -> None:
        assert self.wrong(vendor, workspace="other") == ["the token is not of the workspace other"]
        assert self.wrong(vendor, admin="7") == ["there is no teammate 7"]
        assert self.wrong(vendor, ticket_type="7") == ["there is no ticket type 7 with an attribute smartsupp_chat"]

    def test_a_ticket_type_that_is_not_there_pauses(self, vendor: Fake) -> None:
        with pytest.raises(ConnectorRefused, match="the ticket type is not there"):
            self.deliver(self.connector(vendor, ticket_type="7"), SAMPLE, {})

    def test_it_waits_until_the_time_that_intercom_says(self, vendor: Fake) -> None:
        slow = failed(429, "rate_limit_exceeded").answer
        vendor.instead = [Answer(429, slow.body, {"X-RateLimit-Reset": "99999999999"})] * 4
        with pytest.raises(RetryLater) as raised:
            self.deliver(self.connector(vendor), SAMPLE, {})
        assert raised.value.retry_after == 7 * 86_400
