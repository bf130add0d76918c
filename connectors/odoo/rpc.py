"""How Odoo is called: JSON-2 (19 and later) or JSON-RPC (14 to 18), and what its errors mean.

Both run every call in a transaction of its own, which an error rolls back.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

from requests import Response

from connectors.kit.files.streaming import json_options
from connectors.kit.http import Http, Judge
from connectors.kit.reply import Reply
from connectors.kit.responses import QUOTE, STATUS, Verdict, refusal, retry_after
from connectors.kit.transcript import single_line
from core.errors import ConnectorRefused, DeliveryError, RecordRefused, RetryLater

#: Nobody is mailed and nobody follows: neither who is assigned, nor the user of the API key, who would get each
#: customer's reply. https://github.com/odoo/odoo/blob/18.0/addons/mail/models/mail_thread.py
QUIET = {
    "mail_create_nosubscribe": True,
    "mail_auto_subscribe_no_notify": True,
    "mail_post_autofollow_author_skip": True,
}

#: Methods that change nothing, so that asking twice does no harm.
READING = frozenset({"search_read", "fields_get", "context_get", "has_access", "check_access_rights"})

#: What an exception's class means, whatever the status it comes with: JSON-RPC puts them all into a 200, and JSON-2
#: answers 404 to a record that was deleted as to a model that does not exist.
#: https://github.com/odoo/odoo/blob/19.0/odoo/exceptions.py
VERDICTS: Mapping[str, Verdict] = {
    "AccessDenied": ConnectorRefused,
    "AccessError": ConnectorRefused,
    "Forbidden": ConnectorRefused,
    "MissingError": RecordRefused,
    "NotFound": ConnectorRefused,
    "RedirectWarning": RecordRefused,
    "SessionExpiredException": ConnectorRefused,
    "Unauthorized": ConnectorRefused,
    "UserError": RecordRefused,
    "ValidationError": RecordRefused,
    "ValueError": RecordRefused,
}
#: The database had to give way to somebody else's transaction, after Odoo's own five tries.
GAVE_WAY = frozenset(
    {
        "ConcurrencyError",
        "DeadlockDetected",
        "LockError",
        "LockNotAvailable",
        "SerializationFailure",
        "TransactionRollbackError",
    }
)
#: Errors that every record would meet: class, how the message begins, and what to do. Matched from its beginning,
#: because further on a message may quote what a visitor wrote.
SETTINGS: Sequence[tuple[str, re.Pattern[str], str]] = (
    ("OperationalError", re.compile(r".*FATAL: +database .+ does not exist"), "correct 'database'"),
    ("ValueError", re.compile(r"Invalid field"), "correct 'fields' or 'key_field'"),
    ("UserError", re.compile(r"Object \S+ doesn't exist"), "install CRM or Helpdesk in Odoo, or correct 'record'"),
    ("NotFound", re.compile(r"the model \S+ does not exist"), "install CRM or Helpdesk in Odoo, or correct 'record'"),
    (
        "UserError",
        re.compile(r"Unable to (log|send) message, please configure the sender's email"),
        "give the user of the API key an email address in Odoo",
    ),
)


class Rpc(Protocol):
    """One way to call Odoo. Made for one attempt."""

    def call(
        self, model: str, method: str, *, ids: Sequence[int] = (), judge: Judge | None = None, **named: Any
    ) -> Reply:
        """What the method returns: a list, an object, a number or a truth. Raises DeliveryError."""

    def me(self) -> int | None:
        """The id of the user that the key belongs to, where Odoo tells it. Proves the credentials."""

    def may(self, model: str, operation: str) -> bool:
        """Whether the user may create, read or write records of a model."""

    def page(self, model: str, record: int) -> str:
        """Where people see the record."""


class Json2:
    """https://www.odoo.com/documentation/19.0/developer/reference/external_api.html"""

    def __init__(self, http: Http, base: str, database: str, key: str) -> None:
        self._http = http
        self._base = base
        self._headers = {"Authorization": f"bearer {key}"} | ({"X-Odoo-Database": database} if database else {})

    def call(
        self, model: str, method: str, *, ids: Sequence[int] = (), judge: Judge | None = None, **named: Any
    ) -> Reply:
        sent = json_options({"ids": list(ids), **named} if ids else named)
        answer = self._http.json(
            "POST",
            f"{self._base}/json/2/{model}/{method}",
            repeatable=method in READING,
            judge=judge,
            **{**sent, "headers": {**self._headers, **sent.get("headers", {})}},
        )
        return _shaped(answer)

    def me(self) -> int | None:
        context = self.call("res.users", "context_get")
        _ = context["lang"]  # every user has one, so that this is Odoo's answer
        found = context.get("uid")
        return found.number if found is not None else None

    def may(self, model: str, operation: str) -> bool:
        return truth(self.call(model, "has_access", operation=operation))

    def page(self, model: str, record: int) -> str:
        return f"{self._base}/odoo/{model}/{record}"


class JsonRpc:
    """https://www.odoo.com/documentation/18.0/developer/reference/external_api.html"""

    def __init__(self, http: Http, base: str, database: str, login: str, key: str) -> None:
        self._http = http
        self._base = base
        self._database = database
        self._login = login
        self._key = key

    def call(
        self, model: str, method: str, *, ids: Sequence[int] = (), judge: Judge | None = None, **named: Any
    ) -> Reply:
        # Odoo looks at the first positional argument of `create` to tell one record from several.
        positional = [named.pop("vals_list")] if method == "create" else [list(ids)] if ids else []
        arguments = [self._database, self._user, self._key, model, method, positional, named]
        return _shaped(self._ask("object", "execute_kw", arguments, method in READING, judge))

    def me(self) -> int | None:
        return self._user

    def may(self, model: str, operation: str) -> bool:
        return truth(self.call(model, "check_access_rights", operation=operation, raise_exception=False))

    def page(self, model: str, record: int) -> str:
        # The address of 14 to 17; 18 still understands it.
        return f"{self._base}/web#id={record}&model={model}&view_type=form"

    @cached_property
    def _user(self) -> int:
        found = self._ask("common", "authenticate", [self._database, self._login, self._key, {}], True, None)
        if found is False:
            raise ConnectorRefused("Odoo does not know this 'login' with this 'api_key' in this 'database'")
        if not isinstance(found, int) or isinstance(found, bool):
            raise RetryLater(f"expected the number of a user from Odoo, got {type(found).__name__}")
        return found

    def _ask(self, service: str, method: str, arguments: list[Any], repeatable: bool, judge: Judge | None) -> Any:
        answer = self._http.json(
            "POST",
            f"{self._base}/jsonrpc",
            repeatable=repeatable,
            judge=judge,
            **json_options(
                {
                    "jsonrpc": "2.0",
                    "id": 1,
                    "method": "call",
                    "params": {"service": service, "method": method, "args": arguments},
                }
            ),
        )
        return Reply(answer)["result"].raw


@dataclass(frozen=True)
class OdooFault:
    """An exception of Odoo's: the last part of its class, and its words. Its traceback is left behind."""

    name: str
    message: str


def meaning(answer: Response, verdicts: Mapping[str, Verdict] = VERDICTS) -> DeliveryError | None:
    """The error that an exception in the answer means, or None when there is no exception in it."""
    fault = _fault(answer)
    if fault is None:
        return None
    code = answer.status_code
    text = f"{fault.name or f'HTTP {code}'}: {fault.message}"
    for name, pattern, remedy in SETTINGS:
        if fault.name == name and pattern.match(fault.message):
            return ConnectorRefused(f"{text} ({remedy})", status=code)
    if fault.name == "MissingError":
        text = f"the record is no longer in Odoo, somebody deleted or merged it; {text}"
    verdict = verdicts.get(fault.name) or _by_status(answer)
    if verdict is RetryLater or fault.name in GAVE_WAY:
        untaken = fault.name in GAVE_WAY or code == 429
        return RetryLater(text, status=code, retry_after=retry_after(answer.headers), untaken=untaken)
    return verdict(text, status=code)


def known_fields(odoo: Rpc, model: str, *names: str) -> dict[str, str]:
    """The type of each field that there is."""
    found = odoo.call(model, "fields_get", allfields=sorted(set(names)), attributes=["type"])
    return {name: found[name]["type"].text for name in names if name in found.object}


def first_id(odoo: Rpc, model: str, domain: list[Any]) -> int | None:
    """The id of the first record. A lost lead is archived, and still the one."""
    # A query to the database, which has no index to lag behind.
    found = odoo.call(
        model, "search_read", domain=domain, fields=["id"], limit=1, order="id", context={"active_test": False}
    )
    return found[0]["id"].number if len(found) else None


def first_team(odoo: Rpc) -> int | None:
    """The sales team that Odoo takes where nothing says which: the first in its own order."""
    # https://github.com/odoo/odoo/blob/18.0/addons/sales_team/models/crm_team.py: _get_default_team_id
    found = odoo.call("crm.team", "search_read", domain=[], fields=["id"], limit=1)
    return found[0]["id"].number if len(found) else None


def identity(answer: Reply) -> int:
    """The id of the one record that was made; some versions answer a list. Raises RetryLater."""
    return (answer[0] if isinstance(answer.raw, list) else answer).number


def truth(answer: Reply) -> bool:
    if not isinstance(answer.raw, bool):
        raise answer.expected("true or false")
    return answer.raw


def imagined(path: str, body: Any) -> Any:
    """What an empty account would answer to a request."""
    if not path.endswith("/jsonrpc"):
        return _imagined(path.rpartition("/")[2], body)
    params = body["params"]
    if params["service"] == "common":
        result: Any = 2
    else:
        method, positional, named = params["args"][4:]
        result = _imagined(method, {"vals_list": positional[0]} if method == "create" else named)
    return {"jsonrpc": "2.0", "id": 1, "result": result}


def _imagined(method: str, named: Any) -> Any:
    if method == "search_read":
        return []
    if method == "fields_get":
        return {name: {"type": "char"} for name in named["allfields"]}
    if method == "create":
        return list(range(1, len(named["vals_list"]) + 1))
    return {"lang": "en_US", "uid": 2} if method == "context_get" else True if method == "write" else [1]


def _fault(answer: Response) -> OdooFault | None:
    body: Any = None
    with suppress(ValueError, RecursionError):
        body = answer.json()
    if not isinstance(body, dict):
        return None
    error = body.get("error")
    if "jsonrpc" in body and isinstance(error, dict):
        data = error.get("data")
        return _named(
            *((data.get("name"), data.get("message")) if isinstance(data, dict) else ("", error.get("message")))
        )
    failed = answer.status_code // 100 != 2
    return _named(body.get("name"), body.get("message")) if failed and {"name", "debug"} & body.keys() else None


def _named(name: object, message: object) -> OdooFault:
    return OdooFault(single_line(str(name or "")).rpartition(".")[2][:QUOTE], single_line(str(message or ""))[:QUOTE])


def _by_status(answer: Response) -> Verdict:
    kind = type(refusal(answer, STATUS))
    return kind if kind in (RecordRefused, ConnectorRefused) else RetryLater


def _shaped(answer: Any) -> Reply:
    if answer is None or isinstance(answer, str):
        raise RetryLater(f"expected records from Odoo, got {type(answer).__name__}")
    return Reply(answer)
