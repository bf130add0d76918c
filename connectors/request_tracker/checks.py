"""What `relay connectors check` looks at in Request Tracker."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from connectors.kit.connector import Finding
from connectors.kit.work.choices import constants
from connectors.request_tracker.api import NOBODY, fields_of, offers, usable
from connectors.request_tracker.choosing import RequestTrackerChoices


class RequestTrackerChecks(RequestTrackerChoices):
    """The part of the connector that proves its settings, reading only."""

    def check(self) -> Iterator[Finding]:
        settings = self.settings
        yield Finding(True, f"RT {self.ask('GET', 'rt')['Version'].text} at {self.base} accepted the credentials")
        yield from self.owners.findings(settings, settings.task.owner if settings.task else None)
        if settings.manage_users:
            # RT shows this to whoever has the right; and a list by a field that one may not look for has everybody.
            right = "Disabled" in self.ask("GET", f"user/{NOBODY}").object
            yield Finding(
                right,
                f"users {'may' if right else 'may not'} be looked for, made and changed",
                "give RT's user the right AdminUsers (Admin, Global, User Rights), or remove manage_users",
            )
        for name in dict.fromkeys([*constants(settings.queue), *filter(None, [settings.queue_fallback])]):
            yield from self._queue_findings(name)

    def _queue_findings(self, name: str) -> Iterator[Finding]:
        settings, queue = self.settings, self.queue_of(name)
        yield Finding(
            queue is not None,
            f"queue '{name}' {_seen(queue is not None)}",
            "correct queue (write its number where the name has a slash), or give RT's user the right SeeQueue",
        )
        if queue is None:
            return
        yield Finding(
            usable(queue),
            f"tickets {'may' if usable(queue) else 'may not'} be made in it",
            "enable the queue, and give RT's user the right CreateTicket in it",
        )
        known = fields_of(queue)
        for field in (settings.chat_field, *settings.fields):
            yield Finding(
                field.lower() in known,
                f"custom field '{field}' {_seen(field.lower() in known)}",
                "make it in Admin, Custom Fields, for tickets and of type 'Enter one value'; apply it to the queue; "
                "give RT's user the rights SeeCustomField and ModifyCustomField",
            )
        # What else RT's user may do, RT tells of tickets only.
        newest = {"query": f"Queue = {queue['id'].id}", "per_page": "1", "orderby": "id", "order": "DESC"}
        for ticket in self.ask("GET", "tickets", params={**newest, "fields": "_hyperlinks"})["items"]:
            yield Finding(
                offers(ticket, "comment"),
                f"comments {'may' if offers(ticket, 'comment') else 'may not'} be made on its tickets",
                "give RT's user the rights CommentOnTicket and ShowTicketComments in the queue",
            )


def _seen(there: Any) -> str:
    return "is there" if there else "is not there, or RT's user may not see it"
