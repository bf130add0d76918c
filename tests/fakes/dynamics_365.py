"""Dataverse's Web API v9.2 on loopback, as Dynamics 365 Customer Service has it, after
https://learn.microsoft.com/power-apps/developer/data-platform/webapi/overview.
"""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import unquote
from uuid import UUID

from connectors.testing.fake import Answer, Refuse, Request
from tests.fakes.authorization import Authorization
from tests.fakes.hosted import HostedVendor
from tests.fakes.staff import Staff

TENANT, CLIENT, SECRET, COLUMN = "tenant-1", "client-1", "entra-secret-0123456789", "new_smartsuppchatid"
NOTE = 100_000


def error(status: int, code: str, text: str = "no") -> Refuse:
    return Refuse(status, {"error": {"code": code, "message": text}})


class DynamicsVendor(Staff, HostedVendor):
    def __init__(self) -> None:
        super().__init__(Authorization(client=CLIENT, secret=SECRET))
        self.authorization.scope = f"{self.url}/.default"
        self.tokens_at(f"/{TENANT}/oauth2/v2.0/token")
        self.index = "Active"
        self.contacts: dict[str, dict[str, Any]] = {}
        self.cases: dict[str, dict[str, Any]] = {}
        self.notes: list[dict[str, Any]] = []
        self.guarded(
            "/api/data/v9.2",
            ("GET", "/contacts", self._look_for_contact),
            ("POST", "/contacts", self._add_contact),
            ("PATCH", r"/incidents\((\w+)='([^']+)'\)", self._upsert),
            ("PATCH", r"/incidents\(([0-9a-f-]{36})\)", self._change_case),
            ("GET", "/incidents", self._look_for_case),
            ("GET", "/annotations", self._look_for_note),
            ("POST", "/annotations", self._add_note),
            ("GET", "/systemusers", self._users),
            ("GET", "/tasks", self._look_for_task),
            ("POST", "/tasks", self._add_task),
            ("GET", r"/EntityDefinitions\(LogicalName='incident'\)/Attributes.*", self._origins),
            ("GET", "/WhoAmI", lambda request: {"UserId": str(UUID(int=7))}),
            ("GET", r"/EntityDefinitions\(LogicalName='incident'\)/Keys", self._keys),
        )

    def spelled(self, number: int) -> str:
        return str(UUID(int=number))

    def id_of(self, record: dict[str, Any]) -> Any:
        return record["incidentid"]

    def owner_of(self, record: dict[str, Any]) -> str | None:
        return record.get("owner")

    def _users(self, request: Request) -> Any:
        wanted = "isdisabled eq false and accessmode eq 0"
        self.only(request.query, **{"$select": "systemuserid,fullname,internalemailaddress", "$filter": wanted})
        own = [
            {"systemuserid": one, "fullname": "Ann", "internalemailaddress": email}
            for one, email, active in self.hired()
            if active
        ]
        return {"value": own}

    def _given(self, body: dict[str, Any]) -> str | None:
        if "ownerid@odata.bind" not in body:
            return None
        owner = self._bound(body, "ownerid", "systemusers")
        if not self.may_own(owner):
            raise error(403, "0x80040220", "Principal user is missing prvReadIncident privilege")
        return owner

    def _look_for_task(self, request: Request) -> Any:
        asked = self.only(request.query, "$filter", **{"$select": "activityid,subject"})
        match = re.fullmatch("_regardingobjectid_value eq ([0-9a-f-]{36}) and subject eq '([^']+)'", asked["$filter"])
        if not match:
            raise error(400, "0x80060888", "Syntax error")
        found = [one for one in self.todo if (one["of"], one["subject"]) == match.groups()]
        return {"value": [{"activityid": one["activityid"], "subject": one["subject"]} for one in found]}

    def _add_task(self, request: Request) -> Answer:
        case = "regardingobjectid_incident_task"
        body = self.only(request.body, "subject", "scheduledend", f"{case}@odata.bind", "ownerid@odata.bind")
        made = {"activityid": self._id(), "subject": body["subject"], "owner": self._given(body)}
        self.todo.append({**made, "of": self._bound(body, case, "incidents"), "due": body.get("scheduledend", "")[:16]})
        return self._shown(request, 201, made)

    def _origins(self, request: Request) -> Any:
        options = [{"Value": 3, "Label": {"UserLocalizedLabel": {"Label": "Web"}}}]
        return {"LogicalName": "caseorigincode", "OptionSet": {"Options": options}}

    def people(self) -> list[Any]:
        return list(self.contacts.values())

    def records(self) -> list[Any]:
        return list(self.cases.values())

    def texts(self) -> list[str]:
        return [one["notetext"] for number in self.cases for one in self.notes if one["case"] == number]

    def admit(self, request: Request) -> None:
        super().admit(request)
        if request.headers.get("odata-version") != "4.0":
            raise error(400, "0x0", "which version?")

    def stranger(self) -> Refuse:
        return Refuse(401)

    def _id(self) -> str:
        return str(UUID(int=self.new_id()))

    def _shown(self, request: Request, status: int, made: dict[str, Any]) -> Answer:
        whole = request.headers.get("prefer") == "return=representation"
        return Answer(status, made) if whole else Answer(204)

    @staticmethod
    def _bound(body: dict[str, Any], name: str, table: str) -> str:
        match = re.fullmatch(rf"/{table}\(([0-9a-f-]{{36}})\)", body[f"{name}@odata.bind"])
        if not match:
            raise error(400, "0x80060888", "Bad Request - Error in query syntax.")
        return match[1]

    def _look_for_contact(self, request: Request) -> Any:
        asked = self.only(request.query, "$select", "$filter", "$orderby", "$top")
        match = re.fullmatch("emailaddress1 eq '((?:[^']|'')+)'", asked["$filter"])
        if not match:
            raise error(400, "0x80060888", "Syntax error")
        email = match[1].replace("''", "'").lower()
        found = [one for one in self.contacts.values() if one["emailaddress1"].lower() == email]
        return {"value": [{"contactid": one["contactid"]} for one in found[:1]]}

    def _add_contact(self, request: Request) -> Answer:
        body = self.only(request.body, "firstname", "lastname", "emailaddress1")
        if len(body["lastname"]) > 50 or len(body.get("firstname", "")) > 50 or len(body["emailaddress1"]) > 100:
            raise error(400, "0x80044331", "A validation error occurred")
        made = {**body, "contactid": self._id()}
        self.contacts[made["contactid"]] = made
        return self._shown(request, 201, made)

    def _upsert(self, request: Request, column: str, key: str) -> Answer:
        if column != COLUMN or self.index != "Active":
            raise error(400, "0x80060891", "A record with the specified key values does not exist")
        body = self.only(
            request.body,
            "title",
            "customerid_contact@odata.bind",
            "caseorigincode",
            "new_country",
            "ownerid@odata.bind",
        )
        owner = self._given(body)
        if len(body["title"]) > 200 or not isinstance(body["caseorigincode"], int):
            raise error(400, "0x80044331", "A validation error occurred")
        contact = self._bound(body, "customerid_contact", "contacts")
        if contact not in self.contacts:
            raise error(404, "0x80040217", f"Entity 'Contact' With Id = {contact} Does Not Exist")
        key = unquote(key)
        there = next((one for one in self.cases.values() if one[COLUMN] == key), None)
        case = there or {"incidentid": self._id(), COLUMN: key}
        case.update(
            {**{name: value for name, value in body.items() if "@" not in name}, "contact": contact, "owner": owner}
        )
        self.cases[case["incidentid"]] = case
        return self._shown(request, 200 if there else 201, case)

    def _change_case(self, request: Request, case: str) -> Answer:
        if request.headers.get("if-match") != "*":
            raise self.refusal("an update that could create")
        if case not in self.cases:
            raise error(404, "0x80040217", f"Entity 'Incident' With Id = {case} Does Not Exist")
        self.cases[case].update(self.only(request.body, "new_country"))
        return Answer(204)

    def _look_for_case(self, request: Request) -> Any:
        wanted = self.only(request.query, "$select", "$filter")["$filter"]
        found = [one for one in self.cases.values() if wanted == f"{COLUMN} eq '{one[COLUMN]}'"]
        return {"value": [{"incidentid": one["incidentid"]} for one in found]}

    def _look_for_note(self, request: Request) -> Any:
        asked = self.only(request.query, "$select", "$filter")
        match = re.fullmatch("_objectid_value eq ([0-9a-f-]{36}) and subject eq '([^']+)'", asked["$filter"])
        if not match:
            raise error(400, "0x80060888", "Syntax error")
        found = [one for one in self.notes if (one["case"], one["subject"]) == match.groups()]
        return {"value": [{"annotationid": one["annotationid"], "subject": one["subject"]} for one in found]}

    def _add_note(self, request: Request) -> Answer:
        body = self.only(request.body, "subject", "notetext", "objectid_incident@odata.bind")
        if len(body["notetext"].encode("utf-16-le")) > 2 * NOTE:
            raise error(400, "0x80044331", "A validation error occurred")
        case = self._bound(body, "objectid_incident", "incidents")
        if case not in self.cases:
            raise error(404, "0x80040217", f"Entity 'Incident' With Id = {case} Does Not Exist")
        made = {"subject": body["subject"], "notetext": body["notetext"], "case": case, "annotationid": self._id()}
        self.notes.append(made)
        return self._shown(request, 201, made)

    def _keys(self, request: Request) -> Any:
        key = {"LogicalName": "chat", "KeyAttributes": [COLUMN], "EntityKeyIndexStatus": self.index}
        return {"value": [key]}
