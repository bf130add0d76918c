"""Odoo's contacts: how they are found, made and filled, and the companies that they belong to.

https://github.com/odoo/odoo/blob/18.0/odoo/addons/base/models/res_partner.py
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any

from phonenumbers import national_significant_number, parse
from requests import Response

from connectors.kit.connector import HttpConnector
from connectors.kit.email_address import spellings
from connectors.kit.people.company import website_domain
from connectors.kit.people.directory import Contact, Directory, best, same_number
from connectors.kit.people.settings import YES, Identifier, Said
from connectors.kit.reply import Reply
from connectors.odoo.rpc import QUIET, Rpc, first_id, identity, known_fields, truth
from connectors.odoo.settings import OdooSettings, typed
from core.errors import ConnectorRefused, DeliveryError, Gone, RecordRefused

MODEL = "res.partner"
#: Contacts that are read of those who have an address or a number.
_MOST = 100
#: What a contact has in common with its company: Odoo overwrites it with the company's when it comes to belong to one,
#: and in newer versions the company's with what is written on the contact.
#: https://github.com/odoo/odoo/blob/18.0/odoo/addons/base/models/res_partner.py: _fields_sync
_SHARED = ("street", "street2", "zip", "city", "state_id", "country_id", "vat")
_READ = ("name", "email", "email_normalized", "active", "is_company", "parent_id", "user_id", "write_date", *_SHARED)
#: There in all versions, and in those before 19.
_NUMBERS = ("phone", "mobile")
_NO = ("false", "no", "0")


class Partners(Directory):
    def __init__(self, connector: HttpConnector[OdooSettings], odoo: Rpc) -> None:
        self._connector, self._settings, self._odoo = connector, connector.settings, odoo

    def own(self, said: Said) -> Mapping[str, str]:
        known = {"name": said.name, "email": said.email, "phone": said.phone}
        field = self._settings.customer_id_field
        return {**known, **({field: said.customer_id} if field else {})}

    def find(self, by: Identifier, value: str) -> Iterator[Contact]:
        if by == "email":
            # Odoo keeps the address in its normal form beside what people typed. `=ilike` on `email` would take the _
            # and % of an address for wildcards. Versions differ in the case of a local part that is not ASCII.
            known = sorted({spelt for one in spellings(value) for spelt in (one, one.lower())})
            yield from self._search([["email_normalized", "in", known]])
        elif by == "customer_id":
            field = self._settings.customer_id_field
            # A field of numbers has nobody under what is none.
            if self._types[field] == "char" or value.isdecimal():
                yield from self._search([[field, "=", self._typed(field, value)]])
        else:
            # Whatever stands between its digits, and with or without the code of its country.
            digits = "%".join(["", *national_significant_number(parse(value)), ""])
            kept = [name for name in _NUMBERS if name in self._types]
            found = self._search(["|"] * (len(kept) - 1) + [[name, "=like", digits] for name in kept])
            yield from (one for one in found if any(same_number(it, value) for name in kept for it in one.values(name)))

    def get(self, person: Any) -> Contact | None:
        return next(self._search([["id", "=", person]]), None)

    def create(self, said: Said, fields: Mapping[str, str]) -> Contact:
        # Whom an earlier chat made with an address that is made up, Odoo would make again.
        if (made := self._made_up(said)) is not None:
            return made
        values = {**self._values(fields), "name": fields.get("name") or said.called}
        judge = self._refused if fields.keys() <= {"name", "email"} else None
        created = self._odoo.call(MODEL, "create", vals_list=[values], context=QUIET, judge=judge)
        return Contact(identity(created), fresh=True)

    def made(self, said: Said) -> int | None:
        found = self._made_up(said)
        return found.id if found is not None else None

    def fill(self, person: Any, fields: Mapping[str, str]) -> object:
        return self._write(person, self._values(fields))

    def company(self, domain: str) -> int | None:
        having = ["|", ["website", "ilike", domain], ["email_normalized", "=like", f"%@{domain}"]]
        found = self._odoo.call(
            MODEL,
            "search_read",
            domain=["&", ["is_company", "=", True], *having],
            fields=["website", "email_normalized"],
            limit=_MOST,
        )
        own = [
            one["id"].number
            for one in found
            if website_domain(_text(one, "website")) == domain
            or _text(one, "email_normalized").rpartition("@")[2] == domain
        ]
        return own[0] if len(own) == 1 else None

    def link(self, person: Any, company: Any) -> object:
        return self._write(person, {"parent_id": company})

    # --- how they are read and written -----------------------------------------------

    def _made_up(self, said: Said) -> Contact | None:
        return None if "email" in said.known_by else best(self.find("email", said.email))

    def _search(self, domain: list[Any]) -> Iterator[Contact]:
        # A query to the database, which has no index to lag behind; archived contacts, too.
        found = self._odoo.call(
            MODEL,
            "search_read",
            domain=domain,
            fields=list(dict.fromkeys([*_READ, *self._types])),
            limit=_MOST,
            order="active desc, is_company, id",
            context={"active_test": False},
        )
        return map(self._contact, found)

    def _contact(self, record: Reply) -> Contact:
        fields = {
            name: _texts(record, name, kind) for name, kind in {**dict.fromkeys(_READ, "char"), **self._types}.items()
        }
        raw = record.object
        fields["country_id"] += fields.get("country_code", ())
        if raw.get("parent_id"):
            fields |= {name: fields[name] or ("the company's",) for name in _SHARED}
        # Odoo keeps no person without a name, so that the address stands there instead.
        if any(name.lower() in {one.lower() for one in fields["email"]} for name in fields["name"]):
            fields["name"] = ()
        # A person before a company that shares the address, and somebody archived before a second one.
        order = f"{int(raw.get('active') is not False)}{int(not raw.get('is_company'))}"
        return Contact(
            record["id"].number,
            fields,
            active=f"{order}{_text(record, 'write_date')}",
            owned=bool(raw.get("user_id")),
            company=any(raw.get(name) for name in ("is_company", "parent_id", *_SHARED)),
        )

    @cached_property
    def _types(self) -> dict[str, str]:
        """Of the fields that the settings name, and of numbers."""
        named = self._settings.person_fields
        also = (*_NUMBERS, *(("country_code",) if "country_id" in named else ()))
        types: dict[str, str] = self._connector.cache.get(
            "contact fields", lambda: known_fields(self._odoo, MODEL, *also, *named)
        )
        for name in sorted({*named} - types.keys()):
            raise ConnectorRefused(f"{MODEL} has no field '{name}'; correct it, or create it in Odoo")
        return types

    def _values(self, fields: Mapping[str, str]) -> dict[str, Any]:
        return {name: self._typed(name, text) for name, text in fields.items()}

    def _typed(self, name: str, text: str) -> Any:
        if name == "country_id" and not text.isdigit():
            return self._connector.cache.get(f"country {text}", lambda: self._country(text))
        return typed("person", name, self._types.get(name, "char"), text)

    def _country(self, code: str) -> int:
        number = first_id(self._odoo, "res.country", [["code", "=", code.upper()]])
        if number is None:
            raise RecordRefused(f"person: Odoo knows no country with the code '{code}'")
        return number

    def _write(self, person: Any, values: Mapping[str, Any]) -> bool:
        return truth(self._odoo.call(MODEL, "write", ids=[person], vals=dict(values), judge=self._missing))

    def _missing(self, answer: Response) -> DeliveryError | None:
        error = self._connector.judge(answer)
        missing = isinstance(error, RecordRefused) and "MissingError" in str(error)
        return Gone(str(error), "person", status=answer.status_code) if missing else error

    def _refused(self, answer: Response) -> DeliveryError | None:
        """For a contact of name and address alone, which some module of the shop may not take."""
        error = self._connector.judge(answer)
        return Gone(str(error), "person", status=answer.status_code) if type(error) is RecordRefused else error


def _text(record: Reply, name: str) -> str:
    value = record.object.get(name)
    return value if isinstance(value, str) else ""


def _texts(record: Reply, name: str, kind: str) -> tuple[str, ...]:
    """What stands in a field, in all the words in which a template may say it. What is off may be so on purpose, and
    is not blank."""
    value = record.object.get(name)
    if kind == "boolean":
        return YES if value is True else _NO
    if isinstance(value, list):  # another record: its id and name
        return tuple(map(str, value))
    return (str(value),) if value else ()
