"""Pipedrive: a person with a note, and a lead or a deal where that is wished.

https://developers.pipedrive.com/docs/api/v1

Nothing is idempotent there, and the search may lag. So once the outcome of a create is unknown, what it made is looked
for in a plain list: a person by its address, a lead by its `origin_id`, a deal by the end of its title, a note and an
activity by its last line.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from collections.abc import Mapping as Map
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from itertools import islice
from typing import Any

from markupsafe import escape

from connectors.kit.connector import Receipt, Step
from connectors.kit.files.carrying import ChatFiles
from connectors.kit.people.whose import People
from connectors.kit.record import Mapping
from connectors.kit.reply import Reply
from connectors.kit.text.parts import Layout, marked, octets, overwrite
from connectors.kit.work.one_record import Before, one_record
from connectors.kit.work.task import Task, task_of
from connectors.pipedrive.api import OF_PERSON, REMEMBERED
from connectors.pipedrive.checks import TASK
from connectors.pipedrive.erasing import PipedriveErasing
from connectors.pipedrive.files import FILE_LIMITS, add_files, file_marks
from connectors.pipedrive.persons import PersonDirectory
from connectors.pipedrive.records import PATHS
from core.conversation import Conversation
from core.delivery import Reference

#: Bytes of a note. Pipedrive says "approximately 100,000 characters (or 100KB)", and its sanitiser may add some.
NOTES = Layout(90_000, octets, mark=lambda key, _, part: f"[{key} note {part}]" if part > 1 else f"[{key}]")
#: Characters of a title or a name.
TITLE = 255
#: Of how many leads or deals that changed last the notes are read.
_READ = 10


@dataclass(frozen=True)
class _Chat:
    """One delivery: the chat, its words, and what is to become of it."""

    words: Mapping
    conversation: Conversation
    receipt: Receipt
    step: Step
    task: Task | None

    @property
    def number(self) -> int:
        return self.receipt.number

    @property
    def title_mark(self) -> str:
        """The end of a deal's title."""
        return f" ({self.conversation.key})"


class Pipedrive(PipedriveErasing):
    def deliver(self, conversation: Conversation, receipt: Receipt, step: Step) -> Reference:
        words = Mapping(self.settings, conversation)
        task = task_of(step, words, self.settings, conversation, receipt)
        chat, files = _Chat(words, conversation, receipt, step, task), ChatFiles(self, conversation, step, FILE_LIMITS)
        # Many visitors have the same name, or none: without an address it has to tell them apart. A deal may do without
        # a person, a lead and a note of its own may not.
        mark = f" ({conversation.visitor.id or conversation.id})"
        nameless = words.name[: TITLE - len(mark)] + mark if self.settings.record != "deal" else ""
        anybody = words.voice.say("a visitor") + mark
        recent = partial(self.since, receipt, "persons")
        persons = PersonDirectory(self, recent, partial(self._give, chat), nameless, anybody)
        return People(self, persons).whose(step, words, partial(self._delivered, chat, files))

    def _delivered(self, chat: _Chat, files: ChatFiles, person: int | None) -> Reference:
        if self.settings.record == "note":
            parent: dict[str, Any] = {"person_id": person}
            heading = _heading(chat)
        else:
            made = self._record(chat, person)
            parent = {f"{made['kind']}_id": made["id"]}
            heading = chat.words.follows(made["follows"]) if made.get("follows") else ""
            heading += _heading(chat) if made.get("added") else ""  # its own has a title
        notes = self._notes(chat, parent, heading)
        if chat.task:
            self._add_task(chat, chat.task, parent, person)
        write = partial(add_files, self, parent, partial(self._add_note, chat, parent))
        texts = partial(self._note_texts, parent)
        files.add(words := chat.words, NOTES, write=write, texts=lambda: file_marks(self, parent, words.key, texts()))
        if self.settings.record == "note":
            return Reference(str(notes[0]), f"{self.base}/person/{person}")
        return Reference(str(made["id"]), self.page_of(made["kind"], made["id"]))

    def _give(self, chat: _Chat, make: Callable[[int | None], Any]) -> Any:
        first = chat.task.settings.owner if chat.task else None
        return self.owners.give(chat.step, chat.words, self.settings, make, first=first)

    # --- the lead or deal ----------------------------------------------------------------

    def _record(self, chat: _Chat, person: int | None) -> dict[str, Any]:
        """Its kind and id; that the chat was `added` to one from before; and the page of the one that it `follows`."""
        kind = self.settings.record
        found = one_record(
            chat.step,
            kind,
            self.settings,
            chat.receipt,
            chat.conversation,
            # Whoever writes from two addresses is one person.
            identity=f"person:{person}" if person else "",
            newest=partial(self.newest, person),
            add=lambda before: {"kind": before.known["kind"], "id": before.id, "added": True},
            create=partial(self._create, chat, person),
            find=partial(self._find, chat, person),
        )
        # Anything else is the id alone, as earlier versions remember it.
        made = {"kind": kind, **found} if isinstance(found, dict) else {"kind": kind, "id": found}
        fields = self._fields(chat)
        # Title and labels may be a salesperson's by the time of a new revision, and all of what was there before.
        if chat.number > 1 and fields and not made.get("added"):
            chat.step(f"fields {chat.number}", lambda: self.written("PATCH", f"{PATHS[kind]}/{made['id']}", fields))
        return made

    def _fields(self, chat: _Chat) -> dict[str, Any]:
        """Those of a deal, which a lead has at the top of its body."""
        fields: dict[str, Any] = dict(chat.words.fields())
        return fields if self.settings.record == "lead" or not fields else {"custom_fields": fields}

    def _create(self, chat: _Chat, person: int | None, before: Before | None) -> Any:
        lead = self.settings.record == "lead"
        # https://developers.pipedrive.com/docs/api/v1/Leads#addLead
        # https://developers.pipedrive.com/docs/api/v1/Deals#addDeal : what we may write and a list gives back in every
        # account is the title alone.
        own = {"origin_id": chat.words.key} if lead else self.placed(chat.step, chat.words)
        mark = "" if lead else chat.title_mark
        body = {
            "title": chat.words.subject(TITLE - len(mark)) + mark,
            **({"person_id": person} if person else {}),
            **own,
        }
        body |= self._fields(chat) | self.label_ids(chat.words)
        made = self._give(chat, partial(self.given, PATHS[self.settings.record], body))
        return {"id": made, "follows": before.url} if before else made

    def _find(self, chat: _Chat, person: int | None) -> Any:
        """The id of what an earlier attempt made for this chat, or what it was added to."""
        key, kind = chat.words.key, self.settings.record
        own: Any
        if kind == "lead":
            leads = self.pages(PATHS[kind], {"person_id": person, "limit": 100})
            own = next((one["id"].id for one in leads if one.object.get("origin_id") == key), None)
        else:
            deals = self.since(chat.receipt, "deals", **({"person_id": person} if person else {}))
            own = next((one["id"].number for one in deals if one["title"].text.endswith(chat.title_mark)), None)
        if own is not None or self.settings.one_record == "per_chat":
            return own
        recent = islice(self.before(person, chat.receipt.since - self.settings.within), _READ)
        mark = NOTES.mark(key, 0, 1)
        having = (one for one in recent if self._find_note({f"{one.known['kind']}_id": one.id}, mark))
        return next(({"kind": one.known["kind"], "id": one.id, "added": True} for one in having), None)

    # --- the transcript --------------------------------------------------------------------

    def _notes(self, chat: _Chat, parent: Map[str, Any], heading: str) -> list[Any]:
        """As many notes as it takes; their ids. A new revision is written over them."""
        return overwrite(
            chat.step,
            "note",
            NOTES.parts(chat.words, chat.number, heading=heading),
            write=lambda part: self._add_note(chat, parent, part.body),
            look=lambda part: self._find_note(parent, part.mark),
            # https://developers.pipedrive.com/docs/api/v1/Notes#updateNote
            change=lambda note, part: self.written("PUT", f"/v1/notes/{note}", {"content": part.body}),
            blank=partial(NOTES.blank, chat.words, chat.number),
        )

    def _add_note(self, chat: _Chat, parent: Map[str, Any], body: str) -> Any:
        began = chat.conversation.begin_at
        time = {"add_time": began.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")} if began else {}
        judge = self.when(OF_PERSON if "person_id" in parent else REMEMBERED)
        # https://developers.pipedrive.com/docs/api/v1/Notes#addNote
        return self.made("POST", "/v1/notes", {"content": body, **parent, **time}, judge=judge)

    def _note_texts(self, parent: Map[str, Any]) -> Iterator[str]:
        return (one["content"].text for one in self._notes_of(parent))

    def _notes_of(self, parent: Map[str, Any]) -> Iterator[Reply]:
        # https://developers.pipedrive.com/docs/api/v1/Notes#getNotes; few at a time, as each may be 100 KB.
        return self.pages("/v1/notes", {**parent, "sort": "id DESC", "limit": 20})

    def _find_note(self, parent: Map[str, Any], mark: str) -> int | None:
        found = marked(self._notes_of(parent), lambda one: one["content"].text, mark)
        return found["id"].number if found is not None else None

    # --- what is to be done ------------------------------------------------------------------

    def _add_task(self, chat: _Chat, task: Task, parent: Map[str, Any], person: int | None) -> None:
        mark = f"[{chat.words.key} task]"
        body: dict[str, Any] = {"subject": chat.words.subject(TITLE), "type": TASK, "note": f"<p>{escape(mark)}</p>"}
        body |= {name: value for name, value in parent.items() if name != "person_id"}
        # `person_id` itself is read-only. https://pipedrive.readme.io/docs/pipedrive-api-v2-migration-guide
        body |= {"participants": [{"person_id": person, "primary": True}]} if person else {}
        body |= _due(task.due)

        def find() -> Any:
            # https://developers.pipedrive.com/docs/api/v1/Activities#getActivities
            recent = self.since(chat.receipt, "activities", **parent)
            found = marked(recent, lambda one: str(one.object.get("note") or ""), mark)
            return found["id"].number if found is not None else None

        # https://developers.pipedrive.com/docs/api/v1/Activities#addActivity
        chat.step.once("task", lambda: self._give(chat, partial(self.given, "/api/v2/activities", body)), find=find)

    def imagine(self, method: str, path: str, body: Any) -> Any:
        if method == "GET":
            return {"success": True, "data": {"items": []} if path.endswith("/search") else []}
        lead = "adf21080-0e10-11eb-879b-05d71fb426ec"
        return {"success": True, "data": {"id": lead if path == "/v1/leads" else 1}}


def _heading(chat: _Chat) -> str:
    # Braces as transcripts have them, for whatever template this may be pasted into.
    return f"<p><b>{escape(chat.words.subject(TITLE))}</b></p>".replace("{", "&#123;")


def _due(moment: datetime | None) -> dict[str, str]:
    """In UTC."""
    if moment is None:
        return {}
    utc = moment.astimezone(UTC)
    return {"due_date": utc.strftime("%Y-%m-%d"), "due_time": utc.strftime("%H:%M:%S")}
