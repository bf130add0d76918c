"""Dynamics 365, a recipe: a contact and a case with notes."""

from __future__ import annotations

from typing import Any, ClassVar
from uuid import UUID

import pytest

from connectors.testing.chats import SAMPLE, chat
from connectors.testing.fake import Fake
from core.errors import ConnectorRefused, RecordRefused
from tests.fakes.dynamics_365 import CLIENT, COLUMN, SECRET, TENANT, DynamicsVendor
from tests.support.ownership import OwnedByRecipe, RefusesOwners, WorkOfRecipe
from tests.support.recipes import RecipeContract, longer


def said(code: str) -> dict[str, Any]:
    return {"error": {"code": code, "message": "no"}}


class TestDynamics365(RecipeContract, OwnedByRecipe, RefusesOwners, WorkOfRecipe):
    kind = "dynamics-365"
    secrets = (SECRET,)
    needs_person = True
    custom: ClassVar[dict[str, str]] = {"new_country": "{{ visitor.country_code }}"}
    revision = ("POST /api/data/vN.N/annotations",)
    answers: ClassVar[list[Any]] = [
        (400, said("0x80044331"), {}, RecordRefused),
        (400, said("0x80060888"), {}, ConnectorRefused),
        (403, said("0x80040220"), {}, ConnectorRefused),
    ]

    def fake(self) -> DynamicsVendor:
        return DynamicsVendor()

    def settings(self, url: str) -> dict[str, Any]:
        return {"url": url, "login": url, "tenant": TENANT, "client_id": CLIENT, "client_secret": SECRET}

    def delete_records(self, vendor: Any) -> None:
        vendor.cases.clear()

    @staticmethod
    def dynamics(vendor: Fake) -> DynamicsVendor:
        assert isinstance(vendor, DynamicsVendor)
        return vendor

    def test_the_case_has_key_customer_and_origin(self, vendor: Fake) -> None:
        reference = self.deliver(self.connector(vendor, origin=2), SAMPLE, {})
        [case], [contact] = vendor.records(), vendor.people()
        assert (case[COLUMN], case["contact"]) == ("smartsupp:208:55039", contact["contactid"])
        assert case["caseorigincode"] == 2
        assert reference.url.endswith(f"etn=incident&id={case['incidentid']}")

    def test_without_fields_a_case_that_was_deleted_is_not_made_again(self, vendor: Fake) -> None:
        memory: dict[str, Any] = {}
        self.deliver(self.connector(vendor), SAMPLE, memory)
        self.dynamics(vendor).cases.clear()
        with pytest.raises(RecordRefused, match="the case is no longer there"):
            self.deliver(self.connector(vendor), longer(), memory, 2)
        assert vendor.records() == []

    def test_an_apostrophe_in_an_address_ends_no_filter(self, vendor: Fake) -> None:
        for number in (1, 2):
            payload = chat("Hi", email="o'brien@domain.com")
            self.deliver(self.connector(vendor), {**payload, "channel": {**SAMPLE["channel"], "id": number}}, {})
        assert [one["emailaddress1"] for one in vendor.people()] == ["o'brien@domain.com"]

    def test_a_contact_that_was_deleted_is_made_again(self, vendor: Fake) -> None:
        memory: dict[str, Any] = {"contact": {"value": {"id": str(UUID(int=1))}, "revision": 1}}
        self.deliver(self.connector(vendor), SAMPLE, memory)
        assert vendor.records()[0]["contact"] == vendor.people()[0]["contactid"]

    def test_a_check_asks_for_an_active_key(self, vendor: Fake) -> None:
        assert self.wrong(vendor, key_column="cr1_chat") == ["cases have no active alternate key of cr1_chat"]
        self.dynamics(vendor).index = "Pending"
        assert self.wrong(vendor) == [f"cases have no active alternate key of {COLUMN}"]
        with pytest.raises(ConnectorRefused):
            self.deliver(self.connector(vendor), SAMPLE, {})
