"""Gorgias on loopback, after https://developers.gorgias.com/reference/introduction."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable
from typing import Any

from connectors.testing.fake import Answer, Refuse, Request
from tests.fakes.hosted import HostedVendor
from tests.fakes.staff import Staff

EMAIL, KEY = "relay@shop.example.com", "gorgias-key-0123456789"
BODY, EXTERNAL_ID = 500_000, 255
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


def invalid(text: str, **data: Any) -> Refuse:
    return Refuse(400, {"error": {"msg": text, "data": data}})


class GorgiasVendor(Staff, HostedVendor):
    def __init__(self) -> None:
        super().__init__()
        #: Whether it has the filter that its documentation promises.
        self.filters = True
        #: Of users who are not agents.
        self.roles: dict[int, str] = {}
        self.customers: dict[str, dict[str, Any]] = {}
        self.guarded(
            "/api",
            ("GET", "/account", lambda request: {"domain": "shop", "status": {"status": "active"}}),
            ("GET", "/users", self._users),
            ("GET", "/tickets", self._list),
            ("POST", "/tickets", self._create),
            ("GET", r"/tickets/(\d+)/messages", self._messages),
            ("POST", r"/tickets/(\d+)/messages", self._add_message),
        )

    def allows(self, request: Request) -> bool:
        proof = base64.b64encode(f"{EMAIL}:{KEY}".encode()).decode()
        return request.headers.get("authorization") == f"Basic {proof}"

    def stranger(self) -> Refuse:
        return Refuse(401, {"error": {"msg": "Invalid credentials."}})

    def refusal(self, text: str) -> Refuse:
        return invalid(text)

    def people(self) -> list[Any]:
        return list(self.customers.values())

    def bodies(self, ticket: dict[str, Any]) -> Iterable[str]:
        return [one["body_html"] for one in ticket["messages"]]

    @staticmethod
    def _page(found: list[Any], request: Request) -> Any:
        begin, limit = int(request.query.get("cursor", 0)), int(request.query.get("limit", 30))
        following = str(begin + limit) if len(found) > begin + limit else None
        return {"object": "list", "data": found[begin : begin + limit], "meta": {"next_cursor": following}}

    def owner_of(self, record: dict[str, Any]) -> int | None:
        owner: int | None = record.get("assignee_user", {}).get("id")
        return owner

    def _users(self, request: Request) -> Any:
        own = [
            {
                "id": one,
                "email": email,
                "name": "Ann",
                "active": active,
                "role": {"name": self.roles.get(one, "agent")},
                "deactivated_datetime": None if active else "2015-03-27T15:33:00",
            }
            for one, email, active in self.hired()
        ]
        return self._page(own, request)

    def _list(self, request: Request) -> Any:
        wanted = self.only(request.query, "external_id", "limit", "cursor")["external_id"].lower()
        # Its database does not tell small letters from capitals.
        same = [one for one in self.tickets.values() if one["external_id"].lower() == wanted or not self.filters]
        return self._page([{"id": one["id"], "external_id": one["external_id"]} for one in same], request)

    def _create(self, request: Request) -> Answer:
        keys = ("subject", "external_id", "channel", "status", "created_datetime", "customer", "tags", "custom_fields")
        body = self.only(request.body, *keys, "messages", "assignee_user", via="api", from_agent=False)
        self.kept(body["external_id"], EXTERNAL_ID)
        if "assignee_user" in body and not self.may_own(self.only(body["assignee_user"], "id")["id"]):
            raise invalid("Failed to create the ticket.", assignee_user=["User does not exist."])
        if not _TIME.fullmatch(body["created_datetime"]) or body["channel"] not in ("chat", "email", "api"):
            raise invalid("Failed to create the ticket.")
        customer = self.only(body["customer"], "email", "name")
        email = customer["email"].lower()
        if email.startswith("typo"):
            raise invalid("Failed to create the ticket.", customer={"email": ["Not a valid email address."]})
        messages = [self._note(one) for one in body["messages"]]
        self.customers.setdefault(email, customer)
        made = {**body, "id": self.new_id(), "messages": messages}
        self.tickets[str(made["id"])] = made
        return Answer(201, {"id": made["id"], "external_id": made["external_id"]})

    def _note(self, body: Any) -> dict[str, Any]:
        wanted: dict[str, Any] = {"channel": "internal-note", "via": "api", "from_agent": True}
        note = self.only(body, "body_html", sender={"email": EMAIL}, **wanted)
        return {"id": self.new_id(), "body_html": self.kept(note["body_html"], BODY)}

    def _ticket(self, number: str) -> dict[str, Any]:
        if number not in self.tickets:
            raise Refuse(404, {"error": {"msg": "Ticket does not exist."}})
        return self.tickets[number]

    def _messages(self, request: Request, number: str) -> Any:
        return self._page(self._ticket(number)["messages"], request)

    def _add_message(self, request: Request, number: str) -> Answer:
        self._ticket(number)["messages"].append(self._note(request.body))
        return Answer(201, {"id": self._ticket(number)["messages"][-1]["id"]})
