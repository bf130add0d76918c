"""What every connector must do, and what is My Desk's own."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest

from connectors.testing.chats import SAMPLE
from connectors.testing.contract import Contract
from connectors.testing.fake import Answer, Fake
from core.errors import RecordRefused, RetryLater
from vendor import KEY, MyDeskVendor


class TestMyDesk(Contract):
    kind = "relay_mydesk.MyDesk"
    secrets = (KEY,)
    answers: ClassVar = [(400, {"error": "the subject is too long"}, {}, RecordRefused)]

    def fake(self) -> Fake:
        return MyDeskVendor()

    def settings(self, url: str) -> dict[str, Any]:
        return {"url": url, "key": KEY}

    def test_a_deleted_ticket_refuses_the_revision_and_pauses_nothing(self, vendor: MyDeskVendor) -> None:
        memory: dict[str, Any] = {}
        self.deliver(self.connector(vendor), SAMPLE, memory)
        vendor.tickets.clear()
        with pytest.raises(RecordRefused, match="it was deleted there"):
            self.deliver(self.connector(vendor), SAMPLE, memory, 2)

    def test_a_page_of_a_firewall_says_nothing_of_the_ticket(self, vendor: MyDeskVendor) -> None:
        memory: dict[str, Any] = {"ticket": "7", "person": "7"}
        vendor.instead = [Answer(404, "<html>Not here</html>")] * 3
        with pytest.raises(RetryLater):
            self.deliver(self.connector(vendor), SAMPLE, memory)

    def test_a_deleted_person_is_created_again(self, vendor: MyDeskVendor) -> None:
        memory: dict[str, Any] = {"person": "7"}
        self.deliver(self.connector(vendor), SAMPLE, memory)
        assert memory["person"] == str(vendor.persons[0]["id"])

    def test_what_comes_first_as_its_third_revision_arrives_once_and_is_no_revision(self, vendor: MyDeskVendor) -> None:
        memory: dict[str, Any] = {}
        for _ in range(2):
            self.deliver(self.connector(vendor), SAMPLE, memory, 3)
        (text,) = vendor.texts()
        assert "The conversation continued" not in text
