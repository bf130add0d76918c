"""Freshdesk with a memory, after https://developers.freshdesk.com/api/.

It refuses unknown parameters and values of the wrong type, wants what agents have to fill in, gives lists in pages and
tickets of 30 days, and its search knows nothing that was made in this run. Deadlines come in pairs, for open tickets,
and are not over; an owner is of the ticket's group; and a list for somebody who is no contact is refused.
"""

from __future__ import annotations

import base64
import html
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from connectors.testing.fake import Answer, Fake, Refuse, Request

KEY = "fd-key-0123456789"

_CONTACT = {
    *("name", "email", "phone", "mobile", "twitter_id", "social_handler", "unique_external_id", "other_emails"),
    *("company_id", "view_all_tickets", "other_companies", "address", "avatar", "custom_fields", "description"),
    *("job_title", "language", "tags", "time_zone", "lookup_parameter"),
}
_CONTACT_IDS = ("email", "phone", "mobile", "twitter_id", "unique_external_id")
_UPDATE = {
    *("name", "requester_id", "email", "facebook_id", "phone", "twitter_id", "unique_external_id", "subject", "type"),
    *("status", "priority", "description", "responder_id", "attachments", "custom_fields", "due_by", "email_config_id"),
    *("fr_due_by", "group_id", "parent_id", "product_id", "source", "tags", "company_id", "internal_agent_id"),
    *("internal_group_id", "lookup_parameter"),
}
_CREATE = {*_UPDATE, "cc_emails", "related_ticket_ids"}
_REQUESTER = ("requester_id", "email", "facebook_id", "phone", "twitter_id", "unique_external_id")
_NOTE = {"attachments", "body", "structured_body", "incoming", "notify_emails", "private", "user_id"}
_PAGING = {"page", "per_page"}
_CONTACT_FILTERS = {*_PAGING, "email", "mobile", "phone", "company_id", "state", "contact_type", "updated_since"}
_TICKET_FILTERS = {
    *_PAGING,
    *("filter", "requester_id", "email", "unique_external_id", "company_id", "updated_since"),
    *("order_by", "order_type", "include"),
}

_NUMBER = (lambda value: type(value) is int, "It should be a/an Number")
_TEXT = (lambda value: isinstance(value, str) and len(value) <= 255, "It should be a/an String of 255 characters")
#: What a type of custom field takes.
_TYPES: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    "custom_text": _TEXT,
    "custom_paragraph": (lambda value: isinstance(value, str), "It should be a/an String"),
    "custom_number": _NUMBER,
    "custom_decimal": (lambda value: type(value) in (int, float), "It should be a/an Number"),
    "custom_checkbox": (lambda value: type(value) is bool, "It should be a/an Boolean"),
    "custom_date": (
        lambda value: isinstance(value, str) and bool(re.fullmatch(r"\d{4}-\d\d-\d\d", value)),
        "It should be in the 'yyyy-mm-dd' format",
    ),
}


def _field(name: str, kind: str, **more: Any) -> dict[str, Any]:
    required = name in ("requester", "subject", "status", "priority", "description")
    default = not kind.startswith(("custom_", "nested_"))
    return {"name": name, "type": kind, "default": default, "required_for_agents": required, **more}


class FreshdeskVendor(Fake):
    def __init__(self) -> None:
        super().__init__()
        self.contacts: list[dict[str, Any]] = []
        #: Those whom the search knows: nobody whom this run has made.
        self.indexed: list[dict[str, Any]] = []
        self.contact_fields = [
            *(_field(name, f"default_{name}") for name in ("name", "email", "phone", "job_title")),
            _field("customer_no", "custom_text"),
            _field("newsletter", "custom_checkbox"),
            _field("visits", "custom_number"),
        ]
        self.agents: list[dict[str, Any]] = [{"id": 7, "email": "agent@shop.example"}]
        #: Who is in a group; of one that is not here, everybody is.
        self.members: dict[int, list[int]] = {}
        #: Whether the key is of somebody who may list agents.
        self.manages = True
        self.clock: Callable[[], datetime] = lambda: datetime.now(UTC)
        self.scope = 1
        #: Whether a ticket by the address of a deleted contact is a conflict, or a wrong value: nobody says.
        self.conflicts = True
        self.tickets: list[dict[str, Any]] = []
        self.notes: list[dict[str, Any]] = []
        #: Of notes: the note, the name, the content.
        self.files: list[tuple[int, str, bytes]] = []
        self.fields = [
            _field("requester", "default_requester"),
            _field("subject", "default_subject"),
            _field("ticket_type", "default_ticket_type", choices=["Question", "Incident", "Problem"]),
            _field("source", "default_source", choices={"Email": 1, "Portal": 2, "Phone": 3, "Chat": 7}),
            _field(
                "status",
                "default_status",
                choices={
                    "2": ["Open", "Being Processed"],
                    "3": ["Pending", "Awaiting your Reply"],
                    "4": ["Resolved", "This ticket has been Resolved"],
                    "5": ["Closed", "This ticket has been Closed"],
                },
            ),
            _field("priority", "default_priority", choices={"Low": 1, "Medium": 2, "High": 3, "Urgent": 4}),
            _field("group", "default_group", choices={"Sales": 31, "QA": 32}),
            _field("agent", "default_agent", choices={"Agent": 7}),
            _field("product", "default_product", choices={"Tea": 41}),
            _field("description", "default_description"),
            _field("cf_order", "custom_text"),
            _field("cf_story", "custom_paragraph"),
            _field("cf_rating", "custom_number"),
            _field("cf_weight", "custom_decimal"),
            _field("cf_vip", "custom_checkbox"),
            _field("cf_day", "custom_date"),
            _field("cf_reason", "custom_dropdown", choices=["Chat", "Mail"]),
            _field(
                "cf_country",
                "nested_field",
                choices=[{"usa": [{"texas": ["austin"]}]}],
                nested_ticket_fields=[{"name": "cf_state", "level": 2}, {"name": "cf_city", "level": 3}],
            ),
        ]
        for method, pattern, route in (
            ("GET", "/agents/me", self._me),
            ("GET", "/agents", self._list_agents),
            ("GET", r"/agents/(\d+)", self._show_agent),
            ("GET", "/contacts", self._list_contacts),
            ("POST", "/contacts", self._create_contact),
            ("GET", r"/contacts/(\d+)", self._show_contact),
            ("PUT", r"/contacts/(\d+)", self._update_contact),
            ("DELETE", r"/contacts/(\d+)/hard_delete", self._delete_for_good),
            ("GET", "/contact_fields", lambda request: self.contact_fields),
            ("GET", "/search/contacts", self._search_contacts),
            ("GET", "/ticket_fields", lambda request: self.fields),
            ("POST", "/admin/ticket_fields", self._create_field),
            ("GET", "/tickets", self._list_tickets),
            ("POST", "/tickets", self._create_ticket),
            ("GET", r"/tickets/(\d+)", lambda request, number: self._ticket(number)),
            ("PUT", r"/tickets/(\d+)", self._update_ticket),
            ("POST", r"/tickets/(\d+)/notes", self._create_note),
            ("GET", r"/tickets/(\d+)/conversations", self._list_notes),
            ("GET", "/search/tickets", lambda request: {"total": 0, "results": []}),
        ):
            self.route(method, "/api/v2" + pattern, self._guarded(route))

    # --- what a contract asks ---

    def people(self) -> list[Any]:
        return self.contacts

    def records(self) -> list[Any]:
        return self.tickets

    def texts(self) -> list[str]:
        return [text["description"] for text in self.tickets] + [note["body"] for note in self.notes]

    def attached(self) -> list[tuple[str, bytes]]:
        return [(name, content) for _, name, content in self.files]

    def knows_owner(self, email: str, *, active: bool = True) -> int:
        number = self.new_id()
        self.agents.append({"id": number, "email": email, "deactivated": not active})
        return number

    def owner_of(self, record: dict[str, Any]) -> int | None:
        found: int | None = record.get("responder_id")
        return found

    def end(self, record: dict[str, Any]) -> None:
        record["status"] = 5

    def age(self, record: dict[str, Any]) -> None:
        record["updated_at"] = "2015-03-13T12:00:00Z"

    def due_of(self, record: dict[str, Any]) -> str:
        assert record.get("due_by") == record.get("fr_due_by")
        return str(record.get("due_by") or "")[:16]

    def follows(self, record: dict[str, Any], earlier: dict[str, Any]) -> bool:
        notes = [note["body"] for note in self.notes if note["ticket_id"] == record["id"]]
        return f"{self.url}/a/tickets/{earlier['id']}" in notes[0]

    # --- people ---

    def add_person(self, *, name: str = "", email: str = "", phone: str = "", **fields: Any) -> int:
        own = {key: value for key, value in fields.items() if key in _CONTACT}
        custom = {key: value for key, value in fields.items() if key not in _CONTACT}
        typed = {"name": name or email, "email": email or None, "phone": phone or None, **own}
        self.contacts.append({"id": self.new_id(), **typed, "custom_fields": custom})
        self.indexed.append(self.contacts[-1])
        return int(self.contacts[-1]["id"])

    def person(self, number: int) -> dict[str, str]:
        one = self._contact(number)
        return {name: str(value or "") for name, value in {**one, **one.get("custom_fields", {})}.items()}

    def remove_person(self, number: int) -> None:
        """For good, so that the address is free again."""
        self.contacts.remove(self._contact(number))

    def records_of(self, number: int) -> int:
        return sum(one["requester_id"] == number for one in self.tickets)

    def _contact(self, number: int) -> dict[str, Any]:
        found = next((one for one in self.contacts if one["id"] == number), None)
        if found is None:
            raise Refuse(404)
        return found

    def _show_contact(self, request: Request, number: str) -> Any:
        return self._contact(int(number))

    def _update_contact(self, request: Request, number: str) -> Any:
        contact, body = self._contact(int(number)), request.body
        if contact.get("deleted"):
            raise Refuse(405, {"message": "PUT method is not allowed. It should be one of these method(s): GET"})
        _known(body, _CONTACT)
        self._validate_contact(body, contact)
        contact["custom_fields"] = {**contact.get("custom_fields", {}), **body.get("custom_fields", {})}
        contact.update({name: value for name, value in body.items() if name != "custom_fields"})
        return contact

    def _delete_for_good(self, request: Request, number: str) -> Answer:
        _known(request.query, {"force"})
        contact = self._contact(int(number))
        if not contact.get("deleted") and request.query.get("force") != "true":
            raise _invalid("force", "The contact is not deleted; force it")
        self.contacts.remove(contact)
        self.tickets = [one for one in self.tickets if one["requester_id"] != contact["id"]]
        return Answer(204)

    def _search_contacts(self, request: Request) -> Any:
        """Sign by sign; the signs that a phone number has are part of it."""
        query = request.query.get("query", "")
        term = r"\w+:'[^']*'"
        if set(request.query) != {"query"} or len(query) > 512 or not re.fullmatch(f'"{term}( OR {term})*"', query):
            raise _invalid("query", "Given query is invalid")
        wanted = [(name, value.lower()) for name, value in re.findall(r"(\w+):'([^']*)'", query)]
        found = [
            one
            for one in self.indexed
            if one in self.contacts and not one.get("deleted")
            if any(str({**one, **one["custom_fields"]}.get(name) or "").lower() == value for name, value in wanted)
        ]
        return {"total": len(found), "results": found[:30]}

    def _list_agents(self, request: Request) -> Answer:
        _known(request.query, {*_PAGING, "email", "mobile", "phone", "state"})
        if not self.manages:
            raise Refuse(403, {"code": "access_denied", "message": "You are not authorized to perform this action."})
        wanted = request.query.get("email")
        if wanted is None:
            return self._page(request, [self._agent(one) for one in self.agents])
        if not re.fullmatch(r"[!-~]+@[!-~]+\.[!-~]+", wanted):
            raise _invalid("email", "It should be in the 'valid email address' format")
        return self._page(request, [self._agent(one) for one in self.agents if one["email"] == wanted.lower()])

    def _show_agent(self, request: Request, number: str) -> Any:
        found = next((one for one in self.agents if one["id"] == int(number)), None)
        if found is None:
            raise Refuse(404)
        return self._agent(found)

    @staticmethod
    def _agent(one: dict[str, Any]) -> dict[str, Any]:
        more = {"type": one.get("type", "support_agent"), "deactivated": one.get("deactivated", False)}
        return {"id": one["id"], "available": False, "occasional": False, "contact": {"email": one["email"]}, **more}

    def _me(self, request: Request) -> Any:
        agent = self.agents[0]
        return {"id": agent["id"], "ticket_scope": self.scope, "contact": {"email": agent["email"]}}

    def _list_contacts(self, request: Request) -> Answer:
        _known(request.query, _CONTACT_FILTERS)
        wanted, state = request.query.get("email", "").lower(), request.query.get("state", "")
        found = [
            one
            for one in self.contacts
            if state == next((name for name in ("deleted", "blocked") if one.get(name)), "")
            and (not wanted or (one["email"] or "").lower() == wanted)
        ]
        return self._page(request, found)

    def _create_contact(self, request: Request) -> Answer:
        return Answer(201, self._new_contact(request.body))

    def _new_contact(self, body: dict[str, Any]) -> dict[str, Any]:
        _known(body, _CONTACT)
        if not isinstance(body.get("name"), str) or not 1 <= len(body["name"].strip()) <= 255:
            raise _invalid("name", "It should be a/an String of 1 to 255 characters")
        if not any(body.get(name) for name in _CONTACT_IDS):
            raise _invalid("email", "Please fill at least 1 of email, mobile, phone, twitter_id", "missing_field")
        self._validate_contact(body)
        self.contacts.append({"email": None, **body, "id": self.new_id()})
        return self.contacts[-1]

    def _validate_contact(self, body: dict[str, Any], itself: dict[str, Any] | None = None) -> None:
        email = body.get("email")
        types = {one["name"]: one["type"] for one in self.contact_fields if not one["default"]}
        for name, value in body.get("custom_fields", {}).items():
            if name not in types:
                raise _invalid(name, "Unexpected/invalid field in request", "invalid_field")
            right, what = _TYPES[types[name]]
            if not right(value):
                raise _invalid(name, what, "datatype_mismatch")
        if email is not None and (
            not re.fullmatch(r"[!-;=?A-~]+@[!-;=?A-~]+\.[!-;=?A-~]+", email) or email.startswith("typo")
        ):
            raise _invalid("email", "It should be in the 'valid email address' format")
        for one in (*self.contacts, *self.agents):
            for name in ("email", "unique_external_id"):
                there = {str(one.get(name)).lower(), *(one.get("other_emails", ()) if name == "email" else ())}
                if one is not itself and body.get(name) and str(body[name]).lower() in there:
                    taken = _error(name, "It should be a unique value", "duplicate_value")
                    taken["additional_info"] = {"user_id": one["id"]}
                    if one.get("deleted") and not self.conflicts:
                        raise _invalid(name, "There is no contact matching the given email")
                    raise Refuse(409, {"description": "Validation failed", "errors": [taken]})

    # --- tickets ---

    def _list_tickets(self, request: Request) -> Answer:
        asked = request.query
        _known(asked, _TICKET_FILTERS)
        if "updated_since" in asked:
            oldest = datetime.fromisoformat(asked["updated_since"])
        else:
            oldest = datetime.now(UTC) - timedelta(days=30)
        mine: dict[str, Any] = {}
        if "requester_id" in asked:
            mine["id"] = int(asked["requester_id"])
        for name in ("email", "unique_external_id"):
            if name in asked:
                mine[name] = asked[name]
        people = {
            one["id"]
            for one in (*self.contacts, *self.agents)
            if all(str(one.get(name)) == str(value) for name, value in mine.items())
        }
        if mine and not people:
            field = "requester_id" if "requester_id" in asked else next(iter(mine))
            raise _invalid(field, f"There is no contact matching the given {field}")
        date = "updated_at" if "updated_since" in asked else "created_at"
        order, direction = asked.get("order_by", "created_at"), asked.get("order_type", "desc")
        if order not in ("created_at", "due_by", "updated_at", "status") or direction not in ("asc", "desc"):
            raise _invalid("order_by", "It should be one of these values: 'due_by,created_at,updated_at,status'")
        found = [
            {name: value for name, value in one.items() if name != "description"}
            for one in self.tickets
            if not one["deleted"]
            and (not mine or one["requester_id"] in people)
            and datetime.fromisoformat(one[date]) >= oldest
        ]
        return self._page(request, sorted(found, key=lambda one: str(one[order]), reverse=direction == "desc"))

    def _create_ticket(self, request: Request) -> Answer:
        body = request.body
        _known(body, _CREATE)
        if not any(body.get(name) for name in _REQUESTER):
            raise _invalid("requester_id", "Please fill at least 1 of " + ", ".join(_REQUESTER), "missing_field")
        self._validate(body)
        for field in self.fields:
            name = {"ticket_type": "type", "group": "group_id", "product": "product_id"}.get(
                field["name"], field["name"]
            )
            given = {**body, **body.get("custom_fields", {}), "requester": True}
            if field["required_for_agents"] and given.get(name) in (None, ""):
                raise _invalid(name, "It should not be blank as this is a mandatory field", "missing_field")
        now = datetime.now(UTC).isoformat()
        self._validate_owner(body)
        self._validate_due(body, self.clock())
        ticket = {
            **dict.fromkeys(("group_id", "product_id", "type", "responder_id", "due_by", "fr_due_by")),
            **{name: value for name, value in body.items() if name not in _REQUESTER and name != "name"},
            "requester_id": self._requester_of(body),
            "tags": body.get("tags", []),
            "deleted": False,
            "created_at": now,
            "updated_at": now,
            "custom_fields": {one["name"]: None for one in self.fields if not one["default"]}
            | body.get("custom_fields", {}),
            "id": self.new_id(),
        }
        self.tickets.append(ticket)
        return Answer(201, ticket, {"Location": f"{self.url}/api/v2/tickets/{ticket['id']}"})

    def _requester_of(self, body: dict[str, Any]) -> int:
        for name in ("requester_id", "email", "unique_external_id"):
            if name in body:
                key = "id" if name == "requester_id" else name
                for one in (*self.contacts, *self.agents):
                    if one.get(key) == body[name] and not one.get("deleted"):
                        return int(one["id"])
                if name == "requester_id":
                    raise _invalid(name, "There is no contact matching the given requester_id")
                return int(self._new_contact({"name": body.get("name"), name: body[name]})["id"])
        raise _invalid("requester_id", "the fake knows no other requesters")

    def _update_ticket(self, request: Request, number: str) -> Any:
        ticket = self._ticket(number)
        if ticket["deleted"]:
            raise Refuse(405, {"message": "PUT method is not allowed. It should be one of these method(s): GET"})
        _known(request.body, _UPDATE)
        self._validate(request.body)
        self._validate_owner({**ticket, **request.body})
        self._validate_due({"status": ticket["status"], **request.body}, datetime.fromisoformat(ticket["created_at"]))
        ticket |= {name: value for name, value in request.body.items() if name != "custom_fields"}
        ticket["custom_fields"] |= request.body.get("custom_fields", {})
        ticket["updated_at"] = datetime.now(UTC).isoformat()
        return ticket

    def _validate_owner(self, body: dict[str, Any]) -> None:
        owner, group = body.get("responder_id"), body.get("group_id")
        if owner is None:
            return
        if not any(one["id"] == owner and one.get("type") != "collaborator" for one in self.agents):
            raise _invalid("responder_id", "There is no agent matching the given responder_id")
        if owner not in self.members.get(group or 0, [owner]):
            raise _invalid("responder_id", "The agent is not part of the group")

    def _validate_due(self, body: dict[str, Any], earliest: datetime) -> None:
        given = [body.get("fr_due_by"), body.get("due_by")]
        if not any(given):
            return
        if not all(given):
            raise _invalid("due_by", "It should be set along with the other one", "missing_field")
        if body["status"] != 2:  # whose timer runs
            raise _invalid("due_by", "It should not be set when the timer is stopped", "incompatible_field")
        first, last = (datetime.fromisoformat(str(text)) for text in given)
        if first > last or first < earliest:
            raise _invalid("fr_due_by", "It should not be over, nor later than due_by")

    def _validate(self, body: dict[str, Any]) -> None:
        fields = {one["name"]: one for field in self.fields for one in (field, *field.get("nested_ticket_fields", ()))}
        if "subject" in body and (not isinstance(body["subject"], str) or not 1 <= len(body["subject"]) <= 255):
            raise _invalid("subject", "It can have maximum of 255 characters")
        if "description" in body and (not isinstance(body["description"], str) or not body["description"].strip()):
            raise _invalid("description", "It should not be blank as this is a mandatory field")
        for attribute, name in (
            *(("status", "status"), ("priority", "priority"), ("source", "source")),
            *(("group_id", "group"), ("product_id", "product"), ("type", "ticket_type")),
        ):
            choices: Any = fields[name]["choices"] if name in fields else []
            if name == "status":
                choices = {label[0]: int(value) for value, label in choices.items()}
            offered = list(choices.values()) if isinstance(choices, dict) else choices
            if attribute in body and body[attribute] not in offered:
                raise _invalid(attribute, f"It should be one of these values: '{offered}'")
        tags = body.get("tags", [])
        if not isinstance(tags, list) or not all(isinstance(tag, str) for tag in tags):
            raise _invalid("tags", "It should be a/an Array of String", "datatype_mismatch")
        if any(not 1 <= len(tag) <= 32 or "," in tag for tag in tags):
            raise _invalid("tags", "It should only contain elements that have maximum of 32 characters")
        for name, value in body.get("custom_fields", {}).items():
            self._validate_custom(name, value, fields.get(name))

    def _validate_custom(self, name: str, value: Any, field: dict[str, Any] | None) -> None:
        if field is None or field.get("default"):
            raise _invalid(name, "Unexpected/invalid field in request", "invalid_field")
        right, said = _TYPES.get(field.get("type", ""), (lambda one: isinstance(one, str), "It should be a/an String"))
        if value is not None and not right(value):
            raise _invalid(name, said, "datatype_mismatch")
        if field.get("type") == "custom_dropdown" and value not in field["choices"]:
            raise _invalid(name, f"It should be one of these values: '{field['choices']}'")

    def _create_field(self, request: Request) -> Answer:
        name = "cf_" + re.sub(r"\W+", "_", request.body["label"].lower())
        self.fields.append(_field(name, request.body["type"]))
        return Answer(201, {"id": self.new_id(), "name": name, **request.body})

    # --- notes ---

    def _create_note(self, request: Request, number: str) -> Answer:
        ticket = self._ticket(number)
        if ticket["deleted"]:
            raise Refuse(404)
        body: Any = request.body
        files: list[tuple[str, str, str, bytes]] = []
        if request.headers.get("content-type", "").startswith("multipart/"):
            # https://developers.freshdesk.com/api/#attachments
            body, files = request.form()
            body["private"] = {"true": True, "false": False}.get(body["private"], body["private"])
            if any(name != "attachments[]" or not content for name, _, _, content in files):
                raise _invalid("attachments", "It should be a/an Array", "datatype_mismatch")
            if sum(len(content) for *_, content in files) > 20 << 20:
                raise _invalid("attachments", "The total size of attachments cannot exceed 20 MB", "invalid_size")
        _known(body, _NOTE)
        if not isinstance(body.get("body"), str) or not body["body"].strip():
            raise _invalid("body", "It should not be blank as this is a mandatory field", "missing_field")
        if len(body["body"].encode()) > 65_535:
            raise _invalid("body", "It is too long")
        if not isinstance(body.get("private", True), bool):
            raise _invalid("private", "It should be a/an Boolean", "datatype_mismatch")
        note = {
            "id": self.new_id(),
            "ticket_id": ticket["id"],
            "private": body.get("private", True),
            "source": 2,
            "body": f"<div>{body['body']}</div>",
            "body_text": html.unescape(re.sub(r"<[^>]*>", " ", body["body"])).strip(),
        }
        self.notes.append(note)
        self.files += [(note["id"], name, content) for _, name, _, content in files]
        ticket["updated_at"] = datetime.now(UTC).isoformat()
        return Answer(201, note)

    def _list_notes(self, request: Request, number: str) -> Answer:
        _known(request.query, _PAGING)
        ticket = self._ticket(number)
        return self._page(request, [note for note in self.notes if note["ticket_id"] == ticket["id"]])

    # --- all requests ---

    def _ticket(self, number: str) -> dict[str, Any]:
        for ticket in self.tickets:
            if ticket["id"] == int(number):
                return ticket
        raise Refuse(404)

    def _page(self, request: Request, found: list[Any]) -> Answer:
        size, page = int(request.query.get("per_page", 30)), int(request.query.get("page", 1))
        if not 1 <= size <= 100:
            raise _invalid("per_page", "It should be a Positive Integer less than or equal to 100")
        rest = found[size * page :]
        headers = {"Link": f'<{self.url}{request.path}?page={page + 1}>; rel="next"'} if rest else {}
        return Answer(200, found[size * (page - 1) : size * page], headers)

    def _guarded(self, route: Callable[..., Any]) -> Callable[..., Any]:
        def guarded(request: Request, *groups: str) -> Any:
            right = "Basic " + base64.b64encode(f"{KEY}:X".encode()).decode()
            if request.headers.get("authorization") != right:
                said = "You have to be logged in to perform this action."
                raise Refuse(401, {"code": "invalid_credentials", "message": said})
            if request.method in ("POST", "PUT"):
                kind = request.headers.get("content-type", "")
                if kind.startswith("multipart/form-data") and request.path.endswith("/notes"):
                    return route(request, *groups)
                if kind != "application/json":
                    raise Refuse(415, {"code": "invalid_content_type", "message": "Content-Type is not supported"})
                if not isinstance(request.body, dict):
                    raise Refuse(400, {"code": "invalid_json", "message": "Request body has invalid json format"})
            return route(request, *groups)

        return guarded


def _known(given: Mapping[str, Any], known: set[str]) -> None:
    for name in given:
        if name not in known:
            raise _invalid(name, "Unexpected/invalid field in request", "invalid_field")


def _error(field: str, message: str, code: str) -> dict[str, Any]:
    return {"field": field, "message": message, "code": code}


def _invalid(field: str, message: str, code: str = "invalid_value") -> Refuse:
    return Refuse(400, {"description": "Validation failed", "errors": [_error(field, message, code)]})
