"""Jira Service Management, a recipe: a request with internal comments."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest

from connectors.testing.chats import SAMPLE, chat
from connectors.testing.fake import Fake
from core.errors import ConnectorRefused, RecordRefused, RetryLater
from tests.fakes.jira_service_management import DESK, KIND, TOKEN, USER, JiraVendor
from tests.support.recipes import Clock, RecipeContract


def said(text: str) -> dict[str, str]:
    return {"errorMessage": text}


class TestJiraServiceManagement(RecipeContract):
    kind = "jira-service-management"
    secrets = (TOKEN,)
    takes_html = False
    custom: ClassVar[dict[str, str]] = {"customfield_10050": "{{ visitor.country_code }}"}
    revision = ("POST /rest/servicedeskapi/request/N/comment",)
    answers: ClassVar[list[Any]] = [
        (403, said("no permission"), {}, ConnectorRefused),
        (404, said("no such service desk"), {}, ConnectorRefused),
        (502, "Jira is being updated", {}, RetryLater),
    ]

    def fake(self) -> JiraVendor:
        return JiraVendor()

    def settings(self, url: str) -> dict[str, Any]:
        return {"url": url, "user": USER, "token": TOKEN, "service_desk": DESK, "request_type": KIND}

    def field(self, record: Any, name: str) -> Any:
        return record["fields"].get(name)

    def delete_records(self, vendor: Any) -> None:
        vendor.issues.clear()

    @staticmethod
    def jira(vendor: Fake) -> JiraVendor:
        assert isinstance(vendor, JiraVendor)
        return vendor

    def test_the_request_is_the_customers_and_shows_him_no_more_than_its_key(self, vendor: Fake) -> None:
        reference = self.deliver(self.connector(vendor), SAMPLE, {})
        [issue], [customer] = vendor.records(), vendor.people()
        assert (issue["for"], customer["displayName"]) == (customer["accountId"], "Dusan Kmet")
        assert issue["fields"] == {"summary": "Chat: Dusan Kmet", "description": "Smartsupp smartsupp:208:55039"}
        assert [one["public"] for one in issue["comments"]] == [False]
        assert reference.url == f"{vendor.url}/browse/{issue['key']}"

    def test_an_account_that_is_no_customer_of_the_desk_is_left_out_and_the_text_says_so(self, vendor: Fake) -> None:
        known = {"accountId": "5b1", "emailAddress": "dusan@domain.com", "displayName": "D"}
        self.jira(vendor).accounts["5b1"] = known
        self.deliver(self.connector(vendor), SAMPLE, {})
        [issue] = vendor.records()
        assert issue["for"] is None
        assert "dusan@domain.com cannot be used" in vendor.texts()[0]

    def test_an_address_that_jira_refuses_costs_the_customer_alone(self, vendor: Fake) -> None:
        self.deliver(self.connector(vendor), chat("Hi", email="typo@domain.com"), {})
        assert vendor.people() == []
        assert len(vendor.records()) == 1

    def test_whoever_looks_reads_more_than_one_page(self, vendor: Fake) -> None:
        connector, there = self.connector(vendor), self.jira(vendor)
        self.deliver(connector, SAMPLE, {})
        [(number, issue)] = there.issues.items()
        others = {str(n): {**issue, "fields": {"summary": "x", "description": "x"}} for n in range(5000, 5099)}
        there.issues = {number: issue, **others}
        memory = {"customer": {"value": {"id": issue["for"]}, "revision": 1}, "request?": True}
        assert self.deliver(connector, SAMPLE, memory).id == issue["key"]
        assert len(there.issues) == 100

    def test_a_request_that_the_list_does_not_show_yet_is_waited_for(self, vendor: Fake, clock: Clock) -> None:
        clock.step = 0
        connector, there = self.connector(vendor), self.jira(vendor)
        memory: dict[str, Any] = {}
        vendor.lose_reply_after = 3
        with pytest.raises(RetryLater):
            self.deliver(connector, SAMPLE, memory)
        there.hidden = True
        with pytest.raises(RetryLater, match="the search lags"):
            self.deliver(connector, SAMPLE, memory)
        there.hidden = False
        self.deliver(connector, SAMPLE, memory)
        assert len(vendor.records()) == 1

    def test_a_check_names_what_is_missing(self, vendor: Fake) -> None:
        self.jira(vendor).fields.remove("description")
        self.jira(vendor).behalf = False
        assert self.wrong(vendor) == [
            f"requests of the type {KIND} have no description",
            "the user may not raise requests on behalf of customers",
        ]

    def test_a_field_that_is_not_on_the_form_refuses_the_record(self, vendor: Fake) -> None:
        self.jira(vendor).fields.remove("customfield_10050")
        with pytest.raises(RecordRefused):
            self.deliver(self.connector(vendor, fields=self.custom), SAMPLE, {})
        assert vendor.records() == []
