"""What every connector must do, and what is My Desk's own."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest

from connectors.testing.chats import SAMPLE, longer
from connectors.testing.contract import Contract
from connectors.testing.fake import Fake
from core.errors import RecordRefused
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
        with pytest.raises(RecordRefused, match="what the step 'ticket' created is no longer there"):
            self.deliver(self.connector(vendor), longer(SAMPLE, "One more thing."), memory, 2)

    def test_a_deleted_person_is_created_again(self, vendor: MyDeskVendor) -> None:
        memory: dict[str, Any] = {"person": {"value": {"id": 7}, "revision": 1}}
        self.deliver(self.connector(vendor), SAMPLE, memory)
        assert memory["person"]["value"]["id"] == vendor.persons[0]["id"]
