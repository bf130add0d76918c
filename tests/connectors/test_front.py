"""Front, a recipe: a conversation of imported messages."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest

from connectors.testing.chats import SAMPLE
from connectors.testing.contract import Contract
from connectors.testing.fake import Answer, Fake
from connectors.testing.records import ANN, BOB
from core.errors import ConnectorRefused, RecordRefused, RetryLater
from tests.fakes.front import ADDRESS, INBOX, TOKEN, FrontVendor, failed
from tests.support.ownership import OwnedByRecipe, RefusesOwners
from tests.support.recipes import longer


class TestFront(Contract, OwnedByRecipe, RefusesOwners):
    kind = "front"
    secrets = (TOKEN,)
    needs_person = True
    answers: ClassVar[list[Any]] = [
        (400, failed(400, "Bad request").answer.body, {}, RecordRefused),
        (403, failed(403, "Forbidden").answer.body, {}, ConnectorRefused),
        (404, failed(404, "Not found").answer.body, {}, ConnectorRefused),
    ]

    def fake(self) -> FrontVendor:
        return FrontVendor()

    def settings(self, url: str) -> dict[str, Any]:
        return {"url": url, "token": TOKEN, "inbox": INBOX, "address": ADDRESS}

    @staticmethod
    def front(vendor: Fake) -> FrontVendor:
        assert isinstance(vendor, FrontVendor)
        return vendor

    @pytest.mark.parametrize("kind", ["rule", "integration", "visitor"])
    def test_a_teammate_who_is_not_a_person_is_no_owner(self, vendor: Fake, kind: str) -> None:
        self.front(vendor).kinds[self.front(vendor).knows_owner(ANN)] = kind
        bob, memory = self.front(vendor).knows_owner(BOB), dict[str, Any]()
        self.deliver(self.connector(vendor, owner=ANN, owner_fallback=BOB), SAMPLE, memory)
        assert self.front(vendor).owner_of(vendor.records()[0]) == bob
        assert ANN in memory["note owner"]

    def wrong(self, vendor: Fake, **settings: Any) -> list[str]:
        return [one.text for one in self.connector(vendor, **settings).check() if not one.right]

    def test_the_conversation_has_tags_fields_and_a_contact_with_a_name(self, vendor: Fake) -> None:
        fields = {"Country": "{{ visitor.country_code }}"}
        reference = self.deliver(self.connector(vendor, fields=fields), SAMPLE, {})
        [made] = vendor.records()
        assert vendor.people() == [{"handle": "dusan@domain.com", "name": "Dusan Kmet"}]
        assert (made["tags"], made["custom_fields"]) == (["smartsupp", "smartsupp-chat"], {"Country": "CZ"})
        assert reference.url == f"https://app.frontapp.com/open/cnv_{made['id']}"
        [message] = self.front(vendor).messages.values()
        assert message["created_at"] == 1427470476

    @pytest.mark.parametrize("asked", [True, False])
    def test_rules_and_the_archive_are_the_admins_choice(self, vendor: Fake, asked: bool) -> None:
        self.deliver(self.connector(vendor, rules=asked, archive=asked), SAMPLE, {})
        metadata = vendor.records()[0]["metadata"]
        assert (metadata["should_skip_rules"], metadata["is_archived"]) == (not asked, asked)

    def test_a_revision_is_a_message_of_the_same_conversation(self, vendor: Fake) -> None:
        memory: dict[str, Any] = {}
        first = self.deliver(self.connector(vendor), SAMPLE, memory)
        assert self.deliver(self.connector(vendor), longer(), memory, 2) == first
        assert [*self.front(vendor).messages] == ["smartsupp:208:55039 1.1", "smartsupp:208:55039 2.1"]
        assert len(vendor.texts()) == 2

    def test_a_message_that_front_does_not_show_yet_is_asked_for_again(self, vendor: Fake) -> None:
        self.front(vendor).late = 4
        memory: dict[str, Any] = {}
        with pytest.raises(RetryLater, match="does not show it yet") as raised:
            self.deliver(self.connector(vendor), SAMPLE, memory)
        # It is no outage, in which nothing answers: the circuit breaker leaves it alone.
        assert raised.value.status == 404
        self.deliver(self.connector(vendor), SAMPLE, memory)
        assert len(vendor.writes()) == 1

    def test_an_import_whose_answer_was_lost_is_sent_again_and_makes_no_second_message(self, vendor: Fake) -> None:
        vendor.lose_reply_after = 0
        self.deliver(self.connector(vendor), SAMPLE, {})
        assert [one.body["external_id"] for one in vendor.writes()] == ["smartsupp:208:55039 1.1"] * 2
        assert len(vendor.texts()) == 1

    def test_the_check_finds_what_is_not_there(self, vendor: Fake) -> None:
        assert self.wrong(vendor, address="x@shop.example.com") == ["the inbox has no channel x@shop.example.com"]
        assert self.wrong(vendor, inbox="inb_7") == [
            "there is no inbox inb_7 that the token may see",
            f"the inbox has no channel {ADDRESS}",
        ]

    def test_it_waits_as_front_says(self, vendor: Fake) -> None:
        vendor.instead = [Answer(429, failed(429, "Too many").answer.body, {"Retry-After": "42"})] * 4
        with pytest.raises(RetryLater) as raised:
            self.deliver(self.connector(vendor), SAMPLE, {})
        assert raised.value.retry_after == 42
