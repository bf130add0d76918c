"""Zoho Desk on loopback, after https://desk.zoho.com/DeskAPIDocument and its OpenAPI documents (zoho/zohodesk-oas).

An empty list has no body. What a portal does not have as a field is left out silently.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from connectors.testing.fake import Answer, Refuse, Request
from tests.fakes.authorization import Authorization
from tests.fakes.hosted import HostedVendor
from tests.fakes.staff import Staff

ORG, DEPARTMENT = "2389290", "1892000000006907"
COMMENT, SUBJECT, FIRST_NAME, FIELD = 32_000, 1000, 40, 255


def invalid(name: str, kind: str = "invalid") -> Refuse:
    error = {"fieldName": name, "errorType": kind, "errorMessage": ""}
    return Refuse(422, {"errorCode": "INVALID_DATA", "message": "The data is invalid", "errors": [error]})


class ZohoDeskVendor(Staff, HostedVendor):
    def __init__(self) -> None:
        super().__init__(Authorization(prefix="Zoho-oauthtoken "))
        self.refresh_token = self.authorization.log_in()
        self.fields = {"cf_smartsupp_chat", "cf_country"}
        self.contacts: dict[str, dict[str, Any]] = {}
        self.tokens_at("/oauth/v2/token")
        self.guarded(
            "/api/v1",
            ("GET", r"/departments/(\d+)", self._department),
            ("GET", "/departments", self._departments),
            ("GET", "/agents", self._agents),
            ("GET", "/organizationFields", self._organization_fields),
            ("GET", "/contacts/search", self._search_contacts),
            ("POST", "/contacts", self._add_contact),
            ("GET", "/tickets", self._list),
            ("POST", "/tickets", self._create),
            ("PATCH", r"/tickets/(\d+)", self._change),
            ("GET", r"/tickets/(\d+)/comments", self._comments),
            ("POST", r"/tickets/(\d+)/comments", self._comment),
        )

    def allows(self, request: Request) -> bool:
        return super().allows(request) and request.headers["orgid"] == ORG

    def stranger(self) -> Refuse:
        return Refuse(401, {"errorCode": "INVALID_OAUTH", "message": "The OAuth Token you provided is invalid."})

    def refusal(self, text: str) -> Refuse:
        return invalid(text)

    def people(self) -> list[Any]:
        return list(self.contacts.values())

    def bodies(self, ticket: dict[str, Any]) -> Iterable[str]:
        return [one["content"] for one in ticket["comments"]]

    @staticmethod
    def _found(found: list[Any]) -> Answer:
        return Answer(200, {"data": found}) if found else Answer(204)

    def spelled(self, number: int) -> str:
        return f"18920000{number}"

    def owner_of(self, record: dict[str, Any]) -> str | None:
        return record.get("assigneeId")

    def due_of(self, record: dict[str, Any]) -> str:
        """A ticket itself has a deadline."""
        return str(record.get("dueDate", ""))[:16]

    def _agents(self, request: Request) -> Answer:
        begin, limit = int(request.query["from"]), int(self.only(request.query, "from", "limit")["limit"])
        states = {True: "ACTIVE", False: "DISABLED"}
        found = [
            {"id": one, "emailId": email, "name": "Ann", "lastName": "Ann", "status": states[active]}
            for one, email, active in self.hired()
        ]
        return self._found(found[begin : begin + min(limit, 200)])

    def _departments(self, request: Request) -> Answer:
        begin = int(self.only(request.query, "from", "limit")["from"])
        old = {"id": "1892000000009999", "name": "Old", "isEnabled": False}
        return self._found([{"id": DEPARTMENT, "name": "Chats", "isEnabled": True}, old][begin:])

    @staticmethod
    def _department(request: Request, department: str) -> Any:
        if department != DEPARTMENT:
            raise Refuse(404, {"errorCode": "URL_NOT_FOUND"})
        return {"id": department, "name": "Chats"}

    def _organization_fields(self, request: Request) -> Answer:
        self.only(request.query, module="tickets", departmentId=DEPARTMENT)
        names = ("subject", *sorted(self.fields))
        own = [{"apiName": one, "displayLabel": one, "isCustomField": one.startswith("cf_")} for one in names]
        return self._found(own)

    # --- contacts ----------------------------------------------------------------------

    def _search_contacts(self, request: Request) -> Answer:
        email = self.only(request.query, "email", "limit")["email"].lower()
        return self._found(self.searched(one for one in self.contacts.values() if one["email"] == email))

    def _add_contact(self, request: Request) -> Any:
        body = self.only(request.body, "email", "firstName", "lastName")
        email = body["email"].lower()
        if email.startswith("typo"):
            raise invalid("/email")
        if any(one["email"] == email for one in self.contacts.values()):
            raise invalid("/email", "duplicate")
        self.kept(body["lastName"], 200)
        self.kept(body.get("firstName", "-"), FIRST_NAME)
        made = {**body, "email": email, "id": f"{self.new_id()}"}
        self.contacts[made["id"]] = made
        return made

    # --- tickets -----------------------------------------------------------------------

    def _list(self, request: Request) -> Answer:
        asked = self.only(request.query, "filters", "limit", departmentId=DEPARTMENT, fields="cf_smartsupp_chat")
        [condition] = json.loads(asked["filters"])["criteria"]["fieldConditions"]
        [wanted] = self.only(condition, "data", field="cf_smartsupp_chat", con="is")["data"]
        # It does not tell small letters from capitals.
        same = [one for one in self.tickets.values() if one["cf"]["cf_smartsupp_chat"].lower() == wanted.lower()]
        return self._found([self._shown(one) for one in self.searched(same)])

    def _shown(self, ticket: dict[str, Any]) -> dict[str, Any]:
        shown = {name: ticket[name] for name in ("id", "subject", "contactId", "cf")}
        return {**shown, "webUrl": f"{self.url}/support/shop/ShowHomePage.do#Cases/dv/{ticket['id']}"}

    def _create(self, request: Request) -> Any:
        body = self.only(request.body, "subject", "contactId", "channel", "cf", "departmentId", "assigneeId", "dueDate")
        if "assigneeId" in body and not self.may_own(body["assigneeId"]):
            raise invalid("/assigneeId")
        if body["departmentId"] != DEPARTMENT:
            raise invalid("/departmentId")
        if body["contactId"] not in self.contacts:
            raise invalid("/contactId")
        self.kept(body["subject"], SUBJECT)
        made = {**body, "id": f"{self.new_id()}", "cf": self._known(body["cf"]), "comments": []}
        self.tickets[made["id"]] = made
        return self._shown(made)

    def _known(self, values: dict[str, str]) -> dict[str, str]:
        return {name: self.kept(value, FIELD) for name, value in values.items() if name in self.fields}

    def _ticket(self, number: str) -> dict[str, Any]:
        if number not in self.tickets:
            raise Refuse(404, {"errorCode": "URL_NOT_FOUND"})
        return self.tickets[number]

    def _change(self, request: Request, number: str) -> Any:
        self._ticket(number)["cf"] |= self._known(self.only(request.body, "cf")["cf"])
        return self._shown(self._ticket(number))

    def _comments(self, request: Request, number: str) -> Answer:
        begin, limit = int(request.query["from"]), int(request.query["limit"])
        return self._found(self._ticket(number)["comments"][begin : begin + min(limit, 100)])

    def _comment(self, request: Request, number: str) -> Any:
        body = self.only(request.body, "content", contentType="html", isPublic=False)
        comment = {"id": f"{self.new_id()}", "content": self.kept(body["content"], COMMENT)}
        self._ticket(number)["comments"].append(comment)
        return comment
