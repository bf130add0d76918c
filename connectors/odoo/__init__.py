"""Odoo: a contact, and a lead or a help desk ticket with the chat as an internal note.

https://www.odoo.com/documentation/19.0/developer/reference/external_api.html
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

from requests import Response

from connectors.kit import record as mapping
from connectors.kit.connector import Change, Finding, HttpConnector, Receipt, Step
from connectors.kit.email_address import spellings
from connectors.kit.person import for_person
from connectors.kit.record import Person
from connectors.kit.responses import Verdict
from connectors.kit.text.parts import Layout, Part, append
from connectors.odoo.rpc import VERDICTS, Json2, JsonRpc, Rpc, identity, imagined, meaning, truth
from connectors.odoo.settings import KINDS, Kind, OdooSettings, typed
from core.conversation import Conversation
from core.delivery import Reference
from core.errors import ConnectorRefused, DeliveryError, Gone, RecordRefused, RetryLater

#: Nobody is mailed and nobody follows: neither who is assigned, nor the user of the API key, who would get each
#: customer's reply. https://github.com/odoo/odoo/blob/18.0/addons/mail/models/mail_thread.py
QUIET = {
    "mail_create_nosubscribe": True,
    "mail_auto_subscribe_no_notify": True,
    "mail_post_autofollow_author_skip": True,
}


@dataclass(frozen=True)
class _Chat:
    """What one delivery is about."""

    words: mapping.Mapping
    conversation: Conversation
    number: int
    revised: bool


class Odoo(HttpConnector[OdooSettings]):
    label = "Odoo"
    makes = "a contact, and a lead or a help desk ticket with the chat as an internal note"
    # Its own page of HTML: there is no such database, or nothing of Odoo's at this address.
    statuses: ClassVar[Mapping[int, Verdict]] = {404: ConnectorRefused}

    def deliver(self, conversation: Conversation, receipt: Receipt, step: Step) -> Reference:
        words = mapping.Mapping(self.settings, conversation)
        person = words.person
        odoo = self._odoo()
        tags = step("tags", partial(self._tags, odoo, words.tags())) if words.tags() else []

        def record_of(partner: int | None) -> int:
            return step.once(
                "record",
                partial(self._create, odoo, words, partner, tags),
                find=partial(self._find, odoo, self._kind.model, [[self._key_field, "=", words.key]]),
            )

        if person:
            look = partial(self._partner, odoo, person)
            record = for_person(
                step, "person", words, person=look, nobody=lambda: None, make=record_of, identity=person.email
            )
        else:
            record = record_of(None)
        number = receipt.number
        # Only the last of quick revisions is delivered, so the first that arrives here need not be number 1.
        revised = step.knows("first") and step("first", lambda: number) < number
        chat = _Chat(words, conversation, number, revised)
        try:
            record = step("moved", lambda: record) if step.knows("moved") else record
            self._tell(odoo, step, chat, record, moved=step.knows("moved"))
        except Gone as gone:
            step.forget("moved")
            survivor = self._survivor(odoo, words)
            if survivor is None:
                raise RecordRefused(str(gone), status=gone.status) from gone
            record = step("moved", lambda: survivor)
            self._tell(odoo, step, chat, record, moved=True)
        step("first", lambda: number)
        return Reference(str(record), odoo.page(self._kind.model, record))

    def judge(self, answer: Response) -> DeliveryError | None:
        if answer.status_code == 404 and not self.settings.database and answer.content.lstrip().startswith(b"<"):
            # What Odoo answers when it cannot tell which of its databases is meant.
            text = "Odoo answers 404 to every call: name its database, as in 'database: shop', or correct 'url'"
            return ConnectorRefused(text, status=404)
        return meaning(answer) or super().judge(answer)

    def _judge_record(self, answer: Response) -> DeliveryError | None:
        """For what names the record: deleted, or merged into another one."""
        error = self.judge(answer)
        missing = isinstance(error, RecordRefused) and "MissingError" in str(error)
        return Gone(str(error), "record", status=answer.status_code) if missing else error

    def _judge_new(self, answer: Response) -> DeliveryError | None:
        """For a new record or contact: what it names may have been deleted or merged, or Odoo refuses the person."""
        error = self.judge(answer)
        refused = type(error) is RecordRefused
        return Gone(str(error), "person", "tags", status=answer.status_code) if refused else error

    def check(self) -> Iterator[Finding]:
        odoo, settings, kind = self._odoo(), self.settings, self._kind
        user = odoo.me()
        me = self._read(odoo, "res.users", user, "email") if user else None
        yield Finding(True, f"API key accepted by {settings.url}")
        if me is not None:
            yield Finding(
                bool(me.get("email")),
                "the key's user has an email address" if me.get("email") else "the key's user has no email address",
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
                name = f" ({found.get('name')})" if found else ""
                yield _there(bool(found), f"{model} {wanted}{name}", f"correct {setting}")
        if settings.record == "lead" and not settings.user_id:
            text = "leads come without a salesperson: 'My Pipeline', with which CRM opens, does not show them"
            yield Finding(True, f"{text}; remove that filter, or set user_id")
        if user:
            yield self._look_at_others(odoo, user)
        tagging = [(kind.tag, "create")] if settings.tags else []
        for model, operation in (("res.partner", "create"), (kind.model, "create"), (kind.model, "write"), *tagging):
            yield Finding(
                odoo.may(model, operation),
                f"the right to {operation} {model}",
                "give the key's user 'All Documents' of Sales or 'User' of Helpdesk, and Contact Creation",
            )

    def _look_at_others(self, odoo: Rpc, user: int) -> Finding:
        """A user with 'Own Documents Only' may do everything, but to records of others. No method tells that in all
        versions; a record does."""
        model, others = self._kind.model, [["user_id", "!=", False], ["user_id", "!=", user]]
        if self._find(odoo, model, others):
            return Finding(True, f"records of {model} that others are responsible for can be seen")
        text = f"no record of {model} that somebody else is responsible for can be seen"
        return Finding(True, f"{text}; if there are any, the key's user needs 'All Documents'")

    def setup(self) -> Iterator[Change]:
        name = self._key_field
        if name.startswith("x_") and name not in self._known_fields(self._odoo(), name):
            yield Change(f"create the field '{name}' of {self._kind.model}, for the chat's key", self._make_key_field)

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
        return found[0]["id"].number if len(found) else None

    def _survivor(self, odoo: Rpc, words: mapping.Mapping) -> int | None:
        """The record that people merged ours into: Odoo moves our notes there, which keep their Message-Id."""
        # https://github.com/odoo/odoo/blob/18.0/addons/crm/models/crm_lead.py: _merge_dependences_history
        start = _prefix(words.key)
        domain = [["model", "=", self._kind.model], ["message_id", "=like", f"{start}%"]]
        found = odoo.call(
            "mail.message", "search_read", domain=domain, fields=["res_id", "message_id"], limit=100, order="id"
        )
        # `_` is any character there.
        return next((one["res_id"].number for one in found if one["message_id"].text.startswith(start)), None)

    def _read(self, odoo: Rpc, model: str, record: int, field: str) -> dict[str, Any] | None:
        found = odoo.call(model, "search_read", domain=[["id", "=", record]], fields=[field], limit=1)
        return found[0].object if len(found) else None

    def _partner(self, odoo: Rpc, person: Person) -> int:
        # Odoo keeps the address in its normal form beside what people typed. `=ilike` on `email` would take the _ and %
        # of an address for wildcards. Versions differ in the case of a local part that is not ASCII.
        known = sorted({spelt for one in spellings(person.email) for spelt in (one, one.lower())})
        # A person before a company that shares the address, and somebody archived before a second one.
        found = odoo.call(
            "res.partner",
            "search_read",
            domain=[["email_normalized", "in", known]],
            fields=["id"],
            limit=1,
            order="active desc, is_company, id",
            context={"active_test": False},
        )
        if len(found):
            return found[0]["id"].number
        values = {"name": person.name, "email": person.email}
        return identity(odoo.call("res.partner", "create", vals_list=[values], judge=self._judge_new))

    def _tags(self, odoo: Rpc, names: list[str]) -> list[int]:
        found = odoo.call(self._kind.tag, "search_read", domain=[["name", "in", names]], fields=["name"])
        known = {one["name"].text: one["id"].number for one in found}
        missing = [{"name": name} for name in names if name not in known]
        if missing:
            # Names are unique. Two first chats at once both make the tag; the second finds it at its next try.
            made = odoo.call(self._kind.tag, "create", vals_list=missing, judge=self._judge_tags)
            known |= {one["name"]: made[index].number for index, one in enumerate(missing)}
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
        values |= self._fields(odoo, words)
        return identity(odoo.call(self._kind.model, "create", vals_list=[values], context=QUIET, judge=self._judge_new))

    def _tell(self, odoo: Rpc, step: Step, chat: _Chat, record: int, *, moved: bool) -> None:
        """Bring the record up to date: its fields, and the notes of this revision."""
        number, words = chat.number, chat.words
        if chat.revised and self.settings.fields and not moved:  # a record that others were merged into is theirs
            step(f"fields {number}", partial(self._update, odoo, record, words))
        append(
            step,
            "note",
            NOTES.parts(words, number, revised=chat.revised),
            write=partial(self._note, odoo, record, chat.conversation),
            look=partial(self._find_note, odoo, record),
            newest_first=True,
        )

    def _find_note(self, odoo: Rpc, record: int, part: Part) -> int | None:
        written = [["model", "=", self._kind.model], ["res_id", "=", record], ["message_id", "=", part.mark]]
        return self._find(odoo, "mail.message", written)

    def _update(self, odoo: Rpc, record: int, words: mapping.Mapping) -> bool:
        values = self._fields(odoo, words)
        return not values or truth(
            odoo.call(self._kind.model, "write", ids=[record], vals=values, context=QUIET, judge=self._judge_record)
        )

    def _note(self, odoo: Rpc, record: int, conversation: Conversation, part: Part) -> int:
        # https://www.odoo.com/documentation/18.0/developer/reference/backend/mixins.html: from 17 on a plain text is
        # escaped unless body_is_html says that it is HTML; 14 to 16 take all bodies for HTML and ignore the word.
        moment = conversation.end_at or conversation.begin_at
        when: dict[str, Any] = {"date": f"{moment:%Y-%m-%d %H:%M:%S}"} if moment else {}
        return identity(
            odoo.call(
                self._kind.model,
                "message_post",
                ids=[record],
                body=part.body,
                body_is_html=True,
                message_type="comment",
                subtype_xmlid="mail.mt_note",
                message_id=part.mark,
                context=QUIET,
                judge=self._judge_record,
                **when,
            )
        )

    def _known_fields(self, odoo: Rpc, *names: str) -> dict[str, str]:
        """The type of each field that there is."""
        found = odoo.call(self._kind.model, "fields_get", allfields=sorted(set(names)), attributes=["type"])
        return {name: found[name]["type"].text for name in names if name in found.object}

    def _fields(self, odoo: Rpc, words: mapping.Mapping) -> dict[str, Any]:
        given = words.fields()
        known = self._known_fields(odoo, *given) if given else {}
        for name in sorted(given.keys() - known.keys()):
            raise ConnectorRefused(f"{self._kind.model} has no field '{name}'; correct it under fields")
        return {name: typed(name, known[name], text) for name, text in given.items()}

    def _make_key_field(self) -> None:
        odoo = self._odoo()
        model = self._find(odoo, "ir.model", [["model", "=", self._kind.model]])
        field = {"name": self._key_field, "model_id": model, "field_description": "Smartsupp chat", "ttype": "char"}
        # A copy of a ticket is no second ticket of the chat.
        odoo.call("ir.model.fields", "create", vals_list=[field | {"copied": False, "index": True}])


def _prefix(key: str) -> str:
    """How the Message-Id of each of our notes begins."""
    return f"<{key.replace(':', '.')}."


def _message_id(key: str, revision: int, part: int) -> str:
    return f"{_prefix(key)}{revision}.{part}@smartsupp.invalid>"


#: Odoo sets no limit to a note, but cleans the HTML of each while we wait. It shows the newest on top.
NOTES = Layout(200_000, mark=_message_id, shown=False, linked=True)


def _there(right: bool, text: str, remedy: str) -> Finding:
    return Finding(right, f"{text} exists" if right else f"{text} does not exist, or the user may not see it", remedy)
