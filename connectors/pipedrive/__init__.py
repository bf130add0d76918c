"""Pipedrive: a person with a note, and a lead or a deal where that is wished.

https://developers.pipedrive.com/docs/api/v1

Nothing is idempotent there, and the search may lag. So once the outcome of a create is unknown, what it made is looked
for in a plain list: a person by its address, a lead by its `origin_id`, a deal by the end of its title, a note by its
last line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from collections.abc import Mapping as Map
from dataclasses import dataclass
from datetime import UTC
from functools import partial
from typing import Any

from markupsafe import escape

from connectors.kit.connector import Change, Finding, Receipt, Step
from connectors.kit.people.whose import People
from connectors.kit.record import Mapping
from connectors.kit.reply import Reply
from connectors.kit.text.parts import Layout, Part, marked, octets, overwrite
from connectors.kit.wire.verdicts import When
from connectors.pipedrive.api import CUSTOM, MARKETING, OF_PERSON, REMEMBERED, PipedriveApi
from connectors.pipedrive.persons import PersonDirectory
from core.conversation import Conversation
from core.delivery import Reference

#: Bytes of a note. Pipedrive says "approximately 100,000 characters (or 100KB)", and its sanitiser may add some.
NOTES = Layout(90_000, octets, mark=lambda key, _, part: f"[{key} note {part}]" if part > 1 else f"[{key}]")
#: Characters of a title or a name.
TITLE = 255
#: Types of fields that take a text. The others take numbers, ids of options, or objects.
TEXTS = ("varchar", "varchar_auto", "text", "phone", "date")
#: Settings that name something, and where it is read.
NAMED = {"owner_id": "/v1/users", "pipeline_id": "/api/v2/pipelines", "stage_id": "/api/v2/stages"}


@dataclass(frozen=True)
class _Chat:
    """What one delivery is about."""

    words: Mapping
    conversation: Conversation
    receipt: Receipt
    step: Step

    @property
    def number(self) -> int:
        return self.receipt.number


class Pipedrive(PipedriveApi):
    def deliver(self, conversation: Conversation, receipt: Receipt, step: Step) -> Reference:
        words = Mapping(self.settings, conversation)
        chat = _Chat(words, conversation, receipt, step)
        # Many visitors have the same name, or none: without an address it has to tell them apart. A deal may do without
        # a person, a lead and a note of its own may not.
        mark = f" ({conversation.visitor.id or conversation.id})"
        nameless = words.name[: TITLE - len(mark)] + mark if self.settings.record != "deal" else ""
        persons = PersonDirectory(self, receipt, nameless, words.voice.say("a visitor") + mark)
        return People(self, persons).whose(step, words, partial(self._delivered, chat))

    def _delivered(self, chat: _Chat, person: Any) -> Reference:
        kind, base = self.settings.record, self.settings.base
        record = None if kind == "note" else self._record(chat, person)
        notes = self._notes(chat, {f"{kind}_id": record} if record else {"person_id": person})
        if kind == "note":
            return Reference(str(notes[0]), f"{base}/person/{person}")
        return Reference(str(record), f"{base}/{'leads/inbox' if kind == 'lead' else 'deal'}/{record}")

    # --- what is made --------------------------------------------------------------

    def _record(self, chat: _Chat, person: int | None) -> Any:
        """The id of the lead or deal."""
        fields: dict[str, Any] = dict(chat.words.fields())
        if self.settings.record == "lead":
            # https://developers.pipedrive.com/docs/api/v1/Leads: the deal's custom fields, at the top of the body.
            path, mark, own = "/v1/leads", "", {"person_id": person, "origin_id": chat.words.key}
        else:
            # https://developers.pipedrive.com/docs/api/v1/Deals: what we may write and a list gives back in every
            # account is the title alone.
            path, mark, own = "/api/v2/deals", f" ({chat.conversation.key})", {"person_id": person}
            own |= {"pipeline_id": self.settings.pipeline_id, "stage_id": self.settings.stage_id}
            fields = {"custom_fields": fields} if fields else {}
        body = {"title": chat.words.subject(TITLE - len(mark)) + mark, **self.owner()}
        body |= {name: value for name, value in own.items() if value}

        def find() -> Any:
            if self.settings.record == "lead":
                leads = self.pages(path, {"person_id": person, "limit": 100})
                key = chat.words.key
                return next((one["id"].id for one in leads if one.object.get("origin_id") == key), None)
            deals = self.since(chat.receipt, "deals", **({"person_id": person} if person else {}))
            return next((one["id"].number for one in deals if one["title"].text.endswith(mark)), None)

        made = chat.step.once(
            self.settings.record,
            lambda: self.made("POST", path, body | fields | self._tagged(chat), judge=self.when(OF_PERSON)),
            find=find,
        )
        # Title and labels may be a salesperson's by the time of a new revision.
        if chat.number > 1 and fields:
            chat.step(f"fields {chat.number}", lambda: self.written("PATCH", f"{path}/{made}", fields))
        return made

    def _notes(self, chat: _Chat, parent: Map[str, Any]) -> list[Any]:
        """As many notes as it takes; their ids. A new revision is written over them."""
        heading = _heading(chat) if self.settings.record == "note" else ""  # the others have a title
        began = chat.conversation.begin_at
        time = {"add_time": began.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")} if began else {}
        judge = self.when(OF_PERSON if "person_id" in parent else REMEMBERED)

        def create(part: Part) -> Any:
            # https://developers.pipedrive.com/docs/api/v1/Notes#addNote
            return self.made("POST", "/v1/notes", {"content": part.body, **parent, **time}, judge=judge)

        def find(part: Part) -> Any:
            # https://developers.pipedrive.com/docs/api/v1/Notes#getNotes; few at a time, as each may be 100 KB.
            notes = self.pages("/v1/notes", {**parent, "sort": "id DESC", "limit": 20})
            found = marked(notes, lambda one: one["content"].text, part.mark)
            return found["id"].number if found is not None else None

        return overwrite(
            chat.step,
            "note",
            NOTES.parts(chat.words, chat.number, heading=heading),
            write=create,
            look=find,
            # https://developers.pipedrive.com/docs/api/v1/Notes#updateNote
            change=lambda note, part: self.written("PUT", f"/v1/notes/{note}", {"content": part.body}),
            blank=partial(NOTES.blank, chat.words, chat.number),
        )

    # --- labels --------------------------------------------------------------------

    def _tagged(self, chat: _Chat) -> dict[str, list[Any]]:
        """The labels of a new lead or deal: those of the tags that Pipedrive has."""
        tags = chat.words.tags(" ")
        labels = self.cache.get("labels", self._labels) if tags else {}
        found = [labels[tag] for tag in tags if tag in labels]
        return {"label_ids": found} if found else {}

    def _labels(self) -> dict[str, Any]:
        """Name in small letters → id."""
        if self.settings.record == "lead":
            # https://developers.pipedrive.com/docs/api/v1/LeadLabels#getLeadLabels
            return {one["name"].text.lower(): one["id"].id for one in self.pages("/v1/leadLabels", {})}
        field = self._label_field()
        options = field.get("options") if field is not None else None
        return {one["label"].text.lower(): one["id"].number for one in options} if options is not None else {}

    def _label_field(self) -> Reply | None:
        """The deal field whose options are the labels. https://pipedrive.readme.io/docs/working-with-labels"""
        return next((one for one in self._fields("deal") if one["field_code"].text in ("label", "label_ids")), None)

    def _fields(self, of: str) -> Iterator[Reply]:
        # https://developers.pipedrive.com/docs/api/v1/DealFields#getDealFields, and PersonFields
        return self.pages(f"/api/v2/{of}Fields", {"limit": 500})

    def _missing_labels(self) -> list[str]:
        """The tags that Pipedrive has no label for, as far as they are the same for every visitor."""
        fixed = tuple(tag for tag in self.settings.tags if not re.search("conversation|visitor|name", tag))
        if self.settings.record == "note" or not fixed:
            return []
        settings = self.settings.model_copy(update={"tags": fixed})
        kinds = (Conversation(account="1", id="1", is_missed=n == 1, is_offline=n == 2) for n in range(3))
        labels = self._labels()
        wanted = dict.fromkeys(tag for kind in kinds for tag in Mapping(settings, kind).tags(" "))
        return [tag for tag in wanted if tag not in labels]

    # --- looking first -------------------------------------------------------------

    def check(self) -> Iterator[Finding]:
        # https://developers.pipedrive.com/docs/api/v1/Users#getCurrentUser
        me = self.ask("GET", "/v1/users/me")["data"]
        yield Finding(True, f"API token accepted: {me['name'].text} of {me['company_name'].text}")
        company, domain = self.settings.company, me.object.get("company_domain")
        if company and domain and company != domain:
            yield Finding(False, f"the token belongs to {domain}.pipedrive.com", f"write company: {domain}")
        for setting, path in NAMED.items():
            if number := getattr(self.settings, setting):
                yield self._named(setting, number, path)
        named = {"deal": self.settings.fields, "person": filter(CUSTOM.fullmatch, self.settings.person_fields)}
        for of, keys in ((of, list(keys)) for of, keys in named.items()):
            known = {field["field_code"].text: field for field in self._fields(of)} if keys else {}
            yield from (_fillable(of, key, known.get(key)) for key in keys)
        if MARKETING in self.settings.person_fields:
            yield self._campaigns()
        remedy = f"create it with: relay connectors setup {self.name}; or write other tags, or tags: []"
        for tag in self._missing_labels():
            yield Finding(False, f"there is no {self.settings.record} label '{tag}'", remedy)

    def _named(self, setting: str, number: int, path: str) -> Finding:
        kind = "user" if setting == "owner_id" else setting.removesuffix("_id")
        found = self.there(f"{path}/{number}")
        it = found.object if found is not None else {}
        if found is None or it.get("is_deleted") or it.get("active_flag") is False:
            return Finding(False, f"there is no active {kind} {number}", f"correct {setting}, or remove it")
        name = found["name"].text
        if setting == "stage_id" and self.settings.pipeline_id not in (None, it.get("pipeline_id")):
            text = f"stage {number}, {name}, is of pipeline {it.get('pipeline_id')}"
            return Finding(False, text, f"write pipeline_id: {it.get('pipeline_id')}, or another stage_id")
        return Finding(True, f"{kind} {number}: {name}")

    def _campaigns(self) -> Finding:
        asked = {"limit": 1, "include_fields": MARKETING}
        url, without = f"{self.base}/api/v2/persons", When((400, 402, 403), then=None)
        right = self.http.request("GET", url, params=asked, judge=self.when(without)).status_code == 200
        text = f"persons {'have' if right else 'do not have'} {MARKETING}"
        return Finding(right, text, "" if right else f"remove {MARKETING}: it needs Pipedrive's app Campaigns")

    def setup(self) -> Iterator[Change]:
        missing = self._missing_labels()
        deals = missing and self.settings.record == "deal"
        # https://developers.pipedrive.com/docs/api/v1/DealFields#addDealFieldOptions
        field = self._label_field() if deals else None
        options = f"/api/v2/dealFields/{field['field_code'].text}/options" if field is not None else ""
        for tag in missing:
            # https://developers.pipedrive.com/docs/api/v1/LeadLabels#addLeadLabel
            body: Any = [{"label": tag}] if options else {"name": tag, "color": "gray"}
            make = partial(self._made, options or "/v1/leadLabels", body)
            yield Change(f"create the {self.settings.record} label '{tag}'", make)

    def _made(self, path: str, body: Any) -> None:
        self.ask("POST", path, json=body)
        self.cache.forget("labels")

    def imagine(self, method: str, path: str, body: Any) -> Any:
        if method == "GET":
            return {"success": True, "data": {"items": []} if path.endswith("/search") else []}
        lead = "adf21080-0e10-11eb-879b-05d71fb426ec"
        return {"success": True, "data": {"id": lead if path == "/v1/leads" else 1}}


def _fillable(of: str, key: str, field: Reply | None) -> Finding:
    if field is None:
        remedy = f"copy the API key of a {of} field from Company settings > Data fields"
        return Finding(False, f"there is no {of} field {key}", remedy)
    name, kind = field["field_name"].text, field["field_type"].text
    if kind not in TEXTS:
        return Finding(False, f"the {of} field {name} is of type {kind}", f"use one of type {', '.join(TEXTS)}")
    return Finding(True, f"{of} field {key}: {name}")


def _heading(chat: _Chat) -> str:
    # Braces as transcripts have them, for whatever template this may be pasted into.
    return f"<p><b>{escape(chat.words.subject(TITLE))}</b></p>".replace("{", "&#123;")
