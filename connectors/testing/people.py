"""What every connector must do whose vendor keeps persons: the right one, nobody twice, and nothing overwritten.

    class TestHubSpot(PeopleContract):
        field = "jobtitle"
        refused_email = "john@doe.con"

Besides what `Contract` asks of a fake, this asks what people do at the vendor's: see `PeopleFake`. A vendor without
companies, or that links persons to them itself, keeps a `PersonContract`.
"""

from __future__ import annotations

import json
import re
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any, ClassVar, Protocol

import pytest

from connectors.kit.connector import HttpConnector
from connectors.testing.chats import SAMPLE
from connectors.testing.contract import Contract
from connectors.testing.fake import Fake, Request
from core.delivery import CONFLICTS
from core.errors import RetryLater

EMAIL = "dusan@domain.com"
PHONE = "+420777123456"


class PeopleFake(Protocol):
    """A vendor's persons, as its people know them. Fields go by the vendor's names, besides name, email and phone."""

    def add_person(self, *, name: str = "", email: str = "", phone: str = "", **fields: str) -> Any:
        """Somebody types a person in: its id."""

    def person(self, number: Any) -> dict[str, str]:
        """What stands in the fields of a person."""

    def remove_person(self, number: Any) -> None:
        """Somebody deletes a person for good."""

    def records_of(self, number: Any) -> int:
        """How many tickets, leads, deals or first notes belong to a person."""

    def add_company(self, domain: str) -> Any:
        """Somebody types a company in, with its domain or website: its id. For `PeopleContract` alone."""

    def company_of(self, number: Any) -> Any:
        """The id of the company that a person belongs to, or None. Likewise."""


def said(number: int = 55039, *, phone: str = "", **visitor: Any) -> dict[str, Any]:
    """The documented chat, as another one of somebody else."""
    made: dict[str, Any] = json.loads(json.dumps(SAMPLE))
    made["channel"]["id"] = number
    made["visitor"] |= visitor
    if phone:
        made["visitor"]["variables"] |= {"phone": {"label": "Phone", "value": phone}}
    return made


class PersonContract(Contract):
    #: A field of a person that takes any text, by the vendor's name for it.
    field: ClassVar[str]
    #: One that may keep a customer id; and settings for chats that all need a person's record.
    customer_id_field: ClassVar[str] = ""
    for_many: ClassVar[dict[str, Any]] = {}
    #: An address that looks like one, and that the vendor does not take; "" where it takes all.
    refused_email: ClassVar[str] = ""
    #: Settings with which the vendor's persons are looked for by phone number, too.
    by_phone: ClassVar[dict[str, Any]] = {
        "match": ["email", "phone"],
        "phone": "{{ visitor.variables.phone.value }}",
    }

    def told(self, vendor: Any, number: Any, **wanted: str) -> None:
        """Fails unless these fields of a person are so."""
        found = vendor.person(number)
        assert {name: found.get(name, "") for name in wanted} == wanted

    def only(self, vendor: Any) -> dict[str, Any]:
        """The one person there is."""
        found = vendor.people()
        assert len(found) == 1, found
        return dict(found[0])

    # --- somebody is erased --------------------------------------------------------------

    def test_whoever_has_an_address_is_erased_where_the_vendor_does_that_and_nobody_else(self, vendor: Any) -> None:
        connector = self.connector(vendor)
        for email in (EMAIL, "other@domain.com"):
            vendor.add_person(name="Dusan Kmet", email=email)
        found = list(connector.find_persons(EMAIL.upper()))
        assert vendor.writes() == [one for one in vendor.writes() if self._only_reads(one)]
        if not connector.erases:
            assert found == []
            return
        [somebody] = found
        assert somebody.name.startswith("Dusan Kmet <")
        assert somebody.url.startswith("http")
        for _ in range(2):  # who is gone is gone
            connector.erase_person(somebody)
        assert list(connector.find_persons(EMAIL)) == []
        assert "other@domain.com" in json.dumps(self.only(vendor))

    def _only_reads(self, request: Request) -> bool:
        return any(re.match(one, f"{request.method} {request.path}") for one in self.reading)

    # --- nothing is overwritten --------------------------------------------------------

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

    # --- nobody twice ------------------------------------------------------------------

    @pytest.mark.parametrize("spelling", ["Dusan@Domain.COM", " <dusan@domain.com>,", "DUSAN @ domain.com"])
    def test_who_comes_back_with_another_spelling_is_one_person(self, vendor: Any, spelling: str) -> None:
        connector = self.connector(vendor)
        self.deliver(connector, said(), {})
        self.deliver(connector, said(2, email=spelling, id="another-browser"), {})
        one = self.only(vendor)
        assert vendor.records_of(one["id"]) == 2

    def test_who_comes_back_with_another_address_and_the_same_number_is_one_person(self, vendor: Any) -> None:
        connector = self.connector(vendor, **self.by_phone)
        self.deliver(connector, said(phone=PHONE), {})
        memory: dict[str, Any] = {}
        self.deliver(connector, said(2, phone="+420 777 123 456", email="d@work.example.com", id="2"), memory)
        # From then on by that address alone, although the vendor may not keep it.
        self.deliver(connector, said(3, email="d@work.example.com", id="3"), {})
        one = self.only(vendor)
        assert vendor.records_of(one["id"]) == 3
        self.told(vendor, one["id"], email=EMAIL)
        assert "d@work.example.com" in [one["said"] for one in memory[CONFLICTS]]

    def test_a_number_finds_the_person_however_the_vendor_has_it(self, vendor: Any) -> None:
        number = vendor.add_person(name="Dusan Kmet", phone="777 123 456")
        vendor.add_person(name="Somebody Else", phone="777 123 457")
        self.deliver(self.connector(vendor, **self.by_phone), said(phone=PHONE), {})
        assert self.people(vendor) == 2
        assert vendor.records_of(number) == 1
        self.told(vendor, number, email=EMAIL, phone="777 123 456")

    def test_a_browser_that_comes_back_without_an_address_is_the_same_person(self, vendor: Any) -> None:
        connector = self.connector(vendor)
        self.deliver(connector, said(), {})
        self.deliver(connector, said(2, email=""), {})
        one = self.only(vendor)
        assert vendor.records_of(one["id"]) == 2

    def test_another_address_at_the_same_computer_is_another_person(self, vendor: Any) -> None:
        connector = self.connector(vendor)
        self.deliver(connector, said(), {})
        self.deliver(connector, said(2, email="jane@other.example.com", name="Jane"), {})
        assert sorted(vendor.records_of(one["id"]) for one in vendor.people()) == [1, 1]

    def test_nobody_is_remembered_where_the_admin_does_not_want_it(self, vendor: Any) -> None:
        connector = self.connector(vendor, remember_days=0, without_email="placeholder")
        self.deliver(connector, said(), {})
        self.deliver(connector, said(2, email=""), {})
        assert self.people(vendor) == 2

    def test_two_at_once_with_one_number_and_two_addresses_are_one_person(self, vendor: Any) -> None:
        vendor.pause = 0.03
        held: dict[str, threading.Lock] = {}
        connector = self.connector(vendor, **self.by_phone)
        chats = [said(n, phone=PHONE, email=f"d{n}@domain.com", id=f"browser{n}") for n in (1, 2)]
        with ThreadPoolExecutor(2) as both:
            list(both.map(lambda one: self._through(connector, one, held), chats))
        assert self.people(vendor) == 1
        assert len(vendor.records()) == 2

    def _through(self, connector: HttpConnector[Any], payload: dict[str, Any], held: dict[str, threading.Lock]) -> None:
        memory: dict[str, Any] = {}
        for _ in range(3):
            try:
                self.deliver(connector, payload, memory, alone=lambda one: held.setdefault(one, threading.Lock()))
                return
            except RetryLater:  # both made something else, such as a tag
                continue
        raise AssertionError("it does not get through")

    # --- who is not there any more --------------------------------------------------------

    def test_an_id_that_died_is_forgotten_and_the_person_found_anew(self, vendor: Any) -> None:
        connector = self.connector(vendor, **self.by_phone)
        self.deliver(connector, said(phone=PHONE), {})
        first = self.only(vendor)
        vendor.remove_person(first["id"])
        self.deliver(connector, said(2, phone=PHONE), {})
        second = self.only(vendor)
        assert second["id"] != first["id"]
        assert vendor.records_of(second["id"]) == 1
        # And the browser is known as the new one's.
        self.deliver(connector, said(3, email=""), {})
        assert vendor.records_of(second["id"]) == 2

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

    # --- names ------------------------------------------------------------------------------

    def test_the_local_part_of_an_address_is_nobodys_name(self, vendor: Any) -> None:
        self.deliver(self.connector(vendor), said(name="", email="j.novak77@domain.com"), {})
        one = self.only(vendor)
        assert vendor.person(one["id"]).get("name", "") in ("", "j.novak77@domain.com")


class PeopleContract(PersonContract):
    """The same where persons are linked to companies."""

    def test_a_person_belongs_to_the_one_company_with_the_domain_of_their_address(self, vendor: Any) -> None:
        company = vendor.add_company("domain.com")
        vendor.add_company("domain.com.example.org")
        there = vendor.add_person(email="jane@domain.com", name="Jane")
        elsewhere = vendor.add_person(email="ann@other.example.com", name="Ann")
        connector = self.connector(vendor, link_company=True)
        for number, email in enumerate((EMAIL, "jane@domain.com", "ann@other.example.com"), 1):
            self.deliver(connector, said(number, email=email, id=f"browser{number}", name=""), {})
        new = next(one["id"] for one in vendor.people() if one["id"] not in (there, elsewhere))
        assert [vendor.company_of(one) for one in (new, there, elsewhere)] == [company, company, None]
        vendor.add_company("other.example.com")
        self.deliver(self.connector(vendor), said(4, email="ann@other.example.com"), {})
        assert vendor.company_of(elsewhere) is None  # not without the setting

    def test_neither_a_mailbox_for_everybody_nor_a_domain_of_several_says_where_somebody_works(
        self, vendor: Any
    ) -> None:
        for domain in ("gmail.com", "domain.com", "domain.com"):
            vendor.add_company(domain)
        connector = self.connector(vendor, link_company=True)
        for number, email in enumerate((EMAIL, "dusan@gmail.com"), 1):
            self.deliver(connector, said(number, email=email, id=f"browser{number}"), {})
        assert [vendor.company_of(one["id"]) for one in vendor.people()] == [None, None]

    def test_somebody_who_belongs_to_a_company_stays_there(self, vendor: Any) -> None:
        connector = self.connector(vendor, link_company=True, **self.by_phone)
        first = vendor.add_company("domain.com")
        vendor.add_company("work.example.com")
        self.deliver(connector, said(phone=PHONE), {})
        self.deliver(connector, said(2, phone=PHONE, email="d@work.example.com", id="2"), {})
        assert vendor.company_of(self.only(vendor)["id"]) == first
