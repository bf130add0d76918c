"""Who is taken out at the vendor's: by an admin who erases somebody there, or by the vendor's people."""

from __future__ import annotations

import json
import re
from typing import Any

from connectors.testing.fake import Request
from connectors.testing.people.bench import EMAIL, PHONE, PersonBench, said


class NobodyLeft(PersonBench):
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
