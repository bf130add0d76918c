"""Front on loopback, after its OpenAPI document (https://github.com/frontapp/front-api-specs).

It takes an import at once and shows the message later, and it does not import an external id twice.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from connectors.testing.fake import Answer, Refuse, Request
from tests.fakes.hosted import HostedVendor
from tests.fakes.staff import Staff

TOKEN = "front-token-0123456789"
INBOX, ADDRESS = "inb_a1b2", "chats@shop.example.com"
BODY = 1_000_000


def failed(status: int, title: str) -> Refuse:
    return Refuse(status, {"_error": {"status": status, "title": title, "message": title}})


class FrontVendor(Staff, HostedVendor):
    def __init__(self) -> None:
        super().__init__()
        self.contacts: dict[str, str] = {}
        #: By external id.
        self.messages: dict[str, dict[str, Any]] = {}
        #: How often a new message is not there yet when it is asked for.
        self.late = 0
        #: Of teammates who are not people: what they are.
        self.kinds: dict[str, str] = {}
        self.guarded(
            "",
            ("GET", "/me", lambda request: {"id": "cmp_1", "name": "Shop"}),
            ("GET", "/inboxes", lambda request: {"_results": [self._inbox(request, INBOX)]}),
            ("GET", r"/inboxes/(\w+)", self._inbox),
            ("GET", r"/inboxes/(\w+)/channels", self._channels),
            ("POST", r"/inboxes/(\w+)/imported_messages", self._import),
            ("GET", r"/messages/alt:uid:(\w+)", self._message),
            ("PATCH", r"/conversations/cnv_(\w+)", self._change),
            ("PUT", r"/conversations/cnv_(\w+)/assignee", self._assign),
            ("GET", "/teammates", self._teammates),
        )

    def allows(self, request: Request) -> bool:
        return request.headers.get("authorization") == f"Bearer {TOKEN}"

    def stranger(self) -> Refuse:
        return failed(401, "Unauthenticated")

    def refusal(self, text: str) -> Refuse:
        return failed(400, text)

    def people(self) -> list[Any]:
        return [{"handle": handle, "name": name} for handle, name in self.contacts.items()]

    def bodies(self, ticket: dict[str, Any]) -> Iterable[str]:
        return [one["body"] for one in self.messages.values() if one["conversation"] == ticket["id"]]

    def spelled(self, number: int) -> str:
        return f"tea_{number}"

    def owner_of(self, record: dict[str, Any]) -> str | None:
        return record.get("assignee")

    def _teammates(self, request: Request) -> Any:
        person = {"first_name": "Ann", "last_name": "Agent"}
        own = [
            {"id": one, "email": email, "is_blocked": not active, "type": self.kinds.get(one, "user"), **person}
            for one, email, active in self.hired()
        ]
        return {"_results": own}

    def _assign(self, request: Request, number: str) -> Answer:
        [there] = [one for one in self.tickets.values() if one["id"] == number]
        owner = self.only(request.body, "assignee_id")["assignee_id"]
        if not self.may_own(owner):
            raise failed(400, "Invalid assignee")
        there["assignee"] = owner
        return Answer(204)

    @staticmethod
    def _inbox(request: Request, inbox: str) -> Any:
        if inbox != INBOX:
            raise failed(404, "Not found")
        return {"id": INBOX, "name": "Chats"}

    def _channels(self, request: Request, inbox: str) -> Any:
        self._inbox(request, inbox)
        return {"_results": [{"id": "cha_1", "address": ADDRESS, "type": "smtp"}]}

    def _import(self, request: Request, inbox: str) -> Answer:
        self._inbox(request, inbox)
        keys = ("sender", "to", "subject", "body", "external_id", "created_at", "tags", "metadata")
        body = self.only(request.body, *keys, type="email", body_format="html")
        sender = self.only(body["sender"], "handle", "name")
        metadata = self.only(body["metadata"], "thread_ref", "is_archived", "should_skip_rules", is_inbound=True)
        if not isinstance(body["created_at"], int) or not isinstance(metadata["is_archived"], bool):
            raise self.refusal("of another type")
        self.kept(body["body"], BODY)
        if body["external_id"] not in self.messages:
            self.contacts.setdefault(sender["handle"].lower(), sender.get("name", ""))
            thread = self.tickets.setdefault(metadata["thread_ref"], {"id": f"{self.new_id()}", "metadata": metadata})
            thread["tags"] = sorted({*thread.get("tags", []), *body["tags"]})
            number = self.new_id()
            made = {"body": body["body"], "uid": f"{number}", "asked": 0, "conversation": thread["id"]}
            self.messages[body["external_id"]] = {**made, "id": f"msg_{number}", "created_at": body["created_at"]}
        return Answer(202, {"status": "accepted", "message_uid": self.messages[body["external_id"]]["uid"]})

    def _message(self, request: Request, uid: str) -> Any:
        one = next((one for one in self.messages.values() if one["uid"] == uid), None)
        if one is None or one["asked"] < self.late:
            if one is not None:
                one["asked"] += 1
            raise failed(404, "Not found")
        return {
            "id": one["id"],
            "_links": {"related": {"conversation": f"{self.url}/conversations/cnv_{one['conversation']}"}},
        }

    def _change(self, request: Request, number: str) -> Answer:
        [there] = [one for one in self.tickets.values() if one["id"] == number]
        there["custom_fields"] = self.only(request.body, "custom_fields")["custom_fields"]
        return Answer(204)
