"""Pipedrive as its documents have it: v2 for persons and deals, v1 for leads, notes, users.

https://developers.pipedrive.com/docs/api/v1

Stricter than Pipedrive where that helps: a key or a parameter that its OpenAPI documents do not name is refused. Its
search knows nothing that was made or changed in this run.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from connectors.testing.fake import Answer, Fake, Refuse, Request

TOKEN = "token-0123456789abcdef"
TEXT_FIELD = "a" * 40
DATE_FIELD = "b" * 40
NUMBER_FIELD = "c" * 40
#: Of persons: a text, and what keeps their customer id.
PERSON_FIELD = "e" * 40
CUSTOMER_FIELD = "f" * 40
#: Of organizations.
WEBSITE_FIELD = "9" * 40
#: RFC 3339, as Pipedrive writes it.
TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"
MARKETING = ("no_consent", "unsubscribed", "subscribed", "archived")
#: The last line of a note, which tells whether it begins a chain or goes on with one.
_CHAIN = re.compile(r"\[smartsupp:[^ \]]+( note \d+)?\]</p>\s*\Z")

Check = Callable[[Any], bool]


def _text(value: Any) -> bool:
    return isinstance(value, str) and value != "" and len(value) <= 255


def _number(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _uuid(value: Any) -> bool:
    return isinstance(value, str) and re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", value) is not None


def _moment(value: Any) -> bool:
    return isinstance(value, str) and bool(re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", value))


def _values(value: Any) -> bool:
    return isinstance(value, list) and all(
        set(one) <= {"value", "primary", "label"} and one["value"] and one.get("primary") in (True, False)
        for one in value
    )


def _emails(value: Any) -> bool:
    return _values(value) and all("@" in one["value"] for one in value)


def _list_of(check: Check) -> Check:
    return lambda value: isinstance(value, list) and all(map(check, value))


def _refused(text: str, status: int = 400) -> Refuse:
    info = "Please check developers.pipedrive.com for more information about Pipedrive API."
    return Refuse(status, {"success": False, "error": text, "error_info": info, "data": None, "additional_data": None})


def _checked(body: Any, allowed: Mapping[str, Check], *required: str) -> dict[str, Any]:
    if not isinstance(body, dict):
        raise _refused("Request body is not valid JSON")
    for name in required:
        if name not in body:
            raise _refused(f"Validation failed: {name}: {name} is required")
    for name, value in body.items():
        if name not in allowed:
            raise _refused(f"Validation failed: {name}: parameter is not allowed")
        if not allowed[name](value):
            raise _refused(f"Validation failed: {name}: {str(value)[:80]} is not allowed")
    return body


def _asked(request: Request, **allowed: str) -> None:
    for name, value in request.query.items():
        if name not in allowed or not re.fullmatch(allowed[name], value):
            raise _refused(f"Validation failed: query parameter {name}={value}")


def _good(data: Any, status: int = 200, **more: Any) -> Answer:
    return Answer(status, {"success": True, "data": data, **more})


class PipedriveVendor(Fake):
    def __init__(self) -> None:
        super().__init__()
        self.persons: dict[int, dict[str, Any]] = {}
        #: The search knows these, as they were then; it has seen nothing of what was made or changed just now.
        self.indexed: dict[int, dict[str, Any]] = {}
        self.organizations: dict[int, dict[str, Any]] = {}
        #: Whether the company uses the app Campaigns.
        self.campaigns = True
        self.leads: dict[str, dict[str, Any]] = {}
        self.deals: dict[int, dict[str, Any]] = {}
        self.notes: dict[int, dict[str, Any]] = {}
        self.files: list[dict[str, Any]] = []
        self.activities: dict[int, dict[str, Any]] = {}
        self.users = {
            number: {
                "id": number,
                "name": f"User {number}",
                "email": f"user{number}@shop.example",
                "active_flag": active,
            }
            for number, active in ((1, True), (2, True), (3, False))
        }
        #: Types of activities that an admin has left on.
        self.activity_types = ["call", "task", "meeting"]
        self.pipelines = {1: "Sales", 2: "Service"}
        self.stages = {10: 1, 20: 2}
        self.lead_labels = {str(uuid.uuid4()): name for name in ("Hot", "smartsupp", "Smartsupp-Chat")}
        self.deal_labels = {71: "Hot", 72: "smartsupp", 73: "Smartsupp-Chat"}
        for kind in ("smartsupp-missed", "smartsupp-offline"):
            self.lead_labels[str(uuid.uuid4())] = kind
            self.deal_labels[self.new_id()] = kind
        self.page = 100
        own: dict[tuple[str, str], Callable[..., Any]] = {
            ("GET", "/v1/users/me"): self._me,
            ("GET", "/v1/users"): self._list_users,
            ("GET", "/v1/users/find"): self._find_users,
            ("GET", r"/v1/users/(\d+)"): self._user,
            ("GET", "/v1/activityTypes"): self._list_activity_types,
            ("GET", "/api/v2/activities"): self._list_activities,
            ("POST", "/api/v2/activities"): self._add_activity,
            ("GET", "/api/v2/persons/search"): self._search,
            ("GET", "/api/v2/persons"): self._list_persons,
            ("POST", "/api/v2/persons"): self._add_person,
            ("GET", r"/api/v2/persons/(\d+)"): self._one_person,
            ("PATCH", r"/api/v2/persons/(\d+)"): self._change_person,
            ("DELETE", r"/api/v2/persons/(\d+)"): self._delete_person,
            ("GET", "/api/v2/personFields"): self._person_fields,
            ("GET", "/api/v2/organizations/search"): self._search_organizations,
            ("GET", "/v1/leads"): self._list_leads,
            ("GET", "/v1/leads/archived"): self._list_archived_leads,
            ("POST", "/v1/leads"): self._add_lead,
            ("PATCH", r"/v1/leads/([0-9a-f-]+)"): self._change_lead,
            ("GET", "/v1/leadLabels"): self._list_labels,
            ("POST", "/v1/leadLabels"): self._add_lead_label,
            ("GET", "/api/v2/deals"): lambda request: self._list(
                request, self.deals, person_id=r"\d+", updated_since=TIME
            ),
            ("POST", "/api/v2/deals"): self._add_deal,
            ("PATCH", r"/api/v2/deals/(\d+)"): self._change_deal,
            ("GET", "/api/v2/dealFields"): self._deal_fields,
            ("POST", "/api/v2/dealFields/label/options"): self._add_deal_labels,
            ("GET", "/api/v2/pipelines"): self._list_pipelines,
            ("GET", "/api/v2/stages"): self._list_stages,
            ("GET", r"/api/v2/pipelines/(\d+)"): self._pipeline,
            ("GET", r"/api/v2/stages/(\d+)"): self._stage,
            ("GET", "/v1/notes"): self._list_notes,
            ("POST", "/v1/notes"): self._add_note,
            ("PUT", r"/v1/notes/(\d+)"): self._change_note,
            ("POST", "/v1/files"): self._add_file,
            ("GET", "/v1/files"): self._list_files,
            ("GET", r"/v1/(deal|person)s/(\d+)/files"): self._list_files,
        }
        for (method, path), answer in own.items():
            self.route(method, path, answer)

    def people(self) -> list[Any]:
        return [one for one in self.persons.values() if not one["is_deleted"]]

    def records(self) -> list[Any]:
        first = [note for note in self.notes.values() if "person_id" in note and _begins(note)]
        return [*self.leads.values(), *self.deals.values(), *first]

    def texts(self) -> list[str]:
        return [note["content"] for note in self.notes.values()]

    def was_there(self, name: str, *emails: str) -> int:
        """A person from long ago, which the search knows."""
        made = self._person({"name": name, "emails": [{"value": one, "primary": True} for one in emails]})
        made["add_time"] = "2020-01-01T00:00:00Z"
        self.index()
        return int(made["id"])

    # --- what people do in Pipedrive -----------------------------------------------

    def add_person(self, *, name: str = "", email: str = "", phone: str = "", **fields: str) -> int:
        number = self.was_there(name or email, *([email] if email else []))
        self.persons[number]["phones"] = [{"value": phone, "primary": True}] if phone else []
        self.persons[number]["custom_fields"] |= {key: text for key, text in fields.items() if text}
        self.index()
        return number

    def index(self) -> None:
        """The search has caught up."""
        self.indexed = {number: json.loads(json.dumps(one)) for number, one in self.persons.items()}

    def person(self, number: int) -> dict[str, str]:
        one = self.persons[number]
        email, phone = (next((it["value"] for it in one[kind]), "") for kind in ("emails", "phones"))
        custom = {key: text for key, text in one["custom_fields"].items() if text is not None}
        return {"name": one["name"], "email": email, "phone": phone, **custom}

    def remove_person(self, number: int) -> None:
        self.persons[number]["is_deleted"] = True

    def records_of(self, number: int) -> int:
        def of(kept: dict[Any, dict[str, Any]]) -> list[dict[str, Any]]:
            return [one for one in kept.values() if one.get("person_id") == number]

        return len(of(self.leads)) + len(of(self.deals)) + sum(map(_begins, of(self.notes)))

    def add_company(self, domain: str) -> int:
        number = self.new_id()
        website = {WEBSITE_FIELD: f"https://www.{domain}/about"}
        self.organizations[number] = {"id": number, "name": domain, "custom_fields": website}
        return number

    def company_of(self, number: int) -> int | None:
        return self.persons[number].get("org_id")

    # --- whose records are, and what is to be done ----------------------------------

    def knows_owner(self, email: str, *, active: bool = True) -> int:
        number = self.new_id()
        self.users[number] = {"id": number, "name": email, "email": email, "active_flag": active}
        return number

    def owner_of(self, record: Any) -> int | None:
        found = record["owner_id"]
        return int(found) if found else None

    def end(self, record: Any) -> None:
        record.update({"is_archived": True} if self._kind(record) == "lead" else {"status": "lost"})

    def age(self, record: Any) -> None:
        record["update_time"] = "2015-03-01T00:00:00Z"

    def due_of(self, record: Any) -> str:
        of = f"{self._kind(record)}_id"
        found = [one for one in self.activities.values() if one.get(of) == record["id"] and "due_date" in one]
        return "".join(f"{one['due_date']}T{one['due_time'][:5]}" for one in found)

    def follows(self, record: Any, earlier: Any) -> bool:
        kind = self._kind(record)
        page = f"{self.url}/{'leads/inbox' if kind == 'lead' else 'deal'}/{earlier['id']}<"
        mine = [one for one in self.notes.values() if one.get(f"{kind}_id") == record["id"]]
        return any(page in one["content"] for one in mine)

    def _kind(self, record: Any) -> str:
        return "lead" if record["id"] in self.leads else "deal"

    def _act(self, request: Request) -> Answer:
        if request.headers.get("x-api-token") != TOKEN:
            return Answer(401, {"success": False, "error": "unauthorized access", "errorCode": 401})
        if request.path == "/v1/files" and request.method == "POST":
            return super()._act(request)
        if request.body is not None and request.headers.get("content-type") != "application/json":
            return Answer(415, {"success": False, "error": "Unsupported media type"})
        return super()._act(request)

    # --- users, pipelines, fields, labels ----------------------------------------

    def _me(self, request: Request) -> Answer:
        _asked(request)
        return _good({"id": 1, "name": "Me", "company_name": "Acme", "company_domain": "acme", "active_flag": True})

    def _user(self, _: Request, number: str) -> Answer:
        if int(number) not in self.users:
            raise Refuse(404, {"success": False, "error": "User not found or not accessible."})
        return _good(self.users[int(number)])

    def _list_users(self, request: Request) -> Answer:
        """All at once, those who were switched off too."""
        _asked(request)
        return _good([*self.users.values()])

    def _list_pipelines(self, request: Request) -> Answer:
        return self._cut(request, [self._pipeline(request, str(one)).body["data"] for one in self.pipelines])

    def _list_stages(self, request: Request) -> Answer:
        return self._cut(request, [self._stage(request, str(one)).body["data"] for one in self.stages])

    def _cut(self, request: Request, rows: list[Any]) -> Answer:
        _asked(request, limit=r"[1-9]\d{0,2}", cursor=r"c\d+")
        start = int(request.query.get("cursor", "c0")[1:])
        end = start + min(int(request.query.get("limit", 100)), self.page)
        return _good(rows[start:end], additional_data={"next_cursor": f"c{end}" if end < len(rows) else None})

    def _find_users(self, request: Request) -> Answer:
        """Those who have the term in their address."""
        _asked(request, term=".+", search_by_email="1")
        found = [one for one in self.users.values() if request.query["term"].lower() in str(one["email"]).lower()]
        return _good(found or None)

    def _list_activity_types(self, request: Request) -> Answer:
        _asked(request)
        named = ("call", "meeting", "task")
        return _good([{"key_string": one, "active_flag": one in self.activity_types} for one in named])

    def _pipeline(self, _: Request, number: str) -> Answer:
        if int(number) not in self.pipelines:
            raise _refused("Pipeline not found.", 404)
        return _good({"id": int(number), "name": self.pipelines[int(number)], "is_deleted": False})

    def _stage(self, _: Request, number: str) -> Answer:
        if int(number) not in self.stages:
            raise _refused("Stage not found.", 404)
        pipeline = self.stages[int(number)]
        return _good({"id": int(number), "name": f"Stage {number}", "pipeline_id": pipeline, "is_deleted": False})

    def _deal_fields(self, request: Request) -> Answer:
        _asked(request, limit=r"[1-9]\d{0,2}", cursor=r"\w+")
        labels = [{"id": number, "label": name} for number, name in self.deal_labels.items()]
        named = [("title", "Title", "varchar"), (TEXT_FIELD, "Plan", "varchar"), (DATE_FIELD, "Seen", "date")]
        named += [(NUMBER_FIELD, "Score", "double"), ("label", "Label", "set")]
        return _good(
            [
                {
                    "field_code": code,
                    "field_name": name,
                    "field_type": kind,
                    "options": labels if code == "label" else None,
                }
                for code, name, kind in named
            ],
            additional_data={"next_cursor": None},
        )

    def _add_deal_labels(self, request: Request) -> Answer:
        if not isinstance(request.body, list) or not request.body:
            raise _refused("Validation failed: expected a list of options")
        made = [_checked(one, {"label": _text}, "label")["label"] for one in request.body]
        self.deal_labels |= {self.new_id(): name for name in made}
        return _good([{"id": number, "label": name} for number, name in self.deal_labels.items() if name in made])

    def _list_labels(self, request: Request) -> Answer:
        _asked(request)
        return _good([{"id": number, "name": name, "color": "gray"} for number, name in self.lead_labels.items()])

    def _add_lead_label(self, request: Request) -> Answer:
        colours = ("blue", "brown", "dark-gray", "gray", "green", "orange", "pink", "purple", "red", "yellow")
        body = _checked(request.body, {"name": _text, "color": lambda it: it in colours}, "name", "color")
        number = str(uuid.uuid4())
        self.lead_labels[number] = body["name"]
        return _good({"id": number, **body})

    # --- persons, leads, deals -----------------------------------------------------

    def _search(self, request: Request) -> Answer:
        fields = "email|name|phone|custom_fields"
        _asked(request, term="(?s).+", fields=fields, exact_match="true", limit=r"\d+", cursor=r"\w+")
        term, by = request.query["term"].casefold(), request.query["fields"]
        exact = request.query.get("exact_match") == "true"
        found = []
        for one in self.indexed.values():
            emails, phones = ([it["value"] for it in one[kind]] for kind in ("emails", "phones"))
            custom = [str(text) for text in one["custom_fields"].values() if text is not None]
            item = {"id": one["id"], "type": "person", "name": one["name"], "emails": emails, "phones": phones}
            texts = {"email": emails, "name": [one["name"]], "phone": phones, "custom_fields": custom}[by]
            # Signs between the digits of a number do not count.
            texts = [re.sub(r"\D", "", text) if by == "phone" else text.casefold() for text in texts]
            if any(text == term if exact else term in text for text in texts):
                found.append({"result_score": 0.5, "item": {**item, "custom_fields": custom}})
        return _good({"items": found}, additional_data={"next_cursor": None})

    def _search_organizations(self, request: Request) -> Answer:
        _asked(request, term="(?s).+", fields="custom_fields", limit=r"\d+", cursor=r"\w+")
        term = request.query["term"].casefold()
        items = [
            {**one, "type": "organization", "custom_fields": list(one["custom_fields"].values())}
            for one in self.organizations.values()
        ]
        found = [{"item": one} for one in items if any(term in text.casefold() for text in one["custom_fields"])]
        return _good({"items": found}, additional_data={"next_cursor": None})

    def _list(self, request: Request, kept: dict[int, dict[str, Any]], **more: str) -> Answer:
        sorts = "add_time|update_time"
        _asked(request, sort_by=sorts, sort_direction="desc", limit=r"[1-9]\d{0,2}", cursor=r"c\d+", **more)
        by, asked = request.query.get("sort_by", "add_time"), request.query
        rows = sorted(kept.values(), key=lambda one: (one[by], one["id"]), reverse=True)
        for name in {"person_id", "deal_id", "lead_id"} & asked.keys():
            rows = [one for one in rows if str(one.get(name)) == asked[name]]
        rows = [one for one in rows if one.get("update_time", "9") >= asked.get("updated_since", "")]
        start = int(request.query.get("cursor", "c0")[1:])
        end = start + min(int(request.query.get("limit", 100)), self.page)
        cursor = f"c{end}" if end < len(rows) else None
        return _good(rows[start:end], additional_data={"next_cursor": cursor})

    def _list_persons(self, request: Request) -> Answer:
        wanted = request.query.get("ids")
        numbers = {int(one) for one in wanted.split(",")} if wanted else self.persons.keys()
        there = {one["id"]: one for one in self.people() if one["id"] in numbers}
        answer = self._list(request, there, ids=r"\d+(,\d+){0,99}", **self._shows())
        answer.body["data"] = [self._shown(request, one) for one in answer.body["data"]]
        return answer

    def _one_person(self, request: Request, number: str) -> Answer:
        _asked(request, **self._shows())
        if int(number) not in self.persons:
            raise _refused("Person not found.", 404)
        return _good(self._shown(request, self.persons[int(number)]))

    def _shows(self) -> dict[str, str]:
        more = "|marketing_status" if self.campaigns else ""
        names = f"(last_activity_id{more})"
        return {"include_fields": f"{names}(,{names})*", "custom_fields": "[0-9a-f]{40}(,[0-9a-f]{40}){0,14}"}

    def _shown(self, request: Request, one: dict[str, Any]) -> dict[str, Any]:
        """A person without what is only shown to who asks for it, and with what they name of custom fields."""
        more = set(request.query.get("include_fields", "").split(","))
        seen = {key: value for key, value in one.items() if key not in {"last_activity_id", "marketing_status"} - more}
        keys = request.query.get("custom_fields", f"{PERSON_FIELD},{CUSTOMER_FIELD},{NUMBER_FIELD}").split(",")
        return {**seen, "custom_fields": {key: one["custom_fields"].get(key) for key in keys}}

    def _add_person(self, request: Request) -> Answer:
        return _good(self._person(_checked(request.body, self._person_body(), "name")), 201)

    def _change_person(self, request: Request, number: str) -> Answer:
        there = self.persons.get(int(number), {"is_deleted": True})
        if there["is_deleted"]:
            raise _refused("Person not found.", 404)
        body = _checked(request.body, self._person_body())
        custom = {**there["custom_fields"], **body.pop("custom_fields", {})}
        there |= {**body, "custom_fields": custom}
        return _good(there)

    def _delete_person(self, request: Request, number: str) -> Answer:
        _asked(request)
        if self.persons.get(int(number), {"is_deleted": True})["is_deleted"]:
            raise _refused("Person not found.", 404)
        self.persons[int(number)]["is_deleted"] = True
        return _good({"id": int(number)})

    def _person_body(self) -> dict[str, Check]:
        return {
            "name": _text,
            "emails": lambda it: _emails(it) and not any(one["value"].startswith("typo") for one in it),
            "phones": _values,
            "owner_id": self._is_user,
            "org_id": lambda it: _number(it) and it in self.organizations,
            "custom_fields": lambda it: isinstance(it, dict) and all(map(_person_field, it, it.values())),
            **({"marketing_status": lambda it: it in MARKETING} if self.campaigns else {}),
        }

    def _person(self, body: dict[str, Any]) -> dict[str, Any]:
        blank: dict[str, Any] = {"emails": [], "phones": [], "custom_fields": {}, "org_id": None, "owner_id": 1}
        blank |= {"last_activity_id": None, "marketing_status": "no_consent"}
        made = {**blank, **body, "id": self.new_id(), "add_time": _now(), "is_deleted": False}
        self.persons[made["id"]] = made
        return made

    def _person_fields(self, request: Request) -> Answer:
        _asked(request, limit=r"[1-9]\d{0,2}", cursor=r"\w+")
        named = [("name", "Name", "varchar"), (PERSON_FIELD, "Plan", "varchar"), (CUSTOMER_FIELD, "No.", "varchar")]
        named += [(NUMBER_FIELD, "Score", "double")]
        fields = [{"field_code": code, "field_name": name, "field_type": kind} for code, name, kind in named]
        return _good(fields, additional_data={"next_cursor": None})

    def _list_leads(self, request: Request) -> Answer:
        _asked(request, person_id=r"\d+", limit=r"[1-9]\d{0,2}", start=r"\d+", updated_since=TIME)
        since = request.query.get("updated_since", "")
        return self._counted(request, [one for one in self._leads_of(request, False) if one["update_time"] >= since])

    def _list_archived_leads(self, request: Request) -> Answer:
        _asked(request, person_id=r"\d+", limit=r"[1-9]\d{0,2}", start=r"\d+")
        return self._counted(request, self._leads_of(request, True))

    def _leads_of(self, request: Request, archived: bool) -> list[dict[str, Any]]:
        wanted = int(request.query["person_id"])
        return [one for one in self.leads.values() if (one["person_id"], one["is_archived"]) == (wanted, archived)]

    def _add_lead(self, request: Request) -> Answer:
        allowed: dict[str, Check] = {
            "title": _text,
            "person_id": self._is_person,
            "owner_id": self._is_user,
            "origin_id": _text,
            "label_ids": _list_of(lambda it: _uuid(it) and it in self.lead_labels),
            TEXT_FIELD: _text,
            DATE_FIELD: lambda it: bool(re.fullmatch(r"\d{4}-\d\d-\d\d", it)),
        }
        body = _checked(request.body, allowed, "title", "person_id")
        number = str(uuid.uuid4())
        times = {"add_time": _now(), "update_time": _now()}
        self.leads[number] = {"owner_id": 1, **body, "id": number, **times, "is_archived": False}
        return _good(self.leads[number], 201)

    def _change_lead(self, request: Request, number: str) -> Answer:
        if number not in self.leads:
            raise _refused("requested lead not found", 404)
        self.leads[number] |= _checked(request.body, {TEXT_FIELD: _text, DATE_FIELD: _text})
        return _good(self.leads[number])

    def _add_deal(self, request: Request) -> Answer:
        allowed: dict[str, Check] = {
            "title": _text,
            "person_id": self._is_person,
            "owner_id": self._is_user,
            "pipeline_id": lambda it: _number(it) and it in self.pipelines,
            "stage_id": lambda it: _number(it) and it in self.stages,
            "label_ids": _list_of(lambda it: _number(it) and it in self.deal_labels),
            "custom_fields": self._are_fields,
        }
        times = {"add_time": _now(), "update_time": _now()}
        body = _checked(request.body, allowed, "title")
        if (
            "stage_id" in body
            and body.get("pipeline_id", self.stages[body["stage_id"]]) != self.stages[body["stage_id"]]
        ):
            raise _refused("Validation failed: stage_id: it is of another pipeline")
        made = {"owner_id": 1, "status": "open", "is_archived": False, **body, "id": self.new_id(), **times}
        self.deals[made["id"]] = made
        return _good(made, 201)

    def _change_deal(self, request: Request, number: str) -> Answer:
        if int(number) not in self.deals:
            raise _refused("Deal not found.", 404)
        self.deals[int(number)] |= _checked(request.body, {"custom_fields": self._are_fields})
        return _good(self.deals[int(number)])

    def _are_fields(self, value: Any) -> bool:
        return isinstance(value, dict) and all(
            key in (TEXT_FIELD, DATE_FIELD) and _text(text) for key, text in value.items()
        )

    def _is_person(self, value: Any) -> bool:
        return _number(value) and value in self.persons and not self.persons[value]["is_deleted"]

    def _is_user(self, value: Any) -> bool:
        return _number(value) and value in self.users and bool(self.users[value]["active_flag"])

    # --- activities ----------------------------------------------------------------

    def _list_activities(self, request: Request) -> Answer:
        parents = {"person_id": r"\d+", "deal_id": r"\d+", "lead_id": r"[0-9a-f-]{36}"}
        return self._list(request, self.activities, **parents)

    def _add_activity(self, request: Request) -> Answer:
        if isinstance(request.body, dict) and "person_id" in request.body:
            text = "'person_id' is a read-only field. Add a primary participant to set 'person_id' instead."
            raise _refused(text)
        allowed: dict[str, Check] = {
            "subject": _text,
            "type": lambda it: it in self.activity_types,
            "owner_id": self._is_user,
            "deal_id": lambda it: _number(it) and it in self.deals,
            "lead_id": lambda it: _uuid(it) and it in self.leads,
            "participants": _list_of(lambda it: it["primary"] is True and self._is_person(it["person_id"])),
            "due_date": lambda it: bool(re.fullmatch(r"\d{4}-\d\d-\d\d", it)),
            "due_time": lambda it: bool(re.fullmatch(r"\d\d:\d\d:\d\d", it)),
            "note": _text,
        }
        body = _checked(request.body, allowed)
        people = [one["person_id"] for one in body.get("participants", [])]
        person = {"person_id": people[0]} if people else {}
        made = {"owner_id": 1, "done": False, **body, **person, "id": self.new_id(), "add_time": _now()}
        self.activities[made["id"]] = {**made, "note": _cleaned(made.get("note", ""))}
        return _good(made, 201)

    # --- notes ---------------------------------------------------------------------

    def _list_notes(self, request: Request) -> Answer:
        parents = {"person_id": r"\d+", "deal_id": r"\d+", "lead_id": r"[0-9a-f-]{36}"}
        _asked(request, limit=r"[1-9]\d{0,2}", start=r"\d+", sort="id (ASC|DESC)", **parents)
        wanted = {name: request.query[name] for name in parents if name in request.query}
        rows = [
            note for note in self.notes.values() if all(str(note.get(name)) == value for name, value in wanted.items())
        ]
        return self._counted(request, rows[::-1] if "DESC" in request.query.get("sort", "") else rows)

    def _add_note(self, request: Request) -> Answer:
        allowed: dict[str, Check] = {
            "content": _is_note,
            "add_time": _moment,
            "person_id": _number,
            "deal_id": _number,
            "lead_id": _uuid,
        }
        body = _checked(request.body, allowed, "content")
        kept: dict[str, Mapping[Any, Any]] = {"person_id": self.persons, "deal_id": self.deals, "lead_id": self.leads}
        parents = [name for name in kept if name in body]
        if not parents:
            raise _refused("Note must be associated with at least one organization, person, deal, lead or project.")
        for name in parents:
            if body[name] not in kept[name] or kept[name][body[name]].get("is_deleted"):
                raise _refused(f"{name} not found", 404)
        number = self.new_id()
        self.notes[number] = {"add_time": _now(), **body, "id": number, "content": _cleaned(body["content"])}
        return _good(self.notes[number], 201)

    def _add_file(self, request: Request) -> Answer:
        """https://developers.pipedrive.com/docs/api/v1/Files#addFile"""
        fields, sent = request.form()
        kept = {"deal_id": self.deals, "person_id": self.persons, "lead_id": self.leads}
        parents: dict[str, Any] = {
            name: text if name == "lead_id" else int(text) for name, text in fields.items() if name in kept
        }
        if parents.keys() != fields.keys() or [name for name, *_ in sent] != ["file"] or not sent[0][3]:
            raise _refused("Validation failed: a file and what it belongs to")
        if any(parents[name] not in kept[name] for name in parents):  # type: ignore[operator]
            raise _refused("not found", 404)
        made = {"id": self.new_id(), "file_name": sent[0][1], "name": sent[0][1], **parents}
        self.files.append(made | {"content": sent[0][3]})
        return _good(made, 201)

    def _list_files(self, request: Request, kind: str = "", number: str = "0") -> Answer:
        _asked(request, limit=r"[1-9]\d?|100", start=r"\d+", sort="(id|update_time) (ASC|DESC)")
        mine = [one for one in self.files if not kind or one.get(f"{kind}_id") == int(number)]
        shown = [{name: value for name, value in one.items() if name != "content"} for one in mine]
        return self._counted(request, shown[::-1])

    def attached(self) -> list[tuple[str, bytes]]:
        return [(one["name"], one["content"]) for one in self.files]

    def _change_note(self, request: Request, number: str) -> Answer:
        if int(number) not in self.notes:
            raise _refused("Note not found", 404)
        body = _checked(request.body, {"content": _is_note}, "content")
        self.notes[int(number)]["content"] = _cleaned(body["content"])
        return _good(self.notes[int(number)])

    def _counted(self, request: Request, rows: list[Any]) -> Answer:
        """A page of v1: null for none, and where the next one starts."""
        start, limit = int(request.query.get("start", 0)), min(int(request.query.get("limit", 100)), self.page)
        more = start + limit < len(rows)
        page = {"start": start, "limit": limit, "more_items_in_collection": more}
        return _good(rows[start : start + limit] or None, additional_data={"pagination": page})


def _begins(note: dict[str, Any]) -> bool:
    """Whether it is the first of a chain."""
    found = _CHAIN.search(note["content"])
    return found is None or not found[1]


def _person_field(key: str, value: Any) -> bool:
    return _number(value) if key == NUMBER_FIELD else key in (PERSON_FIELD, CUSTOMER_FIELD) and _text(value)


def _is_note(value: Any) -> bool:
    return isinstance(value, str) and 0 < len(value.encode()) <= 100_000


def _cleaned(content: str) -> str:
    """Pipedrive cleans what it gets, so that it may not come back letter by letter."""
    return re.sub(r"(?is)<script.*?</script>", "", content).replace("</p><p>", "</p>\n<p>") + "\n"


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
