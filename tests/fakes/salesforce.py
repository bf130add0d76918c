"""Salesforce's REST API v62.0 on loopback, after https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/.

Errors are lists. A token has no life that is said.
"""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import unquote

from connectors.testing.fake import Answer, Refuse, Request
from tests.fakes.authorization import Authorization
from tests.fakes.hosted import HostedVendor
from tests.fakes.staff import Staff

CLIENT, SECRET = "3MVG9relay", "salesforce-secret-0123456789"
TEXT = 32_000
_QUERY = re.compile(r"SELECT ([\w, ]+) FROM (\w+) WHERE (.+?)(?: ORDER BY CreatedDate)? LIMIT 1")
_USERS = "SELECT Id, Name, Email FROM User WHERE IsActive = true AND UserType = 'Standard' ORDER BY Name LIMIT 2000"
_IS = re.compile(r"(\w+) = '((?:[^'\\]|\\.)*)'")
_CASE = (
    "Subject",
    "Description",
    "ContactId",
    "SuppliedName",
    "SuppliedEmail",
    "Origin",
    "Status",
    "OwnerId",
    "Country__c",
)


def error(status: int, code: str, *fields: str) -> Refuse:
    return Refuse(status, [{"errorCode": code, "message": "no", "fields": list(fields)}])


class SalesforceVendor(Staff, HostedVendor):
    def __init__(self) -> None:
        # It does not say how long a token lasts.
        super().__init__(Authorization(client=CLIENT, secret=SECRET, says_life=False))
        self.tokens_at("/services/oauth2/token")
        #: The custom fields of cases that the user may write, and whether the first is unique.
        self.fields, self.unique = {"Smartsupp_Chat_Id__c", "Country__c"}, True
        #: What it answers to an owner whom it refuses.
        self.no_owner = (400, "INACTIVE_OWNER_OR_USER")
        self.contacts: dict[str, dict[str, Any]] = {}
        self.cases: dict[str, dict[str, Any]] = {}
        self.tasks: dict[str, dict[str, Any]] = {}
        self.guarded(
            "/services/data/v62.0",
            ("GET", "/query", self._query),
            ("POST", "/sobjects/Contact", self._add_contact),
            ("PATCH", r"/sobjects/Case/Smartsupp_Chat_Id__c/([^/]+)", self._upsert),
            ("PATCH", r"/sobjects/Case/(\w+)", self._change_case),
            ("POST", "/sobjects/Task", self._add_task),
            ("GET", r"/sobjects/(\w+)/describe", self._describe),
        )

    def stranger(self) -> Refuse:
        return error(401, "INVALID_SESSION_ID")

    def refusal(self, text: str) -> Refuse:
        return error(400, "INVALID_FIELD", text)

    def people(self) -> list[Any]:
        return list(self.contacts.values())

    def records(self) -> list[Any]:
        return list(self.cases.values())

    def texts(self) -> list[str]:
        found = []
        for number, case in self.cases.items():
            found += [
                case["Description"],
                *(one["Description"] for one in self.tasks.values() if one["WhatId"] == number and "Status" in one),
            ]
        return found

    def _query(self, request: Request) -> Any:
        asked = self.only(request.query, "q")["q"]
        if asked == _USERS:
            users = [{"Id": one, "Name": "Ann", "Email": email} for one, email, active in self.hired() if active]
            return {"totalSize": len(users), "done": True, "records": users}
        match = _QUERY.fullmatch(asked)
        if not match:
            raise error(400, "MALFORMED_QUERY")
        columns, name, criteria = match.groups()
        wanted = [(column, re.sub(r"\\(.)", r"\1", value).lower()) for column, value in _IS.findall(criteria)]
        records = {"Contact": self.contacts, "Task": self.tasks, "Case": self.cases}[name]
        found = [
            one for one in records.values() if all(str(one.get(key, "")).lower() == value for key, value in wanted)
        ]
        shown = [{column: one[column] for column in columns.split(", ")} for one in found[:1]]
        return {"totalSize": len(shown), "done": True, "records": shown}

    def spelled(self, number: int) -> str:
        return f"005{number:012}AAA"

    def id_of(self, record: dict[str, Any]) -> Any:
        return record["Id"]

    def owner_of(self, record: dict[str, Any]) -> str | None:
        return record.get("OwnerId")

    def _owned(self, body: dict[str, Any]) -> None:
        if "OwnerId" in body and not self.may_own(body["OwnerId"]):
            raise error(*self.no_owner, "OwnerId")

    def _add_contact(self, request: Request) -> Answer:
        body = self.only(request.body, "FirstName", "LastName", "Email")
        if len(body["LastName"]) > 80 or len(body.get("FirstName", "")) > 40:
            raise error(400, "STRING_TOO_LONG", "LastName")
        if body["Email"].startswith("typo"):
            raise error(400, "INVALID_EMAIL_ADDRESS", "Email")
        same = [one for one in self.contacts.values() if one["LastName"] == body["LastName"]]
        if same and request.headers.get("sforce-duplicate-rule-header") != "allowSave=true":
            raise error(400, "DUPLICATES_DETECTED")
        made = {**body, "Id": f"003{self.new_id():012}AAA"}
        self.contacts[made["Id"]] = made
        return Answer(201, {"id": made["Id"], "success": True, "errors": []})

    def _fits(self, body: dict[str, Any]) -> None:
        if len(body.get("Subject", "")) > 255 or len(body.get("Description", "").encode("utf-16-le")) > 2 * TEXT:
            raise error(400, "STRING_TOO_LONG", "Description")

    def _upsert(self, request: Request, key: str) -> Answer:
        if "Smartsupp_Chat_Id__c" not in self.fields:
            raise error(404, "NOT_FOUND")
        body = self.only(request.body, *_CASE)
        self._fits(body)
        if "ContactId" in body and body["ContactId"] not in self.contacts:
            raise error(400, "INVALID_CROSS_REFERENCE_KEY", "ContactId")
        self._owned(body)
        key = unquote(key)
        there = next((one for one in self.cases.values() if one["Smartsupp_Chat_Id__c"] == key), None)
        case = there or {"Id": f"500{self.new_id():012}AAA", "Smartsupp_Chat_Id__c": key}
        case.update(body)
        self.cases[case["Id"]] = case
        return Answer(200 if there else 201, {"id": case["Id"], "success": True, "errors": [], "created": not there})

    def _change_case(self, request: Request, case: str) -> Answer:
        if case not in self.cases:
            raise error(404, "ENTITY_IS_DELETED")
        self.cases[case].update(self.only(request.body, "Country__c"))
        return Answer(204)

    def _add_task(self, request: Request) -> Answer:
        body = self.only(request.body, "WhatId", "Subject", "Description", "Status", "ActivityDate", "OwnerId")
        self._fits(body)
        self._owned(body)
        if body["WhatId"] not in self.cases:
            raise error(400, "ENTITY_IS_DELETED", "WhatId")
        if body.get("Status", "Completed") != "Completed":
            raise error(400, "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", "Status")
        made = {**body, "Id": f"00T{self.new_id():012}AAA"}
        if "Status" not in body:
            self.todo.append({"of": body["WhatId"], "owner": body.get("OwnerId"), "due": body.get("ActivityDate")})
        self.tasks[made["Id"]] = made
        return Answer(201, {"id": made["Id"], "success": True, "errors": []})

    def _describe(self, request: Request, name: str) -> Any:
        own = sorted(self.fields) if name == "Case" else []
        may = {"createable": True, "updateable": True}
        fields: list[dict[str, Any]] = [
            {"name": one, "label": one.removesuffix("__c"), "custom": True, "externalId": True} for one in own
        ]
        for one in fields:
            one |= {"unique": self.unique, "picklistValues": [], **may}
        for listed, values in (("Origin", ("Web", "Phone")), ("Status", ("New", "Closed"))):
            # The last one was taken out of the list.
            words = [{"value": one, "label": one, "active": one != "Phone"} for one in values]
            fields.append({"name": listed, "label": listed, "custom": False, "picklistValues": words, **may})
        return {"name": name, "fields": fields, **may}
