"""What the tests of recipes for hosted help desks and CRMs have in common, besides the contract."""

from __future__ import annotations

import json
from typing import Any, ClassVar

import pytest

from connectors.http import running
from connectors.testing.chats import SAMPLE
from connectors.testing.contract import Contract
from connectors.testing.fake import Fake
from core.errors import RecordRefused
from tests.fakes.hosted import HostedVendor


class Clock:
    """What `time` is: each look at it is `step` seconds later."""

    def __init__(self) -> None:
        self.now, self.step = 1_700_000_000.0, 1000.0

    def __call__(self) -> float:
        self.now += self.step
        return self.now


def longer(text: str = "One thing more") -> dict[str, Any]:
    """The sample, continued."""
    made: dict[str, Any] = json.loads(json.dumps(SAMPLE))
    made["messages"].append({**SAMPLE["messages"][0], "content": text})
    return made


class DeskContract(Contract):
    #: The step that creates the record.
    step: ClassVar[str] = "ticket"
    #: A setting that a revision sends again, because it has something to say.
    country: ClassVar[dict[str, str]]
    #: Whether fields follow revisions.
    follows: ClassVar[bool] = True

    @pytest.fixture(autouse=True)
    def clock(self, monkeypatch: pytest.MonkeyPatch) -> Clock:
        """Every look into an index is late enough, unless a test stops the clock."""
        clock = Clock()
        monkeypatch.setattr(running, "now", clock)
        return clock

    @staticmethod
    def hosted(vendor: Fake) -> HostedVendor:
        assert isinstance(vendor, HostedVendor)
        return vendor

    def wrong(self, vendor: Fake, **settings: Any) -> list[str]:
        """What a check finds wrong."""
        return [one.text for one in self.connector(vendor, **settings).check() if not one.right]

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
