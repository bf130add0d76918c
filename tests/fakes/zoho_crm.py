"""Zoho CRM's API v8 on loopback, after https://www.zoho.com/crm/developer/docs/api/v8/.

What is wrong with a record is said in a 202. Fields that it does not know are left out silently.
"""

from __future__ import annotations

import re
from typing import Any

from connectors.testing.fake import Answer, Refuse, Request
from tests.fakes.authorization import Authorization
from tests.fakes.hosted import HostedVendor
from tests.fakes.staff import Staff

CLIENT, SECRET, REFRESH = "1000.RELAY", "zoho-secret-0123456789", "refresh-token-0001"
TEXT = 32_000
_QUERY = re.compile(r"select ([\w, ]+) from (\w+) where (.+?)(?: order by id)? limit 1")
_IS = re.compile(r"(\w+) = '((?:[^'\\]|\\.)*)'")


class ZohoCrmVendor(Staff, HostedVendor):
    def __init__(self) -> None:
        super().__init__(Authorization(client=CLIENT, secret=SECRET, prefix="Zoho-oauthtoken "))
        assert self.authorization.log_in() == REFRESH
        self.tokens_at("/oauth/v2/token")
        #: Fields of cases that an admin has made.
        self.fields = {"Smartsupp_Chat_ID", "Country"}
        self.origins = {"Email", "Phone", "Web"}
        self.contacts: dict[str, dict[str, Any]] = {}
        self.cases: dict[str, dict[str, Any]] = {}
        self.tasks: dict[str, dict[str, Any]] = {}
        self.notes: list[dict[str, Any]] = []
        self.guarded(
            "/crm/v8",
            ("POST", "/coql", self._query),
            ("POST", "/Contacts", self._add_contact),
            ("POST", "/Cases", self._add_case),
            ("PUT", r"/Cases/(\d+)", self._change_case),
            ("GET", r"/Cases/(\d+)/Notes", self._list_notes),
            ("POST", "/Notes", self._add_note),
            ("POST", "/Tasks", self._add_task),
            ("GET", "/users", self._users),
            ("GET", "/settings/fields", self._fields),
        )

    def spelled(self, number: int) -> str:
        return f"55500000{number}"

    def owner_of(self, record: dict[str, Any]) -> str | None:
        owner: str | None = record.get("Owner", {}).get("id")
        return owner

    def _users(self, request: Request) -> Any:
        self.only(request.query, "page", "per_page", type="ActiveUsers")
        users = [{"id": one, "full_name": "Ann", "email": email} for one, email, active in self.hired() if active]
        return {"users": users, "info": {"more_records": False}} if users else Answer(204)

    def _owned(self, one: dict[str, Any]) -> None:
        if "Owner" in one and not self.may_own(one["Owner"]["id"]):
            raise self._wrong("INVALID_DATA", 400, api_name="Owner", json_path="$.data[0].Owner.id")

    def _add_task(self, request: Request) -> Answer:
        one = self._one(request, "Subject", "Due_Date", "What_Id", "$se_module", "Owner")
        self._owned(one)
        case = self._case(one["What_Id"]["id"])
        if one["$se_module"] != "Cases" or not re.fullmatch(r"\d{4}-\d\d-\d\d", one.get("Due_Date", "2015-03-27")):
            raise self._wrong("INVALID_DATA", api_name="Due_Date")
        made = {**one, "id": f"55500000{self.new_id()}"}
        self.tasks[made["id"]] = made
        self.todo.append({"of": case["id"], "owner": self.owner_of(one), "due": one.get("Due_Date")})
        return self._made(made["id"])

    def people(self) -> list[Any]:
        return list(self.contacts.values())

    def records(self) -> list[Any]:
        return list(self.cases.values())

    def texts(self) -> list[str]:
        found = []
        for number, case in self.cases.items():
            found += [case["Description"], *(one["Note_Content"] for one in self.notes if one["case"] == number)]
        return found

    def stranger(self) -> Refuse:
        return Refuse(
            401, {"code": "INVALID_TOKEN", "details": {}, "message": "invalid oauth token", "status": "error"}
        )

    def _wrong(self, code: str, status: int = 202, **details: Any) -> Refuse:
        return Refuse(status, {"data": [{"code": code, "details": details, "message": "no", "status": "error"}]})

    @staticmethod
    def _made(number: str) -> Answer:
        said = {"code": "SUCCESS", "details": {"id": number}, "message": "record added", "status": "success"}
        return Answer(201, {"data": [said]})

    def _query(self, request: Request) -> Any:
        match = _QUERY.fullmatch(self.only(request.body, "select_query")["select_query"])
        if not match:
            raise Refuse(400, {"code": "SYNTAX_ERROR", "message": "error occurred while parsing the query"})
        columns, module, criteria = match.groups()
        wanted = [(name, re.sub(r"\\(.)", r"\1", value).lower()) for name, value in _IS.findall(criteria)]
        if module == "Cases" and wanted[0][0] not in self.fields:
            raise Refuse(
                400, {"code": "INVALID_QUERY", "details": {"column_name": wanted[0][0]}, "message": "no column"}
            )
        records = {"Contacts": self.contacts, "Cases": self.cases, "Tasks": self.tasks}[module]
        found = [
            one for one in records.values() if any(str(one.get(name, "")).lower() == text for name, text in wanted)
        ]
        shown = [{name: one.get(name) for name in columns.split(", ")} for one in found[:1]]
        return {"data": shown, "info": {"count": 1, "more_records": False}} if shown else Answer(204)

    def _one(self, request: Request, *keys: str) -> dict[str, Any]:
        body = request.body
        if not isinstance(body, dict) or {*body} - {"data", "trigger"} or len(body["data"]) != 1:
            raise self.refusal(body)
        return self.only(body["data"][0], *keys)

    def _add_contact(self, request: Request) -> Answer:
        one = self._one(request, "First_Name", "Last_Name", "Email")
        if len(one["Last_Name"]) > 80 or len(one.get("First_Name", "")) > 40:
            raise self._wrong("INVALID_DATA", api_name="Last_Name", maximum_length=80)
        if one["Email"].startswith("typo"):
            raise self._wrong("INVALID_DATA", api_name="Email", expected_data_type="email")
        made = {**one, "id": f"55500000{self.new_id()}"}
        self.contacts[made["id"]] = made
        return self._made(made["id"])

    def _add_case(self, request: Request) -> Answer:
        own = ("Subject", "Status", "Case_Origin", "Related_To", "Description", "Owner")
        one = self._one(request, *own, "Smartsupp_Chat_ID", "Country")
        if len(one["Subject"]) > 255 or len(one["Description"].encode("utf-16-le")) > 2 * TEXT:
            raise self._wrong("INVALID_DATA", api_name="Description", maximum_length=TEXT)
        if one["Case_Origin"] not in self.origins:
            raise self._wrong("INVALID_DATA", api_name="Case_Origin")
        if "Related_To" in one and one["Related_To"]["id"] not in self.contacts:
            raise self._wrong("INVALID_DATA", 400, api_name="Related_To", json_path="$.data[0].Related_To.id")
        self._owned(one)
        made = {name: value for name, value in one.items() if name in {*own, *self.fields}}
        for other in self.cases.values():
            if "Smartsupp_Chat_ID" in made and other.get("Smartsupp_Chat_ID") == made["Smartsupp_Chat_ID"]:
                raise self._wrong("DUPLICATE_DATA", api_name="Smartsupp_Chat_ID", id=other["id"])
        made["id"] = f"55500000{self.new_id()}"
        self.cases[made["id"]] = made
        return self._made(made["id"])

    def _case(self, number: str) -> dict[str, Any]:
        if number not in self.cases:
            raise Refuse(
                400, {"code": "INVALID_DATA", "message": "the id given seems to be invalid", "status": "error"}
            )
        return self.cases[number]

    def _change_case(self, request: Request, case: str) -> Answer:
        self._case(case).update(self._one(request, "Country"))
        return Answer(200, self._made(case).body)

    def _list_notes(self, request: Request, case: str) -> Any:
        asked = self.only(request.query, "fields", "sort_by", "sort_order", "per_page")
        found = [one for one in self.notes if one["case"] == case][::-1][: int(asked["per_page"])]
        return {"data": [{"id": one["id"], "Note_Title": one["Note_Title"]} for one in found]} if found else Answer(204)

    def _add_note(self, request: Request) -> Answer:
        one = self._one(request, "Note_Title", "Note_Content", "Parent_Id")
        if (
            one["Parent_Id"]["module"] != {"api_name": "Cases"}
            or len(one["Note_Content"].encode("utf-16-le")) > 2 * TEXT
        ):
            raise self._wrong("INVALID_DATA", api_name="Note_Content")
        case = self._case(one["Parent_Id"]["id"])
        self.notes.append({**one, "case": case["id"], "id": f"55500000{self.new_id()}"})
        return self._made(self.notes[-1]["id"])

    def _fields(self, request: Request) -> Any:
        self.only(request.query, "module")
        own = [
            {"api_name": name, "field_label": name, "custom_field": True, "unique": {"casesensitive": "false"}}
            for name in sorted(self.fields)
        ]
        lists = {"Status": ("New", "Closed"), "Case_Origin": sorted(self.origins)}
        picked = [
            {
                "api_name": name,
                "field_label": name,
                "custom_field": False,
                "unique": {},
                "pick_list_values": [{"actual_value": one, "display_value": one} for one in values],
            }
            for name, values in lists.items()
        ]
        return {"fields": [*own, *picked]}
