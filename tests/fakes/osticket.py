"""osTicket 1.18 on loopback: what api.tickets.php and class.thread.php make of an email that is posted to its API."""

from __future__ import annotations

import email
import re
from collections.abc import Callable
from dataclasses import replace
from email.policy import default
from email.utils import parseaddr
from typing import Any

from connectors.testing.fake import Answer, Fake, Refuse, Request

KEY, ADDRESS = "osticket-key-0123456789", "support@shop.example"
#: Bytes of an email: post_max_size of PHP.
LONGEST = 8_000_000


def answer(status: int, text: str) -> Answer:
    return Answer(status, text, {"Content-Type": "text/html; charset=UTF-8"})


class OsTicketVendor(Fake):
    def __init__(self) -> None:
        super().__init__()
        self.users: dict[str, str] = {}
        self.tickets: dict[str, dict[str, Any]] = {}
        #: Tickets that are closed and cannot be opened again.
        self.final: set[str] = set()
        #: Addresses that are banned.
        self.banned: set[str] = set()
        self.route("POST", "/api/tickets.email", self._post)

    def people(self) -> list[Any]:
        return [f"{name} <{address}>" for address, name in self.users.items()]

    def records(self) -> list[Any]:
        return list(self.tickets.values())

    def texts(self) -> list[str]:
        return [one["html"] for ticket in self.tickets.values() for one in ticket["messages"]]

    def respond(self, request: Request) -> tuple[Answer, bool]:
        """Emails are kept as people read them: by header, with the text."""
        raw = request.body if isinstance(request.body, bytes) else b""
        mail = email.message_from_bytes(raw, policy=default)
        read = {name.lower(): str(value) for name, value in mail.items()}
        if read:
            read |= {"html": mail.get_content(), "size": str(len(raw))}
        return super().respond(replace(request, body=read))

    def _post(self, request: Request) -> Answer:
        if request.headers.get("x-api-key") != KEY:
            raise Refuse(401, "API key not found/active or source IP not authorized")
        mail = request.body
        if not mail:
            raise Refuse(400, "Unable to parse request")
        if int(mail["size"]) > LONGEST:
            raise Refuse(400, "Unable to read email request")
        known = self._with(lambda one: one["message-id"].lower() == mail["message-id"].lower())
        if known:
            return answer(201, known["number"])
        referred = re.findall(r"<[^>]+>", mail.get("references", ""))
        thread = self._with(lambda one: one["message-id"] in referred)
        # Its owner's own words may name another ticket.
        named = re.search(r"#(\w+)", mail["subject"])
        thread = thread or (self.tickets.get(named[1]) if named else None)
        sender = parseaddr(mail["from"])
        if thread and thread["number"] not in self.final:
            thread["messages"].append(mail)
            return answer(201, thread["number"])
        if sender[1] in self.banned:
            raise Refuse(403, f"Unable to create new ticket :Ticket denied: {sender[1]}")
        if len(mail["subject"]) > 255:
            raise Refuse(500, "Unable to create new ticket :Subject is too long")
        self.users.setdefault(sender[1].lower(), sender[0])
        number = str(self.new_id())
        self.tickets[number] = {"number": number, "owner": sender[1].lower(), "to": mail["to"], "messages": [mail]}
        return answer(201, number)

    def _with(self, meant: Callable[[dict[str, str]], bool]) -> dict[str, Any] | None:
        return next((one for one in self.tickets.values() if any(map(meant, one["messages"]))), None)
