"""Intercom 2.16 on loopback, after its OpenAPI document (https://github.com/intercom/Intercom-OpenAPI).

Its searches may lag behind. What the document leaves open is taken as the worse of two: an attribute that the ticket
type does not have is left out silently.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from connectors.testing.fake import Refuse, Request
from tests.fakes.hosted import HostedVendor
from tests.fakes.staff import Staff

TOKEN = "intercom-token-0123456789"
WORKSPACE, ADMIN, TICKET_TYPE = "ab12cd34", "814860", "4321"
NOTE = 100_000


def failed(status: int, code: str, message: str = "no") -> Refuse:
    return Refuse(status, {"type": "error.list", "request_id": "r1", "errors": [{"code": code, "message": message}]})


class IntercomVendor(Staff, HostedVendor):
    def __init__(self) -> None:
        super().__init__()
        self.attributes = {"_default_title_", "_default_description_", "smartsupp_chat", "Country"}
        self.contacts: dict[str, dict[str, Any]] = {}
        #: Addresses of contacts that were archived.
        self.archived: set[str] = set()
        self.guarded(
            "",
            ("GET", "/me", self._me),
            ("GET", "/admins", self._admins),
            ("GET", "/ticket_types", self._ticket_types),
            ("GET", r"/admins/(\w+)", self._admin),
            ("GET", r"/ticket_types/(\w+)", self._ticket_type),
            ("POST", "/contacts/search", self._search_contacts),
            ("POST", "/contacts", self._add_contact),
            ("POST", "/tickets/search", self._search_tickets),
            ("POST", "/tickets", self._add_ticket),
            ("GET", r"/tickets/(\w+)", lambda request, number: self._ticket(number)),
            ("PUT", r"/tickets/(\w+)", self._change_ticket),
            ("POST", r"/tickets/(\w+)/reply", self._reply),
        )

    def allows(self, request: Request) -> bool:
        return request.headers.get("authorization") == f"Bearer {TOKEN}"

    def stranger(self) -> Refuse:
        return failed(401, "unauthorized", "Access Token Invalid")

    def refusal(self, text: str) -> Refuse:
        return failed(400, "parameter_invalid", text)

    def people(self) -> list[Any]:
        return list(self.contacts.values())

    def bodies(self, ticket: dict[str, Any]) -> Iterable[str]:
        return [one["body"] for one in ticket["ticket_parts"]["ticket_parts"]]

    # --- the workspace -----------------------------------------------------------------

    def _me(self, request: Request) -> Any:
        if request.headers.get("intercom-version") != "2.16":
            raise failed(400, "intercom_version_invalid")
        return {"type": "admin", "id": ADMIN, "name": "Relay", "app": {"id_code": WORKSPACE, "name": "Shop"}}

    def spelled(self, number: int) -> str:
        return f"9912{number}"

    def owner_of(self, record: dict[str, Any]) -> str | None:
        owner: str | None = record["admin_assignee_id"]
        return owner

    def _admins(self, request: Request) -> Any:
        own = [
            {"type": "admin", "id": one, "name": "Ann", "email": email, "has_inbox_seat": active}
            for one, email, active in self.hired()
        ]
        return {"type": "admin.list", "admins": [{**self._admin(request, ADMIN), "has_inbox_seat": False}, *own]}

    def _admin(self, request: Request, admin: str) -> Any:
        if admin != ADMIN and admin not in self.staff:
            raise failed(404, "admin_not_found")
        return {"type": "admin", "id": admin, "name": "Relay" if admin == ADMIN else "Ann"}

    @staticmethod
    def _ticket_types(request: Request) -> Any:
        kinds = ((TICKET_TYPE, "Chat", False), ("4322", "Old", True))
        return {"type": "list", "data": [{"id": one, "name": name, "archived": gone} for one, name, gone in kinds]}

    def _ticket_type(self, request: Request, kind: str) -> Any:
        if kind != TICKET_TYPE:
            raise failed(404, "not_found", "Resource Not Found")
        return {"id": kind, "ticket_type_attributes": {"data": [{"name": name} for name in sorted(self.attributes)]}}

    # --- contacts ----------------------------------------------------------------------

    def _search_contacts(self, request: Request) -> Any:
        query = self.only(request.body, "query", "sort", "pagination")["query"]
        self.only(query, "value", field="email", operator="=")
        same = [one for one in self.contacts.values() if one["email"] == query["value"].lower()]
        return {"type": "list", "data": self.searched(same), "total_count": len(same)}

    def _add_contact(self, request: Request) -> Any:
        body = self.only(request.body, "email", "name", role="user")
        email = body["email"].lower()
        if email.startswith("typo"):
            raise failed(400, "parameter_invalid", "email is invalid")
        if email in self.archived:
            raise failed(409, "conflict", "An archived contact matching those details already exists with id=1")
        if any(one["email"] == email for one in self.contacts.values()):
            raise failed(409, "conflict", "A contact matching those details already exists with id=2")
        contact = {"type": "contact", "id": f"{self.new_id():024}", "email": email, "name": body.get("name")}
        self.contacts[contact["id"]] = contact
        return contact

    # --- tickets -----------------------------------------------------------------------

    def _search_tickets(self, request: Request) -> Any:
        query = self.only(request.body, "query", "pagination")["query"]
        of_contact, since = self.only(query, "value", operator="AND")["value"]
        self.only(of_contact, "value", field="contact_ids", operator="=")
        if not isinstance(self.only(since, "value", field="created_at", operator=">")["value"], int):
            raise self.refusal("created_at is a number")
        same = [one for one in self.tickets.values() if one["contact"] == of_contact["value"]]
        return {"type": "ticket.list", "tickets": self.searched(same), "total_count": len(same)}

    def _add_ticket(self, request: Request) -> Any:
        body = self.only(
            request.body, "ticket_type_id", "contacts", "ticket_attributes", "assignment", skip_notifications=True
        )
        owner = self.only(body.get("assignment", {}), "admin_assignee_id").get("admin_assignee_id")
        if owner is not None and not self.may_own(owner):
            raise failed(404, "admin_not_found")
        if body["ticket_type_id"] != TICKET_TYPE:
            raise failed(404, "not_found", "Resource Not Found")
        [contact] = body["contacts"]
        if contact["id"] not in self.contacts:
            raise failed(404, "contact_not_found")
        ticket = {
            "type": "ticket",
            "id": f"{self.new_id()}",
            "contact": contact["id"],
            "admin_assignee_id": owner,
            "ticket_attributes": self._known(body["ticket_attributes"]),
            "ticket_parts": {"type": "ticket_part.list", "ticket_parts": []},
        }
        self.tickets[ticket["id"]] = ticket
        return ticket

    def _known(self, attributes: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in attributes.items() if name in self.attributes}

    def _ticket(self, number: str) -> dict[str, Any]:
        if number not in self.tickets:
            raise failed(404, "ticket_not_found")
        return self.tickets[number]

    def _change_ticket(self, request: Request, number: str) -> Any:
        ticket = self._ticket(number)
        ticket["ticket_attributes"] |= self._known(self.only(request.body, "ticket_attributes")["ticket_attributes"])
        return ticket

    def _reply(self, request: Request, number: str) -> Any:
        wanted: dict[str, Any] = {"message_type": "note", "type": "admin", "skip_notifications": True}
        body = self.only(request.body, "body", "admin_id", **wanted)
        if body["admin_id"] != ADMIN:
            raise failed(404, "admin_not_found")
        part = {"type": "ticket_part", "id": f"{self.new_id()}", "body": self.kept(body["body"], NOTE)}
        self._ticket(number)["ticket_parts"]["ticket_parts"].append(part)
        return part
