"""My Desk as a small server with a memory, written from its documentation."""

from __future__ import annotations

from typing import Any

from connectors.testing.fake import Answer, Fake, Refuse, Request

KEY = "key-0123456789"


class MyDeskVendor(Fake):
    def __init__(self) -> None:
        super().__init__()
        self.persons: list[dict[str, Any]] = []
        self.tickets: dict[str, dict[str, Any]] = {}
        for method, path, answer in (
            ("GET", "me", lambda request: {"name": "Relay"}),
            ("GET", "people", self._look_for_person),
            ("POST", "people", self._add_person),
            ("GET", "tickets", self._look_for_ticket),
            ("POST", "tickets", self._add_ticket),
            ("GET", r"tickets/(\d+)/notes", self._list_notes),
            ("POST", r"tickets/(\d+)/notes", self._add_note),
        ):
            self.route(method, f"/api/{path}", answer)

    # --- what the contract asks ----------------------------------------------------

    def people(self) -> list[Any]:
        return self.persons

    def records(self) -> list[Any]:
        return list(self.tickets.values())

    def texts(self) -> list[str]:
        return [note["html"] for ticket in self.tickets.values() for note in ticket["notes"]]

    # --- the vendor's calls ----------------------------------------------------------

    def _look_for_person(self, request: Request) -> Any:
        return {"found": [one for one in self.persons if one["email"].lower() == request.query["email"].lower()]}

    def _add_person(self, request: Request) -> Answer:
        self.persons.append({**request.body, "id": self.new_id()})
        return Answer(201, {"id": self.persons[-1]["id"]})

    def _look_for_ticket(self, request: Request) -> Any:
        return {"found": [one for one in self.tickets.values() if one["key"] == request.query["key"]]}

    def _add_ticket(self, request: Request) -> Answer:
        if len(request.body["subject"]) > 200:
            raise Refuse(400, {"error": "the subject is too long"})
        person = request.body.get("person")
        if person is not None and str(person) not in [str(one["id"]) for one in self.persons]:
            raise Refuse(422, {"error": "no such person"})
        made = {**request.body, "id": self.new_id(), "notes": []}
        self.tickets[str(made["id"])] = made
        return Answer(201, {"id": made["id"]})

    def _list_notes(self, request: Request, ticket: str) -> Any:
        return {"found": self._ticket(ticket)["notes"]}

    def _add_note(self, request: Request, ticket: str) -> Answer:
        if len(request.body["html"]) > 60_000:
            raise Refuse(400, {"error": "the note is too long"})
        notes = self._ticket(ticket)["notes"]
        notes.append({**request.body, "id": self.new_id()})
        return Answer(201, {"id": notes[-1]["id"]})

    def _ticket(self, ticket: str) -> dict[str, Any]:
        if ticket not in self.tickets:
            raise Refuse(404, {"error": "no such ticket"})
        return self.tickets[ticket]
