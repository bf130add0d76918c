"""Help Scout on loopback, after https://developer.helpscout.com/mailbox-api/ and its own client for PHP.

Its lists have no `_embedded` where they are empty, and what was created has its id in a header.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from connectors.testing.fake import Answer, Refuse, Request
from tests.fakes.hosted import HostedVendor
from tests.fakes.staff import Staff

MAILBOX, FIELD = 85, 531
#: Bytes of a request, threads of a conversation, threads of a page.
REQUEST, THREADS, PAGE = 100_000, 100, 25
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


def invalid(path: str) -> Refuse:
    error = {"path": path, "message": "may not be so", "source": "JSON"}
    return Refuse(400, {"logRef": "x", "message": "Bad request", "_embedded": {"errors": [error]}})


class HelpScoutVendor(Staff, HostedVendor):
    def __init__(self) -> None:
        super().__init__()
        self.customers: dict[str, dict[str, Any]] = {}
        self.tokens_at("/v2/oauth2/token")
        self.guarded(
            "/v2",
            ("GET", "/users/me", lambda request: {"id": 9, "email": "relay@example.com"}),
            ("GET", "/users", self._users),
            ("GET", "/mailboxes", self._mailboxes),
            ("GET", rf"/mailboxes/{MAILBOX}/fields", self._fields),
            ("GET", r"/mailboxes/(\d+)", self._mailbox),
            ("GET", "/conversations", self._list),
            ("POST", "/conversations", self._create),
            ("GET", r"/conversations/(\d+)/threads", self._list_threads),
            ("POST", r"/conversations/(\d+)/notes", self._add_note),
        )

    def stranger(self) -> Refuse:
        return Refuse(401, {"error": "invalid_token"})

    def refusal(self, text: str) -> Refuse:
        return invalid(text)

    def people(self) -> list[Any]:
        return list(self.customers.values())

    def bodies(self, ticket: dict[str, Any]) -> Iterable[str]:
        return [one["body"] for one in ticket["threads"]]

    def owner_of(self, record: dict[str, Any]) -> int | None:
        return record.get("assignTo")

    def _users(self, request: Request) -> Any:
        self.only(request.query, "page", mailbox=str(MAILBOX))
        # Who is switched off is deleted; a team is listed beside the users.
        own = [
            {"id": one, "firstName": "Ann", "lastName": "Agent", "email": email, "type": "user"}
            for one, email, active in self.hired()
            if active
        ]
        return self._page("users", [*own, {"id": 1, "firstName": "All", "lastName": "", "type": "team"}], request)

    @staticmethod
    def _mailbox(request: Request, number: str) -> Any:
        if number != str(MAILBOX):
            raise Refuse(404, {"message": "Not Found"})
        return {"id": MAILBOX, "name": "Chats"}

    def _mailboxes(self, request: Request) -> Any:
        more = [{"id": number, "name": f"Inbox {number}"} for number in range(MAILBOX + 1, MAILBOX + 2 * PAGE)]
        return self._page("mailboxes", [{"id": MAILBOX, "name": "Chats"}, *more], request)

    def _fields(self, request: Request) -> Any:
        return self._page("fields", [{"id": FIELD, "name": "Country", "type": "singleline"}], request)

    def _page(self, name: str, found: list[Any], request: Request) -> Any:
        number = int(request.query.get("page", 1))
        shown = found[(number - 1) * PAGE : number * PAGE]
        following = (
            {"next": {"href": f"{self.url}{request.path}?page={number + 1}"}} if len(found) > number * PAGE else {}
        )
        counts = {"size": PAGE, "totalElements": len(found), "number": number}
        return {**({"_embedded": {name: shown}} if shown else {}), "_links": following, "page": counts}

    def _list(self, request: Request) -> Any:
        query = self.only(request.query, "query", "modifiedSince", mailbox=str(MAILBOX), status="all", embed="threads")
        wanted = re.fullmatch(r'\(email:"(.+)"\)', query["query"])
        if wanted is None or not _TIME.fullmatch(query["modifiedSince"]):
            raise invalid("query")
        same = [one for one in self.tickets.values() if one["customer"] == wanted[1].lower()]
        shown = [{"id": one["id"], "_embedded": {"threads": one["threads"]}} for one in self.searched(same)]
        return self._page("conversations", shown, request)

    def _create(self, request: Request) -> Answer:
        keys = ("subject", "mailboxId", "status", "customer", "createdAt", "threads", "tags", "fields", "assignTo")
        body = self.only(self._small(request), *keys, type="email", imported=True)
        if body["mailboxId"] != MAILBOX:
            raise invalid("mailboxId")
        if "assignTo" in body and not self.may_own(body["assignTo"]):
            raise invalid("assignTo")
        if not _TIME.fullmatch(body["createdAt"]):
            raise invalid("createdAt")
        customer = self.only(body["customer"], "email", "firstName", "lastName")
        email = customer["email"].lower()
        if email.startswith("typo"):
            raise invalid("customer.email")
        for name in ("firstName", "lastName"):
            self.kept(customer.get(name, "-"), 40)
        [thread] = body["threads"]
        text = self.only(thread, "text", type="note")["text"]
        # Of a customer who is known, the rest is ignored.
        self.customers.setdefault(email, customer)
        made = {**body, "id": self.new_id(), "customer": email, "threads": [{"id": self.new_id(), "body": text}]}
        self.tickets[str(made["id"])] = made
        return Answer(201, None, {"Resource-ID": str(made["id"])})

    @staticmethod
    def _small(request: Request) -> Any:
        if int(request.headers["content-length"]) > REQUEST:
            raise Refuse(413, {"message": "Request entity too large"})
        return request.body

    def _conversation(self, number: str) -> dict[str, Any]:
        if number not in self.tickets:
            raise Refuse(404, {"message": "Not Found"})
        return self.tickets[number]

    def _list_threads(self, request: Request, number: str) -> Any:
        return self._page("threads", self._conversation(number)["threads"][::-1], request)

    def _add_note(self, request: Request, number: str) -> Answer:
        body = self.only(self._small(request), "text", imported=True)
        threads = self._conversation(number)["threads"]
        if len(threads) >= THREADS:
            raise Refuse(412, {"message": "Precondition Failed"})
        threads.append({"id": self.new_id(), "body": self.kept(body["text"], REQUEST)})
        return Answer(201, None, {"Resource-ID": str(threads[-1]["id"])})
