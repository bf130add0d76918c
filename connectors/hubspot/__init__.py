"""HubSpot: a contact, a ticket, and the transcript in notes on both; or, without tickets, notes on the contact.

Version 2026-09 of the API: https://github.com/HubSpot/HubSpot-public-api-spec-collection
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

from markupsafe import escape

from connectors.hubspot.account import ACCOUNT, page
from connectors.hubspot.api import BATCH_INPUTS, OWNED, first_id, owned
from connectors.hubspot.checks import CHAT_ID
from connectors.hubspot.contacts import Contacts
from connectors.hubspot.erasing import HubSpotErasing
from connectors.hubspot.files import FILE_LIMITS, add_files, note_texts
from connectors.hubspot.settings import HubSpotSettings
from connectors.kit.capabilities import Capabilities
from connectors.kit.connector import Receipt, Step
from connectors.kit.files.carrying import ChatFiles
from connectors.kit.people.whose import People
from connectors.kit.record import Mapping as Words
from connectors.kit.reply import Reply
from connectors.kit.text.parts import Layout, overwrite, utf16
from connectors.kit.work.one_record import Before, one_record
from connectors.kit.work.task import Task, task_of
from core.conversation import Conversation
from core.delivery import Reference

NOTES = Layout(65_536, utf16, mark=lambda key, _, part: f"[{key} note {part}]")
SUBJECT_LIMIT = 255
#: What is read of a contact's tickets, and of how many that changed last the notes are read.
_STATE, _READ = ("hs_pipeline", "hs_pipeline_stage", "hs_lastmodifieddate"), 10


@dataclass(frozen=True)
class _Chat:
    """One delivery: the chat, its words, where people read records, and what is to become of it."""

    conversation: Conversation
    receipt: Receipt
    step: Step
    words: Words
    place: str
    task: Task | None


class HubSpot(HubSpotErasing):
    label = "HubSpot"
    makes = "a contact and a ticket, with the transcript in notes; or notes on the contact"
    capabilities = Capabilities(
        person="a contact, by email, phone or customer id, else created; blank fields filled",
        revision="the notes are written over",
        idempotent="contact and ticket by a unique property; notes looked for by their marks",
        files="attached to a note",
    )

    def deliver(self, conversation: Conversation, receipt: Receipt, step: Step) -> Reference:
        words = Words(self._with_person(), conversation)
        _ = words.person  # raises Skipped before anything is asked
        files = ChatFiles(self, conversation, step, FILE_LIMITS)
        place = step("place", partial(self.cache.get, "place", self.place))
        chat = _Chat(
            conversation, receipt, step, words, place, task_of(step, words, self.settings, conversation, receipt)
        )
        people = People(self, Contacts(self, partial(self._give, chat)), "contact")
        return people.whose(step, words, partial(self._delivered, chat, files), made_up=self._needs_person)

    def _delivered(self, chat: _Chat, files: ChatFiles, contact: str | None) -> Reference:
        step, words, number = chat.step, chat.words, chat.receipt.number
        made = self._ticket(chat, contact) if self.settings.ticket else {}
        ticket, own = made.get("id"), not made.get("added")
        if ticket and contact:
            step("link", partial(self._link, ticket, contact))
        fields = words.fields()
        if ticket and own and number > 1 and fields:
            # Not the subject and the stage: by now they belong to the people who work on it.
            step(f"ticket revision {number}", partial(self.change, f"tickets/{ticket}", fields))
        parents = {kind: found for kind, found in (("tickets", ticket), ("contacts", contact)) if found}
        about = {} if ticket else fields
        # A note has no subject of its own; nor has a ticket that of a chat which is added to it.
        head = words.follows(made["follows"]) if made.get("follows") else ""
        head += words.heading(SUBJECT_LIMIT) if not (ticket and own) else ""
        began = _time(chat.conversation.begin_at or chat.receipt.revision.received_at)

        def note(body: str, owner: str | None) -> str:
            written = {**about, "hs_timestamp": began, "hs_note_body": body}
            return self.add_activity("notes", written, parents, owner or "")

        notes = overwrite(
            step,
            "note",
            NOTES.parts(words, number, heading=head),
            write=lambda part: self._give(chat, partial(note, part.body)),
            look=lambda part: self.find_activity("notes", "hs_note_body", parents, part.mark),
            change=lambda note, part: self.change(f"notes/{note}", {**about, "hs_note_body": part.body}),
            blank=partial(NOTES.blank, words, number),
        )
        if chat.task:
            self._add_task(chat, chat.task, parents)
        folder = f"/smartsupp/{chat.conversation.account}/{chat.conversation.id}"
        write, texts = partial(add_files, self, files, folder, parents, began), partial(note_texts, self, parents)
        files.add(words, NOTES, write=write, texts=texts)
        kind, record = next(iter(parents.items()))
        return Reference(ticket or notes[0], page(chat.place, kind, record))

    def _give(self, chat: _Chat, make: Callable[[str | None], Any]) -> Any:
        first = chat.task.settings.owner if chat.task else None
        return self.owners.give(chat.step, chat.words, self.settings, make, first=first)

    def _link(self, ticket: str, contact: str) -> bool:
        return self.link(f"tickets/{ticket}/associations/default/contacts/{contact}")

    # --- the ticket ------------------------------------------------------------------

    def _ticket(self, chat: _Chat, contact: str | None) -> dict[str, Any]:
        """The ticket's id; that the chat was `added` to one from before; and which one it `follows`."""
        made = one_record(
            chat.step,
            "ticket",
            self.settings,
            chat.receipt,
            chat.conversation,
            # Whoever writes from two addresses is one contact.
            identity=f"contact:{contact}" if contact else "",
            newest=partial(self._newest, chat, contact),
            add=lambda before: {"id": before.id, "added": True},
            create=partial(self._create_ticket, chat, contact),
            find=partial(self._find_ticket, chat, contact),
        )
        # A text is the id alone, as earlier versions remember it.
        return made if isinstance(made, dict) else {"id": made}

    def _create_ticket(self, chat: _Chat, contact: str | None, before: Before | None) -> str | dict[str, Any]:
        words, fields = chat.words, chat.words.fields()
        properties = {"subject": words.subject(SUBJECT_LIMIT), **self.placed(chat.step, words)}

        def make(owner: str | None) -> str:
            # https://developers.hubspot.com/docs/api-reference/latest/crm/objects/tickets/guide
            everything = {**properties, **owned(owner or ""), **fields}
            judge = self.unless_owner(self.judge, given=bool(owner) and OWNED not in fields)
            return first_id(self.upsert("tickets", CHAT_ID, words.key, everything, judge))

        ticket: str = self._give(chat, make)
        if contact and self._shares:
            # Before another chat of this contact looks for it.
            chat.step("link", partial(self._link, ticket, contact))
        return {"id": ticket, "follows": before.url or str(before.id)} if before else ticket

    # --- a ticket from before -----------------------------------------------------------

    @property
    def _shares(self) -> bool:
        return self.settings.one_record == "per_person_open"

    def _newest(self, chat: _Chat, contact: str | None, since: datetime) -> Before | None:
        """An open ticket of the contact's, or the one that changed last."""
        recent = self._changed(contact, since)
        read = [one["properties"].object for one in recent]
        found = next((n for n, known in enumerate(read) if self.is_open(known)), 0)
        if not recent:
            return None
        number = recent[found]["id"].id
        return Before(number, self.is_open(read[found]), page(chat.place, "tickets", number), read[found])

    def _changed(self, contact: str | None, since: datetime) -> list[Reply]:
        """A contact's tickets, those that changed last first. Not by search, which lags."""
        numbers = list(self.linked("contacts", contact, "tickets")) if contact else []
        found: list[tuple[datetime, Reply]] = []
        for start in range(0, len(numbers), BATCH_INPUTS):
            inputs = [{"id": one} for one in numbers[start : start + BATCH_INPUTS]]
            read = self.batch_read("tickets", {"inputs": inputs, "properties": [*_STATE]})
            found += [(datetime.fromisoformat(one["properties"]["hs_lastmodifieddate"].text), one) for one in read]
        recent = [(changed, one) for changed, one in found if changed >= since]
        return [one for _, one in sorted(recent, key=lambda pair: pair[0], reverse=True)]

    def _find_ticket(self, chat: _Chat, contact: str | None) -> str | dict[str, Any] | None:
        if not self._shares:
            return None  # the upsert finds it
        wanted = {"idProperty": CHAT_ID, "inputs": [{"id": chat.words.key}], "properties": [CHAT_ID]}
        own = next((one["id"].id for one in self.batch_read("tickets", wanted)), None)
        if own is not None:
            return own
        recent = self._changed(contact, chat.receipt.since - self.settings.within)[:_READ]
        mark = NOTES.mark(chat.words.key, 0, 1)
        numbers = (one["id"].id for one in recent)
        having = (one for one in numbers if self.find_activity("notes", "hs_note_body", {"tickets": one}, mark))
        return next(({"id": one, "added": True} for one in having), None)

    # --- what is to be done ----------------------------------------------------------------

    def _add_task(self, chat: _Chat, task: Task, parents: Mapping[str, str]) -> None:
        mark = f"[{chat.words.key} task]"
        _, ends = chat.conversation.span()
        ended = datetime.fromtimestamp(ends / 1000, UTC) if ends else chat.receipt.revision.received_at
        # https://developers.hubspot.com/docs/api-reference/latest/crm/activities/tasks/guide : without a deadline there
        # is no task, so that one which has none is due at once.
        properties = {
            "hs_timestamp": _time(task.due or ended),
            "hs_task_subject": chat.words.subject(SUBJECT_LIMIT),
            "hs_task_body": f"<p>{escape(mark)}</p>",
            "hs_task_status": "NOT_STARTED",
            "hs_task_type": "TODO",
        }
        chat.step.once(
            "task",
            lambda: self._give(chat, lambda owner: self.add_activity("tasks", properties, parents, owner or "")),
            find=lambda: self.find_activity("tasks", "hs_task_body", parents, mark),
        )

    def imagine(self, method: str, path: str, body: Any) -> Any:
        if path == ACCOUNT:
            return {"portalId": 1, "uiDomain": "app.hubspot.com"}
        if path.endswith("/batch/read") or method == "GET":
            return {"results": []}
        return {"results": [{"id": "1"}], "id": "1"}

    @property
    def _needs_person(self) -> bool:
        """Without a ticket, a note needs somebody to hang on."""
        return not self.settings.ticket

    def _with_person(self) -> HubSpotSettings:
        alone = self.settings.without_email == "nobody" and self._needs_person
        return self.settings.model_copy(update={"without_email": "placeholder"}) if alone else self.settings


def _time(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
