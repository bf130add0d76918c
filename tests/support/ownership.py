"""Laws of recipes that give records to people, besides those of every connector (connectors/testing/records.py)."""

from __future__ import annotations

from typing import Any, cast

from connectors.testing.chats import SAMPLE, other
from connectors.testing.fake import Fake
from connectors.testing.records import ANN, BOB, OwnerLaws, WorkLaws
from tests.fakes.staff import Staff


def staff_of(vendor: Fake) -> Staff:
    return cast(Staff, vendor)


class OwnedByRecipe(OwnerLaws):
    def test_a_preview_asks_nothing_and_leaves_nobody_out(self, vendor: Fake) -> None:
        connector, memory = self.connector(vendor, owner=ANN), dict[str, Any]()
        with connector.wire.pretending(connector.imagine) as preview:
            self.deliver(connector, SAMPLE, memory)
        assert preview
        assert not vendor.requests
        assert "note owner" not in memory

    def test_a_check_says_who_is_nobody(self, vendor: Fake) -> None:
        bob = staff_of(vendor).knows_owner(BOB)
        connector = self.connector(vendor, owner=ANN, owner_fallback=str(bob))
        found = [one for one in connector.check() if "owner" in one.text and (ANN in one.text or str(bob) in one.text)]
        assert [one.right for one in found] == [False, True]
        assert found[0].remedy.startswith("write the email address or the id of ")


class KeepsOwners(OwnerLaws):
    """Where giving a record to somebody is a request of its own, so that it could be sent for one from before."""

    def reassign(self, record: Any, user: Any) -> None:
        """As a colleague does it at the vendor's."""
        raise NotImplementedError

    def test_a_record_that_is_found_again_stays_with_whoever_has_it_by_then(self, vendor: Fake) -> None:
        there = staff_of(vendor)
        there.knows_owner(ANN)
        bob = there.knows_owner(BOB)
        self.deliver(self.connector(vendor, owner=ANN), SAMPLE, {})
        [record] = vendor.records()
        self.reassign(record, bob)
        self.deliver(self.connector(vendor, owner=ANN), SAMPLE, {}, first=False)
        assert vendor.records() == [record]
        assert there.owner_of(record) == bob


class RefusesOwners(OwnerLaws):
    """Where the vendor answers that a user gets no such record."""

    def test_whoever_the_vendor_refuses_gives_way_to_the_fallback_and_to_nobody(self) -> None:
        for fallback in (True, False):
            with self.fake() as vendor:
                there = staff_of(vendor)
                ann, bob = there.knows_owner(ANN), there.knows_owner(BOB)
                there.refused |= {ann} if fallback else {ann, bob}
                memory: dict[str, Any] = {}
                self.deliver(self.connector(vendor, owner=ANN, owner_fallback=BOB), SAMPLE, memory)
                [record] = vendor.records()
                assert there.owner_of(record) == (bob if fallback else None)
                assert "the destination does not give this record to that user" in memory["note owner"]


class WorkOfRecipe(WorkLaws):
    def test_a_death_before_or_after_any_request_makes_work_once(self) -> None:
        task = {"due": "4h", "owner": ANN}
        for after in (False, True):
            number, died = 0, True
            while died:
                with self.fake() as vendor:
                    there, memory = staff_of(vendor), dict[str, Any]()
                    there.knows_owner(ANN)
                    chat = other("Hello?", kind="isMissed")
                    died = self._died(self.connector(vendor, task=task), number, after, memory, chat)
                    self.deliver(self.connector(vendor, task=task), chat, memory)
                    [record] = vendor.records()
                    assert there.due_of(record), (number, after)
                number += 1
            assert number > 3
