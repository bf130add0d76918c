"""Odoo, as far as a relay sees it: a small ORM behind JSON-2 or JSON-RPC.

After https://www.odoo.com/documentation/19.0/developer/reference/external_api.html,
https://www.odoo.com/documentation/18.0/developer/reference/external_api.html and what the server does with
`message_post`: version 17 and later escape a body that is not said to be HTML and refuse words they do not know,
earlier ones take every body for HTML and let unknown words pass.
"""

from __future__ import annotations

import base64
import html
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from connectors.testing.fake import Answer, Fake, Refuse, Request

KEY = "odoo-key-0123456789abcdef"
LOGIN = "relay@example.com"
DATABASE = "shop"
TRACEBACK = 'Traceback (most recent call last):\n  File "/opt/odoo/http.py", line 2212, in _transactioning\n'

#: The fields of each model: type, and for a relation the other model.
FIELDS: dict[str, dict[str, str]] = {
    "res.partner": {
        "name": "char",
        "email": "char",
        "email_normalized": "char",
        "active": "boolean",
        "is_company": "boolean",
        "parent_id": "many2one res.partner",
        "user_id": "many2one res.users",
        "write_date": "datetime",
        "phone": "char",
        "website": "char",
        "function": "char",
        "ref": "char",
        "street": "char",
        "street2": "char",
        "state_id": "many2one res.country.state",
        "zip": "char",
        "city": "char",
        "vat": "char",
        "country_id": "many2one res.country",
        "country_code": "char",
        "color": "integer",
        "x_news": "boolean",
        "lang": "selection en_US cs_CZ",
    },
    "res.country.state": {"name": "char"},
    "res.country": {"name": "char", "code": "char"},
    "res.users": {
        "name": "char",
        "login": "char",
        "email": "char",
        "email_normalized": "char",
        "share": "boolean",
        "active": "boolean",
    },
    "crm.lead": {
        "name": "char",
        "partner_id": "many2one res.partner",
        "contact_name": "char",
        "team_id": "many2one crm.team",
        "user_id": "many2one res.users",
        "tag_ids": "many2many crm.tag",
        "referred": "char",
        "priority": "selection 0 1 2 3",
        "color": "integer",
        "expected_revenue": "monetary",
        "is_hot": "boolean",
        "active": "boolean",
        "stage_id": "many2one crm.stage",
        "probability": "float",
        "write_date": "datetime",
        "message_ids.date": "datetime",
    },
    "helpdesk.ticket": {
        "name": "char",
        "partner_id": "many2one res.partner",
        "team_id": "many2one helpdesk.team",
        "user_id": "many2one res.users",
        "tag_ids": "many2many helpdesk.tag",
        "active": "boolean",
        "priority": "selection 0 1 2 3",
        "stage_id": "many2one helpdesk.stage",
        "close_date": "datetime",
        "write_date": "datetime",
        "message_ids.date": "datetime",
    },
    "crm.stage": {"name": "char", "team_id": "many2one crm.team"},
    "helpdesk.stage": {"name": "char"},
    "mail.activity": {
        "res_model": "char",
        "res_id": "integer",
        "summary": "char",
        "note": "html",
        "date_deadline": "char",
        "user_id": "many2one res.users",
        "active": "boolean",
    },
    "crm.tag": {"name": "char"},
    "helpdesk.tag": {"name": "char"},
    "crm.team": {"name": "char"},
    "helpdesk.team": {"name": "char"},
    "ir.model": {"model": "char"},
    "ir.model.fields": {
        "name": "char",
        "model_id": "many2one ir.model",
        "field_description": "char",
        "ttype": "char",
        "copied": "boolean",
        "index": "boolean",
    },
    "mail.message": {
        "model": "char",
        "res_id": "many2one_reference",
        "message_id": "char",
        "body": "html",
        "date": "datetime",
        "subtype": "char",
        "message_type": "selection comment notification",
    },
    "ir.attachment": {"name": "char", "datas": "char", "res_model": "char", "res_id": "integer"},
}
#: What Odoo fills itself.
READONLY = ("email_normalized", "write_date", "country_code")
#: Records with a chatter.
THREADS = ("crm.lead", "helpdesk.ticket", "res.partner")
READING = {"search_read", "fields_get", "context_get", "has_access", "check_access_rights"}
SEARCH = {"domain", "fields", "offset", "limit", "order", "context"}
_SCHEDULE = {"act_type_xmlid", "date_deadline", "summary", "note", "user_id", "context"}
POST = {"body", "subject", "message_type", "subtype_xmlid", "subtype_id", "partner_ids", "attachment_ids", "context"}
#: What mail.message itself takes from message_post.
COLUMNS = {"message_id", "date"}


class Raised(Exception):
    """An exception inside Odoo. JSON-2 answers it with `status`, JSON-RPC always with 200."""

    def __init__(self, name: str, message: str, status: int = 500) -> None:
        super().__init__(message)
        self.status = status
        self.data = {
            "name": name,
            "message": message,
            "arguments": [message],
            "context": {},
            "debug": TRACEBACK + f"{name}: {message} ({KEY})\n",
        }


def json_rpc_error(name: str, message: str) -> dict[str, Any]:
    """The body of a JSON-RPC answer with an exception in it."""
    data = {"name": name, "message": message, "arguments": [message], "debug": TRACEBACK}
    return {"jsonrpc": "2.0", "id": 1, "error": {"code": 200, "message": "Odoo Server Error", "data": data}}


def invalid(message: str) -> Raised:
    return Raised("builtins.ValueError", message)


class OdooVendor(Fake):
    """`version` is the major one: from 19 on it speaks JSON-2, before JSON-RPC."""

    def __init__(self, version: int = 19, enterprise: bool = True) -> None:
        super().__init__()
        self.version = version
        #: Who was mailed, and who follows which record.
        self.mailed: list[str] = []
        self.followers: set[tuple[str, int, int]] = set()
        self.denied: set[tuple[str, str]] = set()
        #: Contacts who are on an invoice.
        self.invoiced: set[int] = set()
        self._written = 0
        self.fields = {model: dict(fields) for model, fields in FIELDS.items()}
        if version < 19:
            self.fields["res.partner"]["mobile"] = "char"
        if not enterprise:
            self.fields = {model: fields for model, fields in self.fields.items() if "helpdesk" not in model}
        self.tables: dict[str, list[dict[str, Any]]] = {model: [] for model in self.fields}
        self.tables["res.users"] = [
            self._user(2, "Relay", LOGIN, LOGIN),
            self._user(7, "Mitchell", "mitchell", "m@example.com"),
        ]
        self.tables["ir.model"] = [{"id": n, "model": model} for n, model in enumerate(self.fields, 1)]
        self.tables["res.country"] = [
            {"id": 56, "name": "Czech Republic", "code": "CZ"},
            {"id": 201, "name": "Slovakia", "code": "SK"},
        ]
        for team in ("crm.team", "helpdesk.team"):
            self.tables[team] = [{"id": 3, "name": "Europe"}]
        for stage in ("crm.stage", "helpdesk.stage"):
            self.tables[stage] = [{"id": 5, "name": "Contacted"}]
        self.tables["crm.stage"].append({"id": 6, "name": "Won", "team_id": 3})
        if version >= 19:
            self.route("POST", r"/json/2/([a-z.]+)/([a-z_]+)", self._json_2)
        else:
            self.route("POST", "/jsonrpc", self._json_rpc)

    # --- what a contract asks ------------------------------------------------------

    def people(self) -> list[Any]:
        return [one for one in self.tables["res.partner"] if not one.get("is_company")]

    def records(self) -> list[Any]:
        return [*self.tables["crm.lead"], *self.tables.get("helpdesk.ticket", [])]

    def texts(self) -> list[str]:
        return [one["body"] for one in self.tables["mail.message"]]

    def attached(self) -> list[tuple[str, bytes]]:
        """Whatever hangs on a record is shown there, in a message or not."""
        rows = self.tables["ir.attachment"]
        mentioned = {one for message in self.tables["mail.message"] for one in message.get("attachment_ids", ())}
        assert {row["id"] for row in rows} == mentioned
        return [(row["name"], base64.b64decode(row["datas"], validate=True)) for row in rows]

    def writes(self) -> list[Request]:
        return [one for one in self.requests if self.method(one) not in READING | {"authenticate"}]

    def method(self, request: Request) -> str:
        """What was called: a model's method, or one of the service `common`."""
        if request.path != "/jsonrpc":
            return request.path.rpartition("/")[2]
        params = request.body["params"]
        return str(params["args"][4] if params["service"] == "object" else params["method"])

    @staticmethod
    def _user(number: int, name: str, login: str, email: str, *, active: bool = True) -> dict[str, Any]:
        row = {"id": number, "name": name, "login": login, "email": email, "email_normalized": email.lower()}
        return {**row, "share": False, "active": active}

    # --- what its salespeople do -------------------------------------------------------

    def knows_owner(self, email: str, *, active: bool = True) -> int:
        number = self.new_id()
        self.tables["res.users"].append(self._user(number, "Ann", f"login{number}", email, active=active))
        return number

    def owner_of(self, record: dict[str, Any]) -> int | None:
        return record.get("user_id") or None

    def end(self, record: dict[str, Any]) -> None:
        record |= {"active": False, "probability": 0}

    def age(self, record: dict[str, Any]) -> None:
        record["write_date"] = "2015-03-13 12:00:00"
        for note in self._notes(record):
            note["date"] = "2015-03-13 12:00:00"

    def due_of(self, record: dict[str, Any]) -> str:
        """The time stands in the note."""
        for one in self.tables["mail.activity"]:
            if one["res_id"] == record["id"] and (found := re.search(r"(\S+) (\d\d:\d\d):\d\d UTC", one["note"])):
                assert one["date_deadline"] == found[1].removeprefix("<p>")
                return f"{one['date_deadline']}T{found[2]}"
        return ""

    def follows(self, record: dict[str, Any], earlier: dict[str, Any]) -> bool:
        return any(f"crm.lead/{earlier['id']}" in note["body"] for note in self._notes(record))

    def _notes(self, record: dict[str, Any]) -> list[dict[str, Any]]:
        return [one for one in self.tables["mail.message"] if one["res_id"] == record["id"]]

    # --- what people do in Odoo ------------------------------------------------------

    def add_person(self, *, name: str = "", email: str = "", phone: str = "", **fields: Any) -> int:
        typed = {"name": name or email, "email": email, "phone": phone, **fields}
        row = {"id": self.new_id(), **{key: value for key, value in typed.items() if value}}
        self.tables["res.partner"].append(row)
        self._computed(row, row)
        return int(row["id"])

    def person(self, number: int) -> dict[str, str]:
        row = next(one for one in self.tables["res.partner"] if one["id"] == number)
        return {name: str(row.get(name) or "") for name in ("name", "email", "phone", "function", "ref")}

    def remove_person(self, number: int) -> None:
        self.tables["res.partner"] = [one for one in self.tables["res.partner"] if one["id"] != number]
        for lead in self.records():
            if lead.get("partner_id") == number:
                lead["partner_id"] = False

    def records_of(self, number: int) -> int:
        return sum(one.get("partner_id") == number for one in self.records())

    def add_company(self, domain: str) -> int:
        return self.add_person(name=domain, is_company=True, website=f"http://www.{domain}")

    def company_of(self, number: int) -> int | None:
        row = next(one for one in self.tables["res.partner"] if one["id"] == number)
        return row.get("parent_id") or None

    # --- the two protocols -----------------------------------------------------------

    def _json_2(self, request: Request, model: str, method: str) -> Any:
        if not request.headers.get("content-type", "").startswith("application/json"):
            raise Refuse(400, {"name": "werkzeug.exceptions.BadRequest", "message": "Content-Type"})
        if request.headers.get("x-odoo-database") != DATABASE:
            raise Refuse(404, "<h1>Not Found</h1>")
        try:
            if request.headers.get("authorization", "").lower() != f"bearer {KEY}":
                raise Raised("werkzeug.exceptions.Unauthorized", "Invalid apikey", 401)
            if not isinstance(request.body, dict):
                raise Raised("werkzeug.exceptions.BadRequest", "expected a JSON object", 400)
            named = dict(request.body)
            return self._run(model, method, named.pop("ids", []), named)
        except Raised as raised:
            return Answer(raised.status, raised.data)

    def _json_rpc(self, request: Request) -> Any:
        body = request.body
        assert body["jsonrpc"] == "2.0"
        assert body["method"] == "call"
        service, method, args = (body["params"][name] for name in ("service", "method", "args"))
        try:
            if args[0] != DATABASE:
                words = f'connection to server failed: FATAL:  database "{args[0]}" does not exist\n'
                raise Raised("psycopg2.OperationalError", words)
            if (service, method) == ("common", "authenticate"):
                _, login, key, environment = args
                assert environment == {}
                result: Any = 2 if (login, key) == (LOGIN, KEY) else False
            else:
                assert (service, method) == ("object", "execute_kw")
                _, uid, key, model, called, positional, named = args
                if (uid, key) != (2, KEY):
                    raise Raised("odoo.exceptions.AccessDenied", "Access Denied")
                if called == "create":
                    (values,) = positional  # a keyword would fail in call_kw
                    assert "vals_list" not in named
                    result = self._run(model, called, [], {**named, "vals_list": values})
                else:
                    ids = positional[0] if positional else []
                    result = self._run(model, called, ids, named)
                    result = result[0] if called == "message_post" else result
        except Raised as raised:
            error = {"code": 200, "message": "Odoo Server Error", "data": raised.data}
            return {"jsonrpc": "2.0", "id": body["id"], "error": error}
        return {"jsonrpc": "2.0", "id": body["id"], "result": result}

    # --- the ORM -------------------------------------------------------------------------

    def _run(self, model: str, method: str, ids: list[int], named: dict[str, Any]) -> Any:
        if model not in self.fields:
            if self.version >= 19:
                raise Raised("werkzeug.exceptions.NotFound", f"the model '{model}' does not exist", 404)
            raise Raised("odoo.exceptions.UserError", f"Object {model} doesn't exist", 422)
        methods: dict[str, tuple[set[str], Callable[..., Any]]] = {
            "search_read": (SEARCH, self._search_read),
            "fields_get": ({"allfields", "attributes", "context"}, self._fields_get),
            "create": ({"vals_list", "context"}, self._create),
            "write": ({"vals", "context"}, self._write),
            "unlink": (set(), self._unlink),
            "message_post": (set(named), self._message_post),
            **(
                {"has_access": ({"operation"}, self._may), "context_get": (set(), self._context_get)}
                if self.version >= 19
                else {"check_access_rights": ({"operation", "raise_exception"}, self._may)}
            ),
        }
        methods["activity_schedule"] = (_SCHEDULE, self._activity_schedule)
        if method not in methods or (method in ("message_post", "activity_schedule") and model not in THREADS):
            message = f"The method '{model}.{method}' does not exist"
            raise Raised("werkzeug.exceptions.NotFound", message, 404)
        allowed, act = methods[method]
        for word in named.keys() - allowed:
            message = f"{method}() got an unexpected keyword argument '{word}'"
            if self.version >= 19:
                raise Raised("werkzeug.exceptions.UnprocessableEntity", message, 422)
            raise Raised("builtins.TypeError", message)
        if ids and method in ("search_read", "fields_get", "create", "context_get"):
            message = f"cannot call {model}.{method} with ids"
            raise Raised("werkzeug.exceptions.UnprocessableEntity", message, 422)
        for one in ids:
            if not any(row["id"] == one for row in self.tables[model]):
                message = f"Record does not exist or has been deleted.\n(Record: {model}({one},), User: 2)"
                raise Raised("odoo.exceptions.MissingError", message, 404)
        writes = dict.fromkeys(("write", "message_post", "activity_schedule"), "write")
        operation = {"create": "create", "unlink": "unlink", **writes}.get(method, "read")
        if (model, operation) in self.denied and method not in ("has_access", "check_access_rights", "fields_get"):
            message = f"You are not allowed to {operation} '{model}' records.\n\nContact your administrator."
            raise Raised("odoo.exceptions.AccessError", message, 403)
        return act(
            model,
            ids,
            **{name: value for name, value in named.items() if name != "context"},
            **(
                {"context": named["context"]}
                if method in ("search_read", "create", "message_post", "activity_schedule") and "context" in named
                else {}
            ),
        )

    def _may(self, model: str, ids: list[int], operation: str, raise_exception: bool = True) -> bool:
        assert operation in ("read", "write", "create", "unlink")
        return (model, operation) not in self.denied

    def _context_get(self, model: str, ids: list[int]) -> Any:
        assert model == "res.users"
        return {"lang": "en_US", "tz": "Europe/Prague", "uid": 2}

    def _fields_get(self, model: str, ids: list[int], attributes: list[str], allfields: list[str] | None = None) -> Any:
        assert set(attributes) <= {"type", "string", "readonly"}
        told = {
            name: {"type": kind.split()[0], "string": name.replace("_", " ").title(), "readonly": name in READONLY}
            for name, kind in self.fields[model].items()
            if allfields is None or name in allfields
        }
        return {name: {one: about[one] for one in attributes} for name, about in told.items()}

    def _search_read(
        self,
        model: str,
        ids: list[int],
        domain: list[Any],
        fields: list[str],
        limit: int | None = None,
        order: str = "",
        context: dict[str, Any] | None = None,
    ) -> Any:
        assert order in ("", "id", "active desc, is_company, id", "write_date desc, id desc")
        for name in [*fields, *(leaf[0] for leaf in domain if isinstance(leaf, list))]:
            if name not in self.fields[model] and name != "id":
                raise invalid(f"Invalid field {model}.{name} in leaf")
        if any(isinstance(leaf, list) and leaf[0] == "message_ids.date" for leaf in domain):
            for row in self.tables[model]:
                row["message_ids.date"] = max((note["date"] for note in self._notes(row)), default="")
        found = [row for row in self.tables[model] if self._matches(row, list(domain))]
        if (context or {}).get("active_test", True):
            found = [row for row in found if row.get("active", True)]
        if order.startswith("active"):
            found.sort(key=lambda row: (not row.get("active", True), row.get("is_company", False), row["id"]))
        if order.startswith("write_date"):
            found.sort(key=lambda row: (row["write_date"], row["id"]), reverse=True)
        return [{name: self._shown(model, row, name) for name in {"id", *fields}} for row in found][:limit]

    def _shown(self, model: str, row: dict[str, Any], name: str) -> Any:
        """A field as it is read: what it relates to comes with its name."""
        if name == "country_code":
            return next(
                (one["code"] for one in self.tables["res.country"] if one["id"] == row.get("country_id")), False
            )
        kind, *more = self.fields[model].get(name, "").split() or [""]
        value = row.get(name, name == "active")
        if kind == "many2one" and value:
            return [value, next(one["name"] for one in self.tables[more[0]] if one["id"] == value)]
        return value

    def _matches(self, row: dict[str, Any], domain: list[Any]) -> bool:
        """In Polish notation; what no operator joins is joined by `&`."""

        def term() -> bool:
            leaf = domain.pop(0)
            if leaf not in ("|", "&"):
                return self._holds(row, *leaf)
            both = (term(), term())
            return any(both) if leaf == "|" else all(both)

        holds = True
        while domain:
            holds = term() and holds
        return holds

    def _holds(self, row: dict[str, Any], name: str, operator: str, value: Any) -> bool:
        assert operator in ("=", "!=", "in", "=like", "ilike", "like", ">="), operator
        if operator == "like":
            return str(value) in str(row.get(name) or "")
        if operator == ">=":
            return str(row.get(name) or "") >= str(value)
        if operator == "ilike":
            return str(value).lower() in str(row.get(name) or "").lower()
        if operator == "!=":
            return bool(row.get(name, False) != value)
        if operator == "=like":
            pattern = re.escape(value).replace("%", ".*").replace("_", ".")
            return re.fullmatch(pattern, str(row.get(name) or "")) is not None
        return bool(row.get(name) in value if operator == "in" else row.get(name) == value)

    def _create(
        self, model: str, ids: list[int], vals_list: list[dict[str, Any]], context: dict[str, Any] | None = None
    ) -> Any:
        assert isinstance(vals_list, list)
        rows = [self._checked(model, values) for values in vals_list]
        for row in rows:
            if model in THREADS and not row.get("name"):
                words = "The operation cannot be completed: a mandatory field is not set"
                raise Raised("odoo.exceptions.ValidationError", words, 422)
            if model.endswith(".tag") and any(one["name"] == row["name"] for one in self.tables[model]):
                raise Raised("odoo.exceptions.ValidationError", "Tag name already exists!", 422)
            row["id"] = self.new_id()
            if model == "res.partner":
                if not row.get("name"):
                    raise Raised("odoo.exceptions.ValidationError", "Contacts require a name", 422)
                self._computed(row, row)
            if model == "ir.model.fields":
                assert row["name"].startswith("x_")
                owner = next(one["model"] for one in self.tables["ir.model"] if one["id"] == row["model_id"])
                self.fields[owner][row["name"]] = row["ttype"]
            if model in ("crm.lead", "helpdesk.ticket"):
                row.update({"write_date": self._now()} | ({"probability": 10.0} if model == "crm.lead" else {}))
            self.tables[model].append(row)
            if model in THREADS:
                self._subscribe(model, row, context or {})
        return [row["id"] for row in rows]

    def _subscribe(self, model: str, row: dict[str, Any], context: dict[str, Any]) -> None:
        if not context.get("mail_create_nosubscribe"):
            self.followers.add((model, row["id"], 2))
        if model != "res.partner" and row.get("user_id") and not context.get("mail_auto_subscribe_no_notify"):
            self.mailed.append(f"You have been assigned to {row['name']}")

    def _write(self, model: str, ids: list[int], vals: dict[str, Any]) -> Any:
        values = self._checked(model, vals)
        for row in self.tables[model]:
            if row["id"] in ids:
                row.update(values)
                if model == "res.partner":
                    self._computed(row, values)
                elif model in THREADS:
                    row["write_date"] = self._now()
        return True

    def _unlink(self, model: str, ids: list[int]) -> Any:
        assert model == "res.partner"
        if self.invoiced & set(ids):
            words = "The operation cannot be completed: another model requires the record being deleted."
            raise Raised("odoo.exceptions.ValidationError", words, 422)
        for number in ids:
            self.remove_person(number)
        return True

    def _activity_schedule(
        self, model: str, ids: list[int], context: dict[str, Any] | None = None, **named: Any
    ) -> Any:
        assert len(ids) == 1, "Expected singleton"
        assert named["act_type_xmlid"] == "mail.mail_activity_data_todo"
        assert re.fullmatch(r"\d{4}-\d\d-\d\d", named.get("date_deadline", "2026-11-28"))
        user = named.get("user_id", 2)
        if user != 2 and not (context or {}).get("mail_activity_quick_update"):
            self.mailed.append(f"{named['summary']} assigned to you")
        self.followers.add((model, ids[0], user))
        made = {"id": self.new_id(), "res_model": model, "res_id": ids[0], "date_deadline": "2026-11-28", **named}
        self.tables["mail.activity"].append({**made, "user_id": user, "active": True})
        return [made["id"]]

    def _computed(self, row: dict[str, Any], values: dict[str, Any]) -> None:
        """What Odoo makes of what was written on a contact."""
        email = row.get("email") or ""
        if "email" in values and email:
            if not re.fullmatch(r"[^@\s]+@[^@\s]+", email) or email.startswith("typo"):
                raise Raised("odoo.exceptions.ValidationError", "A module of this shop dislikes the address", 422)
            row["email_normalized"] = email.lower()
        address = ("street", "street2", "zip", "city", "state_id", "country_id")
        parents = [one for one in self.tables["res.partner"] if row.get("parent_id") and one["id"] == row["parent_id"]]
        for parent in parents:
            if "parent_id" in values and any(map(parent.get, address)):
                row |= {name: parent.get(name, False) for name in address}
                row["vat"] = parent.get("vat", False)
            if any(name in values for name in ("parent_id", *address)):
                parent |= {name: row.get(name, False) for name in address}
        row["write_date"] = self._now()

    def _now(self) -> str:
        self._written += 1
        return f"{datetime(2026, 11, 22, tzinfo=UTC) + timedelta(seconds=self._written):%Y-%m-%d %H:%M:%S}"

    def _checked(self, model: str, values: dict[str, Any]) -> dict[str, Any]:
        for name, value in values.items():
            kind, *more = self.fields[model].get(name, "").split() or [""]
            if not kind:
                raise invalid(f"Invalid field '{name}' on model '{model}'")
            if kind == "many2one" and value is not False:
                if not isinstance(value, int):
                    raise invalid(f"Wrong value for {model}.{name}: {value!r}")
                if not any(row["id"] == value for row in self.tables[more[0]]):
                    words = "The operation cannot be completed: another model requires the record being deleted."
                    raise Raised("odoo.exceptions.ValidationError", words, 422)
            elif kind == "many2many":
                for command, zero, linked in value:
                    assert (command, zero) == (6, 0)
                    assert all(any(row["id"] == one for row in self.tables[more[0]]) for one in linked)
            elif kind == "selection" and value is not False and value not in more:
                raise invalid(f"Wrong value for {model}.{name}: {value!r}")
            elif kind in ("integer", "monetary", "boolean") and isinstance(value, str):
                raise invalid(f"could not convert string to a {kind}: {value!r}")
            elif kind in ("char", "html") and not isinstance(value, str) and value is not False:
                raise invalid(f"Wrong value for {model}.{name}: {value!r}")
        return dict(values)

    def _message_post(
        self, model: str, ids: list[int], body: str = "", context: dict[str, Any] | None = None, **named: Any
    ) -> Any:
        assert len(ids) == 1, "Expected singleton"
        quiet = {"mail_post_autofollow_author_skip"} if self.version >= 16 else {"mail_create_nosubscribe"}
        if named.get("message_type") == "comment" and not any((context or {}).get(name) for name in quiet):
            self.followers.add((model, ids[0], 2))
        unknown = named.keys() - POST - COLUMNS - {"body_is_html"}
        if unknown and self.version >= 17:
            raise invalid(f"Those values are not supported when posting or notifying: {sorted(unknown)}")
        if self.version >= 17 and not named.get("body_is_html"):
            body = html.escape(body)
        if "date" in named and not re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", named["date"]):
            raise invalid(f"time data {named['date']!r} does not match format '%Y-%m-%d %H:%M:%S'")
        message = {
            "id": self.new_id(),
            "model": model,
            "res_id": ids[0],
            "body": body,
            "message_type": named.get("message_type", "notification"),
            "subtype": named.get("subtype_xmlid", "mail.mt_note"),
            "message_id": named.get("message_id", f"<{self.new_id()}@odoo>"),
            "date": named.get("date", "2026-11-22 10:00:00"),
        }
        assert message["message_type"] in ("comment", "notification")
        there = {one["id"] for one in self.tables["ir.attachment"]}
        message["attachment_ids"] = named.get("attachment_ids", [])
        assert there.issuperset(message["attachment_ids"])
        self.tables["mail.message"].append(message)
        return [message["id"]]
