"""Help Scout, a recipe: a conversation with notes."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest

from connectors.testing.chats import SAMPLE, chat
from connectors.testing.fake import Answer, Fake
from core.errors import ConnectorRefused, RecordRefused, RetryLater
from tests.fakes.authorization import CLIENT, SECRET
from tests.fakes.helpscout import FIELD, MAILBOX, HelpScoutVendor
from tests.support.desks import DeskContract
from tests.support.ownership import OwnedByRecipe, RefusesOwners
from tests.support.recipes import Clock, longer


class TestHelpScout(DeskContract, OwnedByRecipe, RefusesOwners):
    kind = "helpscout"
    secrets = (SECRET,)
    needs_person = True
    step = "conversation"
    country: ClassVar[dict[str, str]] = {str(FIELD): "{{ visitor.country_code }}"}
    follows = False
    answers: ClassVar[list[Any]] = [
        (400, {"message": "Bad request", "_embedded": {"errors": [{"path": "subject"}]}}, {}, RecordRefused),
        (403, {"message": "Forbidden"}, {}, ConnectorRefused),
        (413, {"message": "Request entity too large"}, {}, RecordRefused),
    ]

    def fake(self) -> HelpScoutVendor:
        return HelpScoutVendor()

    def settings(self, url: str) -> dict[str, Any]:
        return {"url": url, "client_id": CLIENT, "client_secret": SECRET, "mailbox": MAILBOX}

    @staticmethod
    def helpscout(vendor: Fake) -> HelpScoutVendor:
        assert isinstance(vendor, HelpScoutVendor)
        return vendor

    def test_the_conversation_has_time_tags_fields_and_a_customer_with_a_name(self, vendor: Fake) -> None:
        reference = self.deliver(self.connector(vendor, fields=self.country, status="closed"), SAMPLE, {})
        [made] = vendor.records()
        assert vendor.people() == [{"email": "dusan@domain.com", "firstName": "Dusan", "lastName": "Kmet"}]
        assert (made["createdAt"], made["status"]) == ("2015-03-27T15:33:59Z", "closed")
        assert made["tags"] == ["smartsupp", "smartsupp-chat"]
        assert made["fields"] == [{"id": FIELD, "value": "CZ"}]
        assert reference.url == f"https://secure.helpscout.net/conversation/{made['id']}"

    def test_a_conversation_that_the_search_does_not_show_yet_is_waited_for(self, vendor: Fake, clock: Clock) -> None:
        clock.step = 0
        memory: dict[str, Any] = {}
        vendor.lose_reply_after = 0
        for lagging in (False, True):
            self.helpscout(vendor).lagging = lagging
            with pytest.raises(RetryLater, match="the search lags" if lagging else "closed the connection"):
                self.deliver(self.connector(vendor), SAMPLE, memory)
        self.helpscout(vendor).lagging = False
        self.deliver(self.connector(vendor), SAMPLE, memory)
        assert len(vendor.records()) == 1

    def test_another_chat_of_the_same_customer_is_not_taken_for_this_one(self, vendor: Fake) -> None:
        # One's number begins like the other's.
        for channel in (55039, 5503):
            other = {**SAMPLE, "channel": {**SAMPLE["channel"], "id": channel}}
            self.deliver(self.connector(vendor), other, {"conversation?": True})
        assert (len(vendor.records()), len(vendor.people())) == (2, 1)

    def test_a_note_is_looked_for_on_all_pages(self, vendor: Fake) -> None:
        memory: dict[str, Any] = {}
        self.deliver(self.connector(vendor), SAMPLE, memory)
        self.deliver(self.connector(vendor), longer(), memory, 2)
        threads = vendor.records()[0]["threads"]
        threads += [{"id": number, "body": "By a colleague"} for number in range(30)]
        del memory["note 2.1"]
        self.deliver(self.connector(vendor), longer(), memory, 2)
        assert len(threads) == 32

    def test_a_conversation_that_is_full_refuses_this_chat_alone(self, vendor: Fake) -> None:
        memory: dict[str, Any] = {}
        self.deliver(self.connector(vendor), SAMPLE, memory)
        threads = vendor.records()[0]["threads"]
        threads += [{"id": number, "body": "By a colleague"} for number in range(99)]
        with pytest.raises(RecordRefused, match="at most 100 threads"):
            self.deliver(self.connector(vendor), longer(), memory, 2)

    def test_an_address_that_help_scout_refuses_becomes_the_made_up_one(self, vendor: Fake) -> None:
        self.deliver(self.connector(vendor), chat("Hi", email="typo@domain.com"), {})
        assert [one["email"] for one in vendor.people()] == ["visitor-27671@smartsupp.example.com"]
        assert "typo@domain.com cannot be used" in vendor.texts()[0]

    def test_an_inbox_that_is_not_there_pauses(self, vendor: Fake) -> None:
        with pytest.raises(ConnectorRefused, match="there is no such inbox"):
            self.deliver(self.connector(vendor, mailbox=7), SAMPLE, {})
        assert self.wrong(vendor, mailbox=7) == ["there is no inbox 7 that this user may see"]

    def test_it_waits_as_help_scout_says(self, vendor: Fake) -> None:
        vendor.instead = [Answer(429, {"message": "slow"}, {"X-RateLimit-Retry-After": "42"})] * 4
        with pytest.raises(RetryLater) as raised:
            self.deliver(self.connector(vendor), SAMPLE, {})
        assert raised.value.retry_after == 42

    def test_letters_that_json_spells_long_still_fit_into_a_request(self, vendor: Fake) -> None:
        self.deliver(self.connector(vendor), chat("ž" * 60_000, "🍵" * 30_000), {})
        assert len(vendor.records()) == 1
        assert len(vendor.texts()) > 5
