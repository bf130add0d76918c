"""HubSpot, version 2026-09, as its OpenAPI documents and guides describe it.

https://github.com/HubSpot/HubSpot-public-api-spec-collection
https://developers.hubspot.com/docs/api-reference/error-handling
"""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import Any

from connectors.testing.fake import Answer, Fake, Refuse, Request

#: The association types from an activity.
HANGS_ON = {"notes": {202: "contacts", 228: "tickets"}, "tasks": {204: "contacts", 230: "tickets"}}
#: Pipeline -> stage -> label and state.
PIPELINES = {
    "0": {"1": ("New", "OPEN"), "4": ("Closed", "CLOSED")},
    "5": {"51": ("First", "OPEN"), "52": ("Second", "OPEN")},
}
LABELS = {"0": "Support Pipeline", "5": "Returns"}
BODY_LIMIT = 65_536
PAGE = 2

KNOWN = {
    "contacts": {
        *("email", "firstname", "lastname", "phone", "mobilephone", "jobtitle", "lifecyclestage", "hubspot_owner_id"),
        *("notes_last_updated", "customer_no", "hs_legal_basis", "associatedcompanyid"),
        *("hs_searchable_calculated_phone_number", "hs_searchable_calculated_mobile_number"),
    },
    "companies": {"name", "domain"},
    "tickets": {
        *("subject", "content", "hs_pipeline", "hs_pipeline_stage", "hubspot_owner_id", "hs_ticket_priority"),
        "hs_lastmodifieddate",
    },
    "notes": {"hs_timestamp", "hs_note_body", "hubspot_owner_id", "hs_attachment_ids"},
    "tasks": {
        *("hs_timestamp", "hs_task_subject", "hs_task_body", "hs_task_status", "hs_task_type", "hs_task_priority"),
        "hubspot_owner_id",
    },
}
OPTIONS = {
    "hs_ticket_priority": {"", "LOW", "MEDIUM", "HIGH", "URGENT"},
    "hs_task_status": {"NOT_STARTED", "COMPLETED"},
    "hs_task_type": {"EMAIL", "CALL", "TODO"},
}


class HubSpotVendor(Fake):
    def __init__(self, token: str, *, ready: bool = True) -> None:
        super().__init__()
        self.token = token
        self.labels = dict(LABELS)
        self.scopes = {"contacts", "tickets", "owners", "account", "files"}
        #: The file manager: folder, name and content by id.
        self.files: dict[str, tuple[str, str, bytes]] = {}
        self.objects: dict[str, dict[str, dict[str, Any]]] = {kind: {} for kind in KNOWN}
        self.links: set[tuple[str, str, str, str]] = set()
        self.owners: dict[str, dict[str, Any]] = {
            "77": {"id": "77", "email": "me@shop.example", "type": "PERSON", "archived": False}
        }
        self.properties = {
            kind: {name: {"name": name, "hasUniqueValue": name == "email"} for name in names}
            for kind, names in KNOWN.items()
        }
        if ready:
            self.properties["tickets"]["smartsupp_chat_id"] = {"name": "smartsupp_chat_id", "hasUniqueValue": True}
        #: Further addresses of a contact, which belong to it and are not found by `email`.
        self.further: dict[str, str] = {}
        objects = "/crm/objects/2026-09"
        #: Contacts that were merged: their id -> that of the one they were merged into.
        self.merged: dict[str, str] = {}
        #: The index of the search knows these; it has seen nothing of what was made or changed just now.
        self.indexed: dict[str, dict[str, str]] = {}
        kinds = "(contacts|tickets|notes|tasks|companies)"
        self.route("GET", "/account-info/2026-09/details", self.account)
        self.route("GET", f"{objects}/{kinds}", self.some)
        self.route("POST", f"{objects}/{kinds}/batch/read", self.batch_read)
        self.route("POST", f"{objects}/{kinds}/batch/upsert", self.upsert)
        self.route("POST", f"{objects}/{kinds}/search", self.search)
        self.route("POST", f"{objects}/(notes|tasks)", self.create_activity)
        self.route("POST", f"{objects}/contacts/gdpr-delete", self.delete_for_good)
        self.route("PATCH", rf"{objects}/{kinds}/(\d+)", self.patch)
        self.route("PUT", rf"{objects}/(tickets)/(\d+)/associations/default/(contacts)/(\d+)", self.associate)
        self.route("PUT", rf"{objects}/(contacts)/(\d+)/associations/default/(companies)/(\d+)", self.associate)
        self.route("POST", "/crm/associations/2026-09/(contacts|tickets)/(notes|tasks)/batch/read", self.associations)
        self.route("POST", "/crm/associations/2026-09/(contacts)/(tickets)/batch/read", self.associations)
        self.route("GET", f"/crm/properties/2026-09/{kinds}", self.list_properties)
        self.route("GET", f"/crm/properties/2026-09/{kinds}/([a-z0-9_]+)", self.one_property)
        self.route("POST", f"/crm/properties/2026-09/{kinds}", self.create_property)
        self.route("GET", "/crm/pipelines/2026-09/tickets", self.pipelines)
        self.route("GET", "/crm/owners/2026-09", self.list_owners)
        self.route("POST", "/files/2026-09/files", self.upload)
        self.route("GET", r"/crm/owners/2026-09/(\d+)", self.owner)

    # --- what a contract asks ---------------------------------------------------

    def people(self) -> list[Any]:
        return list(self.objects["contacts"].values())

    def records(self) -> list[Any]:
        return list(self.objects["tickets"].values())

    def texts(self) -> list[str]:
        return [note["properties"]["hs_note_body"] for note in self.objects["notes"].values()]

    def notes_of(self, kind: str, record: str) -> list[str]:
        return self.linked(kind, record, "notes")

    def linked(self, kind: str, record: str, other: str) -> list[str]:
        pairs = [(one[:2], one[2:]) for one in self.links]
        both = [*pairs, *((there, here) for here, there in pairs)]
        return sorted(there[1] for here, there in both if here == (kind, record) and there[0] == other)

    def delete(self, kind: str, record: str) -> None:
        """What a person does in HubSpot."""
        del self.objects[kind][record]
        self.links = {link for link in self.links if (kind, record) not in (link[:2], link[2:])}

    # --- whose records are, and what is to be done -----------------------------------

    def knows_owner(self, email: str, *, active: bool = True) -> int:
        number = self.new_id()
        self.owners[str(number)] = {"id": str(number), "email": email, "type": "PERSON", "archived": not active}
        return number

    def owner_of(self, record: Any) -> int | None:
        found = record["properties"].get("hubspot_owner_id")
        return int(found) if found else None

    def end(self, record: Any) -> None:
        record["properties"] |= {"hs_pipeline": "0", "hs_pipeline_stage": "4"}

    def age(self, record: Any) -> None:
        record["properties"]["hs_lastmodifieddate"] = "2015-03-01T00:00:00.123Z"

    def tasks_of(self, kind: str, record: str) -> list[dict[str, str]]:
        return [self.objects["tasks"][task]["properties"] for task in self.linked(kind, record, "tasks")]

    def due_of(self, record: Any) -> str:
        return "".join(task["hs_timestamp"][:16] for task in self.tasks_of("tickets", record["id"]))

    def follows(self, record: Any, earlier: Any) -> bool:
        notes = [self.objects["notes"][note] for note in self.notes_of("tickets", record["id"])]
        page = f"https://app-eu1.hubspot.com/contacts/4711/record/0-5/{earlier['id']}<"
        return any(page in note["properties"]["hs_note_body"] for note in notes)

    # --- the gate -----------------------------------------------------------------

    def _act(self, request: Request) -> Answer:
        if request.headers.get("authorization") != f"Bearer {self.token}":
            return _error(401, "INVALID_AUTHENTICATION", "Authentication credentials not found.").answer
        if request.path == "/files/2026-09/files":
            return super()._act(request)
        if request.method != "GET" and request.body is not None and not isinstance(request.body, dict):
            return _error(400, "VALIDATION_ERROR", "Invalid input JSON").answer
        return super()._act(request)

    def _need(self, scope: str) -> None:
        if scope not in self.scopes:
            raise _error(403, "MISSING_SCOPES", "This app hasn't been granted all required scopes")

    # --- objects --------------------------------------------------------------------

    def some(self, request: Request, kind: str) -> Any:
        self._need("tickets" if kind == "tickets" else "contacts")
        _only(request.query, {"limit", "after", "properties", "associations", "archived"})
        return {"results": list(self.objects[kind].values())[: int(request.query.get("limit", 10))]}

    def batch_read(self, request: Request, kind: str) -> Answer:
        body = request.body or {}
        _only(body, {"inputs", "properties", "propertiesWithHistory", "idProperty"})
        _required(body, {"inputs": list, "properties": list, "propertiesWithHistory": list})
        by = body.get("idProperty")
        if by is not None:
            self._unique(kind, by)
        found, missing = [], []
        for one in self._inputs(body):
            _only(one, {"id"})
            number = self.merged.get(one["id"], one["id"])
            record = self._by(kind, by, one["id"]) if by else self.objects[kind].get(number)
            if record:
                names = {"hs_object_id", *body["properties"]}
                shown = {name: value for name, value in record["properties"].items() if name in names}
                found.append({**record, "properties": shown})
            else:
                missing.append(one["id"])
        text = f"Could not get some {kind} objects, they may be deleted or not exist. Check that ids are valid."
        return _batch(found, [_item("OBJECT_NOT_FOUND", text, ids=missing)] if missing else [])

    def upsert(self, request: Request, kind: str) -> Answer:
        self._need("tickets" if kind == "tickets" else "contacts")
        body = request.body or {}
        _only(body, {"inputs"})
        results = []
        for one in self._inputs(body):
            _only(one, {"id", "idProperty", "properties", "objectWriteTraceId"})
            _required(one, {"idProperty": str, "properties": dict})
            by = one["idProperty"]
            self._unique(kind, by)
            properties = {**one["properties"], by: one["id"]}
            self._valid(kind, properties)
            if kind == "contacts" and one["id"] in self.further:
                raise _error(409, "CONFLICT", f"Contact already exists. Existing ID: {self.further[one['id']]}")
            record = self._by(kind, by, one["id"])
            if record is None:
                if kind == "tickets" and not {"subject", "hs_pipeline_stage"} <= properties.keys():
                    raise _error(
                        400, "VALIDATION_ERROR", "Error creating TICKET. Some required properties were not set."
                    )
                record = self._new(kind, {})
                results.append({**record, "new": True})
            else:
                results.append({**record, "new": False})
            record["properties"] |= properties
        return _batch(results, [])

    def search(self, request: Request, kind: str) -> Any:
        """The index has seen nothing of what was made just now."""
        body = request.body or {}
        _only(body, {"filterGroups", "properties", "sorts", "after", "limit"})
        _required(body, {"filterGroups": list, "properties": list, "sorts": list, "after": str, "limit": int})
        found = []
        for record in self.objects[kind].values():
            seen = self.indexed.get(record["id"], {})
            for group in body["filterGroups"]:
                if all(seen.get(one["propertyName"]) == one["value"] for one in group["filters"]):
                    names = {"hs_object_id", *body["properties"]}
                    shown = {name: value for name, value in record["properties"].items() if name in names}
                    found.append({**record, "properties": shown})
                    break
        return {"total": len(found), "results": found[: body["limit"]]}

    # --- what people do in HubSpot -------------------------------------------------------

    def add_person(self, *, name: str = "", email: str = "", phone: str = "", **fields: str) -> str:
        first, _, last = name.partition(" ")
        known = {"email": email, "firstname": first, "lastname": last, "phone": phone, **fields}
        record = self._new("contacts", {name: value for name, value in known.items() if value})
        self.index()
        return str(record["id"])

    def index(self) -> None:
        """The search has caught up."""
        for record in (*self.objects["contacts"].values(), *self.objects["companies"].values()):
            properties = record["properties"]
            for name, searched in (("phone", "phone_number"), ("mobilephone", "mobile_number")):
                digits = re.sub(r"^\+420|\D", "", properties.get(name, ""))
                properties |= {f"hs_searchable_calculated_{searched}": digits} if digits else {}
            self.indexed[record["id"]] = dict(properties)

    def person(self, number: str) -> dict[str, str]:
        found = self.objects["contacts"][number]["properties"]
        return {**found, "name": f"{found.get('firstname', '')} {found.get('lastname', '')}".strip()}

    def remove_person(self, number: str) -> None:
        self.delete("contacts", number)

    def records_of(self, number: str) -> int:
        return sum(link[0] == "tickets" and link[2:] == ("contacts", number) for link in self.links)

    def add_company(self, domain: str) -> str:
        record = self._new("companies", {"name": domain, "domain": domain})
        self.index()
        return str(record["id"])

    def company_of(self, number: str) -> str | None:
        found = [link[3] for link in self.links if link[:3] == ("contacts", number, "companies")]
        assert len(found) < 2, found
        return next(iter(found), None)

    def patch(self, request: Request, kind: str, record: str) -> Any:
        body = request.body or {}
        _only(body, {"properties"})
        _required(body, {"properties": dict})
        if record not in self.objects[kind]:
            raise _error(404, "OBJECT_NOT_FOUND", f"Object not found. objectId are usually numeric. ({record})")
        self._valid(kind, body["properties"])
        self.objects[kind][record]["properties"] |= body["properties"]
        if kind == "tickets":
            self.objects[kind][record]["properties"]["hs_lastmodifieddate"] = _now()
        return self.objects[kind][record]

    def delete_for_good(self, request: Request) -> Answer:
        body = request.body or {}
        _only(body, {"objectId", "idProperty"})
        _required(body, {"objectId": str})
        if body["objectId"] not in self.objects["contacts"]:
            raise _error(404, "OBJECT_NOT_FOUND", "Object not found")
        self.delete("contacts", body["objectId"])
        return Answer(204)

    def upload(self, request: Request) -> Answer:
        self._need("files")
        fields, sent = request.form()
        _only(fields, {"folderPath", "folderId", "fileName", "options", "charsetHunch"})
        options = json.loads(fields.get("options", "{}"))
        access = {"PRIVATE", "PUBLIC_INDEXABLE", "PUBLIC_NOT_INDEXABLE", "HIDDEN_PRIVATE"}
        if [name for name, *_ in sent] != ["file"] or options.get("access") not in access or not fields["folderPath"]:
            raise _error(400, "VALIDATION_ERROR", "a file, where it belongs, and who may see it")
        place = (fields["folderPath"], fields["fileName"])
        same = [number for number, (*there, _) in self.files.items() if tuple(there) == place]
        if same and not options.get("overwrite"):
            raise _error(400, "VALIDATION_ERROR", "a file with this name is there")
        for number in same:
            del self.files[number]
        made = str(self.new_id())
        self.files[made] = (*place, sent[0][3])
        return Answer(201, {"id": made, "name": place[1], "path": "/".join(place), "access": options["access"]})

    def attached(self) -> list[tuple[str, bytes]]:
        notes = [one["properties"].get("hs_attachment_ids", "") for one in self.objects["notes"].values()]
        return [self.files[number][1:] for ids in notes for number in ids.split(";") if number]

    def create_activity(self, request: Request, activity: str) -> Answer:
        self._need("contacts")
        body = request.body or {}
        _only(body, {"properties", "associations"})
        _required(body, {"properties": dict, "associations": list})
        if not body["properties"].get("hs_timestamp"):
            text = f"Error creating {activity.upper().removesuffix('S')}. Some required properties were not set."
            raise _error(400, "VALIDATION_ERROR", text)
        self._valid(activity, body["properties"])
        targets = []
        for association in body["associations"]:
            _required(association, {"to": dict, "types": list})
            for one in association["types"]:
                kind = HANGS_ON[activity].get(one["associationTypeId"])
                if one["associationCategory"] != "HUBSPOT_DEFINED" or kind is None:
                    raise _error(400, "VALIDATION_ERROR", f"association type {one} is not valid for {activity}")
                if association["to"]["id"] not in self.objects[kind]:
                    raise _error(404, "OBJECT_NOT_FOUND", f"No {kind} with id {association['to']['id']}")
                targets.append((kind, association["to"]["id"]))
        made = self._new(activity, body["properties"])
        self.links |= {(*target, activity, made["id"]) for target in targets}
        return Answer(201, made)

    # --- associations ------------------------------------------------------------------

    def associate(self, request: Request, kind: str, record: str, other: str, number: str) -> Answer:
        for one, found in ((kind, record), (other, number)):
            if found not in self.objects[one]:
                raise _error(404, "OBJECT_NOT_FOUND", f"No {one} with id {found}")
        self.links.add((kind, record, other, number))
        if other == "companies":  # the first is the primary one
            self.objects[kind][record]["properties"].setdefault("associatedcompanyid", number)
        return _batch([{"from": {"id": record}, "to": {"id": number}, "associationSpec": {}}], [])

    def associations(self, request: Request, kind: str, other: str) -> Answer:
        body = request.body or {}
        _only(body, {"inputs"})
        results, errors = [], []
        for one in self._inputs(body):
            _only(one, {"id", "after"})
            numbers = self.linked(kind, one["id"], other)
            start = int(one.get("after", 0))
            to = [{"toObjectId": number, "associationTypes": []} for number in numbers[start : start + PAGE]]
            if not to:
                text = f"No {other} is associated with {kind} {one['id']}."
                errors.append(
                    {**_item("OBJECT_NOT_FOUND", text), "subCategory": "crm.associations.NO_ASSOCIATIONS_FOUND"}
                )
                continue
            more = {"paging": {"next": {"after": str(start + PAGE)}}} if start + PAGE < len(numbers) else {}
            results.append({"from": {"id": one["id"]}, "to": to, **more})
        return _batch(results, errors)

    # --- the account ---------------------------------------------------------------------

    def account(self, request: Request) -> Any:
        self._need("account")
        return {"portalId": 4711, "accountType": "STANDARD", "uiDomain": "app-eu1.hubspot.com", "timeZone": "UTC"}

    def list_properties(self, request: Request, kind: str) -> Any:
        return {"results": list(self.properties[kind].values())}

    def one_property(self, request: Request, kind: str, name: str) -> Any:
        if name not in self.properties[kind]:
            raise _error(404, "OBJECT_NOT_FOUND", f"Property {name} does not exist")
        return self.properties[kind][name]

    def create_property(self, request: Request, kind: str) -> Answer:
        body = request.body or {}
        _required(body, dict.fromkeys(("name", "label", "groupName", "type", "fieldType"), str))
        _only(body, {"name", "label", "groupName", "type", "fieldType", "description", "hasUniqueValue", "formField"})
        if body["groupName"] != f"{kind.removesuffix('s')}information":
            raise _error(400, "VALIDATION_ERROR", f"property group {body['groupName']} does not exist")
        if (body["type"], body["fieldType"]) not in {("string", "text"), ("string", "textarea")}:
            raise _error(400, "VALIDATION_ERROR", "fieldType does not go with type")
        if body["name"] in self.properties[kind]:
            raise _error(409, "OBJECT_ALREADY_EXISTS", f"A property named '{body['name']}' already exists.")
        self.properties[kind][body["name"]] = {"hasUniqueValue": False, **body}
        return Answer(201, body)

    def pipelines(self, request: Request) -> Any:
        self._need("tickets")
        listed = [
            {
                "id": pipeline,
                "label": self.labels[pipeline],
                "displayOrder": order,
                "archived": False,
                "stages": [
                    {"id": one, "label": label, "displayOrder": n, "metadata": {"ticketState": state}}
                    for n, (one, (label, state)) in enumerate(stages.items())
                ],
            }
            for order, (pipeline, stages) in enumerate(PIPELINES.items())
        ]
        return {"results": listed[::-1]}

    def list_owners(self, request: Request) -> Any:
        self._need("owners")
        _only(request.query, {"email", "limit", "after", "archived"})
        wanted = request.query.get("email", "").lower()
        found = [
            one
            for one in self.owners.values()
            if not one["archived"] and (not wanted or str(one["email"]).lower() == wanted)
        ]
        start, size = int(request.query.get("after", 0)), int(request.query.get("limit", 100))
        rest = found[start + size :]
        paging = {"paging": {"next": {"after": str(start + size), "link": "?"}}} if rest else {}
        return {"results": found[start : start + size], **paging}

    def owner(self, request: Request, number: str) -> Any:
        self._need("owners")
        if number not in self.owners or self.owners[number]["archived"]:
            raise _error(404, "OBJECT_NOT_FOUND", f"Owner {number} not found")
        return self.owners[number]

    # --- what HubSpot takes ------------------------------------------------------------------

    def _inputs(self, body: dict[str, Any]) -> list[Any]:
        _required(body, {"inputs": list})
        if not 1 <= len(body["inputs"]) <= 100:
            raise _error(400, "VALIDATION_ERROR", "between 1 and 100 inputs")
        for one in body["inputs"]:
            _required(one, {"id": str})
        return list(body["inputs"])

    def _unique(self, kind: str, name: str) -> None:
        if not self.properties[kind].get(name, {}).get("hasUniqueValue"):
            number = {"contacts": "0-1", "companies": "0-2", "tickets": "0-5", "notes": "0-46", "tasks": "0-27"}[kind]
            text = f"Unable to perform update/upsert by non-unique {number} property {name} in portal ID 4711"
            raise _error(400, "VALIDATION_ERROR", text)

    def _by(self, kind: str, name: str, value: str) -> dict[str, Any] | None:
        wanted = value.lower()
        found = (one for one in self.objects[kind].values() if one["properties"].get(name, "").lower() == wanted)
        return next(found, None)

    def _new(self, kind: str, properties: dict[str, str]) -> dict[str, Any]:
        number = str(self.new_id())
        record: dict[str, Any] = {"id": number, "archived": False, "properties": {**properties, "hs_object_id": number}}
        if kind == "tickets":
            record["properties"]["hs_lastmodifieddate"] = _now()
        self.objects[kind][number] = record
        return record

    def _valid(self, kind: str, properties: dict[str, Any]) -> None:
        faults = []
        for name, value in properties.items():
            if not isinstance(value, str):
                raise _error(400, "VALIDATION_ERROR", f"Invalid input JSON: {name} is no string")
            fault = "PROPERTY_DOESNT_EXIST" if name not in self.properties[kind] else self._fault(name, value)
            if fault:
                text = f"{name}: {value[:50]} is not valid"
                faults.append({"isValid": False, "message": text, "error": fault, "name": name})
        if faults:
            errors = [
                {"message": one["message"], "code": one["error"], "context": {"propertyName": [one["name"]]}}
                for one in faults
            ]
            message = f"Property values were not valid: {json.dumps(faults)}"
            raise _error(400, "VALIDATION_ERROR", message, errors=errors)
        stage = properties.get("hs_pipeline_stage")
        if stage and stage not in PIPELINES.get(properties.get("hs_pipeline", "0"), {}):
            raise _error(400, "VALIDATION_ERROR", "no", errors=[_invalid("hs_pipeline_stage")])

    def _fault(self, name: str, value: str) -> str:
        """Why a value is refused, or ""."""
        if name == "email" and (
            not re.fullmatch(r"[^@\s]+@[\w.-]+\.\w{2,}", value) or value.endswith((".con", ".invalid"))
        ):
            return "INVALID_EMAIL"
        owners = {number for number, one in self.owners.items() if not one["archived"]}
        allowed: dict[str, set[str]] = {**OPTIONS, "hs_pipeline": {*PIPELINES}, "hubspot_owner_id": owners}
        if value not in allowed.get(name, {value}):
            return "INVALID_OPTION"
        if name == "hs_timestamp" and not _is_time(value):
            return "INVALID_DATE"
        return "VALUE_TOO_LONG" if len(value.encode("utf-16-le")) // 2 > BODY_LIMIT else ""


def _invalid(name: str) -> dict[str, Any]:
    return {"message": "no", "code": "INVALID_OPTION", "context": {"propertyName": [name]}}


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _is_time(value: str) -> bool:
    if re.fullmatch(r"\d{13}", value):
        return True
    try:
        return datetime.fromisoformat(value).tzinfo is not None
    except ValueError:
        return False


def _only(body: dict[str, Any], known: set[str]) -> None:
    for name in body.keys() - known:
        raise _error(400, "VALIDATION_ERROR", f'Invalid input JSON: unknown field "{name}"')


def _required(body: Any, wanted: dict[str, type]) -> None:
    for name, kind in wanted.items():
        if not isinstance(body, dict) or not isinstance(body.get(name), kind) or body[name] == "":
            raise _error(400, "VALIDATION_ERROR", f"Invalid input JSON: {name} must be a {kind.__name__}")


def _item(category: str, message: str, **context: list[str]) -> dict[str, Any]:
    return {"status": "error", "category": category, "message": message, "context": context}


def _batch(results: list[Any], errors: list[Any]) -> Answer:
    found = {"status": "COMPLETE", "results": results, "startedAt": "2026-11-22T00:00:00Z"}
    return Answer(207, {**found, "numErrors": len(errors), "errors": errors}) if errors else Answer(200, found)


def _error(status: int, category: str, message: str, **more: Any) -> Refuse:
    body = {"status": "error", "message": message, "category": category, "correlationId": "aeb5f871", **more}
    return Refuse(status, body)
