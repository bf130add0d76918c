"""`type: http`: whose a record is, and what becomes work, as its page shows it."""

from __future__ import annotations

import copy
from typing import Any

import yaml

from connectors.testing.chats import SAMPLE, longer, other
from connectors.testing.fake import Fake
from connectors.testing.records import ANN, BOB
from tests.connectors.test_declared import DESK, SHOWN, desk
from tests.fakes.desk import KEY, DeskVendor
from tests.support.ownership import OwnedByRecipe, RefusesOwners, WorkOfRecipe, staff_of

OWNED: dict[str, Any] = yaml.safe_load(next(one for one in SHOWN if "\nowners:" in one))


def steps() -> dict[str, Any]:
    """The example's, with what the page adds to them."""
    made, more = copy.deepcopy(DESK["steps"]), copy.deepcopy(OWNED["steps"])
    create, added = made["ticket"]["create"], more["ticket"]["create"]
    create["json"] |= added["json"]
    create["cases"] = [*create["cases"], *added["cases"]]
    return {**made, "todo": more["todo"]}


class TestOwnersOfThePage(OwnedByRecipe, RefusesOwners, WorkOfRecipe):
    kind = "http"
    secrets = (KEY,)
    due_has_time = False

    def fake(self) -> DeskVendor:
        return DeskVendor()

    def settings(self, url: str) -> dict[str, Any]:
        return desk(url, owners=OWNED["owners"], steps=steps())

    def test_the_settings_of_the_page_are_right(self, vendor: Fake) -> None:
        ann, memory = staff_of(vendor).knows_owner("reception@shop.example"), dict[str, Any]()
        own = {name: OWNED[name] for name in ("owner", "owner_fallback", "task")}
        self.deliver(self.connector(vendor, **own), other("Hello?", kind="isMissed"), memory)
        [record] = vendor.records()
        assert (staff_of(vendor).owner_of(record), staff_of(vendor).due_of(record)) == (ann, "2015-03-27")

    def test_a_revision_takes_a_record_from_nobody(self, vendor: Fake) -> None:
        bob, memory = staff_of(vendor).knows_owner(BOB), dict[str, Any]()
        staff_of(vendor).knows_owner(ANN)
        self.deliver(self.connector(vendor, owner=BOB), SAMPLE, memory)
        self.deliver(self.connector(vendor, owner=ANN), longer(SAMPLE, "One thing more"), memory, 2)
        [record] = vendor.records()
        assert staff_of(vendor).owner_of(record) == bob

    def test_the_day_of_a_deadline_is_that_of_the_shop(self, vendor: Fake) -> None:
        staff_of(vendor).knows_owner(ANN)
        # 15:34 in UTC is the next day there, after eight hours.
        connector = self.connector(vendor, task={"due": "8h", "owner": ANN}, time_zone="Europe/Prague")
        self.deliver(connector, other("Hello?", kind="isMissed"), {})
        assert staff_of(vendor).due_of(vendor.records()[0]) == "2015-03-28"
