"""Zoho CRM, a recipe: a contact and a case with notes."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest

from connectors.testing.chats import SAMPLE, chat
from connectors.testing.fake import Answer, Fake
from core.errors import ConnectorRefused, RecordRefused, RetryLater
from tests.fakes.zoho_crm import CLIENT, REFRESH, SECRET, ZohoCrmVendor
from tests.support.ownership import OwnedByRecipe, RefusesOwners, WorkOfRecipe
from tests.support.recipes import RecipeContract


def said(code: str, **details: Any) -> dict[str, Any]:
    return {"data": [{"code": code, "details": details, "message": "no", "status": "error"}]}


class TestZohoCrm(RecipeContract, OwnedByRecipe, RefusesOwners, WorkOfRecipe):
    kind = "zoho-crm"
    secrets = (SECRET, REFRESH)
    takes_html = False
    due_has_time = False
    reading = (r"POST /crm/v8/coql",)
    custom: ClassVar[dict[str, str]] = {"Country": "{{ visitor.country_code }}"}
    revision = ("POST /crm/vN/Notes",)
    deleted = "seems to be invalid"
    answers: ClassVar[list[Any]] = [
        (400, said("MANDATORY_NOT_FOUND", api_name="Subject"), {}, RecordRefused),
        (202, said("INVALID_DATA", api_name="Case_Origin"), {}, RecordRefused),
        (202, said("NO_PERMISSION"), {}, ConnectorRefused),
        (403, {"code": "NO_PERMISSION", "message": "permission denied"}, {}, ConnectorRefused),
        (401, {"code": "OAUTH_SCOPE_MISMATCH", "message": "unauthorized"}, {}, ConnectorRefused),
        (400, {"code": "INVALID_MODULE", "message": "no such module"}, {}, ConnectorRefused),
        (429, {"code": "TOO_MANY_REQUESTS", "message": "slow down"}, {}, RetryLater),
    ]

    def fake(self) -> ZohoCrmVendor:
        return ZohoCrmVendor()

    def settings(self, url: str) -> dict[str, Any]:
        return {"url": url, "client_id": CLIENT, "client_secret": SECRET, "refresh_token": REFRESH}

    def delete_records(self, vendor: Any) -> None:
        vendor.cases.clear()

    @staticmethod
    def zoho(vendor: Fake) -> ZohoCrmVendor:
        assert isinstance(vendor, ZohoCrmVendor)
        return vendor

    def test_the_case_has_key_and_contact(self, vendor: Fake) -> None:
        reference = self.deliver(self.connector(vendor), SAMPLE, {})
        [case], [contact] = vendor.records(), vendor.people()
        assert (case["Smartsupp_Chat_ID"], case["Case_Origin"]) == ("smartsupp:208:55039", "Web")
        assert case["Related_To"] == {"id": contact["id"]}
        assert (contact["First_Name"], contact["Last_Name"]) == ("Dusan", "Kmet")
        assert reference.url == f"{vendor.url}/crm/tab/Cases/{case['id']}"

    def test_two_chats_of_one_subject_are_two_cases(self, vendor: Fake) -> None:
        for number in (1, 2):
            self.deliver(self.connector(vendor), {**SAMPLE, "channel": {**SAMPLE["channel"], "id": number}}, {})
        assert {one["Subject"] for one in vendor.records()} == {"Chat: Dusan Kmet"}
        assert len(vendor.records()) == 2

    def test_an_apostrophe_in_an_address_ends_no_query(self, vendor: Fake) -> None:
        for number in (1, 2):
            payload = chat("Hi", email="o'brien@domain.com")
            self.deliver(self.connector(vendor), {**payload, "channel": {**SAMPLE["channel"], "id": number}}, {})
        assert [one["Email"] for one in vendor.people()] == ["o'brien@domain.com"]

    def test_an_address_that_zoho_refuses_costs_the_person_alone(self, vendor: Fake) -> None:
        self.deliver(self.connector(vendor), chat("Hi", email="typo@domain.com"), {})
        assert "typo@domain.com cannot be used" in vendor.texts()[0]
        assert "Related_To" not in vendor.records()[0]

    def test_a_contact_that_was_deleted_is_made_again(self, vendor: Fake) -> None:
        memory: dict[str, Any] = {"contact": {"value": {"id": "5551"}, "revision": 1}}
        self.deliver(self.connector(vendor), SAMPLE, memory)
        assert vendor.records()[0]["Related_To"] == {"id": vendor.people()[0]["id"]}

    def test_a_case_that_the_query_does_not_see_yet_is_not_made_twice(self, vendor: Fake) -> None:
        self.deliver(self.connector(vendor), SAMPLE, {})
        memory = {"contact": {"value": {"id": vendor.people()[0]["id"]}, "revision": 1}, "case?": True}
        vendor.instead = [Answer(204)]
        with pytest.raises(RetryLater, match="the case is there already"):
            self.deliver(self.connector(vendor), SAMPLE, memory)
        self.deliver(self.connector(vendor), SAMPLE, memory)
        assert len(vendor.records()) == 1

    def test_a_check_asks_for_the_unique_field(self, vendor: Fake) -> None:
        self.zoho(vendor).fields.remove("Smartsupp_Chat_ID")
        assert self.wrong(vendor) == ["cases have no field Smartsupp_Chat_ID that takes no duplicates"]

    def test_one_token_is_asked_for_and_another_after_it_was_refused(self, vendor: Fake) -> None:
        connector = self.connector(vendor)
        self.deliver(connector, SAMPLE, {})
        authorization = self.zoho(vendor).authorization
        assert len(authorization.asked) == 1
        authorization.end_all()
        self.deliver(connector, {**SAMPLE, "channel": {**SAMPLE["channel"], "id": 2}}, {})
        assert len(authorization.asked) == 2

    def test_too_many_tokens_in_too_short_a_time_are_waited_for(self, vendor: Fake) -> None:
        self.zoho(vendor).authorization.instead = [Answer(400, {"error": "Access Denied", "status": "failure"})]
        with pytest.raises(RetryLater, match="HTTP 400"):
            self.deliver(self.connector(vendor), SAMPLE, {})

    @pytest.mark.parametrize(
        ("url", "accounts", "page"),
        [
            ("https://www.zohoapis.eu/", "https://accounts.zoho.eu", "https://crm.zoho.eu"),
            ("https://www.zohoapis.com.au", "https://accounts.zoho.com.au", "https://crm.zoho.com.au"),
            ("https://www.zohoapis.ca", "https://accounts.zohocloud.ca", "https://crm.zohocloud.ca"),
        ],
    )
    def test_accounts_and_pages_are_in_the_same_data_center(
        self, vendor: Fake, url: str, accounts: str, page: str
    ) -> None:
        made: Any = self.connector(vendor, url=url)
        program = made.program
        assert program.fill(program.document.auth.oauth.token_url) == f"{accounts}/oauth/v2/token"
        names = {**program.own.names, "steps": {"case": {"id": "7"}}}
        assert program.page(names) == f"{page}/crm/tab/Cases/7"
