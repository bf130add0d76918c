"""Redmine on loopback, after https://www.redmine.org/projects/redmine/wiki/Rest_api and its controllers.

What Redmine does silently is silent here too: it leaves out what the user may not set, ignores a filter by a field that
is no filter, and answers whoever has a wrong key as somebody unknown. Its errors of rights have no body.
"""

from __future__ import annotations

import re
from typing import Any

from connectors.testing.fake import Answer, Fake, Refuse, Request
from tests.fakes.markdown import read
from tests.fakes.staff import Staff

KEY = "redmine-key-0123456789"
#: Bytes of a text in MySQL, characters of a subject.
TEXT, SUBJECT = 65_535, 255
FIELD, COUNTRY, TRACKER = 12, 13, 3
_ISSUE = {"tracker_id", "subject", "description", "is_private", "custom_fields", "due_date"}


class RedmineVendor(Staff, Fake):
    def __init__(self) -> None:
        super().__init__()
        self.public = False
        #: Whether the key is an administrator's: nobody else lists users.
        self.is_admin = True
        #: By identifier; the last ones have no issues here.
        self.projects = {"support": "Support"}
        #: What the user's role may do.
        self.may_set_private = True
        #: Custom fields of the project's trackers, and those that issues can be looked for by.
        self.fields = {FIELD: "Smartsupp chat", COUNTRY: "Country"}
        self.filters = {FIELD}
        self.issues: dict[str, dict[str, Any]] = {}
        #: Files that no issue has yet, by token.
        self.uploads: dict[str, bytes] = {}
        for method, path, answer in (
            ("GET", "/users/current", self._me),
            ("GET", "/users", self._users),
            ("GET", "/projects", self._projects),
            ("GET", "/projects/support", self._project),
            ("GET", "/projects/support/issues", self._list),
            ("POST", "/projects/support/issues", self._create),
            ("GET", r"/issues/(\d+)", self._show),
            ("PUT", r"/issues/(\d+)", self._update),
            ("POST", "/uploads", self._upload),
        ):
            self.route(method, rf"{path}\.json", self._as_user(answer))
        self.route("GET", r"/projects/[^/]+(/issues)?\.json", self._as_user(self._unknown))
        self.route("POST", r"/projects/[^/]+/issues\.json", self._as_user(self._unknown))

    def records(self) -> list[Any]:
        return list(self.issues.values())

    def texts(self) -> list[str]:
        issues = self.issues.values()
        written = [
            text for one in issues for text in [one["description"], *(note["notes"] for note in one["journals"])]
        ]
        return [read(text) for text in written]

    def _as_user(self, answer: Any) -> Any:
        def guarded(request: Request, *groups: str) -> Any:
            known = request.headers.get("x-redmine-api-key") == KEY
            reads_public = self.public and request.method == "GET" and "/users/" not in request.path
            if not known and not reads_public:
                raise Refuse(401)
            return answer(request, *groups)

        return guarded

    @staticmethod
    def _unknown(request: Request, *groups: str) -> Any:
        raise Refuse(404)

    @staticmethod
    def _me(request: Request) -> Any:
        return {"user": {"id": 5, "login": "relay", "admin": False}}

    def owner_of(self, record: dict[str, Any]) -> int | None:
        return record.get("assigned_to_id")

    def due_of(self, record: dict[str, Any]) -> str:
        """An issue itself has a day."""
        return str(record["due_date"])

    def _users(self, request: Request) -> Any:
        if not self.is_admin:
            raise Refuse(403)
        offset, limit = int(request.query["offset"]), int(request.query["limit"])
        if request.query["status"] != "1":
            raise Refuse(422, {"errors": ["the fake lists who is active"]})
        own = [
            {"id": one, "login": email, "firstname": "Ann", "lastname": "Agent", "mail": email}
            for one, email, active in self.hired()
            if active
        ]
        return {"users": own[offset : offset + limit], "total_count": len(own), "offset": offset, "limit": limit}

    def _projects(self, request: Request) -> Any:
        offset, limit = int(request.query.get("offset", 0)), int(request.query.get("limit", 25))
        found = [{"id": n, "name": name, "identifier": key} for n, (key, name) in enumerate(self.projects.items(), 1)]
        page = found[offset : offset + min(limit, 100)]
        return {"projects": page, "total_count": len(found), "offset": offset, "limit": limit}

    def _project(self, request: Request) -> Any:
        found: dict[str, Any] = {"id": 1, "name": "Support", "identifier": "support", "is_public": self.public}
        for name in request.query.get("include", "").split(","):
            if name == "issue_custom_fields":
                found[name] = [{"id": number, "name": text} for number, text in self.fields.items()]
            elif name == "trackers":
                found[name] = [{"id": TRACKER, "name": "Support"}]
        return {"project": found}

    def _shown(self, issue: dict[str, Any]) -> dict[str, Any]:
        values = [
            {"id": number, "name": name, "value": issue["values"][number]} for number, name in self.fields.items()
        ]
        own = {name: issue[name] for name in ("id", "subject", "description", "is_private", "tracker")}
        return {**own, **({"custom_fields": values} if values else {})}

    def _list(self, request: Request) -> Any:
        asked = dict(request.query)
        offset, limit = int(asked.pop("offset", 0)), int(asked.pop("limit", 25))
        if asked.pop("status_id", "") != "*":
            raise Refuse(422, {"errors": ["the fake lists all there are"]})
        found = [*self.issues.values()]
        for name, value in asked.items():
            number = int(name.removeprefix("cf_"))
            if number in self.filters & {*self.fields}:
                # MySQL does not tell small letters from capitals.
                found = [one for one in found if one["values"][number].lower() == value.lower()]
        page = [self._shown(one) for one in found[offset : offset + min(limit, 100)]]
        return {"issues": page, "total_count": len(found), "offset": offset, "limit": limit}

    def _own(self, request: Request, *keys: str) -> dict[str, Any]:
        body = request.body
        if not isinstance(body, dict) or {*body} != {"issue"} or {*body["issue"]} - {*keys}:
            raise Refuse(422, {"errors": [f"the fake does not know {body}"]})
        return dict(body["issue"])

    def _set(self, issue: dict[str, Any], values: list[dict[str, Any]]) -> None:
        for one in values:
            if one["id"] in self.fields:
                issue["values"][one["id"]] = str(one["value"])

    @staticmethod
    def _kept(text: str) -> str:
        if len(text.encode()) > TEXT:
            raise Refuse(500)
        return text

    def _create(self, request: Request) -> Answer:
        body = self._own(request, *_ISSUE)
        if not body.get("subject"):
            raise Refuse(422, {"errors": ["Subject cannot be blank"]})
        if len(body["subject"]) > SUBJECT:
            raise Refuse(422, {"errors": [f"Subject is too long (maximum is {SUBJECT} characters)"]})
        issue: dict[str, Any] = {
            "id": self.new_id(),
            "values": dict.fromkeys((FIELD, COUNTRY), ""),
            "subject": body["subject"],
            # As its model does.
            "description": self._kept(re.sub(r"\r\n|\n|\r", "\r\n", body.get("description", ""))),
            "is_private": self.may_set_private and body.get("is_private", False),
            # An unknown tracker is the first one.
            "tracker": {"id": TRACKER, "name": "Support"},
            "journals": [],
            "due_date": body.get("due_date", ""),
        }
        self._set(issue, body.get("custom_fields", []))
        self.issues[str(issue["id"])] = issue
        return Answer(201, {"issue": self._shown(issue)})

    def _issue(self, number: str) -> dict[str, Any]:
        if number not in self.issues:
            raise Refuse(404)
        return self.issues[number]

    def _show(self, request: Request, number: str) -> Any:
        issue = self._issue(number)
        more = {"journals": issue["journals"]} if request.query.get("include") == "journals" else {}
        return {"issue": {**self._shown(issue), **more}}

    def _upload(self, request: Request) -> Answer:
        """https://www.redmine.org/projects/redmine/wiki/Rest_api#Attaching-files"""
        if request.headers.get("content-type") != "application/octet-stream":
            raise Refuse(406)
        if len(request.raw) > 5 << 20:
            raise Refuse(422, {"errors": ["This file cannot be uploaded because it exceeds the maximum size (5 MB)"]})
        number = self.new_id()
        token = f"{number}.{request.query['filename']}"
        self.uploads[token] = request.raw
        return Answer(201, {"upload": {"id": number, "token": token}})

    def attached(self) -> list[tuple[str, bytes]]:
        return [file for issue in self.issues.values() for file in issue.get("files", ())]

    def _update(self, request: Request, number: str) -> Answer:
        issue, body = self._issue(number), self._own(request, "notes", "custom_fields", "uploads", "assigned_to_id")
        if "assigned_to_id" in body:
            if not self.may_own(body["assigned_to_id"]):
                raise Refuse(422, {"errors": ["Assignee is invalid"]})
            issue["assigned_to_id"] = body["assigned_to_id"]
        # A token that is not known is left out without a word.
        named = ((one["filename"], self.uploads.pop(one["token"], None)) for one in body.get("uploads", []))
        issue.setdefault("files", []).extend((name, content) for name, content in named if content)
        self._set(issue, body.get("custom_fields", []))
        if notes := self._kept(body.get("notes", "")):
            user = {"id": 5, "name": "Relay"}
            issue["journals"].append({"id": self.new_id(), "user": user, "notes": notes, "private_notes": False})
        return Answer(204)
