"""Bitrix24's REST API on loopback, behind an inbound webhook, after https://apidocs.bitrix24.com/api-reference/crm/.

A field that it does not know is left out silently; what is found nowhere is an empty list, as PHP has it.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

from connectors.testing.fake import Refuse, Request
from tests.fakes.hosted import HostedVendor
from tests.fakes.staff import Staff

USER, CODE = 7, "webhook-code-0123456789"
CONTACT, COMMENT = 3, 65_535
_KINDS = {1: "lead", 2: "deal", 3: "contact"}
_OWN = {
    "title", "name", "lastName", "contactId", "sourceId", "assignedById", "originatorId", "originId", "fm",
    "ufCrmCountry",
}  # fmt: skip
_TAGS = re.compile(r"\[/?[BI]\]|\[URL=[^\]]*\]|\[/URL\]")


def error(status: int, code: str, text: str = "no") -> Refuse:
    return Refuse(status, {"error": code, "error_description": text})


class Bitrix24Vendor(Staff, HostedVendor):
    def __init__(self) -> None:
        super().__init__()
        self.items: dict[int, dict[int, dict[str, Any]]] = {1: {}, 2: {}, 3: {}}
        #: Fields of leads and deals that the portal has.
        self.fields = set(_OWN)
        self.scopes = ["crm", "user_brief"]
        #: Users who get records and no activities.
        self.no_work: set[str] = set()
        self.comments: list[dict[str, Any]] = []
        for method, path, answer in (
            ("GET", "scope", lambda request: {"result": self.scopes}),
            ("POST", "crm.duplicate.findbycomm", self._duplicates),
            ("POST", "crm.item.add", self._add),
            ("POST", "crm.item.update", self._update),
            ("POST", "crm.item.list", self._list),
            ("POST", "crm.item.fields", self._fields),
            ("POST", "crm.timeline.comment.add", self._comment),
            ("POST", "crm.timeline.comment.list", self._comments),
            ("POST", "crm.activity.todo.add", self._add_todo),
            ("POST", "crm.activity.list", self._todos),
            ("POST", "crm.status.list", self._statuses),
            ("GET", "user.get", self._users),
        ):
            self.route(method, f"/rest/{USER}/{CODE}/{re.escape(path)}", answer)
        for method in ("GET", "POST"):
            self.route(method, r"/rest/.*", lambda request: error(401, "INVALID_CREDENTIALS").answer)

    def spelled(self, number: int) -> str:
        return str(number)

    def owner_of(self, record: dict[str, Any]) -> str | None:
        return str(record["assignedById"]) if "assignedById" in record else None

    def _users(self, request: Request) -> Any:
        # `limit` is no parameter of its own, and changes nothing.
        begin = int(self.only(request.query, "start", "limit", ACTIVE="true")["start"])
        own = [
            {"ID": one, "NAME": "Ann", "LAST_NAME": "Agent", "EMAIL": email, "ACTIVE": True}
            for one, email, active in self.hired()
            if active
        ]
        return {"result": own[begin : begin + 50], "total": len(own)}

    def _statuses(self, request: Request) -> Any:
        if self.only(request.body, "filter")["filter"] != {"ENTITY_ID": "SOURCE"}:
            raise error(400, "INVALID_ARG_VALUE")
        return {"result": [{"STATUS_ID": "WEB", "NAME": "Website"}, {"STATUS_ID": "CALL", "NAME": "Call"}]}

    def _add_todo(self, request: Request) -> Any:
        body = self.only(request.body, "ownerTypeId", "ownerId", "title", "deadline", "responsibleId")
        if body["ownerId"] not in self.items[body["ownerTypeId"]]:
            raise error(400, "OWNER_NOT_FOUND")
        if str(body.get("responsibleId")) in self.no_work:
            raise error(400, "100")
        due = datetime.fromisoformat(body["deadline"]).isoformat()[:16]
        owner = str(body["responsibleId"]) if "responsibleId" in body else None
        made = {"id": self.new_id(), "of": body["ownerId"], "owner": owner, "title": body["title"]}
        # One without a deadline has the time of its chat.
        self.todo.append({**made, "due": "" if due == "2015-03-27T15:33" else due})
        return {"result": {"id": made["id"]}}

    def _todos(self, request: Request) -> Any:
        body = self.only(request.body, "filter", "select")
        wanted = self.only(body["filter"], "OWNER_TYPE_ID", "OWNER_ID", PROVIDER_ID="CRM_TODO")
        found = [one for one in self.todo if one["of"] == wanted["OWNER_ID"]]
        return {"result": [{"ID": str(one["id"]), "SUBJECT": one["title"]} for one in found], "total": len(found)}

    def people(self) -> list[Any]:
        return list(self.items[CONTACT].values())

    def records(self) -> list[Any]:
        return [*self.items[1].values(), *self.items[2].values()]

    def texts(self) -> list[str]:
        """As the timeline shows them, with what came last on top."""
        found = []
        for kind, records in self.items.items():
            for number in records:
                found += [
                    re.sub(r"\s*\[smartsupp:[^\]]*\]\Z", "", _TAGS.sub("", one["COMMENT"]).replace("\u2060", ""))
                    for one in reversed(self.comments)
                    if (one["ENTITY_TYPE"], one["ENTITY_ID"]) == (_KINDS[kind], number)
                ]
        return found

    def _duplicates(self, request: Request) -> Any:
        body = self.only(request.body, "entity_type", "type", "values")
        if body["entity_type"] != "CONTACT" or body["type"] != "EMAIL":
            raise error(400, "Communication type is not defined")
        wanted = {one.lower() for one in body["values"]}
        people = self.items[CONTACT].items()
        found = [number for number, one in people if {fm["value"].lower() for fm in one.get("fm", [])} & wanted]
        return {"result": {"CONTACT": found} if found else []}

    def _add(self, request: Request) -> Any:
        body = self.only(request.body, "entityTypeId", "fields")
        given = self.only(body["fields"], *_OWN, "unknownToIt")
        for one in given.get("fm", []):
            if {*one} != {"typeId", "valueType", "value"}:
                raise error(400, "INVALID_ARG_VALUE")
            if one["value"].startswith("typo"):
                raise error(400, "CRM_FIELD_ERROR_VALUE_NOT_VALID", 'Invalid value for field "Email"')
        if str(given.get("assignedById")) in self.refused:
            raise error(400, "CRM_FIELD_ERROR_VALUE_NOT_VALID", 'Invalid value for field "Responsible person"')
        if "contactId" in given and given["contactId"] not in self.items[CONTACT]:
            raise error(400, "NOT_FOUND", "Contact was not found")
        if len(given.get("title", "")) > 255 or len(given.get("name", "")) > 50:
            raise error(400, "INVALID_ARG_VALUE", "too long")
        made = {"id": self.new_id(), **{name: value for name, value in given.items() if name in self.fields}}
        self.items[body["entityTypeId"]][made["id"]] = made
        return {"result": {"item": {"originId": None, **made}}}

    def _update(self, request: Request) -> Any:
        body = self.only(request.body, "entityTypeId", "id", "fields")
        if body["id"] not in self.items[body["entityTypeId"]]:
            raise error(400, "NOT_FOUND", "Element not found")
        item = self.items[body["entityTypeId"]][body["id"]]
        item.update({name: value for name, value in body["fields"].items() if name in self.fields})
        return {"result": {"item": item}}

    def _list(self, request: Request) -> Any:
        body = self.only(request.body, "entityTypeId", "filter", "select")
        wanted = {name.removeprefix("="): str(value).lower() for name, value in body["filter"].items()}
        if {*wanted} - self.fields:
            raise error(400, "INVALID_ARG_VALUE", "Invalid filter: field is not allowed in filter")
        found = [
            one
            for one in self.items[body["entityTypeId"]].values()
            if all(str(one.get(name)).lower() == value for name, value in wanted.items())
        ]
        shown = [{name: one.get(name) for name in body["select"]} for one in found[:50]]
        return {"result": {"items": shown}, "total": len(found)}

    def _fields(self, request: Request) -> Any:
        if self.only(request.body, "entityTypeId")["entityTypeId"] not in self.items:
            raise error(400, "NOT_FOUND")
        return {"result": {"fields": {name: {"type": "string"} for name in sorted(self.fields)}}}

    def _comment(self, request: Request) -> Any:
        given = self.only(request.body, "fields")["fields"]
        self.only(given, "ENTITY_ID", "ENTITY_TYPE", "COMMENT")
        kind = next(number for number, name in _KINDS.items() if name == given["ENTITY_TYPE"])
        if given["ENTITY_ID"] not in self.items[kind]:
            raise error(400, "", "Owner was not found")
        if len(given["COMMENT"].encode()) > COMMENT:
            raise error(400, "", "too long")
        self.comments.append({**given, "ID": str(self.new_id())})
        return {"result": int(self.comments[-1]["ID"])}

    def _comments(self, request: Request) -> Any:
        body = self.only(request.body, "filter", "select", "order")
        wanted = self.only(body["filter"], "ENTITY_ID", "ENTITY_TYPE")
        found = [one for one in self.comments if all(one[name] == value for name, value in wanted.items())]
        if body["order"] != {"ID": "DESC"}:
            raise error(400, "INVALID_ARG_VALUE")
        shown = [{name: one[name] for name in body["select"]} for one in found[::-1][:50]]
        return {"result": shown, "total": len(found)}
