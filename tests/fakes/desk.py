"""A help desk that nobody wrote a connector for: people, tickets, and notes that may be changed.

It makes a second record of everything that it is asked for twice, except where a request brings a key for that.
"""

from __future__ import annotations

import re
from typing import Any

from connectors.testing.fake import Answer, Fake, Refuse, Request
from tests.fakes.staff import Staff

KEY = "desk-key-0123456789"
NOTE, SUBJECT = 60_000, 120


class DeskVendor(Staff, Fake):
    def __init__(self) -> None:
        super().__init__()
        self.persons: list[dict[str, Any]] = []
        self.tickets: dict[str, dict[str, Any]] = {}
        #: Of notes: name and content.
        self.files: list[tuple[str, bytes]] = []
        #: What was answered to a request with a key of its own.
        self.answered: dict[str, Answer] = {}
        for method, path, answer in (
            ("GET", "me", lambda request: {"name": "Relay", "groups": [{"id": 3, "name": "Chats"}]}),
            ("GET", "fields", lambda request: [{"key": one, "name": one.title()} for one in ("country", "kind")]),
            ("GET", "agents", self._agents),
            ("GET", r"tickets/(\d+)/tasks", self._tasks),
            ("POST", r"tickets/(\d+)/tasks", self._add_task),
            ("GET", "people", self._look_for_person),
            ("POST", "people", self._add_person),
            ("GET", "tickets", self._look_for_tickets),
            ("POST", "tickets", self._add_ticket),
            ("PATCH", r"tickets/(\d+)", self._change_ticket),
            ("GET", r"tickets/(\d+)/notes", self._list_notes),
            ("POST", r"tickets/(\d+)/notes", self._add_note),
            ("PUT", r"tickets/(\d+)/notes/(\d+)", self._change_note),
        ):
            self.route(method, f"/api/{path}", self._for_relay(answer))

    def people(self) -> list[Any]:
        return self.persons

    def records(self) -> list[Any]:
        return list(self.tickets.values())

    def texts(self) -> list[str]:
        """Without the marks in their last lines."""
        notes = (note["html"] for ticket in self.tickets.values() for note in ticket["notes"])
        return [re.sub(r"<p>\[smartsupp:[^<]*\]</p>\Z", "", html) for html in notes]

    def attached(self) -> list[tuple[str, bytes]]:
        return self.files

    def _for_relay(self, answer: Any) -> Any:
        def guarded(request: Request, *groups: str) -> Any:
            if request.headers.get("authorization") != f"Bearer {KEY}" and request.query.get("key_") != KEY:
                raise Refuse(401, {"error": {"code": "UNAUTHORIZED"}})
            known = request.headers.get("idempotency-key", "")
            if known not in self.answered:
                made = answer(request, *groups)
                if not known:
                    return made
                self.answered[known] = made
            return self.answered[known]

        return guarded

    def _only(self, body: Any, *keys: str) -> dict[str, Any]:
        if not isinstance(body, dict) or {*body} - {*keys} or None in body.values() or "" in body.values():
            raise Refuse(400, {"error": {"code": "INVALID", "message": f"the fake does not know {body}"}})
        return body

    # --- agents, and their tasks -------------------------------------------------------

    def owner_of(self, record: dict[str, Any]) -> int | None:
        return record.get("agent")

    def _agents(self, request: Request) -> Any:
        return {"data": [{"id": one, "name": "Ann", "email": email, "active": on} for one, email, on in self.hired()]}

    def _given(self, body: dict[str, Any]) -> dict[str, Any]:
        if "agent" in body and not self.may_own(body["agent"]):
            raise Refuse(422, {"error": {"code": "NO_SUCH_AGENT"}})
        return body

    def _tasks(self, request: Request, ticket: str) -> Any:
        return [{"id": one["id"], "title": one["title"]} for one in self.todo if str(one["of"]) == ticket]

    def _add_task(self, request: Request, ticket: str) -> Answer:
        body = self._given(self._only(request.body, "title", "due", "agent"))
        of = self._ticket(ticket)["id"]
        made = {"id": self.new_id(), "title": body["title"], "of": of, "owner": body.get("agent")}
        self.todo.append({**made, "due": body.get("due", "")})
        return Answer(201, {"id": made["id"]})

    # --- people ------------------------------------------------------------------------

    def _look_for_person(self, request: Request) -> Any:
        return {"found": [one for one in self.persons if one["email"].lower() == request.query["email"].lower()]}

    def _add_person(self, request: Request) -> Answer:
        body = self._only(request.body, "email", "name")
        if body["email"].startswith("typo"):
            raise Refuse(422, {"error": {"code": "BAD_EMAIL"}})
        self.persons.append({**body, "id": self.new_id()})
        return Answer(201, {"person": {"id": self.persons[-1]["id"]}})

    # --- tickets -----------------------------------------------------------------------

    def _look_for_tickets(self, request: Request) -> Any:
        page = int(request.query.get("page", 1))
        # Its search does not tell small letters from capitals.
        same = [one for one in self.tickets.values() if one["key"].lower() == request.query["key"].lower()]
        return {"data": {"tickets": same[page - 1 : page]}, "more": len(same) > page}

    def _add_ticket(self, request: Request) -> Answer:
        body = self._given(self._only(request.body, "key", "person", "subject", "tags", "country", "kind", "agent"))
        if len(body["subject"]) > SUBJECT or not isinstance(body.get("tags", []), list):
            raise Refuse(400, {"error": {"code": "INVALID"}})
        if "person" in body and body["person"] not in [one["id"] for one in self.persons]:
            raise Refuse(422, {"error": {"code": "NO_SUCH_PERSON"}})
        made = {**body, "id": self.new_id(), "notes": []}
        self.tickets[str(made["id"])] = made
        return Answer(201, {"ticket": {"id": made["id"], "link": f"{self.url}/t/{made['id']}"}})

    def _change_ticket(self, request: Request, ticket: str) -> Any:
        self._ticket(ticket).update(self._only(request.body, "country", "kind"))
        return Answer(204)

    def _ticket(self, ticket: str) -> dict[str, Any]:
        if ticket not in self.tickets:
            raise Refuse(404, {"error": {"code": "NOT_FOUND"}})
        return self.tickets[ticket]

    # --- notes -------------------------------------------------------------------------

    def _list_notes(self, request: Request, ticket: str) -> Any:
        return self._ticket(ticket)["notes"]

    def _note(self, request: Request) -> dict[str, Any]:
        form, sent = request.form() if isinstance(request.body, bytes) else (request.body, [])
        if any(field != "files" or kind == "text/html" or not content for field, _, kind, content in sent):
            raise Refuse(400, {"error": {"code": "INVALID"}})
        self.files += [(name, content) for _, name, _, content in sent]
        body = self._only(form, "html")
        if len(body["html"]) > NOTE:
            raise Refuse(400, {"error": {"code": "TOO_LONG"}})
        return body

    def _add_note(self, request: Request, ticket: str) -> Answer:
        notes = self._ticket(ticket)["notes"]
        notes.append({**self._note(request), "id": self.new_id()})
        return Answer(201, {"id": notes[-1]["id"]})

    def _change_note(self, request: Request, ticket: str, note: str) -> Any:
        there = next((one for one in self._ticket(ticket)["notes"] if str(one["id"]) == note), None)
        if there is None:
            raise Refuse(404, {"error": {"code": "NOT_FOUND"}})
        there.update(self._note(request))
        return Answer(204)
