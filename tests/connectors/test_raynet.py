"""Raynet, a recipe: a lead with events."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any, ClassVar

import pytest

from connectors.testing.chats import SAMPLE
from connectors.testing.fake import Answer, Fake
from core.errors import ConnectorRefused, RecordRefused, RetryLater
from tests.fakes.raynet import INSTANCE, KEY, OWNER, USER, RaynetVendor
from tests.support.ownership import OwnedByRecipe, WorkOfRecipe
from tests.support.recipes import RecipeContract


class TestRaynet(RecipeContract, OwnedByRecipe, WorkOfRecipe):
    kind = "raynet"
    secrets = (KEY,)
    has_people = False
    custom: ClassVar[dict[str, str]] = {"Country_8a1": "{{ visitor.country_code }}"}
    revision = ("PUT /api/vN/event/",)
    answers: ClassVar[list[Any]] = [
        (400, {"type": "ValidationError", "message": "topic is missing"}, {}, RecordRefused),
        (403, {"type": "Forbidden", "message": "no"}, {}, ConnectorRefused),
        (502, "Raynet is being updated", {}, RetryLater),
    ]

    def fake(self) -> RaynetVendor:
        return RaynetVendor()

    def settings(self, url: str) -> dict[str, Any]:
        return {"url": url, "instance": INSTANCE, "user": USER, "key": KEY, "lead_owner": OWNER}

    def field(self, record: Any, name: str) -> Any:
        return record["customFields"].get(name)

    def delete_records(self, vendor: Any) -> None:
        vendor.leads.clear()

    def test_the_lead_is_the_visitors_and_has_the_key(self, vendor: Fake) -> None:
        reference = self.deliver(self.connector(vendor, source=7), SAMPLE, {})
        [lead] = vendor.records()
        assert lead["contactInfo"] == {"email": "dusan@domain.com", "otherContact": "smartsupp:208:55039"}
        assert (lead["firstName"], lead["lastName"], lead["contactSource"]) == ("Dusan", "Kmet", 7)
        assert lead["tags"] == "smartsupp,smartsupp-chat"
        assert reference.url == f"{vendor.url}/{INSTANCE}/?view=DetailView&en=Lead&ei={lead['id']}"

    def test_whoever_looks_reads_every_page_of_the_leads_since_the_chat_began(self, vendor: Fake) -> None:
        assert isinstance(vendor, RaynetVendor)
        began = datetime(2015, 3, 27, 15, 33, 59, tzinfo=UTC)
        for number, made in enumerate([began.replace(year=2014)] * 3 + [vendor.clock] * 1001, 5000):
            vendor.leads[number] = {"id": number, "contactInfo": {"otherContact": None}, "made": made, "notice": ""}
        memory: dict[str, Any] = {}
        first = self.deliver(self.connector(vendor), SAMPLE, memory)
        again = self.deliver(self.connector(vendor), SAMPLE, {"lead?": True})
        assert again.id == first.id
        assert [one.query["offset"] for one in vendor.requests if one.method == "GET"] == ["0", "1000"]
        assert all(one.query["rowInfo.createdAt[GE]"].startswith("2015-03-27T15:33:59") for one in vendor.requests[1:])

    def test_the_days_limit_says_when_it_ends(self, vendor: Fake) -> None:
        reset = int(time.time()) + 3000
        body = {"type": "RequestLimitReached", "message": "API request limit reached"}
        vendor.instead = [Answer(429, body, {"X-Ratelimit-Reset": str(reset)})] * 4
        with pytest.raises(RetryLater) as raised:
            self.deliver(self.connector(vendor), SAMPLE, {})
        assert 2900 < (raised.value.retry_after or 0) <= 3000

    def test_a_check_names_an_owner_that_is_not_there(self, vendor: Fake) -> None:
        assert self.wrong(vendor) == []
        assert self.wrong(vendor, lead_owner=99) == ["there is no contact person 99"]
        with pytest.raises(ConnectorRefused):
            self.wrong(vendor, instance="another")
