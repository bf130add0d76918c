"""What Relay looks for in Request Tracker: a chat's ticket, one of the same person's from before, and a comment."""

from __future__ import annotations

import json
from datetime import datetime
from itertools import takewhile
from typing import Any

from connectors.kit.reply import Reply
from connectors.kit.text.parts import Part, has_text
from connectors.kit.work.chat import Chat
from connectors.kit.work.choices import chosen
from connectors.kit.work.one_record import Before
from connectors.request_tracker.api import COMMENTS, SUBJECT, in_query
from connectors.request_tracker.checks import RequestTrackerChecks

#: How many tickets of a person are looked at, those that changed last; and of how many the comments are searched.
TICKETS, _READ = 50, 10


class RequestTrackerSearch(RequestTrackerChecks):
    """The part of the connector that finds what is there, reading only."""

    def _queue_name(self, chat: Chat) -> str:
        found = chosen(chat.step, chat.words, self.settings, "queue", exists={"queue": self.takes_tickets})
        return str(found.get("queue") or self.settings.queue_fallback)

    def _newest(self, chat: Chat, requestor: Any, since: datetime) -> Before | None:
        """An active ticket of the requestor's in the queue, or the one that changed last."""
        if not requestor:
            return None
        for active in (True, False):
            for one in self._changed(chat, requestor, since, "Active" if active else "Inactive"):
                return Before(int(one["id"].id), active, self.page_of(one["id"].id), one.object)
        return None

    def _changed(self, chat: Chat, requestor: Any, since: datetime, *kinds: str) -> list[Reply]:
        # https://docs.bestpractical.com/rt/latest/query_builder.html
        email = chat.words.person.email if chat.words.person else ""
        whose = f"id = {requestor}" if isinstance(requestor, int) else f"EmailAddress = {in_query(email)}"
        status = "".join(f" AND Status = '__{kind}__'" for kind in kinds)
        query = f"Queue = {in_query(self._queue_name(chat))} AND Requestor.{whose}{status}"
        newest = {"orderby": "LastUpdated", "order": "DESC", "per_page": str(TICKETS)}
        params = {"query": query, "fields": "Status,LastUpdated,Due", **newest}
        found = self.ask("GET", "tickets", params=params)["items"]
        # Not in the query, where RT takes a time for one of its user's zone.
        return list(takewhile(lambda one: datetime.fromisoformat(one["LastUpdated"].text) >= since, found))

    def _find(self, chat: Chat, requestor: Any) -> dict[str, Any] | None:
        # https://docs.bestpractical.com/rt/latest/query_builder.html
        # The database, not an index. RT does not tell small letters from capitals, so the values are compared here.
        key = chat.words.key
        query = f"{in_query('CF.{' + self.settings.chat_field + '}')} = {in_query(key)}"
        found = self.ask("GET", "tickets", params={"query": query, "fields": "CustomFields"})["items"]
        for item in found:
            fields = item.get("CustomFields")
            if fields is not None and any(key in one["values"].list for one in fields):
                return {"id": item["id"].id, "revision": self._made_of(chat, item["id"].id)}
        return self._find_added(chat, requestor) if requestor and chat.shares else None

    def _made_of(self, chat: Chat, ticket: str) -> int:
        """The revision that a ticket which was found was made of, so that no text that stands there is added again."""
        number, begun = chat.receipt.number, chat.step.begun("ticket")
        if begun is not None:
            return begun
        limits = [{"field": "Subject", "value": chat.words.subject(SUBJECT)}]
        text = COMMENTS.parts(chat.words, number)[0].body
        has = (one.get("Content") for one in self._attached(ticket, limits, "Content"))
        if any(content is not None and has_text(str(content.raw), text) for content in has):
            return number
        return int(chat.step.recall("oldest"))

    def _find_added(self, chat: Chat, requestor: Any) -> dict[str, Any] | None:
        """The ticket of another chat to which this one was added."""
        recent = self._changed(chat, requestor, chat.receipt.since - self.settings.within)[:_READ]
        mark = [{"field": "Subject", "operator": "LIKE", "value": f"{chat.words.key} "}]
        having = (one["id"].id for one in recent if self._attachments(one["id"].id, mark))
        return next(({"id": ticket, "revision": 0} for ticket in having), None)

    def _find_comment(self, ticket: str, part: Part) -> str | None:
        return part.mark if self._attachments(ticket, [{"field": "Subject", "value": part.mark}]) else None

    def _attachments(self, ticket: str, limits: list[dict[str, str]]) -> list[str]:
        return [one["id"].id for one in self._attached(ticket, limits)]

    def _attached(self, ticket: str, limits: list[dict[str, str]], *fields: str) -> Reply:
        # https://docs.bestpractical.com/rt/latest/RT/REST2.html#JSON-searches
        params = {"query": json.dumps(limits)} | ({"fields": ",".join(fields)} if fields else {})
        return self.ask("GET", f"ticket/{ticket}/attachments", params=params)["items"]
