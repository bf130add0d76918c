"""Raynet CRM on loopback, after its API's document of August 2023 and https://app.raynetcrm.com/api/doc/index-en.html.

PUT creates and POST updates. Lists have at most 1,000 entries, and are asked for by what the document names.
"""

from __future__ import annotations

from base64 import b64encode
from datetime import UTC, datetime
from typing import Any

from connectors.testing.fake import Answer, Refuse, Request
from tests.fakes.hosted import HostedVendor
from tests.fakes.staff import Staff

USER, KEY, INSTANCE, OWNER = "relay@shop.example", "crm-key-0123456789", "my-shop", 4
_LEAD = (
    "topic", "priority", "firstName", "lastName", "leadPerson", "contactInfo", "notice", "owner", "contactSource",
    "category", "tags", "customFields",
)  # fmt: skip
_EVENT = ("title", "priority", "owner", "lead", "completed", "description")
_PROOF = "Basic " + b64encode(f"{USER}:{KEY}".encode()).decode()


class RaynetVendor(Staff, HostedVendor):
    def __init__(self) -> None:
        super().__init__()
        self.leads: dict[int, dict[str, Any]] = {}
        self.events: list[dict[str, Any]] = []
        #: When leads are made, unless now.
        self.clock = datetime.now(UTC)
        self.guarded(
            "/api/v2",
            ("GET", "/lead/", self._list_leads),
            ("PUT", "/lead/", self._add_lead),
            ("POST", r"/lead/(\d+)/", self._change_lead),
            ("GET", "/event/", self._list_events),
            ("PUT", "/event/", self._add_event),
            ("GET", r"/person/(\d+)/", self._person),
            ("GET", "/task/", self._list_tasks),
            ("PUT", "/task/", self._add_task),
            ("GET", "/contactSource/", lambda request: self._page([{"id": 3, "code01": "Chat"}], request)),
            ("GET", "/leadCategory/", lambda request: self._page([{"id": 7, "code01": "Hot"}], request)),
            ("GET", "/userAccount/", self._users),
        )

    def records(self) -> list[Any]:
        return list(self.leads.values())

    def texts(self) -> list[str]:
        found = []
        for number, lead in self.leads.items():
            found += [lead["notice"], *(one["description"] for one in self.events if one["lead"] == number)]
        return found

    def admit(self, request: Request) -> None:
        if request.headers.get("authorization") != _PROOF:
            raise Refuse(401, {"type": "Unauthorized", "message": "Bad credentials"})
        if request.headers.get("x-instance-name") != INSTANCE:
            raise Refuse(403, {"type": "Forbidden", "message": "unknown instance"})

    def _page(self, found: list[dict[str, Any]], request: Request) -> Any:
        offset, limit = int(request.query.get("offset", 0)), int(request.query.get("limit", 1000))
        if limit > 1000:
            raise self.refusal(f"no such page: {request.query}")
        return {"success": True, "totalCount": len(found), "data": found[offset : offset + limit]}

    def _users(self, request: Request) -> Any:
        # A technical user is no person.
        found: list[dict[str, Any]] = [
            {"id": 8, "username": "milan@shop.example", "person": {"id": OWNER, "fullName": "Milan Buldog"}},
            {"id": 9, "username": "api@shop.example", "person": None},
        ]
        own = [
            {"id": 100 + one, "username": email, "person": {"id": one, "fullName": "Ann"} if active else None}
            for one, email, active in self.hired()
        ]
        return self._page([*found, *own], request)

    def owner_of(self, record: dict[str, Any]) -> int | None:
        """Whom the settings name for all of them counts as nobody."""
        return None if record["owner"] == OWNER else int(record["owner"])

    def _list_tasks(self, request: Request) -> Any:
        lead = int(self.only(request.query, "leadContextFilter", "offset", "limit")["leadContextFilter"])
        return self._page([{"id": one["id"], "title": one["title"]} for one in self.todo if one["of"] == lead], request)

    def _add_task(self, request: Request) -> Answer:
        body = self._owned(self.only(request.body, "title", "priority", "owner", "resolver", "lead", "deadline"))
        self._lead(body["lead"])
        due = datetime.fromisoformat(body["deadline"]).isoformat()[:16]
        made = {"id": self.new_id(), "title": body["title"], "of": body["lead"], "owner": self.owner_of(body)}
        # One without a deadline has the time of its chat.
        self.todo.append({**made, "due": "" if due == "2015-03-27T15:33" else due})
        return Answer(201, {"success": True, "data": {"id": made["id"]}})

    def _list_leads(self, request: Request) -> Any:
        asked = self.only(request.query, "rowInfo.createdAt[GE]", "sortColumn", "sortDirection", "offset", "limit")
        since = asked.get("rowInfo.createdAt[GE]")
        found = [one for one in self.leads.values() if not since or one["made"] >= datetime.fromisoformat(since)]
        shown = ("id", "topic", "contactInfo", "notice")
        return self._page([{name: one.get(name) for name in shown} for one in found], request)

    def _owned(self, body: dict[str, Any]) -> dict[str, Any]:
        if not (body["owner"] == OWNER or self.may_own(body["owner"])) or body["priority"] not in (
            "MINOR",
            "DEFAULT",
            "CRITICAL",
        ):
            raise Refuse(400, {"type": "ValidationError", "message": "no such owner or priority"})
        return body

    def _add_lead(self, request: Request) -> Answer:
        body = self._owned(self.only(request.body, *_LEAD))
        self.only(body["contactInfo"], "email", "tel1", "otherContact")
        if not isinstance(body.get("tags", ""), str) or len(body["topic"]) > 255:
            raise Refuse(400, {"type": "ValidationError", "message": "tags are one text"})
        made = {**body, "id": self.new_id(), "made": self.clock}
        self.leads[made["id"]] = made
        return Answer(201, {"success": True, "data": {"id": made["id"]}})

    def _lead(self, number: int) -> dict[str, Any]:
        if number not in self.leads:
            raise Refuse(404, {"type": "NotFound", "message": "no such lead"})
        return self.leads[number]

    def _change_lead(self, request: Request, lead: str) -> Any:
        there, body = self._lead(int(lead)), self.only(request.body, "customFields")
        there["customFields"] = {**there.get("customFields", {}), **body["customFields"]}
        return {"success": True}

    def _list_events(self, request: Request) -> Any:
        asked = self.only(request.query, "leadContextFilter", "offset", "limit")
        lead = int(asked["leadContextFilter"])
        return self._page([one for one in self.events if one["lead"] == lead], request)

    def _add_event(self, request: Request) -> Answer:
        body = self._owned(self.only(request.body, *_EVENT))
        datetime.fromisoformat(body["completed"])
        self._lead(body["lead"])
        self.events.append({**body, "id": self.new_id()})
        return Answer(201, {"success": True, "data": {"id": self.events[-1]["id"]}})

    def _person(self, request: Request, person: str) -> Any:
        if int(person) != OWNER and int(person) not in self.staff:
            raise Refuse(404, {"type": "NotFound", "message": "no such person"})
        return {"success": True, "data": {"id": int(person), "firstName": "Pan", "lastName": "Tau"}}
