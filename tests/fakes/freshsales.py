"""Freshsales Suite on loopback, after https://developers.freshworks.com/crm/api/."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from connectors.testing.fake import Answer, Refuse, Request
from tests.fakes.hosted import HostedVendor
from tests.fakes.staff import Staff

KEY = "freshsales-key-0123456789"
NOTE, NAME, PAGE = 65_000, 255, 25


def failed(status: int, *messages: str) -> Refuse:
    return Refuse(status, {"errors": {"code": status, "message": list(messages)}})


class FreshsalesVendor(Staff, HostedVendor):
    def __init__(self) -> None:
        super().__init__()
        self.contacts: dict[str, dict[str, Any]] = {}
        #: In the order in which they were made.
        self.notes: dict[str, dict[str, Any]] = {}
        self.guarded(
            "/crm/sales/api",
            ("GET", "/selector/owners", self._owners),
            ("GET", "/lookup", self._lookup),
            ("POST", "/contacts", self._add_contact),
            ("GET", r"/contacts/(\d+)/notes", self._list_notes),
            ("POST", "/notes", self._add_note),
            ("PUT", r"/notes/(\d+)", self._change_note),
        )

    def allows(self, request: Request) -> bool:
        return request.headers.get("authorization") == f"Token token={KEY}"

    def stranger(self) -> Refuse:
        return Refuse(401, {"login": "failed", "message": "incorrect or expired token"})

    def refusal(self, text: str) -> Refuse:
        return failed(400, text)

    def people(self) -> list[Any]:
        return list(self.contacts.values())

    def records(self) -> list[Any]:
        """The notes of one chat are one."""
        marks = (re.search(r"\[(smartsupp:[^\] ]+) \d+\]</p>\Z", one["description"]) for one in self.notes.values())
        return sorted({mark[1] for mark in marks if mark})

    def texts(self) -> list[str]:
        texts = (one["description"] for one in self.notes.values())
        return [re.sub(r"<p>\[smartsupp:[^\]]*\]</p>\Z", "", text) for text in texts]

    def bodies(self, ticket: dict[str, Any]) -> Iterable[str]:
        return ()

    def owner_of(self, record: str) -> int | None:
        """A note is whose its contact is."""
        note = next(one for one in self.notes.values() if record in one["description"])
        return self.contacts[str(note["targetable_id"])].get("owner_id")

    def _owners(self, request: Request) -> Any:
        own = [
            {"id": one, "display_name": "Ann", "email": email, "is_active": active}
            for one, email, active in self.hired()
        ]
        return {"users": [{"id": 1, "display_name": "Relay", "email": "relay@shop.example", "is_active": True}, *own]}

    def _lookup(self, request: Request) -> Any:
        wanted = self.only(request.query, "q", f="email", entities="contact")["q"].lower()
        same = [one for one in self.contacts.values() if one["email"] == wanted]
        return {"contacts": {"contacts": self.searched(same), "meta": {"total": len(same)}}}

    def _add_contact(self, request: Request) -> Answer:
        body = self.only(request.body, "contact")["contact"]
        contact = self.only(body, "email", "first_name", "last_name", "custom_field", "owner_id")
        if "owner_id" in contact and not self.may_own(contact["owner_id"]):
            raise failed(400, "Owner is invalid")
        email = contact["email"].lower()
        if email.startswith("typo"):
            raise failed(400, "Email is invalid")
        if any(one["email"] == email for one in self.contacts.values()):
            raise failed(400, "The contact already exists with this email")
        self.kept(contact["last_name"], NAME)
        made = {**contact, "email": email, "id": self.new_id()}
        self.contacts[str(made["id"])] = made
        return Answer(200, {"contact": made})

    def _list_notes(self, request: Request, contact: str) -> Any:
        if contact not in self.contacts:
            raise failed(404, "not found")
        same = [one for one in reversed(self.notes.values()) if str(one["targetable_id"]) == contact]
        begin = (int(request.query.get("page", 1)) - 1) * PAGE
        return {"notes": same[begin : begin + PAGE]}

    def _add_note(self, request: Request) -> Answer:
        body = self.only(request.body, "note")["note"]
        note = self.only(body, "description", "targetable_id", targetable_type="Contact")
        if str(note["targetable_id"]) not in self.contacts:
            raise failed(400, "Targetable can't be blank")
        made = {**note, "id": self.new_id(), "description": self.kept(note["description"], NOTE)}
        self.notes[str(made["id"])] = made
        return Answer(200, {"note": made})

    def _change_note(self, request: Request, number: str) -> Any:
        if number not in self.notes:
            raise failed(404, "not found")
        note = self.only(self.only(request.body, "note")["note"], "description")
        self.notes[number]["description"] = self.kept(note["description"], NOTE)
        return {"note": self.notes[number]}
