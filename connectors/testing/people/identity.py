"""Whose chat it is: who comes back is the same person, and somebody else is another one."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from connectors.kit.connector import HttpConnector
from connectors.testing.people.bench import EMAIL, PHONE, PersonBench, said
from core.delivery import CONFLICTS
from core.errors import RetryLater


class NobodyTwice(PersonBench):
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
