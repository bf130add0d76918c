"""EspoCRM, a recipe: a contact and a case with internal posts."""

from __future__ import annotations

import json
from typing import Any, ClassVar

import pytest

from connectors.testing.chats import SAMPLE, chat
from connectors.testing.contract import Contract
from connectors.testing.fake import Fake
from core.errors import ConnectorRefused, RecordRefused, RetryLater
from tests.fakes.espocrm import KEY, EspoVendor
from tests.support.ownership import OwnedByRecipe, RefusesOwners, WorkOfRecipe

COUNTRY = {"cCountry": "{{ visitor.country_code }}"}


def longer() -> dict[str, Any]:
    made: dict[str, Any] = json.loads(json.dumps(SAMPLE))
    made["messages"].append({**SAMPLE["messages"][0], "content": "One thing more"})
    return made


class TestEspoCrm(Contract, OwnedByRecipe, RefusesOwners, WorkOfRecipe):
    kind = "espocrm"
    secrets = (KEY,)
    takes_html = False
    answers: ClassVar[list[Any]] = [
        (403, None, {"X-Status-Reason": "No create access."}, ConnectorRefused),
        (404, None, {}, ConnectorRefused),
        (502, "EspoCRM is being restarted", {}, RetryLater),
    ]

    def fake(self) -> EspoVendor:
        return EspoVendor()

    def settings(self, url: str) -> dict[str, Any]:
        return {"url": url, "key": KEY}

    @staticmethod
    def espo(vendor: Fake) -> EspoVendor:
        assert isinstance(vendor, EspoVendor)
        return vendor

    def test_the_case_has_key_fields_and_a_contact_with_a_name(self, vendor: Fake) -> None:
        reference = self.deliver(self.connector(vendor, fields=COUNTRY), SAMPLE, {})
        [case], [contact] = vendor.records(), vendor.people()
        assert (case["cSmartsuppChat"], case["cCountry"]) == ("smartsupp:208:55039", "CZ")
        assert case["contactId"] == contact["id"]
        assert (contact["firstName"], contact["lastName"]) == ("Dusan", "Kmet")
        assert reference.url == f"{vendor.url}/#Case/view/{case['id']}"

    def test_a_revision_is_a_post_and_only_fields_with_something_to_say_are_sent(self, vendor: Fake) -> None:
        memory: dict[str, Any] = {}
        self.deliver(self.connector(vendor), SAMPLE, memory)
        self.deliver(self.connector(vendor), longer(), memory, 2)
        assert [one.path.rpartition("/")[2] for one in vendor.writes()] == ["Contact", "Case", "Note"]
        self.deliver(self.connector(vendor, fields=COUNTRY), longer(), memory, 3)
        assert [one.method for one in vendor.writes()[3:]] == ["PUT", "POST"]
        assert vendor.records()[0]["cCountry"] == "CZ"
        assert all(one["isInternal"] for one in vendor.records()[0]["posts"])

    def test_names_and_subjects_lose_what_espocrm_does_not_take(self, vendor: Fake) -> None:
        self.deliver(self.connector(vendor), chat("Hi", name="Ann <b> = 1 " * 40), {})
        assert vendor.people()[0]["lastName"].startswith("‹b› - 1 Ann")
        assert "‹b› - 1" in vendor.records()[0]["name"]

    def test_a_namesake_is_another_contact(self, vendor: Fake) -> None:
        for number, email in enumerate(("ann@shop.example.com", "another.ann@shop.example.com")):
            one = chat("Hi", name="Ann Lee", email=email)
            self.deliver(self.connector(vendor), {**one, "channel": {**one["channel"], "id": number}}, {})
        assert len(vendor.people()) == len({one["contactId"] for one in vendor.records()}) == 2

    def test_an_address_that_espocrm_refuses_is_left_out_and_the_text_says_so(self, vendor: Fake) -> None:
        self.deliver(self.connector(vendor), chat("Hi", email="typo@domain.com"), {})
        assert vendor.people() == []
        assert "typo@domain.com cannot be used" in vendor.texts()[0]

    def test_a_contact_that_was_deleted_is_made_again(self, vendor: Fake) -> None:
        memory: dict[str, Any] = {}
        self.deliver(self.connector(vendor), SAMPLE, memory)
        self.espo(vendor).contacts.clear()
        self.espo(vendor).cases.clear()
        rest = {name: value for name, value in memory.items() if name.startswith("contact")}
        self.deliver(self.connector(vendor), SAMPLE, rest)
        assert [one["contactId"] for one in vendor.records()] == [one["id"] for one in vendor.people()]
        assert len(vendor.people()) == 1

    def test_a_field_that_is_missing_stops_the_connector_after_one_case(self, vendor: Fake) -> None:
        self.espo(vendor).fields.remove("cSmartsuppChat")
        memory: dict[str, Any] = {}
        for _ in range(2):
            with pytest.raises(ConnectorRefused, match="EspoCRM kept no cSmartsuppChat"):
                self.deliver(self.connector(vendor), SAMPLE, memory)
        assert len(vendor.records()) == 1
        with pytest.raises(ConnectorRefused, match="cases cannot be looked for by cSmartsuppChat"):
            self.deliver(self.connector(vendor), SAMPLE, {}, first=False)
        [wrong] = [one for one in self.connector(vendor).check() if not one.right]
        assert wrong.text == "cases have no field cSmartsuppChat that the user may read"

    @pytest.mark.parametrize("right", ["Contact create", "Case create", "Case stream"])
    def test_a_right_that_is_missing_is_found_by_the_check(self, vendor: Fake, right: str) -> None:
        scope, action = right.split()
        self.espo(vendor).rights[scope][action] = "no"
        [wrong] = [one for one in self.connector(vendor).check() if not one.right]
        assert wrong.text == "relay may not create contacts or cases, or not see the stream of cases"

    def test_small_letters_and_capitals_are_two_conversations(self, vendor: Fake) -> None:
        for name in ("chA", "cha"):
            payload = {**SAMPLE, "channel": {**SAMPLE["channel"], "id": name}}
            self.deliver(self.connector(vendor), payload, {"case?": True})
        assert len(vendor.records()) == 2

    def test_a_post_is_looked_for_on_every_page_of_the_stream(self, vendor: Fake) -> None:
        memory: dict[str, Any] = {}
        self.deliver(self.connector(vendor), SAMPLE, memory)
        self.deliver(self.connector(vendor), longer(), memory, 2)
        [case] = vendor.records()
        case["posts"] += [{"id": f"other{number}", "post": "By a colleague"} for number in range(25)]
        del memory["post 2.1"]
        self.deliver(self.connector(vendor), longer(), memory, 2)
        assert len(case["posts"]) == 26

    def test_the_stream_reads_from_top_to_bottom(self, vendor: Fake) -> None:
        self.deliver(self.connector(vendor), chat("long " * 40_000), {})
        assert [text[:6] for text in vendor.texts()[:3]] == ["Part 1", "Part 2", "Part 3"]

    def test_a_case_that_was_deleted_refuses_this_chat_alone(self, vendor: Fake) -> None:
        memory: dict[str, Any] = {}
        self.deliver(self.connector(vendor), SAMPLE, memory)
        self.espo(vendor).cases.clear()
        with pytest.raises(RecordRefused, match="what the step 'case' created is no longer there"):
            self.deliver(self.connector(vendor, fields=COUNTRY), longer(), memory, 2)
