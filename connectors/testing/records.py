"""What a connector must do whose records belong to people, may be shared by a person's chats, or become work.

    class TestZendesk(Contract, Records):

`RecordLaws` alone is for a vendor whose texts are written over by a revision; `OwnerLaws` and `WorkLaws` are for one
whose records belong to people, or become work, and are shared by no two chats. The fake is a `RecordsFake`, as far as
the laws ask: it has users who can be given records, and can be asked whose a record is.
"""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any, ClassVar, Protocol, cast

from connectors.kit.connector import HttpConnector
from connectors.testing.bench import Bench, Died
from connectors.testing.chats import SAMPLE, longer, other
from connectors.testing.fake import Fake
from core.config.values import ValueSettings
from core.delivery import Reference
from core.errors import RetryLater

ANN, BOB = "ann@shop.example", "bob@shop.example"
SHARED: dict[str, Any] = {"one_record": "per_person_open"}


class RecordsFake(Protocol):
    """What a fake can do besides."""

    def knows_owner(self, email: str, *, active: bool = True) -> int:
        """The id of a new user to whom records can be given, unless it is not active."""

    def owner_of(self, record: Any) -> int | None:
        """The id of the user whose a record is."""

    def end(self, record: Any) -> None:
        """Nothing can be added to the record any more."""

    def age(self, record: Any) -> None:
        """Nobody touched the record for more than 14 days before the sample chat."""

    def due_of(self, record: Any) -> str:
        """By when there is something to be done, in UTC as 2015-03-27T19:34; or ""."""

    def follows(self, record: Any, earlier: Any) -> bool:
        """Whether whoever reads a record finds the earlier one."""


class _OfDesks(Bench):
    def _desk(self, vendor: Fake) -> RecordsFake:
        return cast(RecordsFake, vendor)

    def _said(self, vendor: Fake, text: str) -> int:
        return self.arrived(vendor).count(self.spread(text))

    def _died(
        self, connector: HttpConnector[Any], number: int, after: bool, memory: dict[str, Any], chat: dict[str, Any]
    ) -> bool:
        """Whether a delivery has so many requests: before that one, or after it, the process dies."""
        send, made = connector.http._once, 0

        def once(*arguments: Any) -> Any:
            nonlocal made
            made += 1
            if made - 1 == number and not after:
                raise Died
            answer = send(*arguments)
            if made - 1 == number:
                raise Died
            return answer

        connector.http._once = once  # type: ignore[method-assign, assignment]
        try:
            self.deliver(connector, chat, memory)
        except Died:
            return True
        return False


class OwnerLaws(_OfDesks):
    """Whose a record is."""

    def test_the_user_with_the_owners_address_gets_the_record(self, vendor: Fake) -> None:
        ann, memory = self._desk(vendor).knows_owner(ANN), dict[str, Any]()
        self.deliver(self.connector(vendor, owner=ANN.upper()), SAMPLE, memory)
        assert self._desk(vendor).owner_of(vendor.records()[0]) == ann
        assert "note owner" not in memory

    def test_an_owner_may_be_an_id_or_come_out_of_a_template(self) -> None:
        for owner in ("{id}", "{{{{ '{mail}' if conversation.rating == 5 else '{id}' }}}}"):
            with self.fake() as vendor:
                ann = self._desk(vendor).knows_owner(ANN)
                self.deliver(self.connector(vendor, owner=owner.format(id=ann, mail=ANN)), SAMPLE, {})
                assert self._desk(vendor).owner_of(vendor.records()[0]) == ann

    def test_the_agent_who_wrote_gets_the_record(self, vendor: Fake) -> None:
        ann, memory = self._desk(vendor).knows_owner(ANN), dict[str, Any]()
        connector = self.connector(vendor, owner="chat_agent")
        connector.settings._values = ValueSettings.model_validate({"agents": {"3": ANN}})
        self.deliver(connector, SAMPLE, memory)
        assert self._desk(vendor).owner_of(vendor.records()[0]) == ann
        assert "note owner" not in memory

    def test_somebody_unknown_or_inactive_is_no_owner_the_fallback_is_and_the_chat_arrives(self) -> None:
        for active in (None, False):
            with self.fake() as vendor:
                if active is not None:
                    self._desk(vendor).knows_owner(ANN, active=active)
                bob, memory = self._desk(vendor).knows_owner(BOB), dict[str, Any]()
                self.deliver(self.connector(vendor, owner=ANN, owner_fallback=BOB), SAMPLE, memory)
                assert self._desk(vendor).owner_of(vendor.records()[0]) == bob
                assert ANN in memory["note owner"]
                assert "owner_fallback got the record" in memory["note owner"]

    def test_without_a_fallback_nobody_is_named_and_that_is_said(self, vendor: Fake) -> None:
        memory: dict[str, Any] = {}
        self.deliver(self.connector(vendor, owner="{{ visitor.name }}"), SAMPLE, memory)
        assert len(vendor.records()) == 1
        assert "Nobody was named" in memory["note owner"]
        # What a visitor typed is kept nowhere but with what it is sent in.
        assert "Dusan" not in memory["note owner"]

    def test_a_template_that_names_nobody_falls_back(self, vendor: Fake) -> None:
        bob, memory = self._desk(vendor).knows_owner(BOB), dict[str, Any]()
        self.deliver(self.connector(vendor, owner="{{ visitor.group }}", owner_fallback=str(bob)), SAMPLE, memory)
        assert self._desk(vendor).owner_of(vendor.records()[0]) == bob
        assert "its template names nobody for this chat" in memory["note owner"]

    def test_an_owner_is_looked_up_once_for_many_chats(self, vendor: Fake) -> None:
        self._desk(vendor).knows_owner(ANN)
        connector = self.connector(vendor, owner=ANN)
        self.deliver(connector, SAMPLE, {})
        before = [one for one in vendor.requests if ANN in json.dumps([one.query, one.path, one.body])]
        self.deliver(connector, other("Another one"), {})
        after = [one for one in vendor.requests if ANN in json.dumps([one.query, one.path, one.body])]
        owners = {self._desk(vendor).owner_of(one) for one in vendor.records()}
        # A vendor that takes the address itself is asked nothing.
        assert len(owners) == 1
        assert len([one for one in after if one.method == "GET"]) == len([one for one in before if one.method == "GET"])


class OneRecordLaws(_OfDesks):
    """One record for what a person has open."""

    def test_a_chat_is_added_to_an_open_record_of_the_person(self, vendor: Fake) -> None:
        connector = self.connector(vendor, **SHARED)
        first = self.deliver(connector, SAMPLE, {})
        second = self.deliver(connector, other("Me again"), {})
        assert second.id == first.id
        assert len(vendor.records()) == 1
        assert self._said(vendor, "Me again") == self._said(vendor, "tanks.") == 1

    def test_every_chat_has_a_record_of_its_own_unless_the_settings_say_otherwise(self, vendor: Fake) -> None:
        connector = self.connector(vendor)
        self.deliver(connector, SAMPLE, {})
        self.deliver(connector, other("Me again"), {})
        assert len(vendor.records()) == 2

    def test_two_chats_of_one_person_at_the_same_moment_make_one_record(self, vendor: Fake) -> None:
        vendor.pause = 0.03
        held: dict[str, threading.Lock] = {}
        connector = self.connector(vendor, **SHARED)

        def one(payload: dict[str, Any]) -> Reference:
            memory: dict[str, Any] = {}
            for _ in range(3):
                try:
                    return self.deliver(
                        connector, payload, memory, alone=lambda identity: held.setdefault(identity, threading.Lock())
                    )
                except RetryLater:  # both made something else
                    continue
            raise AssertionError("it does not get through")

        with ThreadPoolExecutor(2) as both:
            made = {reference.id for reference in both.map(one, (SAMPLE, other("Me again")))}
        assert len(made) == len(vendor.records()) == 1
        assert self._said(vendor, "Me again") == self._said(vendor, "tanks.") == 1

    def test_a_chat_after_a_record_that_is_closed_gets_a_new_one_that_links_back(self, vendor: Fake) -> None:
        connector = self.connector(vendor, **SHARED)
        self.deliver(connector, SAMPLE, {})
        [earlier] = vendor.records()
        self._desk(vendor).end(earlier)
        self.deliver(connector, other("Me again"), {})
        [new] = [one for one in vendor.records() if one is not earlier]
        assert self._desk(vendor).follows(new, earlier)
        assert self._said(vendor, "Me again") == 1
        assert not any("&lt;p&gt;" in text for text in vendor.texts())

    def test_a_record_that_nobody_touched_for_long_is_left_alone(self, vendor: Fake) -> None:
        connector = self.connector(vendor, **SHARED)
        self.deliver(connector, SAMPLE, {})
        self._desk(vendor).age(vendor.records()[0])
        self.deliver(connector, other("Me again"), {})
        assert len(vendor.records()) == 2

    def test_a_death_before_or_after_any_request_of_an_added_chat_adds_it_once(self) -> None:
        for after in (False, True):
            number = 0
            while True:
                with self.fake() as vendor:
                    self.deliver(self.connector(vendor, **SHARED), SAMPLE, {})
                    memory: dict[str, Any] = {}
                    died = self._died(self.connector(vendor, **SHARED), number, after, memory, other("Me again"))
                    if died:
                        self.deliver(self.connector(vendor, **SHARED), other("Me again"), memory)
                    assert len(vendor.records()) == 1, (number, after)
                    assert self._said(vendor, "Me again") == 1, (number, after)
                    if not died:
                        break
                number += 1
            assert number > 0

    def test_a_store_that_has_forgotten_that_a_chat_was_added_adds_it_to_no_other_record(self, vendor: Fake) -> None:
        connector = self.connector(vendor, **SHARED)
        self.deliver(connector, SAMPLE, {})
        first = self.deliver(connector, other("Me again"), {})
        again = self.deliver(connector, other("Me again"), {}, first=False)
        assert again.id == first.id
        assert len(vendor.records()) == 1
        assert self._said(vendor, "Me again") == 1

    def test_an_added_chat_goes_on_in_the_record_that_it_was_added_to(self, vendor: Fake) -> None:
        connector = self.connector(vendor, **SHARED)
        self.deliver(connector, SAMPLE, {})
        memory: dict[str, Any] = {}
        second = other("Me again")
        self.deliver(connector, second, memory)
        reference = self.deliver(connector, longer(second, "One thing more"), memory, 2)
        assert reference.id
        assert len(vendor.records()) == 1
        assert self._said(vendor, "One thing more") == self._said(vendor, "Me again") == 1


class WorkLaws(_OfDesks):
    """A chat that nobody answered becomes work."""

    #: Deadlines there have a time of day, and are no days alone.
    due_has_time: ClassVar[bool] = True

    def _due(self, moment: str) -> str:
        return moment if self.due_has_time else moment.partition("T")[0]

    def test_a_chat_that_nobody_answered_becomes_work_with_a_deadline(self) -> None:
        for kind, due in (("isMissed", "2015-03-27T19:34"), ("isOffline", "2015-03-27T19:34"), ("isChat", "")):
            with self.fake() as vendor:
                ann = self._desk(vendor).knows_owner(ANN)
                task = {"due": "4h", "owner": ANN}
                self.deliver(self.connector(vendor, task=task), other("Hello?", kind=kind), {})
                [record] = vendor.records()
                assert self._desk(vendor).due_of(record) == self._due(due), kind
                assert (self._desk(vendor).owner_of(record) == ann) is bool(due)

    def test_a_deadline_may_be_a_template_and_one_that_is_none_is_said(self) -> None:
        soon = "{{ '90m' if conversation.is_missed else '4h' }}"
        for due, found in ((soon, "2015-03-27T17:04"), ("{{ visitor.name }}", "")):
            with self.fake() as vendor:
                memory: dict[str, Any] = {}
                self.deliver(self.connector(vendor, task={"due": due}), other("Hello?", kind="isMissed"), memory)
                assert self._desk(vendor).due_of(vendor.records()[0]) == self._due(found)
                assert ("note task.due" in memory) is not bool(found)


class RecordLaws(OwnerLaws, OneRecordLaws, WorkLaws):
    """All of these."""


class Records(RecordLaws):
    """For a vendor that keeps the old text: a revision adds only what is new."""

    def test_a_revision_adds_only_what_is_new(self, vendor: Fake) -> None:
        connector, memory = self.connector(vendor), dict[str, Any]()
        self.deliver(connector, SAMPLE, memory)
        before = len(vendor.texts())
        for number in (2, 3):
            self.deliver(connector, longer(SAMPLE, *("One thing more", "And another")[: number - 1]), memory, number)
        assert len(vendor.texts()) == before + 2
        for text in ("tanks.", "One thing more", "And another"):
            assert self._said(vendor, text) == 1

    def test_a_revision_in_which_an_earlier_message_is_another_comes_whole(self, vendor: Fake) -> None:
        connector, memory = self.connector(vendor), dict[str, Any]()
        self.deliver(connector, SAMPLE, memory)
        changed = longer(SAMPLE, "One thing more")
        changed["messages"][0]["content"] = "Corrected"
        self.deliver(connector, changed, memory, 2)
        assert self._said(vendor, "Corrected") == self._said(vendor, "One thing more") == 1
        assert self._said(vendor, "tanks.") == 2

    def test_a_revision_brings_a_rating_and_repeats_no_message(self, vendor: Fake) -> None:
        connector, memory = self.connector(vendor), dict[str, Any]()
        self.deliver(connector, SAMPLE, memory)
        rated = json.loads(json.dumps(SAMPLE))
        rated["channel"]["ratingDesc"] = "Most helpful"
        self.deliver(connector, rated, memory, 2)
        assert self._said(vendor, "Most helpful") == self._said(vendor, "tanks.") == 1

    def test_a_revision_without_anything_to_read_adds_no_text(self, vendor: Fake) -> None:
        connector, memory = self.connector(vendor), dict[str, Any]()
        self.deliver(connector, SAMPLE, memory)
        before = len(vendor.texts())
        counted = json.loads(json.dumps(SAMPLE))
        counted["channel"]["duration"] = 99
        self.deliver(connector, counted, memory, 2)
        assert len(vendor.texts()) == before
