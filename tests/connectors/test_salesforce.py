"""Salesforce, a recipe: a contact and a case with completed tasks."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest

from connectors.testing.chats import SAMPLE, chat, other
from connectors.testing.fake import Fake
from connectors.testing.records import ANN, BOB
from core.errors import ConnectorRefused, RecordRefused, RetryLater
from tests.fakes.salesforce import CLIENT, SECRET, SalesforceVendor
from tests.support.ownership import OwnedByRecipe, RefusesOwners, WorkOfRecipe
from tests.support.recipes import RecipeContract, longer

MISSED = other("Hello?", kind="isMissed")


def said(code: str, *fields: str) -> list[dict[str, Any]]:
    return [{"errorCode": code, "message": "no", "fields": list(fields)}]


class TestSalesforce(RecipeContract, OwnedByRecipe, RefusesOwners, WorkOfRecipe):
    kind = "salesforce"
    secrets = (SECRET,)
    takes_html = False
    due_has_time = False
    custom: ClassVar[dict[str, str]] = {"Country__c": "{{ visitor.country_code }}"}
    revision = ("POST /services/data/vN.N/sobjects/Task",)
    answers: ClassVar[list[Any]] = [
        (400, said("FIELD_CUSTOM_VALIDATION_EXCEPTION"), {}, RecordRefused),
        (400, said("STRING_TOO_LONG", "Subject"), {}, RecordRefused),
        (400, said("INVALID_FIELD"), {}, ConnectorRefused),
        (403, said("API_DISABLED_FOR_ORG"), {}, ConnectorRefused),
        (403, said("REQUEST_LIMIT_EXCEEDED"), {}, RetryLater),
        (400, said("UNABLE_TO_LOCK_ROW"), {}, RetryLater),
    ]

    def fake(self) -> SalesforceVendor:
        return SalesforceVendor()

    def settings(self, url: str) -> dict[str, Any]:
        return {"url": url, "client_id": CLIENT, "client_secret": SECRET}

    def delete_records(self, vendor: Any) -> None:
        vendor.cases.clear()

    @staticmethod
    def force(vendor: Fake) -> SalesforceVendor:
        assert isinstance(vendor, SalesforceVendor)
        return vendor

    @pytest.mark.parametrize("status", [400, 403])
    @pytest.mark.parametrize("code", ["TRANSFER_REQUIRES_READ", "INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY"])
    def test_a_user_without_rights_gives_way_to_the_fallback(self, vendor: Fake, status: int, code: str) -> None:
        force = self.force(vendor)
        force.no_owner = (status, code)
        ann, bob = force.knows_owner(ANN), force.knows_owner(BOB)
        force.refused.add(ann)
        task = {"due": "4h", "owner": ANN}
        self.deliver(self.connector(vendor, owner=ANN, owner_fallback=BOB, task=task), MISSED, {})
        [case] = vendor.records()
        assert force.owner_of(case) == bob
        assert force.due_of(case)

    def test_the_case_has_key_contact_and_who_wrote(self, vendor: Fake) -> None:
        reference = self.deliver(self.connector(vendor, status="New"), SAMPLE, {})
        [case], [contact] = vendor.records(), vendor.people()
        assert (case["Smartsupp_Chat_Id__c"], case["ContactId"]) == ("smartsupp:208:55039", contact["Id"])
        assert (case["SuppliedName"], case["Origin"], case["Status"]) == ("Dusan Kmet", "Web", "New")
        assert reference.url == f"{vendor.url}/{case['Id']}"

    def test_without_fields_a_case_that_was_deleted_is_not_made_again(self, vendor: Fake) -> None:
        memory: dict[str, Any] = {}
        self.deliver(self.connector(vendor), SAMPLE, memory)
        self.force(vendor).cases.clear()
        with pytest.raises(RecordRefused, match="ENTITY_IS_DELETED"):
            self.deliver(self.connector(vendor), longer(), memory, 2)
        assert vendor.records() == []

    def test_signs_of_the_query_language_in_an_address_end_no_query(self, vendor: Fake) -> None:
        for number in (1, 2):
            payload = chat("Hi", email="o'brien@domain.com")
            self.deliver(self.connector(vendor), {**payload, "channel": {**SAMPLE["channel"], "id": number}}, {})
        assert [one["Email"] for one in vendor.people()] == ["o'brien@domain.com"]

    def test_two_people_of_one_name_are_two_contacts(self, vendor: Fake) -> None:
        for number, email in enumerate(("ann@domain.com", "ann@other.example.com")):
            payload = chat("Hi", email=email)
            self.deliver(self.connector(vendor), {**payload, "channel": {**SAMPLE["channel"], "id": number}}, {})
        assert len(vendor.people()) == 2

    def test_an_address_that_salesforce_refuses_costs_the_person_alone(self, vendor: Fake) -> None:
        self.deliver(self.connector(vendor), chat("Hi", email="typo@domain.com"), {})
        assert "typo@domain.com cannot be used" in vendor.texts()[0]
        assert "ContactId" not in vendor.records()[0]

    def test_a_contact_that_was_deleted_is_made_again(self, vendor: Fake) -> None:
        memory: dict[str, Any] = {"contact": {"value": {"id": "003000000000001AAA"}, "revision": 1}}
        self.deliver(self.connector(vendor), SAMPLE, memory)
        assert vendor.records()[0]["ContactId"] == vendor.people()[0]["Id"]

    def test_a_check_asks_for_a_unique_external_id(self, vendor: Fake) -> None:
        said = ["cases have no unique external id Smartsupp_Chat_Id__c that the user of the client may write"]
        self.force(vendor).unique = False
        assert self.wrong(vendor) == said
        self.force(vendor).fields.remove("Smartsupp_Chat_Id__c")
        assert self.wrong(vendor) == said
