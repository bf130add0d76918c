"""osTicket: tickets by emails that are posted to its API."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest

from connectors.testing.chats import SAMPLE, chat
from connectors.testing.contract import Contract
from connectors.testing.fake import Answer, Fake
from core.errors import ConnectorRefused, RecordRefused, RetryLater
from tests.fakes.osticket import ADDRESS, KEY, OsTicketVendor
from tests.support.recipes import longer


class TestOsTicket(Contract):
    kind = "osticket"
    secrets = (KEY,)
    needs_person = True
    reading = (r"POST /api/tickets\.email",)
    answers: ClassVar[list[Any]] = [
        (403, "Unable to create new ticket :Ticket denied: ann@domain.com", {}, RecordRefused),
        (500, "Unable to create new ticket :Subject is required", {}, RecordRefused),
        (500, "unknown error", {}, RetryLater),
        (400, "Unable to read email request", {}, RecordRefused),
        (404, "Not Found", {}, ConnectorRefused),
        (201, "Your session has ended. Log in again", {}, RetryLater),
    ]

    def fake(self) -> OsTicketVendor:
        return OsTicketVendor()

    def settings(self, url: str) -> dict[str, Any]:
        return {"url": url, "key": KEY, "address": ADDRESS}

    @staticmethod
    def osticket(vendor: Fake) -> OsTicketVendor:
        assert isinstance(vendor, OsTicketVendor)
        return vendor

    def test_the_ticket_is_the_visitors_and_nobody_is_written_to(self, vendor: Fake) -> None:
        reference = self.deliver(self.connector(vendor), SAMPLE, {})
        [ticket] = vendor.records()
        [mail] = ticket["messages"]
        assert (ticket["owner"], ticket["to"]) == ("dusan@domain.com", ADDRESS)
        assert (mail["subject"], mail["auto-submitted"]) == ("Chat: Dusan Kmet", "auto-generated")
        assert mail["date"] == "Fri, 27 Mar 2015 15:34:36 +0000"
        assert mail["x-smartsupp-conversation"] == "smartsupp:208:55039"
        assert reference.url == f"{vendor.url}/scp/tickets.php?number={ticket['number']}"

    def test_a_revision_refers_to_the_first_email(self, vendor: Fake) -> None:
        memory: dict[str, Any] = {}
        self.deliver(self.connector(vendor), SAMPLE, memory)
        self.deliver(self.connector(vendor), longer(), memory, 2)
        first, second = vendor.records()[0]["messages"]
        assert second["references"] == first["message-id"]
        assert first["message-id"] != second["message-id"]
        assert len(vendor.requests) == 2

    def test_an_answer_that_was_lost_hides_no_later_text(self, vendor: Fake) -> None:
        self.deliver(self.connector(vendor), SAMPLE, {})
        # What is remembered where the reply to that was lost.
        memory: dict[str, Any] = {"ticket?": 1}
        self.deliver(self.connector(vendor), longer(), memory, 2)
        assert len(vendor.records()) == 1
        assert "One thing more" in vendor.texts()[-1]

    def test_a_past_chat_whose_ticket_nobody_remembers_has_its_subject_first_and_its_text_once(
        self, vendor: Fake
    ) -> None:
        self.deliver(self.connector(vendor), SAMPLE, {}, 1427470480, first=False)
        assert ["tanks." in text for text in vendor.texts()] == [False, True]
        assert "Chat: Dusan Kmet" in vendor.texts()[0]
        assert "continued" not in vendor.texts()[1]

    def test_a_number_of_another_ticket_in_a_name_leads_nowhere(self, vendor: Fake) -> None:
        first = self.deliver(self.connector(vendor), SAMPLE, {})
        payload = {**chat("Hi", name=f"[#{first.id}]"), "channel": {**SAMPLE["channel"], "id": 2}}
        second = self.deliver(self.connector(vendor), payload, {})
        assert second.id != first.id
        assert [len(one["messages"]) for one in vendor.records()] == [1, 1]

    def test_small_letters_and_capitals_are_two_conversations(self, vendor: Fake) -> None:
        for name in ("chA", "cha"):
            self.deliver(self.connector(vendor), {**SAMPLE, "channel": {**SAMPLE["channel"], "id": name}}, {})
        assert len(vendor.records()) == 2

    def test_no_header_is_made_of_what_a_visitor_wrote(self, vendor: Fake) -> None:
        self.deliver(self.connector(vendor), chat("Hi", name="Ann\r\nBcc: all@shop.example\n\nx"), {})
        [mail] = vendor.records()[0]["messages"]
        assert "bcc" not in mail
        assert "Bcc: all@shop.example" in mail["from"]

    def test_a_ticket_that_cannot_be_opened_again_is_followed_by_another(self, vendor: Fake) -> None:
        memory: dict[str, Any] = {}
        first = self.deliver(self.connector(vendor), SAMPLE, memory)
        self.osticket(vendor).final.add(first.id)
        self.deliver(self.connector(vendor), longer(), memory, 2)
        assert [len(one["messages"]) for one in vendor.records()] == [1, 1]

    def test_who_is_banned_refuses_this_chat_alone(self, vendor: Fake) -> None:
        self.osticket(vendor).banned.add("dusan@domain.com")
        with pytest.raises(RecordRefused, match="Ticket denied"):
            self.deliver(self.connector(vendor), SAMPLE, {})

    def test_a_check_makes_no_ticket_and_knows_what_is_no_osticket(self, vendor: Fake) -> None:
        assert [one.text for one in self.connector(vendor).check()] == ["osTicket accepts the key from this address"]
        assert vendor.records() == []
        vendor.instead = [Answer(201, "1234")]
        with pytest.raises(RetryLater, match="osTicket would not"):
            list(self.connector(vendor).check())

    @pytest.mark.parametrize(
        ("setting", "said"),
        [
            ({"address": "Support <support@shop.example>"}, "must be an email address"),
            ({"url": "https://a:b@x.example"}, "remove the credentials"),
        ],
    )
    def test_settings_that_cannot_be_are_refused(self, vendor: Fake, setting: dict[str, str], said: str) -> None:
        with pytest.raises(ValueError, match=said):
            self.connector(vendor, **setting)
