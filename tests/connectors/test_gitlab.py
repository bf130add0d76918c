"""GitLab, a recipe: an issue with internal notes."""

from __future__ import annotations

from typing import Any, ClassVar

from connectors.testing.chats import SAMPLE, chat
from connectors.testing.fake import Fake
from core.errors import ConnectorRefused, RecordRefused, RetryLater
from tests.fakes.gitlab import KEY, PROJECT, GitLabVendor
from tests.support.recipes import RecipeContract


class TestGitLab(RecipeContract):
    kind = "gitlab"
    secrets = (KEY,)
    has_people = False
    takes_html = False
    custom: ClassVar[dict[str, str]] = {"weight": "{{ visitor.country_code }}"}
    revision = ("POST /api/vN/projects/shop%NFsupport/issues/N/notes",)
    answers: ClassVar[list[Any]] = [
        (400, {"message": {"title": ["can't be blank"]}}, {}, RecordRefused),
        (403, {"message": "403 Forbidden"}, {}, ConnectorRefused),
        (404, {"message": "404 Project Not Found"}, {}, ConnectorRefused),
        (502, "GitLab is not responding", {}, RetryLater),
    ]

    def fake(self) -> GitLabVendor:
        return GitLabVendor()

    def settings(self, url: str) -> dict[str, Any]:
        return {"url": url, "token": KEY, "project": PROJECT}

    def delete_records(self, vendor: Any) -> None:
        vendor.issues.clear()

    @staticmethod
    def gitlab(vendor: Fake) -> GitLabVendor:
        assert isinstance(vendor, GitLabVendor)
        return vendor

    def test_the_issue_is_confidential_and_has_labels(self, vendor: Fake) -> None:
        reference = self.deliver(self.connector(vendor), SAMPLE, {})
        [issue] = vendor.records()
        assert (issue["confidential"], issue["labels"]) == (True, "smartsupp,smartsupp-chat")
        assert reference.url == f"{vendor.url}/{PROJECT}/-/issues/{issue['iid']}"

    def test_an_issue_may_be_public(self, vendor: Fake) -> None:
        self.deliver(self.connector(vendor, confidential=False), SAMPLE, {})
        assert vendor.records()[0]["confidential"] is False

    def test_no_line_of_a_visitors_is_a_quick_action(self, vendor: Fake) -> None:
        memory: dict[str, Any] = {}
        for number in (1, 2):
            payload = chat("Hi", f"{number}\n/close\n/assign @root\n  /label ~x\n/")
            self.deliver(self.connector(vendor), payload, memory, number)
        assert self.gitlab(vendor).actions == []
        assert "/assign" in vendor.texts()[1]

    def test_a_check_names_what_is_missing(self, vendor: Fake) -> None:
        self.gitlab(vendor).enabled, self.gitlab(vendor).scopes = "disabled", ["read_api"]
        assert self.wrong(vendor) == [f"the project {PROJECT} has no issues", "the token has not the scope api"]
