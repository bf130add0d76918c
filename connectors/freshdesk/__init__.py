"""Freshdesk: a contact, a ticket that says little, and the transcript in private notes on it.

The requester reads a ticket's description in the portal and may be mailed it, while a transcript has what is for agents
only. Private notes are not visible to customers: https://developers.freshdesk.com/api/#conversations
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from collections.abc import Mapping as Table
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from markupsafe import Markup

from connectors.freshdesk.api import LINE, OF_LIST, OF_PERSON, OF_TICKET
from connectors.freshdesk.contacts import Contacts
from connectors.freshdesk.erasing import FreshdeskErasing
from connectors.freshdesk.settings import STANDARD
from connectors.kit.connector import Receipt, Step
from connectors.kit.files.carrying import ChatFiles, FileNote
from connectors.kit.files.rules import MIB
from connectors.kit.files.settings import FileLimits
from connectors.kit.files.streaming import multipart_body
from connectors.kit.people.whose import People
from connectors.kit.record import Mapping
from connectors.kit.reply import Reply
from connectors.kit.text.parts import Layout, Part, append, ends_like, marked, octets
from connectors.kit.text.revisions import tell, told
from connectors.kit.wire.pager import by_page
from connectors.kit.work.chat import Chat, open_first
from connectors.kit.work.choices import chosen
from connectors.kit.work.one_record import Before
from connectors.kit.work.task import Task
from core.conversation import Conversation
from core.delivery import Reference

TAG = 32
#: In UTF-8. Freshdesk documents no limit of a note; this stays below 64 KB.
NOTES = Layout(60_000, octets, mark="[{} {}.{}]".format)
#: All of one note. https://developers.freshdesk.com/api/#attachments
FILE_LIMITS = FileLimits(largest=20 * MIB, together=20 * MIB)
NOTES_A_PAGE = 20  #: each may have its text twice, and the whole has to stay within what is read of an answer
#: https://developers.freshdesk.com/api/#pagination ; of somebody who is no contact there is an error, and no list.
_PAGES = replace(by_page(per_page=100), empty="errors")
#: How many tickets of a person are looked at, those that changed last; and of how many the notes are read.
TICKETS, _READ = _PAGES.few(50, most=1), 10
LONG_AGO = "2010-01-01T00:00:00Z"  # a list of tickets goes back 30 days unless it is told otherwise
OPEN, PENDING, RESOLVED, CLOSED = 2, 3, 4, 5
#: Freshdesk takes no deadline that is over when it gets there.
SOON = timedelta(minutes=15)


class Freshdesk(FreshdeskErasing):
    def deliver(self, conversation: Conversation, receipt: Receipt, step: Step) -> Reference:
        chat, before = Chat.of(self.settings, conversation, receipt, step), step.knows("ticket")
        words, number, files = chat.words, chat.number, ChatFiles(self, conversation, step, FILE_LIMITS)

        def made_for(person: int) -> Any:
            return chat.recorded(
                "ticket",
                person,
                newest=partial(self._newest, person),
                add=partial(_added, chat),
                create=partial(self._create, chat, person),
                find=partial(self._find, chat, person),
            )

        made = People(self, Contacts(self, chat)).whose(step, words, made_for)
        ticket = made if isinstance(made, dict) else {"id": made}  # as earlier versions remembered it
        self._tell_notes(chat, ticket)
        if ticket.get("lacks"):
            step("work", lambda: self._update(ticket["id"], ticket["lacks"]))
        if self.settings.fields and ("lacks" in ticket or (before and number > 1)):
            step(f"fields {number}", lambda: self._set_fields(ticket["id"], words))
        texts = partial(self._note_texts, ticket["id"])
        files.add(words, NOTES, write=partial(self._add_files, ticket["id"]), texts=texts)
        return Reference(str(ticket["id"]), self.page_of(ticket["id"]))

    def imagine(self, method: str, path: str, body: Any) -> Any:
        return {"results": []} if "/search/" in path else [] if method == "GET" else {"id": 1}

    # --- a new ticket ----------------------------------------------------------------------

    def _create(self, chat: Chat, person: int, before: Before | None) -> dict[str, Any]:
        own, words, task = self.settings, chat.words, chat.task
        names = ("status", "priority", "source", "group_id", "product_id", "ticket_type")
        looks = {name: partial(self.offers, name.removesuffix("_id")) for name in names}
        choices = STANDARD | chosen(chat.step, words, own, *names, exists=looks)
        tags = [tag.replace(",", " ")[:TAG].strip() for tag in words.tags()]
        ticket = {
            "requester_id": person,
            "subject": words.subject(LINE),
            "description": _description(words, chat.conversation),
            **{name: choices[name] for name in names[:-1] if name in choices},
            "tags": list(dict.fromkeys(filter(None, tags if own.key_field else [*tags, _key_tag(words.key)]))),
            "custom_fields": self.custom(words) | ({own.key_field: words.key} if own.key_field else {}),
            "type": choices.get("ticket_type"),
            # What is to be done is open, and nothing else may have a deadline.
            **({"status": OPEN} | _due(task) if task else {}),
        }
        made = self.owners.give(
            chat.step,
            words,
            own,
            lambda owner: self._post({**ticket, "responder_id": owner}),
            first=chat.task_owner,
        )
        return {"id": made["id"].number, **({"follows": before.url} if before else {})}

    def _post(self, ticket: Table[str, Any]) -> Reply:
        sent = {name: value for name, value in ticket.items() if value not in (None, {}, [])}
        # https://developers.freshdesk.com/api/#create_ticket
        return self.ask("POST", "tickets", json=sent, judge=self.when(*OF_PERSON))

    # --- a ticket from before ----------------------------------------------------------------

    def _newest(self, person: int, since: datetime) -> Before | None:
        """An open ticket of the requester's, or the one that changed last."""
        recent = self._changed(person, since)
        return open_first(recent, lambda one: one["status"].number not in (RESOLVED, CLOSED), self._before)

    def _before(self, ticket: Reply, is_open: bool) -> Before:
        return Before(ticket["id"].number, is_open, self.page_of(ticket["id"].number), ticket.object)

    def _changed(self, person: int, since: datetime) -> Iterator[Reply]:
        newest_first = {"order_by": "updated_at", "order_type": "desc", "updated_since": _time(since)}
        return self._listed(person, TICKETS, **newest_first)

    def _listed(self, person: int, pages: Any, **more: str) -> Iterator[Reply]:
        # https://developers.freshdesk.com/api/#list_all_tickets
        return self.entries(pages, "/api/v2/tickets", self.when(OF_LIST), requester_id=person, **more)

    def _find(self, chat: Chat, person: int) -> dict[str, Any] | None:
        """The requester's ticket that is marked. A list, because the search index lags by minutes."""
        key = chat.words.key
        for ticket in self._listed(person, _PAGES, updated_since=LONG_AGO):
            tags, own = ticket.get("tags"), ticket.get("custom_fields")
            tagged = tags is not None and _key_tag(key).lower() in [str(tag).lower() for tag in tags.list]
            if tagged or (own is not None and own.object.get(self.settings.key_field) == key):
                return {"id": ticket["id"].number}
        return self._find_added(chat, person) if chat.shares else None

    def _find_added(self, chat: Chat, person: int) -> dict[str, Any] | None:
        """The ticket of another chat to which this one was added."""
        mark = rf"\[{re.escape(chat.words.key)} \d+\.\d+\]"
        recent = list(self._changed(person, chat.receipt.since - self.settings.within))[:_READ]
        numbers = (ticket["id"].number for ticket in recent)
        return next(
            ({"id": number} for number in numbers if any(ends_like(_text(one), mark) for one in self._notes(number))),
            None,
        )

    def _set_fields(self, ticket: int, words: Mapping) -> bool:
        fields = self.custom(words)
        return not fields or self._update(ticket, {"custom_fields": fields})

    def _update(self, ticket: int, change: Table[str, Any]) -> bool:
        # https://developers.freshdesk.com/api/#update_ticket
        changed = self.ask("PUT", f"tickets/{ticket}", json=dict(change), judge=self.when(*OF_TICKET))
        return bool(changed["id"].number)

    # --- its notes ---------------------------------------------------------------------------

    def _tell_notes(self, chat: Chat, ticket: dict[str, Any]) -> None:
        step, number = chat.step, chat.receipt.number
        revised = any(re.fullmatch(r"note \d+\.1", name) and name != f"note {number}.1" for name in step.done)
        known = told(step, chat.receipt, ticket["id"])
        heading = chat.words.follows(ticket["follows"]) if ticket.get("follows") else ""
        heading += chat.words.heading(LINE) if "lacks" in ticket else ""
        above = "" if revised or known else heading
        parts = NOTES.parts(chat.words, number, revised=revised, heading=above, after=known)
        write, look = partial(self._add_note, ticket["id"]), partial(self._find_note, ticket["id"])
        append(step, "note", parts, write=write, look=look)
        tell(step, chat.receipt, ticket["id"])

    def _add_note(self, ticket: int, part: Part) -> int:
        note = {"body": part.body, "private": True}
        # https://developers.freshdesk.com/api/#add_note_to_a_ticket
        return self.ask("POST", f"tickets/{ticket}/notes", json=note, judge=self.when(*OF_TICKET))["id"].number

    def _add_files(self, ticket: int, note: FileNote) -> None:
        # https://developers.freshdesk.com/api/#add_note_to_a_ticket , with attachments as a form.
        form = multipart_body({"body": note.body, "private": "true"}, [("attachments[]", one) for one in note.files])
        sent = form.options if note.files else {"json": {"body": note.body, "private": True}}
        _ = self.ask("POST", f"tickets/{ticket}/notes", judge=self.when(*OF_TICKET), **sent)["id"].number

    def _note_texts(self, ticket: int) -> Iterator[str]:
        return map(_text, self._notes(ticket))

    def _find_note(self, ticket: int, part: Part) -> int | None:
        found = marked(self._notes(ticket), _text, part.mark)
        return found["id"].number if found is not None else None

    def _notes(self, ticket: int) -> Iterator[Reply]:
        # https://developers.freshdesk.com/api/#list_all_ticket_notes
        return self.entries(_PAGES.few(NOTES_A_PAGE), f"/api/v2/tickets/{ticket}/conversations", self.when(*OF_TICKET))


def _text(note: Reply) -> str:
    return str(note.object.get("body_text") or "")


def _added(chat: Chat, before: Before) -> dict[str, Any]:
    """To an open ticket. What it lacks to become work is that it is open, as agents wait for the customer where it is
    pending, and a deadline as early."""
    status = before.known.get("status")
    lacks: dict[str, Any] = {}
    if chat.task and status in (OPEN, PENDING):
        due, has = _due(chat.task), before.known.get("due_by")
        later = due and (not has or datetime.fromisoformat(str(has)) > datetime.fromisoformat(due["due_by"]))
        lacks = ({"status": OPEN} if status == PENDING else {}) | (due if later else {})
    return {"id": before.id, "lacks": lacks}


def _due(task: Task) -> dict[str, Any]:
    """Freshdesk takes both or neither, none that is over, and none for a ticket that is not open."""
    due = _time(task.due_not_before(_now() + SOON))
    return {"due_by": due, "fr_due_by": due} if due else {}


def _now() -> datetime:
    return datetime.now(UTC)


def _time(moment: datetime | None) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if moment else ""


def _description(words: Mapping, conversation: Conversation) -> str:
    """Which conversation it was, and when: Freshdesk lets nobody set the time of a ticket."""
    said = {"conversation": conversation.id}
    said |= {"began": words.voice.moment(conversation.begin_at), "ended": words.voice.moment(conversation.end_at)}
    labelled = ((words.voice.say(word) + words.voice.colon, fact) for word, fact in said.items() if fact)
    lines = [Markup("{} {}").format(label, fact) for label, fact in labelled]
    return Markup("<p>{}</p>").format(Markup("<br>").join(lines))


def _key_tag(key: str) -> str:
    """The key as a tag, shortened where it is too long for one."""
    fits = re.fullmatch(r"[\w:.-]+", key, re.ASCII) and len(key) <= TAG
    return key if fits else "smartsupp:" + hashlib.sha256(key.encode()).hexdigest()[: TAG - 10]
