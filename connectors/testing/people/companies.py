"""Which company a person belongs to, where a vendor's persons are linked to companies."""

from __future__ import annotations

from typing import Any

from connectors.testing.people.bench import EMAIL, PHONE, PersonBench, said


class OneCompany(PersonBench):
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
