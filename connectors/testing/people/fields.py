"""What stands in a person's fields afterwards: nothing that people typed is overwritten, what is blank is filled."""

from __future__ import annotations

import json
from typing import Any

import pytest

from connectors.testing.chats import SAMPLE
from connectors.testing.fake import Fake
from connectors.testing.people.bench import EMAIL, PHONE, PersonBench, said
from core.delivery import CONFLICTS


class NothingOverwritten(PersonBench):
    def test_what_people_typed_stays_and_the_delivery_says_what_the_chat_said(self, vendor: Any) -> None:
        there = {"name": "Dr. Dusan", "phone": "+420 602 000 000", self.field: "typed by a colleague"}
        number = vendor.add_person(email=EMAIL, **there)
        memory: dict[str, Any] = {}
        connector = self.connector(vendor, **self.by_phone, person={self.field: "said in the chat"})
        self.deliver(connector, said(phone=PHONE), memory)
        self.told(vendor, number, **there)
        conflicts = {one["field"]: one["said"] for one in memory[CONFLICTS]}
        assert conflicts[self.field] == "said in the chat"
        assert conflicts["name"] == SAMPLE["visitor"]["name"]
        assert PHONE in conflicts.values()
        assert "typed by a colleague" not in json.dumps(memory[CONFLICTS])

    def test_blank_fields_are_filled_and_are_no_conflict(self, vendor: Any) -> None:
        number = vendor.add_person(email=EMAIL, name="Dusan Kmet")
        memory: dict[str, Any] = {}
        connector = self.connector(vendor, **self.by_phone, person={self.field: "said in the chat"})
        self.deliver(connector, said(phone=PHONE), memory)
        self.told(vendor, number, name="Dusan Kmet", phone=PHONE, **{self.field: "said in the chat"})
        assert CONFLICTS not in memory

    def test_another_spelling_of_what_is_there_is_no_conflict(self, vendor: Any) -> None:
        there = {"name": "Dusan Kmet", "phone": "777 123 456", self.field: "Head of  SALES"}
        number = vendor.add_person(email=EMAIL, **there)
        memory: dict[str, Any] = {}
        connector = self.connector(vendor, **self.by_phone, person={self.field: "head of sales"})
        self.deliver(connector, said(phone=PHONE, name="dusan kmet"), memory)
        self.told(vendor, number, **there)
        assert CONFLICTS not in memory

    def test_a_new_person_has_everything_and_one_who_was_there_nothing_of_new_person(self, vendor: Any) -> None:
        connector = self.connector(vendor, new_person={self.field: "from a chat"})
        self.deliver(connector, said(), {})
        new = self.only(vendor)
        self.told(vendor, new["id"], **{self.field: "from a chat"})
        there = vendor.add_person(email="jane@other.example.com", name="Jane")
        self.deliver(connector, said(2, email="jane@other.example.com", name="Jane"), {})
        self.told(vendor, there, **{self.field: ""})

    @pytest.mark.parametrize(("answer", "written"), [("yes", "newsletter"), (True, "newsletter"), ("no", ""), ("", "")])
    def test_marketing_is_written_for_those_who_have_consented(self, vendor: Any, answer: Any, written: str) -> None:
        connector = self.connector(
            vendor, consent="{{ visitor.variables.consent.value }}", marketing={self.field: "newsletter"}
        )
        variables = {"consent": {"label": "", "value": answer}}
        self.deliver(connector, said(variables=variables), {})
        new = self.only(vendor)
        self.told(vendor, new["id"], **{self.field: written})

    def test_what_a_later_revision_says_first_fills_what_is_still_blank(self, vendor: Any) -> None:
        memory: dict[str, Any] = {}
        connector = self.connector(vendor, **self.by_phone)
        self.deliver(connector, said(), memory)
        self.deliver(connector, said(phone=PHONE), memory, 2)
        one = self.only(vendor)
        self.told(vendor, one["id"], phone=PHONE)
        asked = len(vendor.writes())
        self.deliver(connector, said(phone=PHONE), memory, 2)
        assert len(vendor.writes()) == asked

    def test_a_death_while_a_person_is_filled_fills_it_all_the_same(self) -> None:
        for after in (False, True):
            number = 0
            while True:
                with self.fake() as vendor:
                    there: Any = vendor
                    person = there.add_person(email=EMAIL, name="Dr. Dusan")
                    connector = self.connector(vendor, person={self.field: "said in the chat"})
                    memory: dict[str, Any] = {}
                    if not self._dies(connector, number, after, memory):
                        break
                    self.deliver(connector, SAMPLE, memory)
                    where = f"{'after' if after else 'before'} request {number}"
                    assert (self.people(vendor), len(vendor.records())) == (1, 1), where
                    self.told(vendor, person, name="Dr. Dusan", **{self.field: "said in the chat"})
                    assert [one["field"] for one in memory[CONFLICTS]] == ["name"], where
                number += 1
            assert number > 0

    def test_an_address_that_the_vendor_refuses_costs_neither_the_chat_nor_the_next_one(self, vendor: Fake) -> None:
        if not self.refused_email:
            pytest.skip("this vendor takes every address")
        connector = self.connector(vendor)
        self.deliver(connector, said(email=self.refused_email), {})
        assert len(vendor.records()) == 1
        assert self.refused_email in self.arrived(vendor)
        self.deliver(connector, said(2), {})
        assert len(vendor.records()) == 2
        assert EMAIL in json.dumps(vendor.people())

    def test_the_local_part_of_an_address_is_nobodys_name(self, vendor: Any) -> None:
        self.deliver(self.connector(vendor), said(name="", email="j.novak77@domain.com"), {})
        one = self.only(vendor)
        assert vendor.person(one["id"]).get("name", "") in ("", "j.novak77@domain.com")
