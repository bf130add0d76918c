"""Redmine, a recipe: an issue with notes, in Markdown or Textile."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, ClassVar

import pytest

from connectors.testing.chats import SAMPLE, chat
from connectors.testing.contract import Contract
from connectors.testing.fake import Answer, Fake
from connectors.testing.files import KETTLE_PHOTO, FileLaws, chat_with
from connectors.testing.records import WorkLaws
from core.errors import ConnectorRefused, RecordRefused, RetryLater
from tests.fakes.redmine import COUNTRY, FIELD, KEY, TRACKER, RedmineVendor
from tests.support.ownership import KeepsOwners, OwnedByRecipe, RefusesOwners

COUNTRIES = {str(COUNTRY): "{{ visitor.country_code }}"}


def longer() -> dict[str, Any]:
    made: dict[str, Any] = json.loads(json.dumps(SAMPLE))
    made["messages"].append({**SAMPLE["messages"][0], "content": "One thing more"})
    return made


class TestRedmine(Contract, FileLaws, OwnedByRecipe, RefusesOwners, KeepsOwners, WorkLaws):
    kind = "redmine"
    secrets = (KEY,)
    has_people = False
    due_has_time = False
    takes_html = False
    answers: ClassVar[list[Any]] = [
        (422, {"errors": ["Subject cannot be blank"]}, {}, RecordRefused),
        (403, None, {}, ConnectorRefused),
        (404, None, {}, ConnectorRefused),
        (502, "Redmine is being restarted", {}, RetryLater),
    ]

    def fake(self) -> RedmineVendor:
        return RedmineVendor()

    def settings(self, url: str) -> dict[str, Any]:
        return {"url": url, "key": KEY, "project": "support", "field": FIELD}

    @staticmethod
    def redmine(vendor: Fake) -> RedmineVendor:
        assert isinstance(vendor, RedmineVendor)
        return vendor

    def wrong(self, vendor: Fake, **settings: Any) -> list[str]:
        return [one.text for one in self.connector(vendor, **settings).check() if not one.right]

    def test_a_file_whose_upload_redmine_has_removed_is_uploaded_again(self, vendor: Fake) -> None:
        """Its task `redmine:attachments:prune` removes what no text has named for a day."""
        memory: dict[str, Any] = {}
        payload = chat_with(vendor, KETTLE_PHOTO)
        vendor.refuses = {b'"uploads"': Answer(500, {"errors": ["internal error"]})}
        with pytest.raises(RetryLater):
            self.deliver(self.connector(vendor), payload, memory)
        assert len(self.redmine(vendor).uploads) == 1
        self.redmine(vendor).uploads.clear()
        vendor.refuses.clear()
        a_day_ago = {
            name: {**kept, "at": kept["at"] - 86_400}
            for name, kept in memory.items()
            if isinstance(kept, dict) and "got" in kept
        }
        self.deliver(self.connector(vendor), payload, {**memory, **a_day_ago})
        assert [content for _, content in vendor.attached()] == [KETTLE_PHOTO[2]]

    def test_the_issue_has_key_fields_and_tracker(self, vendor: Fake) -> None:
        reference = self.deliver(self.connector(vendor, fields=COUNTRIES, tracker=TRACKER), SAMPLE, {})
        [issue] = vendor.records()
        assert issue["values"] == {FIELD: "smartsupp:208:55039", COUNTRY: "CZ"}
        assert "dusan@domain.com" in vendor.texts()[0]
        assert reference.url == f"{vendor.url}/issues/{issue['id']}"
        [sent] = vendor.writes()
        assert sent.body["issue"]["tracker_id"] == TRACKER
        assert "is_private" not in sent.body["issue"]

    def test_a_revision_is_a_note_and_only_fields_with_something_to_say_are_sent(self, vendor: Fake) -> None:
        memory: dict[str, Any] = {}
        self.deliver(self.connector(vendor), SAMPLE, memory)
        self.deliver(self.connector(vendor), longer(), memory, 2)
        assert [[*one.body["issue"]] for one in vendor.writes()[1:]] == [["notes"]]
        self.deliver(self.connector(vendor, fields=COUNTRIES), longer(), memory, 3)
        assert [[*one.body["issue"]] for one in vendor.writes()[2:]] == [["custom_fields"], ["notes"]]
        assert vendor.records()[0]["values"][COUNTRY] == "CZ"
        assert len(vendor.texts()) == 3

    def test_a_field_that_is_missing_stops_the_connector_after_one_issue(self, vendor: Fake) -> None:
        self.redmine(vendor).fields.clear()
        memory: dict[str, Any] = {}
        for _ in range(2):
            with pytest.raises(ConnectorRefused, match=f"Redmine kept no custom field {FIELD}"):
                self.deliver(self.connector(vendor), SAMPLE, memory)
        assert len(vendor.records()) == 1
        assert self.wrong(vendor) == [
            f"the project support has no custom field {FIELD} for issues",
            "issues cannot be looked for by the custom field",
        ]

    def test_a_field_that_is_no_filter_costs_pages_and_makes_no_second_issue(self, vendor: Fake) -> None:
        self.redmine(vendor).filters.clear()
        connector = self.connector(vendor)
        for number in range(101):
            one = {**SAMPLE, "channel": {**SAMPLE["channel"], "id": 60000 + number}}
            self.deliver(connector, one, {})
        before = len(vendor.requests)
        again = {**SAMPLE, "channel": {**SAMPLE["channel"], "id": 60100}}
        self.deliver(connector, again, {}, first=False)
        assert len(vendor.records()) == 101
        assert [one.query["offset"] for one in vendor.requests[before:] if "offset" in one.query] == ["0", "100"]
        assert self.wrong(vendor) == ["issues cannot be looked for by the custom field"]

    def test_an_issue_is_private_where_it_is_wanted_and_nothing_follows_where_the_role_may_not(self) -> None:
        for may in (True, False):
            with self.fake() as vendor:
                self.redmine(vendor).may_set_private = may
                connector, memory = self.connector(vendor, private=True), dict[str, Any]()
                if may:
                    self.deliver(connector, SAMPLE, memory)
                else:
                    with pytest.raises(ConnectorRefused, match="or no private issue"):
                        self.deliver(connector, SAMPLE, memory)
                [issue] = vendor.records()
                assert issue["is_private"] is may

    def test_a_description_of_short_lines_fits_although_redmine_lengthens_them(self, vendor: Fake) -> None:
        self.deliver(self.connector(vendor), chat("a\n" * 40_000), {})
        assert len(vendor.records()) == 1
        assert len(vendor.texts()) > 1

    def test_a_public_project_is_said(self, vendor: Fake) -> None:
        self.redmine(vendor).public = True
        said = "the project support is public, and so are chats with their email addresses"
        assert self.wrong(vendor) == [said]
        assert self.wrong(vendor, private=True) == []

    def test_a_wrong_key_is_one_even_where_everybody_may_read(self, vendor: Fake) -> None:
        self.redmine(vendor).public = True
        connector = self.connector(vendor, key="another-0123456789")
        with pytest.raises(ConnectorRefused):
            list(connector.check())
        with pytest.raises(ConnectorRefused):
            self.deliver(connector, SAMPLE, {}, first=False)
        assert vendor.records() == []

    def test_a_project_or_a_tracker_that_is_not_there_is_a_matter_of_settings(self, vendor: Fake) -> None:
        with pytest.raises(ConnectorRefused):
            self.deliver(self.connector(vendor, project="nothing"), SAMPLE, {})
        assert self.wrong(vendor, tracker=99) == ["the project support has no tracker 99"]

    def test_small_letters_and_capitals_are_two_conversations(self, vendor: Fake) -> None:
        for name in ("chA", "cha"):
            payload = {**SAMPLE, "channel": {**SAMPLE["channel"], "id": name}}
            self.deliver(self.connector(vendor), payload, {"issue?": True})
        assert len(vendor.records()) == 2

    def test_an_issue_that_was_deleted_refuses_this_chat_alone(self, vendor: Fake) -> None:
        memory: dict[str, Any] = {}
        self.deliver(self.connector(vendor), SAMPLE, memory)
        self.redmine(vendor).issues.clear()
        with pytest.raises(RecordRefused, match="what the step 'issue' created is no longer there"):
            self.deliver(self.connector(vendor), longer(), memory, 2)

    def reassign(self, record: Any, user: Any) -> None:
        record["assigned_to_id"] = user

    def test_emails_are_for_administrators_which_pauses_who_asks_for_an_owner_with_another_key(
        self, vendor: Fake
    ) -> None:
        self.redmine(vendor).is_admin, memory = False, dict[str, Any]()
        with pytest.raises(ConnectorRefused, match="owner needs the key of an administrator"):
            self.deliver(self.connector(vendor, owner="ann@shop.example"), SAMPLE, memory)
        self.deliver(self.connector(vendor), SAMPLE, memory)
        assert len(vendor.records()) == 1


class TestRedmineInTextile(TestRedmine):
    @property
    def golden(self) -> Path:
        return super().golden.with_name("redmine-textile.json")

    def settings(self, url: str) -> dict[str, Any]:
        return {**super().settings(url), "formatting": "textile"}
