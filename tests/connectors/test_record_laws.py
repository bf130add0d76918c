"""The laws of records: they must fail a connector that takes every setting and heeds none."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

from connectors.kit.work.chat import DeskSettings
from connectors.testing.fake import Fake
from connectors.testing.records import Records
from tests.fakes.naive import Naive, NaiveSettings, NaiveVendor


class HeedlessSettings(NaiveSettings, DeskSettings):
    """Every setting, for nothing."""


class Heedless(Naive):
    """The connector of somebody in a hurry."""


Heedless.settings_model = HeedlessSettings


class HeedlessVendor(NaiveVendor):
    def knows_owner(self, email: str, *, active: bool = True) -> int:
        return self.new_id()

    def owner_of(self, record: Any) -> int | None:
        return None

    def end(self, record: Any) -> None:
        record["ended"] = True

    def age(self, record: Any) -> None:
        record["old"] = True

    def due_of(self, record: Any) -> str:
        return ""

    def follows(self, record: Any, earlier: Any) -> bool:
        return False


class Hurry(Records):
    kind = "tests.connectors.test_record_laws.Heedless"
    secrets = ("key-0123456789",)

    def fake(self) -> Fake:
        return HeedlessVendor()

    def settings(self, url: str) -> dict[str, Any]:
        return {"base_url": url, "key": "key-0123456789"}


#: What holds for whoever makes a record for each chat, whole.
HELD = {
    "test_every_chat_has_a_record_of_its_own_unless_the_settings_say_otherwise",
    "test_a_record_that_nobody_touched_for_long_is_left_alone",
    "test_an_owner_is_looked_up_once_for_many_chats",
    "test_a_revision_in_which_an_earlier_message_is_another_comes_whole",
}
LAWS = [name for name, _ in inspect.getmembers(Records, inspect.isfunction) if name.startswith("test_")]


@pytest.mark.parametrize("name", sorted({*LAWS} - HELD))
def test_a_law_fails_a_connector_that_heeds_no_setting(name: str) -> None:
    law = getattr(Hurry(), name)
    with HeedlessVendor() as vendor, pytest.raises((AssertionError, KeyError)):
        law(vendor) if "vendor" in inspect.signature(law).parameters else law()
