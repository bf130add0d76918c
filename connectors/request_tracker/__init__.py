"""Request Tracker 5: a ticket in a queue, and internal comments on it.

https://docs.bestpractical.com/rt/latest/RT/REST2.html
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Mapping as Table
from datetime import UTC, datetime
from functools import partial
from typing import Any

from connectors.kit.connector import Receipt, Step
from connectors.kit.files.carrying import ChatFiles
from connectors.kit.people.whose import People
from connectors.kit.person import for_person
from connectors.kit.text.parts import Part, append
from connectors.kit.text.revisions import tell, told
from connectors.kit.work.chat import Chat
from connectors.kit.work.choices import chosen
from connectors.kit.work.one_record import Before
from connectors.kit.work.owner import OWNER
from connectors.kit.work.task import Task
from connectors.request_tracker.api import (
    COMMENTS,
    NOBODY,
    OF_NEW,
    OF_TICKET,
    REQUESTOR,
    SUBJECT,
    fields_of,
    offers,
    requestor_of,
)
from connectors.request_tracker.files import FILE_LIMITS, add_files, file_marks
from connectors.request_tracker.finding import RequestTrackerSearch
from connectors.request_tracker.requestors import Requestors
from core.conversation import Conversation
from core.delivery import Reference
from core.errors import ConnectorRefused, Gone, RecordRefused


class RequestTracker(RequestTrackerSearch):
    def deliver(self, conversation: Conversation, receipt: Receipt, step: Step) -> Reference:
        chat, new = Chat.of(self.settings, conversation, receipt, step), not step.knows("ticket")
        number, files = receipt.number, ChatFiles(self, conversation, step, FILE_LIMITS)
        step("oldest", lambda: number if step.first else 0)

        # The ticket, and the revision that it was made of: this one, an earlier one, or 0 for another chat's.
        def made_for(requestor: Any) -> dict[str, Any]:
            return chat.recorded(
                "ticket",
                requestor,
                newest=partial(self._newest, chat, requestor),
                add=lambda before: {"id": str(before.id), "revision": 0, "added": number, **_lacks(before, chat.task)},
                create=partial(self._create, chat, requestor),
                find=partial(self._find, chat, requestor),
            )

        made = self._with_requestor(chat, made_for)
        self._comments(chat, made, new)
        if made["revision"]:
            self._own(chat, made["id"])
        if made.get("lacks"):
            step("work", lambda: self._change(made["id"], made["lacks"]))
        tell(step, receipt, made["id"])
        write, texts = partial(add_files, self, made["id"]), partial(file_marks, self, made["id"], chat.words.key)
        files.add(chat.words, COMMENTS, write=write, texts=texts)
        return Reference(made["id"], self.page_of(made["id"]))

    def _with_requestor(self, chat: Chat, make: Callable[[Any], dict[str, Any]]) -> dict[str, Any]:
        """`make` with the number of RT's user; or with an address, of which RT makes one; or with None."""
        step, words = chat.step, chat.words
        if self.settings.manage_users:
            return People(self, Requestors(self), REQUESTOR).whose(step, words, make)
        if requestor := requestor_of(words.person):
            nobody = partial(requestor_of, None)
            return for_person(step, REQUESTOR, words, person=lambda: requestor, nobody=nobody, make=make)
        words.left_out = words.person is not None
        return make(None)

    # --- the ticket --------------------------------------------------------------------

    def _create(self, chat: Chat, requestor: Any, before: Before | None) -> dict[str, Any]:
        words, task = chat.words, chat.task
        name = self._queue_name(chat)
        queue = self.queue_of(name)
        if queue is None:
            raise ConnectorRefused(f"RT has no queue '{name}', or its user may not see it")
        # By number: a name is looked up in all queues, and the value is lost when another queue has a field of that
        # name too (https://github.com/bestpractical/rt/pull/323).
        known = fields_of(queue)
        wanted = {**words.fields(), self.settings.chat_field: words.key}
        if unknown := [field for field in wanted if field.lower() not in known]:
            raise ConnectorRefused(
                f"the queue '{name}' has no custom field '{unknown[0]}', or RT's user may not see it"
            )
        above = words.follows(before.url) if before else ""
        # https://docs.bestpractical.com/rt/latest/RT/REST2.html#Creating-Tickets
        ticket = {
            "Queue": name,
            "Subject": words.subject(SUBJECT),
            "Requestor": str(requestor) if requestor else None,
            # RT takes it over as it would from an import.
            "Created": _in_utc(chat.conversation.begin_at),
            "Due": _in_utc(task.due) if task else None,
            "Priority": chosen(chat.step, words, self.settings, "priority").get("priority"),
            "Owner": self.owners.first(words, self.settings, first=chat.task_owner),
            "RefersTo": str(before.id) if before else None,
            "ContentType": "text/html",
            "Content": COMMENTS.parts(words, 0, heading=above)[0].body,
            "CustomFields": {known[field.lower()]: value for field, value in wanted.items()},
        }
        given = {field: value for field, value in ticket.items() if value is not None}
        made = self.ask("POST", "ticket", json=given, judge=self.when(OF_NEW))["id"].id
        return {"id": made, "revision": chat.receipt.number, **({"follows": before.url} if before else {})}

    def _own(self, chat: Chat, ticket: str) -> None:
        """RT makes a ticket without its owner where that user may own none, and says nothing."""
        if self.settings.owner or self.settings.owner_fallback or chat.task_owner:
            chat.step("owned", lambda: self._give(chat, ticket))

    def _give(self, chat: Chat, ticket: str) -> bool:
        words, settings, first = chat.words, self.settings, chat.task_owner
        asked = self.owners.first(words, settings, first=first)

        def owned(owner: str | None) -> bool:
            if owner is None or self._owner(ticket) == owner:
                return True
            if owner != asked and self._owner(ticket) == NOBODY:
                self._change(ticket, {"Owner": owner})
            # Somebody else has it who took it meanwhile.
            if self._owner(ticket) == NOBODY:
                raise Gone(f"RT does not give ticket {ticket} to '{owner}'", OWNER)
            return True

        return self.owners.give(chat.step, words, settings, owned, first=first)

    def _owner(self, ticket: str) -> str:
        return self.ask("GET", f"ticket/{ticket}", judge=self.when(*OF_TICKET))["Owner"]["id"].id

    def _change(self, ticket: str, change: Table[str, Any]) -> bool:
        # https://docs.bestpractical.com/rt/latest/RT/REST2.html#Ticket-Examples ; what may not be changed is left as it
        # is, and RT says so in words alone.
        return bool(self.ask("PUT", f"ticket/{ticket}", json=change, judge=self.when(*OF_TICKET)).list) or True

    def _look_at(self, chat: Chat, ticket: str, new: bool, *, added: bool, commenting: bool) -> None:
        """Whether the ticket is as it ought to be before we go on. Raises RecordRefused and ConnectorRefused."""
        judge = None if new else self.when(*OF_TICKET)
        record = self.ask("GET", f"ticket/{ticket}", params={"fields[Queue]": "Name"}, judge=judge)
        if record["Status"].text == "deleted":
            raise RecordRefused(f"ticket {ticket} was deleted in RT; give it another status and replay this delivery")
        name = self.settings.chat_field.lower()
        fields = record["CustomFields"]
        kept = (one["values"].list for one in fields if name in (one["name"].text.lower(), one["id"].id))
        if new and not added and not any(kept):
            # RT makes the ticket all the same, and logs it at best. A lost reply would then make a second ticket.
            raise ConnectorRefused(
                f"RT kept no '{self.settings.chat_field}' for ticket {ticket}; give its user the right "
                "ModifyCustomField, and make the custom field one of type 'Enter one value'"
            )
        if commenting and not offers(record, "comment"):
            queue, named = record["Queue"]["id"].id, record["Queue"]["Name"].text
            moved = self._queue_name(chat).lower() not in (named.lower(), queue)
            raise (RecordRefused if moved else ConnectorRefused)(
                f"RT's user may not comment on ticket {ticket}; give it CommentOnTicket in queue '{named}'"
            )

    # --- its comments ---------------------------------------------------------------------

    def _comments(self, chat: Chat, made: dict[str, Any], new: bool) -> None:
        step, words, number, ticket = chat.step, chat.words, chat.receipt.number, made["id"]
        added, revised = made.get("added") == number, made["revision"] != number
        known = told(step, chat.receipt, ticket) if revised and not added else None
        above = words.heading(SUBJECT) if added else words.follows(made["follows"]) if made.get("follows") else ""
        parts = COMMENTS.parts(
            words, number, revised=revised and not added, heading="" if revised and not added else above, after=known
        )
        due = [one for one in parts[0 if revised else 1 :] if not step.knows(f"comment {number}.{one.number}")]
        if new or due:
            self._look_at(chat, ticket, new, added=not made["revision"], commenting=bool(due))
        # Its fields too are brought up to date with a revision, once.
        fields = words.fields() if revised else {}
        write = partial(self._comment, ticket, fields)
        look, after = partial(self._find_comment, ticket), partial(self._must_see, ticket)
        append(step, "comment", due, write=write, look=look, after=after)
        if fields and not parts:
            step(f"fields {number}", lambda: self._change(ticket, {"CustomFields": fields}))

    def _comment(self, ticket: str, fields: Table[str, str], part: Part) -> str:
        """Add an internal comment with the mark for a subject. Unlike /correspond it mails nothing to the requestor."""
        # https://docs.bestpractical.com/rt/latest/RT/REST2.html#Replying-Commenting-Tickets
        comment = {"Subject": part.mark, "ContentType": "text/html", "Content": part.body}
        changed = {"CustomFields": fields if part.number == 1 else {}}
        self.ask("POST", f"ticket/{ticket}/comment", json=comment | changed)
        return part.mark

    def _must_see(self, ticket: str, part: Part) -> None:
        if self._find_comment(ticket, part) is None:
            raise ConnectorRefused(
                f"ticket {ticket} has a comment that RT's user cannot see; give it the right ShowTicketComments, "
                "without which a repeat cannot be prevented"
            )

    def imagine(self, method: str, path: str, body: Any) -> Any:
        """A queue with the fields that we ask for, and in it the ticket that we have made."""
        if path.endswith(("/tickets", "/users")):
            return {"items": []}
        names = [self.settings.chat_field, *self.settings.fields]
        return {
            "id": 1,
            "Status": "new",
            "Queue": {"id": "1", "Name": str(self.settings.queue)},
            "Owner": {"id": "…"},
            "items": [{"id": "1"}],
            "TicketCustomFields": [{"id": name, "name": name} for name in names],
            "CustomFields": [{"id": name, "name": name, "values": ["…"]} for name in names],
            "_hyperlinks": [{"ref": "comment"}],
        }


def _lacks(before: Before, task: Task | None) -> dict[str, Any]:
    """What a ticket lacks to become work: RT shows stalled ones in no list of what is to be done."""
    if task is None:
        return {}
    stalled = {"Status": "open"} if before.known.get("Status") == "stalled" else {}
    has = str(before.known.get("Due") or "")
    due = {"Due": _in_utc(task.due)} if task.due and (not has or has.startswith("1970-01-01")) else {}
    return {"lacks": stalled | due}


def _in_utc(time: datetime | None) -> str | None:
    return time.astimezone(UTC).replace(tzinfo=None).isoformat(" ", "seconds") if time else None
