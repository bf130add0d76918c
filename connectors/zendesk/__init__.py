"""Zendesk Support: a user and a ticket, with the transcript in private comments.

https://developer.zendesk.com/api-reference/ticketing/introduction/
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from functools import partial
from itertools import takewhile
from typing import Any

from connectors.kit.connector import Receipt, Step
from connectors.kit.files.carrying import ChatFiles, FileNote
from connectors.kit.files.rules import MIB
from connectors.kit.files.settings import FileLimits
from connectors.kit.files.streaming import Outgoing, raw_body
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
from connectors.zendesk.api import OF_IMPORT, OF_NEW_TICKET, OF_SHARED_TICKET, OF_TICKET, REQUESTER
from connectors.zendesk.erasing import ZendeskErasing
from connectors.zendesk.requesters import Requesters
from core.conversation import Conversation
from core.delivery import Reference

#: Bytes of HTML in one comment. Zendesk takes 64 KB. It writes attributes into our paragraphs, by which the shortest
#: grow by half, and nobody says whether it counts before or after. What stands on top of the first is not counted.
COMMENTS = Layout(40_000, octets, mark="[{}:{}:{}]".format)
#: How many comments are looked through: twenty a page stay within what is read of an answer.
NEWEST = by_page("comments").few(20, most=5)
#: How many tickets of a person are looked at, those that changed last; and how many are read for a chat's marks.
TICKETS, _READ = by_page("tickets").few(50, most=1), 10
#: Characters. It is documented nowhere; what is longer than a database's usual column helps nobody.
SUBJECT = 150
#: https://support.zendesk.com/hc/en-us/articles/4408832757146 ; and how long an upload is kept for the comment that
#: names it, in seconds: an hour, less what an attempt may take.
FILE_LIMITS, TOKEN_LASTS = FileLimits(largest=50 * MIB), 3_300.0
CHOSEN = ("group_id", "brand_id", "ticket_form_id", "priority", "status")


class Zendesk(ZendeskErasing):
    def deliver(self, conversation: Conversation, receipt: Receipt, step: Step) -> Reference:
        chat = Chat.of(self.settings, conversation, receipt, step)
        words, number = chat.words, chat.number
        # An update would wake the triggers that an import leaves asleep.
        past = receipt.is_past(conversation)
        left_out = past and self.settings.files != "none" and any(one.files for one in conversation.messages)
        step.note("files", "Files of a past chat are not carried: triggers would see them." if left_out else "")
        files = None if past else ChatFiles(self, conversation, step, FILE_LIMITS)
        # The submitter is the author of the first comment, and by default it is the requester; but what is private
        # is an agent's. https://developer.zendesk.com/api-reference/ticketing/tickets/tickets/#requesters-and-submitters
        agent = step("agent", lambda: self.cache.get("me", self.me, anew=step.healed))

        # The ticket, and the revision that its first comment holds: this one, an earlier one, or 0 for another chat's.
        def made_for(requester: int) -> dict[str, Any]:
            return chat.recorded(
                "ticket",
                requester,
                newest=partial(self._newest, requester),
                add=lambda before: {"id": before.id, "revision": 0, "added": number, **_wanting(before, chat.task)},
                create=partial(self._create_ticket, chat, requester, agent),
                find=partial(self._find_ticket, chat, requester),
            )

        ticket = People(self, Requesters(self, chat), REQUESTER).whose(step, words, made_for)
        whole = number in (ticket["revision"], ticket.get("added"))
        known = None if whole else told(step, receipt, ticket["id"])
        parts = COMMENTS.parts(words, number, revised=not whole, after=known)
        write, look = partial(self._comment, chat, ticket), partial(self._has_comment, ticket["id"])
        append(step, "comment", parts[1 if ticket["revision"] == number else 0 :], write=write, look=look)
        if not parts:
            self._set_fields(chat, ticket["id"])
        tell(step, receipt, ticket["id"])
        if files:
            texts = partial(self._comment_texts, ticket["id"])
            files.add(words, COMMENTS, write=partial(self._add_files, files, ticket["id"]), texts=texts)
        return Reference(str(ticket["id"]), self.page_of(ticket["id"]))

    # --- a new ticket ----------------------------------------------------------------

    def _create_ticket(self, chat: Chat, requester: int, agent: int, before: Before | None) -> dict[str, Any]:
        words, settings, task = chat.words, self.settings, chat.task
        there = {f"{kind}_id": partial(self.is_there, kind) for kind in ("group", "brand", "ticket_form")}
        choices = chosen(chat.step, words, settings, *CHOSEN, "ticket_type", exists=there)
        ticket = {
            # Zendesk fills placeholders in, in subjects too: raw_subject in the JSON format.
            "subject": words.subject(SUBJECT).replace("{", "("),
            "requester_id": requester,
            "submitter_id": agent,
            "external_id": words.key,
            "tags": words.tags(),
            "custom_fields": _fields(words),
            **{name: choices[name] for name in CHOSEN if name in choices},
            "type": "task" if task else choices.get("ticket_type"),
            "due_at": _time(task.due) if task else None,
            # https://developer.zendesk.com/documentation/ticketing/managing-tickets/creating-and-updating-tickets/
            # #creating-a-follow-up-ticket: of a closed ticket, of no other.
            "via_followup_source_id": before.id if before and before.known["status"] == "closed" else None,
        }
        made = self.owners.give(
            chat.step,
            words,
            settings,
            lambda owner: self._post(chat, _filled({**ticket, "assignee_id": owner}), before),
            first=chat.task_owner,
        )
        return {"id": made["id"].number, "revision": chat.receipt.number}

    def _post(self, chat: Chat, ticket: dict[str, Any], before: Before | None) -> Reply:
        if chat.receipt.is_past(chat.conversation) and (made := self._import(chat, ticket)) is not None:
            return made
        words = chat.words
        body = (words.follows(before.url) if before else "") + COMMENTS.parts(words, chat.receipt.number)[0].body
        # https://developer.zendesk.com/api-reference/ticketing/tickets/tickets/#create-ticket
        return self.ask(
            "POST",
            "tickets",
            json={"ticket": {"subject": ticket["subject"], "comment": {"html_body": body, "public": False}, **ticket}},
            # https://developer.zendesk.com/api-reference/ticketing/introduction/#idempotency
            headers={"Idempotency-Key": f"{words.key}:after:{before.id}" if before else words.key},
            repeatable=True,
            judge=self.when(*OF_NEW_TICKET),
        )["ticket"]

    def _import(self, chat: Chat, ticket: dict[str, Any]) -> Reply | None:
        """A ticket with the time of the chat, which wakes no trigger; None for who may not import."""
        number, (begins, ends) = chat.receipt.number, chat.conversation.span()
        # A later update would wake triggers, so all parts come at once.
        parts = COMMENTS.parts(chat.words, number)
        chat.step.begin(*(f"comment {number}.{part.number}" for part in parts[1:]))
        at = {"created_at": _time(_moment(begins)), "updated_at": _time(_moment(ends))}
        status = {"status": self.settings.past_status} if self.settings.past_status else {}
        solved = {"solved_at": at["updated_at"]} if self.settings.past_status in ("solved", "closed") else {}
        comments = [
            {
                "html_body": part.body,
                "public": False,
                "author_id": ticket["submitter_id"],
                "created_at": at["updated_at"],
            }
            for part in parts
        ]
        # https://developer.zendesk.com/api-reference/ticketing/tickets/ticket_import/ . Nobody says that it knows an
        # Idempotency-Key, so that it is not repeated: the next try looks for the external id.
        made = self.ask(
            "POST",
            "imports/tickets",
            json={"ticket": {**ticket, **at, **status, **solved, "comments": comments}},
            judge=self.when(*OF_IMPORT),
        ).get("ticket")
        refused = "Zendesk lets only admins import tickets: this past chat has a new ticket, and triggers saw it."
        chat.step.note("import", refused if made is None else "")
        return made

    # --- a ticket from before -----------------------------------------------------------

    def _newest(self, requester: int, since: datetime) -> Before | None:
        """An open ticket of the requester's, or the one that changed last."""
        recent = self._changed(requester, since)
        return open_first(recent, lambda one: one["status"].raw not in ("solved", "closed"), self._before)

    def _before(self, ticket: Reply, is_open: bool) -> Before:
        return Before(ticket["id"].number, is_open, self.page_of(ticket["id"].number), ticket.object)

    def _changed(self, requester: int, since: datetime) -> list[Reply]:
        # https://developer.zendesk.com/api-reference/ticketing/tickets/tickets/#list-tickets
        path = f"/api/v2/users/{requester}/tickets/requested"
        listed = self.entries(TICKETS, path, sort_by="updated_at", sort_order="desc")
        return list(takewhile(lambda one: datetime.fromisoformat(one["updated_at"].text) >= since, listed))

    def _find_ticket(self, chat: Chat, requester: int) -> dict[str, Any] | None:
        # https://developer.zendesk.com/api-reference/ticketing/tickets/tickets/#list-tickets
        # The key of a create lives for two hours, the external id as long as the ticket; /search lags.
        key = chat.words.key
        listed = self.ask("GET", "tickets", params={"external_id": key})["tickets"]
        found = [ticket for ticket in listed if ticket["external_id"].raw == key and self._goes_on(chat, ticket)]
        if found:
            described = found[-1].get("description")
            text = described.text if described is not None else ""
            last = re.search(rf"\[{re.escape(key)}:(\d+):1\]\s*\Z", text)
            return {"id": found[-1]["id"].number, "revision": int(last[1]) if last else 0}
        return self._find_added(chat, requester) if chat.shares else None

    def _goes_on(self, chat: Chat, ticket: Reply) -> bool:
        """Not the one that was found closed a moment ago: another one is to follow it."""
        return not (chat.shares and chat.step.healed and ticket["status"].raw == "closed")

    def _find_added(self, chat: Chat, requester: int) -> dict[str, Any] | None:
        """The ticket of another chat to which this one was added: it has changed since."""
        mark = rf"\[{re.escape(chat.words.key)}:\d+:\d+\]"
        changed = self._changed(requester, chat.receipt.since)[:_READ]
        numbers = (ticket["id"].number for ticket in changed if self._goes_on(chat, ticket))
        having = (
            number
            for number in numbers
            if any(ends_like(one["html_body"].text, mark) for one in self._newest_comments(number))
        )
        return next(({"id": number, "revision": 0} for number in having), None)

    @property
    def _shares(self) -> bool:
        return self.settings.one_record == "per_person_open"

    # --- its comments ---------------------------------------------------------------------

    def _comment(self, chat: Chat, ticket: dict[str, Any], part: Part) -> bool:
        # https://developer.zendesk.com/api-reference/ticketing/tickets/tickets/#update-ticket
        # Subject and tags are the agents' by the time of a new revision; the fields came from us.
        if part.number > 1:
            return bool(self._update(ticket["id"], {"comment": {"html_body": part.body, "public": False}}))
        added = ticket.get("added") == part.revision
        heading = chat.words.heading(SUBJECT) if added else ""
        sent = {"comment": {"html_body": heading + part.body, "public": False}, "custom_fields": _fields(chat.words)}
        return bool(self._update(ticket["id"], sent | (ticket.get("wanting", {}) if added else {})))

    def _set_fields(self, chat: Chat, ticket: int) -> None:
        """A revision without new text may still change them."""
        fields = _fields(chat.words)
        if fields:
            chat.step(f"fields {chat.receipt.number}", lambda: bool(self._update(ticket, {"custom_fields": fields})))

    def _update(self, ticket: int, sent: dict[str, Any]) -> int:
        judge = self.when(*(OF_SHARED_TICKET if self._shares else OF_TICKET))
        changed = self.ask("PUT", f"tickets/{ticket}", json={"ticket": _filled(sent)}, judge=judge)
        return changed["ticket"]["id"].number  # a 200 that Zendesk did not write has none

    def _newest_comments(self, ticket: int) -> Iterable[Reply]:
        # https://developer.zendesk.com/api-reference/ticketing/tickets/ticket_comments/#list-comments
        # The newest first: what we look for was sent a moment ago, or at most a few days. Few at a time, as each has
        # its text three times over.
        return self.entries(NEWEST, f"/api/v2/tickets/{ticket}/comments", self.when(*OF_TICKET), sort_order="desc")

    def _has_comment(self, ticket: int, part: Part) -> bool | None:
        return marked(self._newest_comments(ticket), lambda one: one["html_body"].text, part.mark) is not None or None

    def _comment_texts(self, ticket: int) -> Iterator[str]:
        return (one["html_body"].text for one in self._newest_comments(ticket))

    def _add_files(self, files: ChatFiles, ticket: int, note: FileNote) -> None:
        tokens = [files.uploaded(one, self._upload, lasts=TOKEN_LASTS) for one in note.files]
        comment = {"html_body": note.body, "public": False}
        self._update(ticket, {"comment": comment | ({"uploads": tokens} if tokens else {})})

    def _upload(self, file: Outgoing) -> str:
        # https://developer.zendesk.com/api-reference/ticketing/tickets/ticket-attachments/#upload-files
        made = self.ask("POST", "uploads", params={"filename": file.name}, **raw_body(file).options)
        return made["upload"]["token"].text

    def imagine(self, method: str, path: str, body: Any) -> Any:
        """Every list empty and every id 1; a request reads of it what it asked for."""
        lists: dict[str, Any] = {name: [] for name in ("users", "user_fields", "tickets", "comments")}
        return {**lists, "user": {"id": 1, "role": "agent"}, "ticket": {"id": 1}, "upload": {"token": "…"}}


def _filled(ticket: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in ticket.items() if value not in (None, [])}


def _wanting(before: Before, task: Task | None) -> dict[str, Any]:
    """What a ticket lacks to become work, when a chat that nobody answered is added to it: an agent who waits for the
    customer does not see private comments."""
    if task is None:
        return {}
    waits = {"status": "open"} if before.known.get("status") in ("pending", "hold") else {}
    due = {"type": "task", "due_at": _time(task.due)} if before.known.get("type") is None else {}
    return {"wanting": _filled(waits | due)}


def _fields(words: Mapping) -> list[dict[str, Any]]:
    return [{"id": int(name), "value": value} for name, value in words.fields().items()]


def _moment(ms: int) -> datetime:
    return datetime.fromtimestamp(ms / 1000, UTC)


def _time(moment: datetime | None) -> str | None:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ") if moment else None
