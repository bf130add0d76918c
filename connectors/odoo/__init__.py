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
from connectors.kit.capabilities import Capabilities
from connectors.kit.connector import Change, Finding, HttpConnector, Receipt, Step
from connectors.kit.people.whose import People
from connectors.kit.responses import Verdict
from connectors.kit.text.parts import Layout, Part, append
from connectors.odoo.checks import odoo_findings
from connectors.odoo.partners import Partners
from connectors.odoo.rpc import (
    QUIET,
    VERDICTS,
    Json2,
    JsonRpc,
    Rpc,
    first_id,
    first_team,
    identity,
    imagined,
    known_fields,
    meaning,
    truth,
)
from connectors.odoo.settings import RECORD_KINDS, OdooSettings, RecordKind, typed
from core.conversation import Conversation
from core.delivery import Reference
from core.errors import ConnectorRefused, DeliveryError, Gone, RecordRefused, RetryLater


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
    capabilities = Capabilities(
        person="a contact, by email, phone or customer id, else created; blank fields filled",
        revision="the whole chat, as a further note",
        idempotent="looked for in the database, by key and Message-Id",
    )
    # Its own page of HTML: there is no such database, or nothing of Odoo's at this address.
    statuses: ClassVar[Mapping[int, Verdict]] = {404: ConnectorRefused}

    def deliver(self, conversation: Conversation, receipt: Receipt, step: Step) -> Reference:
        words = mapping.Mapping(self.settings, conversation)
        _ = words.person  # raises Skipped before anything is asked
        odoo = self._odoo()
        tags = step("tags", partial(self._tags, odoo, words.tags())) if words.tags() else []

        def record_of(partner: int | None) -> int:
            return step.once(
                "record",
                partial(self._create, odoo, words, partner, tags),
                find=partial(first_id, odoo, self._kind.model, [[self._key_field, "=", words.key]]),
            )

        record = People(self, Partners(self, odoo)).whose(step, words, record_of)
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
        return odoo_findings(self._odoo(), self.settings, self.name)

    def setup(self) -> Iterator[Change]:
        name = self._key_field
        if name.startswith("x_") and name not in known_fields(self._odoo(), self._kind.model, name):
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
    def _kind(self) -> RecordKind:
        return RECORD_KINDS[self.settings.record]

    @property
    def _key_field(self) -> str:
        return self.settings.key_field or self._kind.key

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
        if team := self._team(odoo):
            values["team_id"] = team
        if self.settings.record == "lead":
            # Without this a lead is assigned to the user of the API key, and a team's rules leave it there.
            values["user_id"] = self.settings.user_id or False
            if not partner:
                values["contact_name"] = words.name
        elif self.settings.user_id:
            values["user_id"] = self.settings.user_id
        values |= self._fields(odoo, words)
        return identity(odoo.call(self._kind.model, "create", vals_list=[values], context=QUIET, judge=self._judge_new))

    def _team(self, odoo: Rpc) -> int | None:
        """A lead with neither team nor salesperson is in nobody's pipeline."""
        given = self.settings
        if given.team_id or given.user_id or given.record != "lead":
            return given.team_id
        return self.cache.get("team", partial(first_team, odoo))

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
        return first_id(odoo, "mail.message", written)

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

    def _fields(self, odoo: Rpc, words: mapping.Mapping) -> dict[str, Any]:
        given = words.fields()
        known = known_fields(odoo, self._kind.model, *given) if given else {}
        for name in sorted(given.keys() - known.keys()):
            raise ConnectorRefused(f"{self._kind.model} has no field '{name}'; correct it under fields")
        return {name: typed("fields", name, known[name], text) for name, text in given.items()}

    def _make_key_field(self) -> None:
        odoo = self._odoo()
        model = first_id(odoo, "ir.model", [["model", "=", self._kind.model]])
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
