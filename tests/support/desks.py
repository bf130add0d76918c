"""What the tests of recipes for hosted help desks and CRMs have in common, besides the contract."""

from __future__ import annotations

import json
from typing import Any, ClassVar

import pytest

from connectors.testing.chats import SAMPLE
from connectors.testing.fake import Fake
from core.errors import RecordRefused
from tests.fakes.hosted import HostedVendor
from tests.support.recipes import RecipeBench, longer


class DeskContract(RecipeBench):
    #: The step that creates the record.
    step: ClassVar[str] = "ticket"
    #: A setting that a revision sends again, because it has something to say.
    country: ClassVar[dict[str, str]]
    #: Whether fields follow revisions.
    follows: ClassVar[bool] = True

    @staticmethod
    def hosted(vendor: Fake) -> HostedVendor:
        assert isinstance(vendor, HostedVendor)
        return vendor

    def test_a_revision_is_one_text_more_and_only_fields_with_something_to_say_are_sent(self, vendor: Fake) -> None:
        memory: dict[str, Any] = {}
        self.deliver(self.connector(vendor), SAMPLE, memory)
        first, texts = len(vendor.writes()), len(vendor.texts())
        self.deliver(self.connector(vendor), longer(), memory, 2)
        assert len(vendor.writes()) == first + 1
        self.deliver(self.connector(vendor, fields=self.country), longer("And this"), memory, 3)
        assert len(vendor.writes()) == first + 2 + self.follows
        assert len(vendor.texts()) == texts + 2
        assert ('"CZ"' in json.dumps(vendor.records())) is self.follows

    def test_small_letters_and_capitals_are_two_conversations(self, vendor: Fake) -> None:
        for name in ("chA", "cha"):
            payload = {**SAMPLE, "channel": {**SAMPLE["channel"], "id": name}}
            self.deliver(self.connector(vendor), payload, {f"{self.step}?": True})
        assert len(vendor.records()) == 2

    def test_a_record_that_was_deleted_refuses_this_chat_alone(self, vendor: Fake) -> None:
        memory: dict[str, Any] = {}
        self.deliver(self.connector(vendor), SAMPLE, memory)
        self.hosted(vendor).tickets.clear()
        with pytest.raises(RecordRefused, match=f"what the step '{self.step}' created is no longer there"):
            self.deliver(self.connector(vendor, fields=self.country), longer(), memory, 2)
