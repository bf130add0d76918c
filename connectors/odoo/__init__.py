"""Odoo: a contact, and a lead or a help desk ticket with the chat as an internal note.

https://www.odoo.com/documentation/19.0/developer/reference/external_api.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, Self

from pydantic import AnyHttpUrl, Field, SecretStr, model_validator
from requests import Response

from connectors import mapping
from connectors.base import Change, Finding, HttpConnector, Receipt, Step
from connectors.mapping import Person, RecordSettings
from connectors.odoo_rpc import VERDICTS, Json2, JsonRpc, Rpc, identity, imagined, meaning
from core.conversation import Conversation
from core.delivery import Reference
from core.errors import ConnectorRefused, DeliveryError, RecordRefused, RetryLater

#: Characters of one note. Odoo sets no limit, but cleans the HTML of each while we wait.
LONGEST = 200_000


@dataclass(frozen=True)
class Kind:
    """The models around a record, and the field that keeps the chat's key unless the settings name another."""

    model: str
    tag: str
    team: str
    key: str


#: A lead has a free text of its own, "Referred By"; a ticket has none.
KINDS: Mapping[str, Kind] = {
    "lead": Kind("crm.lead", "crm.tag", "crm.team", "referred"),
    "ticket": Kind("helpdesk.ticket", "helpdesk.tag", "helpdesk.team", "x_smartsupp_chat"),
}


class OdooSettings(RecordSettings):
    """Settings of `type: odoo`."""

    url: AnyHttpUrl = Field(description="Of the server, such as https://mycompany.odoo.com.")
    database: str = Field(
        default="", description="Needed for json-rpc, and for json-2 where the server's address does not tell it."
    )
    login: str = Field(default="", description="Of the user the API key belongs to; json-rpc needs it.")
    api_key: SecretStr = Field(description="From the user's preferences, under Account Security.")
    protocol: Literal["json-2", "json-rpc"] = Field(
        default="json-2", description="json-2 for Odoo 19 and later, json-rpc for 14 to 18."
    )
    record: Literal["lead", "ticket"] = Field(
        default="lead", description="lead is a lead of CRM, ticket one of Helpdesk (Enterprise)."
    )
    team_id: int | None = Field(default=None, gt=0, description="The sales team's or help desk team's id.")
    user_id: int | None = Field(default=None, gt=0, description="The id of the user that the record is assigned to.")
    key_field: str = Field(
        default="",
        pattern=r"^([a-z][a-z0-9_]*)?$",
        description="The text field of the record that keeps the chat's key: "
        "'referred' of a lead and 'x_smartsupp_chat' of a ticket, unless another is named.",
    )

    @model_validator(mode="after")
    def _can_sign_in(self) -> Self:
        missing = [name for name in ("database", "login") if not getattr(self, name)]
        if self.protocol == "json-rpc" and missing:
            raise ValueError("json-rpc needs more; add " + " and ".join(f"'{name}: …'" for name in missing))
        return self


class Odoo(HttpConnector[OdooSettings]):
    label = "Odoo"

    def deliver(self, conversation: Conversation, receipt: Receipt, step: Step) -> Reference:
        words = mapping.Mapping(self.settings, conversation)
        person = words.person
        odoo = self._odoo()
        partner = step("person", partial(self._partner, odoo, person)) if person else None
        tags = step("tags", partial(self._tags, odoo, words.tags())) if words.tags() else []
        record = step.once(
            "record",
            partial(self._create, odoo, words, partner, tags),
            find=partial(self._find, odoo, self._kind.model, [[self._key_field, "=", words.key]]),
        )
        number = receipt.revision.number
        # Only the last of quick revisions is delivered, so the first that arrives here need not be number 1.
        revised = step.knows("first") and step("first", lambda: number) < number
        if revised and self.settings.fields:
            step(f"fields {number}", partial(self._update, odoo, record, words))
        for position, body in enumerate(words.bodies(LONGEST, revised=revised), 1):
            mark = f"<{words.key.replace(':', '.')}.{number}.{position}@smartsupp.invalid>"
            written = [["model", "=", self._kind.model], ["res_id", "=", record], ["message_id", "=", mark]]
            step.once(
                f"note {number}.{position}",
                partial(self._note, odoo, record, mark, body, conversation),
                find=partial(self._find, odoo, "mail.message", written),
            )
        step("first", lambda: number)
        return Reference(str(record), odoo.page(self._kind.model, record))

    def judge(self, answer: Response) -> DeliveryError | None:
        return meaning(answer) or super().judge(answer)

    def check(self) -> Iterator[Finding]:
        odoo, settings, kind = self._odoo(), self.settings, self._kind
        user = odoo.me()
        me = self._read(odoo, "res.users", user, "email") if user else None
        yield Finding(True, f"the API key is accepted by {settings.url}")
        if me is not None:
            yield Finding(
                bool(me.get("email")),
                "the key's user has an e-mail address" if me.get("email") else "the key's user has no e-mail address",
                "give the user one in Odoo: notes cannot be written without it",
            )
        known = self._known_fields(odoo, *settings.fields, self._key_field)
        for name in (self._key_field, *settings.fields):
            remedy = (
                f"correct it under key_field, or create it: relay connectors setup {self.name}"
                if name == self._key_field
                else "correct it under fields, or create it in Odoo"
            )
            yield _there(name in known, f"the field '{name}' of {kind.model}", remedy)
        if known.get(self._key_field, "char") != "char":
            yield Finding(False, f"'{self._key_field}' is of type {known[self._key_field]}", "name a field of text")
        for setting, model, wanted in (
            ("team_id", kind.team, settings.team_id),
            ("user_id", "res.users", settings.user_id),
        ):
            if wanted:
                found = self._read(odoo, model, wanted, "name")
                name = f" ({found['name']})" if found else ""
                yield _there(bool(found), f"{model} {wanted}{name}", f"correct {setting}")
        tagging = [(kind.tag, "create")] if settings.tags else []
        for model, operation in (("res.partner", "create"), (kind.model, "create"), (kind.model, "write"), *tagging):
            yield Finding(
                odoo.may(model, operation),
                f"the right to {operation} {model}",
                "give the key's user 'All Documents' of Sales or 'User' of Helpdesk, and Contact Creation",
            )

    def setup(self) -> Iterator[Change]:
        name = self._key_field
        if name.startswith("x_") and name not in self._known_fields(self._odoo(), name):
            yield Change(f"the field '{name}' of {self._kind.model}, for the chat's key", self._make_key_field)

    def imagine(self, method: str, path: str, body: Any) -> Any:
        return imagined(path, body)

    # --- the calls ---------------------------------------------------------------

    def _odoo(self) -> Rpc:
        given = self.settings
        base, key = str(given.url).rstrip("/"), given.api_key.get_secret_value()
        if given.protocol == "json-2":
            return Json2(self.http, base, given.database, key)
        return JsonRpc(self.http, base, given.database, given.login, key)

    @property
    def _kind(self) -> Kind:
        return KINDS[self.settings.record]

    @property
    def _key_field(self) -> str:
        return self.settings.key_field or self._kind.key

    def _find(self, odoo: Rpc, model: str, domain: list[Any]) -> int | None:
        # A query to the database, which has no index to lag behind. A lost lead is archived, and still the one.
        found = odoo.call(
            model, "search_read", domain=domain, fields=["id"], limit=1, order="id", context={"active_test": False}
        )
        return identity(found[0]["id"]) if found else None

    def _read(self, odoo: Rpc, model: str, record: int, field: str) -> dict[str, Any] | None:
        found = odoo.call(model, "search_read", domain=[["id", "=", record]], fields=[field], limit=1)
        return dict(found[0]) if found else None

    def _partner(self, odoo: Rpc, person: Person) -> int:
        # Odoo keeps the address in its normal form beside what people typed. `=ilike` on `email` would take the _ and %
        # of an address for wildcards. Versions differ in the case of a local part that is not ASCII.
        known = sorted({person.email, person.email.lower()})
        found = odoo.call(
            "res.partner", "search_read", domain=[["email_normalized", "in", known]], fields=["id"], limit=1, order="id"
        )
        if found:
            return identity(found[0]["id"])
        return identity(odoo.call("res.partner", "create", vals_list=[{"name": person.name, "email": person.email}]))

    def _tags(self, odoo: Rpc, names: list[str]) -> list[int]:
        found = odoo.call(self._kind.tag, "search_read", domain=[["name", "in", names]], fields=["name"])
        known = {one["name"]: identity(one["id"]) for one in found}
        missing = [{"name": name} for name in names if name not in known]
        if missing:
            # Names are unique. Two first chats at once both make the tag; the second finds it at its next try.
            made = odoo.call(self._kind.tag, "create", vals_list=missing, judge=self._judge_tags)
            known |= {one["name"]: identity(made[index]) for index, one in enumerate(missing)}
        return [known[name] for name in names]

    def _judge_tags(self, answer: Response) -> DeliveryError | None:
        return meaning(answer, {**VERDICTS, "ValidationError": RetryLater}) or super().judge(answer)

    def _create(self, odoo: Rpc, words: mapping.Mapping, partner: int | None, tags: list[int]) -> int:
        values: dict[str, Any] = {"name": words.subject(255), self._key_field: words.key}
        if partner:
            values["partner_id"] = partner
        if tags:
            values["tag_ids"] = [[6, 0, tags]]
        if self.settings.team_id:
            values["team_id"] = self.settings.team_id
        if self.settings.record == "lead":
            # Without this a lead is assigned to the user of the API key, and a team's rules leave it there.
            values["user_id"] = self.settings.user_id or False
            if not partner:
                values["contact_name"] = words.name
        elif self.settings.user_id:
            values["user_id"] = self.settings.user_id
        return identity(odoo.call(self._kind.model, "create", vals_list=[values | self._fields(odoo, words)]))

    def _update(self, odoo: Rpc, record: int, words: mapping.Mapping) -> bool:
        return bool(odoo.call(self._kind.model, "write", ids=[record], vals=self._fields(odoo, words)))

    def _note(self, odoo: Rpc, record: int, mark: str, body: str, conversation: Conversation) -> int:
        # https://www.odoo.com/documentation/18.0/developer/reference/backend/mixins.html: from 17 on a plain text is
        # escaped unless body_is_html says that it is HTML; 14 to 16 take all bodies for HTML and ignore the word.
        moment = conversation.end_at or conversation.begin_at
        when: dict[str, Any] = {"date": f"{moment:%Y-%m-%d %H:%M:%S}"} if moment else {}
        return identity(
            odoo.call(
                self._kind.model,
                "message_post",
                ids=[record],
                body=body,
                body_is_html=True,
                message_type="comment",
                subtype_xmlid="mail.mt_note",
                message_id=mark,
                **when,
            )
        )

    def _known_fields(self, odoo: Rpc, *names: str) -> dict[str, str]:
        """The type of each field that there is."""
        found = odoo.call(self._kind.model, "fields_get", allfields=sorted(set(names)), attributes=["type"])
        return {name: str(one["type"]) for name, one in found.items() if name in names}

    def _fields(self, odoo: Rpc, words: mapping.Mapping) -> dict[str, Any]:
        given = words.fields()
        known = self._known_fields(odoo, *given) if given else {}
        for name in sorted(given.keys() - known.keys()):
            raise ConnectorRefused(f"{self._kind.model} has no field '{name}'; correct it under fields")
        return {name: _typed(name, known[name], text) for name, text in given.items()}

    def _make_key_field(self) -> None:
        odoo = self._odoo()
        model = self._find(odoo, "ir.model", [["model", "=", self._kind.model]])
        field = {"name": self._key_field, "model_id": model, "field_description": "Smartsupp chat", "ttype": "char"}
        # A copy of a ticket is no second ticket of the chat.
        odoo.call("ir.model.fields", "create", vals_list=[field | {"copied": False, "index": True}])


def _there(right: bool, text: str, remedy: str) -> Finding:
    return Finding(right, f"{text} exists" if right else f"{text} does not exist, or the user may not see it", remedy)


_NUMBERS = {"integer": int, "many2one": int, "float": float, "monetary": float}


def _typed(name: str, kind: str, text: str) -> Any:
    """A field's text as what Odoo wants for the field's type; the empty text as its `false`, which is no value."""
    if kind in ("many2many", "one2many", "binary"):
        raise ConnectorRefused(f"fields: '{name}' is of type {kind} in Odoo, which no text can fill")
    if kind == "boolean":
        return text.lower() in ("true", "yes", "1")
    if not text or kind not in _NUMBERS:
        return text or False
    wanted = _NUMBERS[kind]
    if not re.fullmatch(r"-?\d+" if wanted is int else r"-?\d+(\.\d+)?", text, re.ASCII):
        raise RecordRefused(f"fields: '{name}' is of type {kind} in Odoo, and '{text}' is no number")
    return wanted(text)
