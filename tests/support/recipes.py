"""What the suites of recipes share beside the contract."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, ClassVar

import pytest

from connectors.http import running
from connectors.testing.chats import SAMPLE, chat
from connectors.testing.contract import Contract
from connectors.testing.fake import Fake
from core.errors import RecordRefused


def longer(text: str = "One thing more") -> dict[str, Any]:
    """The documented chat, which continued."""
    made: dict[str, Any] = json.loads(json.dumps(SAMPLE))
    made["messages"].append({**SAMPLE["messages"][0], "content": text})
    return made


class Clock:
    """What `time` is: each look at it is `step` seconds later."""

    def __init__(self) -> None:
        self.now, self.step = 1_700_000_000.0, 1000.0

    def __call__(self) -> float:
        self.now += self.step
        return self.now


class RecipeBench(Contract):
    """The contract, with a clock and a check to be asked."""

    @pytest.fixture(autouse=True)
    def clock(self, monkeypatch: pytest.MonkeyPatch) -> Clock:
        """Every look into an index is late enough, unless a test stops the clock."""
        clock = Clock()
        monkeypatch.setattr(running, "now", clock)
        return clock

    def wrong(self, vendor: Fake, **settings: Any) -> list[str]:
        """What a check finds wrong."""
        return [one.text for one in self.connector(vendor, **settings).check() if not one.right]


class RecipeContract(RecipeBench):
    """Tests whose vendor is said in a few words: `custom` is a field of the record with what the connector's `fields`
    would write there."""

    custom: ClassVar[Mapping[str, str]]
    #: Requests of a revision without `fields`, as "METHOD /path" with N for numbers and ids.
    revision: ClassVar[tuple[str, ...]]
    #: What the vendor's record of a chat that was deleted makes the error say.
    deleted: ClassVar[str] = "is no longer there"

    def field(self, record: Any, name: str) -> Any:
        """A field of a record as the vendor keeps it."""
        return record.get(name)

    def delete_records(self, vendor: Any) -> None:
        """As somebody does it at the vendor's."""
        raise NotImplementedError

    def spelled(self, method: str, path: str) -> str:
        return f"{method} {re.sub(r'[0-9A-Fa-f-]{32,}|[0-9]+', 'N', path)}"

    def test_fields_are_written_and_follow_revisions(self, vendor: Fake) -> None:
        memory: dict[str, Any] = {}
        self.deliver(self.connector(vendor), SAMPLE, memory)
        connector = self.connector(vendor, fields=self.custom)
        self.deliver(connector, longer(), memory, 2)
        self.deliver(connector, {**SAMPLE, "channel": {**SAMPLE["channel"], "id": 60000}}, {})
        for record in vendor.records():
            assert [self.field(record, name) for name in self.custom] == ["CZ"]

    def test_a_revision_is_added_and_sends_nothing_else(self, vendor: Fake) -> None:
        memory: dict[str, Any] = {}
        self.deliver(self.connector(vendor), SAMPLE, memory)
        before = len(vendor.requests)
        self.deliver(self.connector(vendor), longer(), memory, 2)
        sent = [self.spelled(one.method, one.path) for one in vendor.requests[before:]]
        assert tuple(sent) == self.revision

    def test_a_long_chat_continues_in_order(self, vendor: Fake) -> None:
        # Few messages that are long: more of them are slower to read and prove no more.
        self.deliver(self.connector(vendor), chat(*(f"line {number:03}" + " long" * 400 for number in range(100))), {})
        arrived = self.arrived(vendor)
        assert len(vendor.texts()) > 1
        places = [arrived.index(f"line{number:03}") for number in range(100)]
        assert places == sorted(places)

    def test_a_record_that_was_deleted_refuses_this_chat_alone(self, vendor: Fake) -> None:
        memory: dict[str, Any] = {}
        self.deliver(self.connector(vendor), SAMPLE, memory)
        self.delete_records(vendor)
        with pytest.raises(RecordRefused, match=self.deleted):
            self.deliver(self.connector(vendor, fields=self.custom), longer(), memory, 2)
