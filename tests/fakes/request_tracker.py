"""Request Tracker 5 on loopback, after https://docs.bestpractical.com/rt/latest/RT/REST2.html and what RT 5.0.3 does.

Stricter than RT in what RT would silently drop or make the best of: an unknown key, an address that is none, a body
that is not HTML. What it does silently and the connector has to cope with, is silent here too: a custom field that is
unknown, looked up in the wrong queue or not to be set to this, a requestor whose address is not ASCII, an owner who may
own nothing in the queue, and a change for which a right is missing.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import unquote
from typing import Any
from urllib.parse import unquote as urlunquote

from connectors.testing.fake import Answer, Fake, Refuse, Request

TOKEN, USER, PASSWORD = "1-14-0123456789abcdef", "relay", "password-0123456789"
API = "/REST/2.0"

_CREATE = {"Queue", "Subject", "Requestor", "Created", "ContentType", "Content", "CustomFields"}
_CREATE |= {"Due", "Priority", "Owner", "RefersTo"}
_USER = {"Name", "Privileged", "RealName", "EmailAddress", "MobilePhone", "WorkPhone", "HomePhone", "Organization"}
_USER |= {"City", "Country", "Comments"}
_CHANGE = {"Due", "Status", "Owner", "CustomFields"}
_COMMENT = {"Subject", "ContentType", "Content", "CustomFields", "Attachments"}
_REQUESTOR = re.compile(r'("(?:[^"\\]|\\.)*") <([^<>\s@"]+@[^<>\s@"]+)>')
_QUERY = re.compile(r"'CF\.\{((?:[^'\\]|\\.)+)\}' = '((?:[^'\\]|\\.)*)'")
_OF_PERSON = re.compile(
    r"Queue = '((?:[^'\\]|\\.)*)' AND Requestor\.(?:EmailAddress = '((?:[^'\\]|\\.)*)'|id = (\d+))"
    r"(?: AND Status = '__(\w+)__')?"
)
_TIME = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d")
NOBODY = "Nobody"
_INACTIVE = ("resolved", "rejected")
_EVERY_RIGHT = {
    "SeeQueue",
    "CreateTicket",
    "ShowTicket",
    "ShowTicketComments",
    "CommentOnTicket",
    "SeeCustomField",
    "ModifyCustomField",
    "ModifyTicket",
}


class RequestTrackerVendor(Fake):
    def __init__(self) -> None:
        super().__init__()
        #: What the user may do in a queue, by its number.
        self.rights = {"3": set(_EVERY_RIGHT), "4": {"SeeQueue", "ShowTicket"}, "5": set()}
        self.queues: dict[str, dict[str, Any]] = {
            "3": {"id": 3, "Name": "Chats", "Disabled": "0"},
            "4": {"id": 4, "Name": "Sales/EU", "Disabled": "0"},
            "5": {"id": 5, "Name": "Secret", "Disabled": "0"},
        }
        #: The queue of each field, oldest field first.
        self.fields: dict[str, dict[str, Any]] = {
            "1": {"Name": "Country", "queue": "5"},
            "2": {"Name": "ChatConversation", "queue": "3"},
            "6": {"Name": "Country", "queue": "3"},
            "7": {"Name": "Chat kind", "queue": "3", "choice": ("chat", "missed", "offline")},
        }
        #: Those whom chats have made, and the staff.
        self.users: list[dict[str, Any]] = []
        self.staff: list[dict[str, Any]] = []
        self.user_fields = {"Customer", "Newsletter"}
        #: Whether it has a list of its staff, as after 5.0.3.
        self.lists_staff = True
        #: Whether RT's user for the relay may see all of a user (AdminUsers), or a summary.
        self.sees_users = False
        self.tickets: dict[str, dict[str, Any]] = {}
        for method, pattern, answer in (
            ("GET", "/rt", lambda request: {"Version": "5.0.3"}),
            ("GET", "/queue/([^/]+)", self._queue),
            ("GET", "/queues/all", self._list_queues),
            ("GET", "/users/privileged", self._list_staff),
            ("POST", "/ticket", self._create),
            ("GET", "/tickets", self._search),
            ("GET", "/users", self._search_users),
            ("GET", "/user/([^/]+)", self._user),
            ("POST", "/user", self._create_user),
            ("PUT", r"/user/(\d+)", self._change_user),
            ("GET", r"/ticket/(\d+)", self._show),
            ("PUT", r"/ticket/(\d+)", self._change),
            ("POST", r"/ticket/(\d+)/comment", self._comment),
            ("GET", r"/ticket/(\d+)/attachments", self._attachments),
        ):
            self.route(method, API + pattern, self._known_user(answer))

    def add_person(self, *, name: str = "", email: str = "", phone: str = "", **fields: str) -> int:
        typed = {"RealName": name or email, "EmailAddress": email, "MobilePhone": phone, **fields}
        return int(self._new_user(typed)["id"])

    def person(self, number: int) -> dict[str, str]:
        one = next(one for one in self.users if one["id"] == number)
        shown = {"name": one["RealName"], "email": one["EmailAddress"], "phone": one.get("MobilePhone", "")}
        own = {name: str(value) for name, value in one.items() if name in _USER}
        return {**own, **one["custom"], **shown}

    def remove_person(self, number: int) -> None:
        """RT shreds."""
        self.users = [one for one in self.users if one["id"] != number]

    def records_of(self, number: int) -> int:
        return sum(number in ticket["requestors"] for ticket in self.tickets.values())

    def _new_user(self, fields: dict[str, Any]) -> dict[str, Any]:
        number = self.new_id()
        custom = {name: fields.pop(name) for name in [*fields] if name in self.user_fields}
        name = fields.get("EmailAddress") or f"user{number}"
        made = {"Name": name, "RealName": "", "EmailAddress": "", **fields, "Disabled": False, "custom": custom}
        self.users.append({**made, "id": number, "LastUpdated": self._now()})
        return self.users[-1]

    def people(self) -> list[Any]:
        return self.users

    def records(self) -> list[Any]:
        return list(self.tickets.values())

    def texts(self) -> list[str]:
        return [text["Content"] for ticket in self.tickets.values() for text in ticket["texts"]]

    def knows_owner(self, email: str, *, active: bool = True) -> int:
        number = self.new_id()
        name = email.partition("@")[0]
        self.staff.append({"id": number, "Name": name, "EmailAddress": email, "Disabled": not active, "owns": True})
        return number

    def owner_of(self, record: dict[str, Any]) -> int | None:
        return next((one["id"] for one in self.staff if one["Name"] == record["Owner"]), None)

    def end(self, record: dict[str, Any]) -> None:
        record["Status"] = "resolved"

    def age(self, record: dict[str, Any]) -> None:
        record["LastUpdated"] = "2015-03-13T12:00:00Z"

    def due_of(self, record: dict[str, Any]) -> str:
        return (record["Due"] or "").replace(" ", "T")[:16]

    def follows(self, record: dict[str, Any], earlier: dict[str, Any]) -> bool:
        linked = record["RefersTo"] == str(earlier["id"])
        return linked and f"{self.url}/Ticket/Display.html?id={earlier['id']}" in record["texts"][0]["Content"]

    def _everybody(self) -> list[dict[str, Any]]:
        return [*self.staff, *self.users]

    # --- users ---------------------------------------------------------------------------

    def _search_users(self, request: Request) -> Any:
        (limit,) = json.loads(request.query["query"])
        field, value, operator = limit["field"], limit["value"].lower(), limit.get("operator", "=")
        if set(limit) - {"field", "value", "operator"} or operator not in ("=", "LIKE"):
            raise Refuse(400, {"message": f"the fake does not understand {limit}"})
        custom = re.fullmatch(r"CustomField\.\{(.*)\}", field)
        pattern = re.escape(value).replace("%", ".*")

        def has(one: dict[str, Any]) -> bool:
            if not self.sees_users and field not in ("RealName", "EmailAddress", "Name"):
                return True  # a limit that one may not set is passed over
            held = str((one.get("custom", {}).get(custom[1]) if custom else one.get(field)) or "").lower()
            return re.search(pattern, held) is not None if operator == "LIKE" else held == value

        same = [{"id": one["Name"], "type": "user"} for one in self._everybody() if has(one) and not one["Disabled"]]
        return {"count": len(same), "items": same}

    def _user(self, request: Request, name: str) -> Any:
        named = urlunquote(name)
        for one in [*self._everybody(), {"id": 6, "Name": NOBODY, "EmailAddress": "", "Disabled": False}]:
            # A slash in a name is one more part of the path to RT's dispatcher.
            if "/" not in named and named in (str(one["id"]), one["Name"]):
                shown = {"Name": one["Name"], "EmailAddress": one["EmailAddress"], "_hyperlinks": []}
                shown["Privileged"] = int(one in self.staff)
                if not self.sees_users:
                    return shown
                fields = [{"id": n, "name": key, "values": []} for n, key in enumerate(sorted(self.user_fields))]
                for field in fields:
                    field["values"] = [one["custom"][field["name"]]] if field["name"] in one.get("custom", {}) else []
                rest = {key: value for key, value in one.items() if key not in ("custom", "owns")}
                return {**rest, **shown, "CustomFields": fields, "Disabled": str(int(one["Disabled"]))}
        raise Refuse(404, {"message": "Not Found"})

    def _user_body(self, request: Request) -> dict[str, Any]:
        body = dict(request.body)
        custom = body.pop("CustomFields", {})
        if set(body) - _USER or not all(isinstance(value, str) for value in [*body.values(), *custom.values()]):
            raise Refuse(400, {"message": f"the fake does not know what to do with {sorted(body)}"})
        if not self.sees_users:
            raise Refuse(400, {"message": "Permission Denied"})
        return {**body, **{name: value for name, value in custom.items() if name in self.user_fields}}

    def _taken(self, email: str) -> bool:
        return bool(email) and any(one["EmailAddress"].lower() == email.lower() for one in self._everybody())

    def _create_user(self, request: Request) -> Answer:
        body = self._user_body(request)
        email = body.get("EmailAddress", "")
        if not re.fullmatch(r"[!-~]+@[!-~]+", email) or email.startswith("typo"):
            raise Refuse(400, {"message": "Invalid syntax for email address"})
        if any(one["Name"].lower() == body["Name"].lower() for one in self._everybody()):
            raise Refuse(400, {"message": "Name in use"})
        if self._taken(email):
            raise Refuse(400, {"message": "Email address in use"})
        if body.pop("Privileged") != "0":
            raise Refuse(400, {"message": "the fake makes no staff"})
        made = self._new_user(body)
        return Answer(201, {"id": made["Name"], "type": "user", "_url": f"{self.url}{API}/user/{made['Name']}"})

    def _change_user(self, request: Request, number: str) -> Any:
        user = next((one for one in self.users if one["id"] == int(number)), None)
        if user is None:
            raise Refuse(404, {"message": "Not Found"})
        body = self._user_body(request)
        said = []
        for name, value in body.items():
            if name == "EmailAddress" and self._taken(value):
                said.append("EmailAddress: Email address in use")  # with a 200
            elif name in self.user_fields:
                user["custom"][name] = value
            else:
                user[name] = value
        user["LastUpdated"] = self._now()
        return said

    def _owner(self, named: str | None) -> str:
        """A number, a name or an address; nobody is told that it is somebody else."""
        for one in self.staff:
            if named in (str(one["id"]), one["Name"], one["EmailAddress"]) and one["owns"] and not one["Disabled"]:
                return str(one["Name"])
        return "Nobody"

    # --- who asks ------------------------------------------------------------------------

    def _known_user(self, answer: Any) -> Any:
        basic = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()

        def guarded(request: Request, *groups: str) -> Any:
            if request.headers.get("authorization") not in (f"token {TOKEN}", f"Basic {basic}"):
                raise Refuse(401, {"message": "Unauthorized"})
            return answer(request, *groups)

        return guarded

    def _may(self, right: str, queue: str) -> bool:
        return right in self.rights[queue]

    def _need(self, right: str, queue: str) -> None:
        if not self._may(right, queue):
            raise Refuse(403, {"message": "Forbidden"})

    # --- queues and fields ---------------------------------------------------------------

    def _load_queue(self, name: str) -> str | None:
        same = (number for number, queue in self.queues.items() if name.lower() in (number, queue["Name"].lower()))
        return next(same, None)

    def _queue(self, request: Request, name: str) -> Any:
        if "%2F" in name:
            raise Refuse(404, {"message": "Not Found"})
        number = self._load_queue(urlunquote(name))
        if number is None:  # to somebody who may not see all queues
            raise Refuse(403, {"message": "Forbidden"})
        self._need("SeeQueue", number)
        links = [{"ref": "create", "type": "ticket"}] if self._may("CreateTicket", number) else []
        return {
            **self.queues[number],
            "TicketCustomFields": [{"id": one, "name": self.fields[one]["Name"]} for one in self._fields_of(number)],
            "_hyperlinks": [{"ref": "self"}, *links],
        }

    def _list_queues(self, request: Request) -> Any:
        if request.query.get("fields") != "Name,Description,_hyperlinks":
            raise Refuse(400, {"message": "the fake lists queues with just these fields"})
        seen = [number for number in self.queues if self._may("SeeQueue", number)]
        listed = [
            {
                "id": number,
                "type": "queue",
                "Name": self.queues[number]["Name"],
                "Description": self.queues[number].get("Description", ""),
                "_hyperlinks": [
                    {"ref": "self"},
                    *([{"ref": "create", "type": "ticket"}] if self._may("CreateTicket", number) else []),
                ],
            }
            for number in seen
        ]
        # To whom does not see all of them RT says neither how many there are nor that there is a next page.
        return self._paged(request, listed, len(seen) == len(self.queues))

    def _list_staff(self, request: Request) -> Any:
        if not self.lists_staff:
            raise Refuse(404, {"message": "Not Found"})
        if request.query.get("query") != "[]" or request.query.get("fields") != "Name,RealName,EmailAddress":
            raise Refuse(400, {"message": "the fake lists the staff with just these fields"})
        nobody = {"id": 6, "Name": NOBODY, "RealName": "Nobody in particular", "EmailAddress": ""}
        listed = [
            {"id": one["Name"], "type": "user", "Name": one["Name"], "EmailAddress": one["EmailAddress"]}
            | ({"RealName": one["RealName"]} if one.get("RealName") else {})
            for one in [nobody, *(one for one in self.staff if not one["Disabled"])]
        ]
        return self._paged(request, listed, True)

    @staticmethod
    def _paged(request: Request, listed: list[Any], counted: bool) -> Any:
        page, size = int(request.query["page"]), int(request.query["per_page"])
        pages = -(-len(listed) // size) if counted else None
        shown = listed[size * (page - 1) : size * page]
        return {"count": len(shown), "page": page, "pages": pages, "per_page": size, "items": shown}

    def _fields_of(self, queue: str) -> list[str]:
        seen = self._may("SeeCustomField", queue)
        return [number for number, field in self.fields.items() if seen and field["queue"] == queue]

    # --- tickets -------------------------------------------------------------------------

    @staticmethod
    def _checked(request: Request, keys: set[str]) -> dict[str, Any]:
        body = request.body
        if isinstance(body, bytes):
            raise Refuse(400, {"message": "JSON parse error"})
        if not isinstance(body, dict):
            raise Refuse(400, {"message": "JSON object must be a HASH"})
        texts = {key: value for key, value in body.items() if key not in ("CustomFields", "Priority", "Attachments")}
        if set(body) - keys or not all(isinstance(value, str) for value in texts.values()):
            raise Refuse(400, {"message": f"the fake does not know what to do with {sorted(body)}"})
        if body.get("ContentType") != "text/html":
            raise Refuse(400, {"message": "ContentType is a required field for application/json"})
        if len(body["Subject"]) > 200 or "\n" in body["Subject"]:
            raise Refuse(400, {"message": "the fake does not cut subjects"})
        return body

    def _create(self, request: Request) -> Answer:
        body = self._checked(request, _CREATE)
        queue = self._load_queue(body.get("Queue", ""))
        if queue is None or not self._may("CreateTicket", queue) or self.queues[queue]["Disabled"] != "0":
            raise Refuse(403, {"message": f"No permission to create tickets in the queue '{body.get('Queue')}'"})
        if not all(_TIME.fullmatch(body[name]) for name in ("Created", "Due") if name in body):
            raise Refuse(400, {"message": "the fake does not guess times"})
        number = str(self.new_id())
        self.tickets[number] = {
            "id": int(number),
            "Status": "new",
            "Subject": body["Subject"],
            "Created": body.get("Created"),
            "Due": body.get("Due"),
            "Priority": body.get("Priority", 0),
            "Owner": self._owner(body.get("Owner")),
            "RefersTo": body.get("RefersTo"),
            "LastUpdated": self._now(),
            "queue": queue,
            "values": {},
            "requestors": self._requestors(body.get("Requestor")),
            "texts": [{"Subject": body["Subject"], "Content": body["Content"], "type": "Create"}],
        }
        for name, value in body.get("CustomFields", {}).items():
            # The first field of that name in any queue, and it may not be one of this queue.
            same = (one for one, field in self.fields.items() if field["Name"].lower() == name.lower())
            self._set(number, name if name in self.fields else next(same, ""), value)
        where = f"{self.url}{API}/ticket/{number}"
        return Answer(201, {"id": number, "type": "ticket", "_url": where})

    @staticmethod
    def _now() -> str:
        return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    def _change(self, request: Request, number: str) -> Any:
        body, ticket = request.body, self._visible(number)
        if not isinstance(body, dict) or set(body) - _CHANGE:
            raise Refuse(400, {"message": f"the fake does not know what to do with {body}"})
        for name, value in body.get("CustomFields", {}).items():
            mine = (one for one in self._fields_of(ticket["queue"]) if self.fields[one]["Name"].lower() == name.lower())
            self._set(number, next(mine, name), value)
        rest = {name: value for name, value in body.items() if name != "CustomFields"}
        if not all(_TIME.fullmatch(value) for name, value in rest.items() if name == "Due"):
            raise Refuse(400, {"message": "the fake does not guess times"})
        if rest and not self._may("ModifyTicket", ticket["queue"]):
            return ["Permission Denied" for _ in rest]  # with a 200
        ticket |= {name: self._owner(value) if name == "Owner" else value for name, value in rest.items()}
        ticket["LastUpdated"] = self._now()
        return [f"{name} changed" for name in body]

    def _set(self, ticket: str, field: str, value: Any) -> None:
        if not isinstance(value, str):
            raise Refuse(400, {"message": "the fake takes one text for a field"})
        queue = self.tickets[ticket]["queue"]
        if not value or field not in self._fields_of(queue) or not self._may("ModifyCustomField", queue):
            return
        if value in self.fields[field].get("choice", (value,)):
            self.tickets[ticket]["values"][field] = value

    def _requestors(self, requestor: str | None) -> list[int]:
        if requestor is None:
            return []
        if requestor.isdecimal():
            return [one["id"] for one in self._everybody() if one["id"] == int(requestor)]
        found = _REQUESTOR.fullmatch(requestor)
        if not found:
            raise Refuse(400, {"message": f"the fake does not guess addresses: {requestor}"})
        name, address = unquote(found[1]), found[2]
        if not address.isascii():
            return []
        if address.startswith("typo"):
            raise Refuse(400, {"message": f"Could not add {address} as Requestor: not a valid address"})
        same = [one for one in self._everybody() if one["EmailAddress"].lower() == address.lower()]
        return [(same or [self._new_user({"EmailAddress": address, "RealName": name})])[0]["id"]]

    def _visible(self, number: str) -> dict[str, Any]:
        if number not in self.tickets:
            raise Refuse(404, {"message": "Not Found"})
        self._need("ShowTicket", self.tickets[number]["queue"])
        return self.tickets[number]

    def _values(self, ticket: dict[str, Any]) -> list[dict[str, Any]]:
        held = ticket["values"]
        return [
            {"id": one, "name": self.fields[one]["Name"], "values": [held[one]] if one in held else []}
            for one in self._fields_of(ticket["queue"])
        ]

    def _links(self, ticket: dict[str, Any]) -> list[dict[str, str]]:
        return [{"ref": "self"}, *([{"ref": "comment"}] if self._may("CommentOnTicket", ticket["queue"]) else [])]

    def _show(self, request: Request, number: str) -> Any:
        ticket = self._visible(number)
        name = {"Name": self.queues[ticket["queue"]]["Name"]} if request.query.get("fields[Queue]") == "Name" else {}
        return {
            "id": ticket["id"],
            "Status": ticket["Status"],
            "Queue": {"id": ticket["queue"], **name},
            "Owner": {"id": ticket["Owner"], "type": "user"},
            "CustomFields": self._values(ticket),
            "_hyperlinks": self._links(ticket),
        }

    def _search(self, request: Request) -> Any:
        query = request.query["query"]
        if found := re.fullmatch(r"Queue = (\d+)", query):
            same = [one for one in self.tickets.values() if one["queue"] == found[1]]
        elif found := _QUERY.fullmatch(query):
            field, value = (re.sub(r"\\(.)", r"\1", part).lower() for part in found.groups())
            same = [ticket for ticket in self.tickets.values() if self._matches(ticket, field, value)]
        elif found := _OF_PERSON.fullmatch(query):
            queue, email = (re.sub(r"\\(.)", r"\1", part or "").lower() for part in found.groups()[:2])
            whose = {one["id"] for one in self._everybody() if email and one["EmailAddress"].lower() == email}
            whose |= {int(found[3])} if found[3] else set()
            number = self._load_queue(queue)
            same = [
                one
                for one in self.tickets.values()
                if one["queue"] == number
                and whose & {*one["requestors"]}
                and found[4] in (None, "Inactive" if one["Status"] in _INACTIVE else "Active")
            ]
        else:
            raise Refuse(400, {"message": f"the fake does not understand {query}"})
        if request.query.get("orderby") == "LastUpdated":
            same.sort(key=lambda one: str(one["LastUpdated"]))
        seen = [one for one in same if one["Status"] != "deleted" and self._may("ShowTicket", one["queue"])]
        if request.query.get("order") == "DESC":
            seen.reverse()
        more: dict[str, Callable[[dict[str, Any]], Any]] = {
            "CustomFields": self._values,
            "_hyperlinks": self._links,
            "Status": lambda one: one["Status"],
            "LastUpdated": lambda one: one["LastUpdated"],
            "Due": lambda one: (one["Due"] or "1970-01-01 00:00:00").replace(" ", "T") + "Z",
        }
        asked = request.query.get("fields", "").split(",")
        items = [
            {"id": str(one["id"]), **{name: more[name](one) for name in asked if name in more}}
            for one in seen[: int(request.query.get("per_page", 20))]
        ]
        return {"count": len(items), "items": items}

    def _matches(self, ticket: dict[str, Any], field: str, value: str) -> bool:
        return any(
            value == held.lower() and field in (one, self.fields[one]["Name"].lower())
            for one, held in ticket["values"].items()
        )

    # --- comments ------------------------------------------------------------------------

    def _comment(self, request: Request, number: str) -> Answer:
        body = self._checked(request, _COMMENT)
        ticket = self.tickets.get(number)
        if ticket is None or not self._may("CommentOnTicket", ticket["queue"]):
            raise Refuse(400, {"message": "Permission Denied"})
        files = [self._file(one) for one in body.get("Attachments", [])]
        made = {"Subject": body["Subject"], "Content": body["Content"], "type": "Comment", "files": files}
        ticket["texts"].append(made)
        ticket["LastUpdated"] = self._now()
        for name, value in body.get("CustomFields", {}).items():
            mine = (one for one in self._fields_of(ticket["queue"]) if self.fields[one]["Name"].lower() == name.lower())
            self._set(number, next(mine, name), value)
        return Answer(201, ["Comments added"])

    @staticmethod
    def _file(one: dict[str, Any]) -> tuple[str, bytes]:
        """https://docs.bestpractical.com/rt/latest/RT/REST2.html#Add-Attachments"""
        if set(one) != {"FileName", "FileType", "FileContent"} or not all(one.values()):
            raise Refuse(400, {"message": "FileContent is a required field for each attachment in Attachments"})
        return one["FileName"], base64.b64decode(one["FileContent"], validate=True)

    def attached(self) -> list[tuple[str, bytes]]:
        return [one for ticket in self.tickets.values() for text in ticket["texts"] for one in text.get("files", ())]

    def _attachments(self, request: Request, number: str) -> Any:
        (limit,) = json.loads(request.query["query"])
        like = limit.pop("operator", "=") == "LIKE"
        if set(limit) != {"field", "value"} or limit["field"] != "Subject":
            raise Refuse(400, {"message": f"the fake does not understand {limit}"})
        wanted, asked = limit["value"].lower(), request.query.get("fields", "").split(",")
        ticket = self.tickets.get(number)
        if ticket is None or not self._may("ShowTicket", ticket["queue"]):
            return {"count": 0, "items": []}
        items = [
            {"id": str(index), **{name: text[name] for name in ("Content", "Subject") if name in asked}}
            for index, text in enumerate(ticket["texts"])
            if (wanted in text["Subject"].lower() if like else wanted == text["Subject"].lower())
            and (text["type"] == "Create" or self._may("ShowTicketComments", ticket["queue"]))
        ]
        return {"count": len(items), "items": items}
