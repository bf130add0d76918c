"""GitLab's REST API v4 on loopback, after https://docs.gitlab.com/api/issues/ and https://docs.gitlab.com/api/notes/.

A line of a text that begins with a slash is a quick action: it is done, and taken out of the text.
"""

from __future__ import annotations

import re
from typing import Any

from connectors.testing.fake import Answer, Refuse, Request
from tests.fakes.hosted import HostedVendor
from tests.fakes.markdown import read

KEY, PROJECT = "glpat-0123456789", "shop/support"
TEXT = 1_000_000
_ACTION = re.compile(r"^/(\w+)[^\n]*\n?", re.MULTILINE)


class GitLabVendor(HostedVendor):
    def __init__(self) -> None:
        super().__init__()
        self.issues: dict[str, dict[str, Any]] = {}
        self.enabled, self.scopes = "enabled", ["api"]
        #: Quick actions that somebody's text caused.
        self.actions: list[str] = []
        project = "/projects/shop%2Fsupport"
        self.guarded(
            "/api/v4",
            ("GET", "/projects", self._projects),
            ("GET", project, self._project),
            ("GET", "/personal_access_tokens/self", self._token),
            ("GET", f"{project}/issues", self._list),
            ("POST", f"{project}/issues", self._add),
            ("PUT", rf"{project}/issues/(\d+)", self._change),
            ("GET", rf"{project}/issues/(\d+)/notes", self._notes),
            ("POST", rf"{project}/issues/(\d+)/notes", self._note),
        )

    def records(self) -> list[Any]:
        return list(self.issues.values())

    def texts(self) -> list[str]:
        found = []
        for issue in self.issues.values():
            found += [issue["description"], *(one["body"] for one in issue["notes"])]
        return [read(text) for text in found]

    def allows(self, request: Request) -> bool:
        return request.headers.get("private-token") == KEY

    def stranger(self) -> Refuse:
        return Refuse(401, {"message": "401 Unauthorized"})

    def _projects(self, request: Request) -> Any:
        member = {"membership": "true", "simple": "true", "archived": "false", "min_access_level": "20"}
        self.only(request.query, "page", "per_page", **member)
        return self._page([{"id": 5, "path_with_namespace": PROJECT, "name_with_namespace": "Shop / Support"}], request)

    def _project(self, request: Request) -> Any:
        return {"id": 5, "name_with_namespace": "Shop / Support", "issues_access_level": self.enabled}

    def _token(self, request: Request) -> Any:
        return {"id": 1, "active": True, "scopes": self.scopes, "expires_at": "2027-01-31"}

    @staticmethod
    def _page(found: list[dict[str, Any]], request: Request) -> list[dict[str, Any]]:
        page, size = int(request.query["page"]), int(request.query["per_page"])
        return found[(page - 1) * size : page * size]

    def _text(self, text: str) -> str:
        if len(text) > TEXT:
            raise Refuse(400, {"message": {"description": ["is too long (maximum is 1000000 characters)"]}})
        self.actions += _ACTION.findall(text)
        return _ACTION.sub("", text)

    def _list(self, request: Request) -> Any:
        asked = self.only(request.query, "search", "in", "scope", "page", "per_page")
        if (asked["in"], asked["scope"]) != ("description", "all"):
            raise self.refusal(f"the fake does not know {asked}")
        words = asked["search"].lower()
        return self._page([one for one in self.issues.values() if words in one["description"].lower()], request)

    def _add(self, request: Request) -> Answer:
        body = self.only(request.body, "title", "description", "confidential", "labels", "weight")
        if len(body["title"]) > 255 or not isinstance(body.get("labels", ""), str):
            raise Refuse(400, {"message": {"title": ["is too long (maximum is 255 characters)"]}})
        number = self.new_id()
        page = f"{self.url}/{PROJECT}/-/issues/{number}"
        made = {**body, "description": self._text(body["description"]), "iid": number, "web_url": page, "notes": []}
        self.issues[str(number)] = made
        return Answer(201, made)

    def _issue(self, number: str) -> dict[str, Any]:
        if number not in self.issues:
            raise Refuse(404, {"message": "404 Not found"})
        return self.issues[number]

    def _change(self, request: Request, number: str) -> Any:
        self._issue(number).update(self.only(request.body, "weight"))
        return self.issues[number]

    def _notes(self, request: Request, number: str) -> Any:
        asked = self.only(request.query, "order_by", "sort", "page", "per_page")
        if (asked["order_by"], asked["sort"]) != ("created_at", "desc"):
            raise self.refusal(f"the fake does not know {asked}")
        return self._page(self._issue(number)["notes"][::-1], request)

    def _note(self, request: Request, number: str) -> Answer:
        body = self.only(request.body, "body", "internal")
        if body["internal"] is not True:
            raise self.refusal(f"the fake does not know {body}")
        made = {"id": self.new_id(), "body": self._text(body["body"]), "internal": True}
        self._issue(number)["notes"].append(made)
        return Answer(201, made)
