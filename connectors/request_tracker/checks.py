"""What `relay connectors check` looks at in Request Tracker."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from connectors.kit.checks.expectation import Expectation
from connectors.kit.checks.items import AnswerCheck, CheckItem, NameCheck, run_checks
from connectors.kit.connector import Finding
from connectors.kit.reply import Reply
from connectors.kit.work.choices import constants
from connectors.request_tracker.api import NOBODY, fields_of, offers, usable
from connectors.request_tracker.choosing import RequestTrackerChoices

_ACCEPTED = Expectation[Reply](
    "RT %(version)s at %(base)s accepted the credentials", values=lambda rt: {"version": rt["Version"].text}
)
# RT shows this to whoever has the right; and a list by a field that one may not look for has everybody.
_MANAGES = Expectation[Reply](
    "users may be looked for, made and changed",
    "users may not be looked for, made and changed",
    "give RT's user the right AdminUsers (Admin, Global, User Rights), or remove manage_users",
    holds=lambda nobody: "Disabled" in nobody.object,
)
_QUEUE = Expectation[Reply](
    "queue '%(queue)s' is there",
    "queue '%(queue)s' is not there, or RT's user may not see it",
    "correct queue (write its number where the name has a slash), or give RT's user the right SeeQueue",
)
_TAKES = Expectation[Reply](
    "tickets may be made in it",
    "tickets may not be made in it",
    "enable the queue, and give RT's user the right CreateTicket in it",
    holds=usable,
)
_FIELD = Expectation[str](
    "custom field '%(name)s' is there",
    "custom field '%(name)s' is not there, or RT's user may not see it",
    "make it in Admin, Custom Fields, for tickets and of type 'Enter one value'; apply it to the queue; "
    "give RT's user the rights SeeCustomField and ModifyCustomField",
)
_COMMENTS = Expectation[Reply](
    "comments may be made on its tickets",
    "comments may not be made on its tickets",
    "give RT's user the rights CommentOnTicket and ShowTicketComments in the queue",
    holds=lambda ticket: offers(ticket, "comment"),
)


class RequestTrackerChecks(RequestTrackerChoices):
    """The part of the connector that proves its settings, reading only."""

    def check(self) -> Iterator[Finding]:
        return run_checks(self._checks())

    def _checks(self) -> Iterator[CheckItem]:
        own = self.settings
        yield AnswerCheck(_ACCEPTED, lambda: self.ask("GET", "rt"), {"base": self.base})
        yield from self.owners.checks(own, own.task)
        if own.manage_users:
            yield AnswerCheck(_MANAGES, lambda: self.ask("GET", f"user/{NOBODY}"))
        for name in dict.fromkeys(filter(None, [*constants(own.queue), own.queue_fallback])):
            yield AnswerCheck(_QUEUE, partial(self.queue_of, name), {"queue": name}, then=self._of_queue)

    def _of_queue(self, queue: Reply) -> Iterator[CheckItem]:
        own, fields = self.settings, fields_of(queue)
        yield AnswerCheck(_TAKES, lambda: queue)
        yield NameCheck(_FIELD, [own.chat_field, *own.fields], lambda name: fields.get(name.lower()))
        # What else RT's user may do, RT tells of tickets only.
        newest = {"query": f"Queue = {queue['id'].id}", "per_page": "1", "orderby": "id", "order": "DESC"}
        found = self.ask("GET", "tickets", params={**newest, "fields": "_hyperlinks"})["items"]
        yield NameCheck(_COMMENTS, range(len(found)), found.__getitem__)
