"""Request Tracker 5: a ticket in a queue, and internal comments on it.

https://docs.bestpractical.com/rt/latest/RT/REST2.html
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from collections.abc import Mapping as Table
from datetime import UTC, datetime
from email.utils import quote as quoted
from functools import cached_property, partial
from typing import Any, ClassVar, Self
from urllib.parse import quote

from pydantic import AnyHttpUrl, Field, SecretStr, model_validator

from connectors.kit.auth.credentials import Basic, Credentials, Header
from connectors.kit.connector import Finding, HttpConnector, Receipt, Step
from connectors.kit.person import for_person
from connectors.kit.record import Mapping, Person, RecordSettings
from connectors.kit.reply import Reply
from connectors.kit.text.parts import Layout, Part, append, octets
from connectors.kit.wire.verdicts import PAUSE, WAIT, Verdicts, When
from core.conversation import Conversation
from core.delivery import Reference
from core.errors import ConnectorRefused, RecordRefused

#: Bytes of a body that RT shows in a ticket's history; of a longer one it says that it is too large ($MaxInlineBody).
COMMENTS = Layout(25_000, octets, mark="{} {}.{}".format, shown=False)
#: Characters that RT's database holds. It cuts what is longer, and a cut address is another one.
SUBJECT, ADDRESS = 200, 120

#: What a 400 may say, in the language of RT's user; English is the one that users have by default. The first two: its
#: own database failed RT, and took all of it back.
VERDICTS = Verdicts(
    cases=(
        When((400,), WAIT, said=(b"due to an internal error", b"could not be recorded")),
        When((400,), PAUSE, said=(b"Permission Denied",)),
    )
)
#: When the request brings the visitor's address, names a ticket that was made earlier, or asks for a queue. That there
#: is none is an answer, if it is RT's own: it does not tell that apart from a queue that its user may not see.
OF_NEW = When((400,), steps=("requestor",), said=(b"requestor",), refused=True)
OF_TICKET = (
    When((404,), text="the ticket is no longer in RT; it was removed there"),
    When((403,), text="the ticket was moved to a queue that RT's user may not see"),
)
_NO_QUEUE = ("Forbidden", "Not Found")
OF_QUEUE = When((403, 404), then=None, every={"message": {*_NO_QUEUE}})


class RequestTrackerSettings(RecordSettings):
    """Settings of `type: request-tracker`."""

    # RT has few workers: more requests at once wait there, are given up here, and are done there all the same.
    concurrency: int | None = Field(
        default=4,
        gt=0,
        description="Deliveries at the same time, over all workers; null: as many as there are threads.",
    )

    url: AnyHttpUrl = Field(description="Of RT, such as https://rt.example.com.")
    token: SecretStr | None = Field(default=None, description="An authentication token of RT's user for the relay.")
    user: str = Field(default="", description="Instead of a token: the name of that user.")
    password: SecretStr | None = Field(default=None, description="And the user's password.")
    queue: str = Field(min_length=1, description="Name or number of the queue that gets the tickets.")
    chat_field: str = Field(
        default="ChatConversation", min_length=1, description="The custom field that holds the conversation's key."
    )

    @model_validator(mode="after")
    def _has_one_way_in(self) -> Self:
        if bool(self.token) == bool(self.user) or bool(self.user) != bool(self.password):
            raise ValueError("write either 'token: …', or 'user: …' and 'password: …'")
        if self.url.username or self.url.password:
            raise ValueError("url is shown to people; remove the credentials from it")
        return self


class RequestTracker(HttpConnector[RequestTrackerSettings]):
    label = "Request Tracker"
    makes = "a ticket in a queue, with the transcript in internal comments"
    verdicts: ClassVar[Verdicts | None] = VERDICTS

    def deliver(self, conversation: Conversation, receipt: Receipt, step: Step) -> Reference:
        words = Mapping(self.settings, conversation)
        number = receipt.number
        # What a ticket was made of that nobody here remembers making, only RT knows: it gets this text as a comment.
        oldest = step("oldest", lambda: number if step.first else 0)
        new = not step.knows("ticket")

        # The ticket, and the revision that it was made of: this one, or an earlier one.
        def made_for(requestor: str | None) -> dict[str, Any]:
            return step.once(
                "ticket",
                lambda: {"id": self._create(words, conversation, requestor), "revision": number},
                find=lambda: self._find(words.key, oldest),
            )

        requestor = _requestor(words.person)
        if requestor:
            nobody = partial(_requestor, None)
            made = for_person(step, "requestor", words, person=lambda: requestor, nobody=nobody, make=made_for)
        else:
            words.left_out = words.person is not None
            made = made_for(None)
        ticket, revised = made["id"], made["revision"] != number
        parts = COMMENTS.parts(words, number, revised=revised)[0 if revised else 1 :]
        due = [one for one in parts if not step.knows(f"comment {number}.{one.number}")]
        if new or due:
            self._look_at(ticket, new, commenting=bool(due))
        # Its fields too are brought up to date with a revision, once.
        write = partial(self._comment, ticket, words.fields() if revised else {})
        look, after = partial(self._find_comment, ticket), partial(self._must_see, ticket)
        append(step, "comment", due, write=write, look=look, after=after)
        return Reference(ticket, f"{self.base}/Ticket/Display.html?id={ticket}")

    # --- the ticket --------------------------------------------------------------------

    def _create(self, words: Mapping, conversation: Conversation, requestor: str | None) -> str:
        queue = self._queue()
        if queue is None:
            raise ConnectorRefused(f"RT has no queue '{self.settings.queue}', or its user may not see it")
        # By number: a name is looked up in all queues, and the value is lost when another queue has a field of that
        # name too (https://github.com/bestpractical/rt/pull/323).
        known = _fields(queue)
        wanted = {**words.fields(), self.settings.chat_field: words.key}
        if unknown := [name for name in wanted if name.lower() not in known]:
            raise ConnectorRefused(
                f"the queue '{self.settings.queue}' has no custom field '{unknown[0]}', or RT's user may not see it"
            )
        # https://docs.bestpractical.com/rt/latest/RT/REST2.html#Creating-Tickets
        ticket = {
            "Queue": self.settings.queue,
            "Subject": words.subject(SUBJECT),
            "Requestor": requestor,
            # RT takes it over as it would from an import.
            "Created": _in_utc(conversation.begin_at),
            "ContentType": "text/html",
            "Content": COMMENTS.parts(words, 0)[0].body,
            "CustomFields": {known[name.lower()]: value for name, value in wanted.items()},
        }
        given = {name: value for name, value in ticket.items() if value is not None}
        return self._call("POST", "ticket", json=given, judge=self.when(OF_NEW))["id"].id

    def _find(self, key: str, revision: int) -> dict[str, Any] | None:
        # https://docs.bestpractical.com/rt/latest/query_builder.html
        # The database, not an index. RT does not tell small letters from capitals, so the values are compared here.
        query = f"{_in_query('CF.{' + self.settings.chat_field + '}')} = {_in_query(key)}"
        found = self._call("GET", "tickets", params={"query": query, "fields": "CustomFields"})["items"]
        for item in found:
            fields = item.get("CustomFields")
            if fields is not None and any(key in one["values"].list for one in fields):
                return {"id": item["id"].id, "revision": revision}
        return None

    def _look_at(self, ticket: str, new: bool, *, commenting: bool) -> None:
        """Whether the ticket is as it ought to be before we go on. Raises RecordRefused and ConnectorRefused."""
        judge = None if new else self.when(*OF_TICKET)
        record = self._call("GET", f"ticket/{ticket}", params={"fields[Queue]": "Name"}, judge=judge)
        if record["Status"].text == "deleted":
            raise RecordRefused(f"ticket {ticket} was deleted in RT; give it another status and replay this delivery")
        name = self.settings.chat_field.lower()
        fields = record["CustomFields"]
        kept = (one["values"].list for one in fields if name in (one["name"].text.lower(), one["id"].id))
        if new and not any(kept):
            # RT makes the ticket all the same, and logs it at best. A lost reply would then make a second ticket.
            raise ConnectorRefused(
                f"RT kept no '{self.settings.chat_field}' for ticket {ticket}; give its user the right "
                "ModifyCustomField, and make the custom field one of type 'Enter one value'"
            )
        if commenting and not _offers(record, "comment"):
            queue, named = record["Queue"]["id"].id, record["Queue"]["Name"].text
            moved = self.settings.queue.lower() not in (named.lower(), queue)
            raise (RecordRefused if moved else ConnectorRefused)(
                f"RT's user may not comment on ticket {ticket}; give it CommentOnTicket in queue '{named}'"
            )

    def _comment(self, ticket: str, fields: Table[str, str], part: Part) -> str:
        """Add an internal comment with the mark for a subject. Unlike /correspond it mails nothing to the requestor."""
        # https://docs.bestpractical.com/rt/latest/RT/REST2.html#Replying-Commenting-Tickets
        comment = {"Subject": part.mark, "ContentType": "text/html", "Content": part.body}
        changed = {"CustomFields": fields if part.number == 1 else {}}
        self._call("POST", f"ticket/{ticket}/comment", json=comment | changed)
        return part.mark

    def _must_see(self, ticket: str, part: Part) -> None:
        if self._find_comment(ticket, part) is None:
            raise ConnectorRefused(
                f"ticket {ticket} has a comment that RT's user cannot see; give it the right ShowTicketComments, "
                "without which a repeat cannot be prevented"
            )

    def _find_comment(self, ticket: str, part: Part) -> str | None:
        # https://docs.bestpractical.com/rt/latest/RT/REST2.html#JSON-searches
        query = json.dumps([{"field": "Subject", "value": part.mark}])
        found = self._call("GET", f"ticket/{ticket}/attachments", params={"query": query})["items"]
        return part.mark if [one["id"].id for one in found] else None

    # --- looking first -------------------------------------------------------------------

    def check(self) -> Iterator[Finding]:
        settings = self.settings
        yield Finding(True, f"RT {self._call('GET', 'rt')['Version'].text} at {self.base} accepted the credentials")
        queue = self._queue()
        yield Finding(
            queue is not None,
            f"queue '{settings.queue}' {_seen(queue is not None)}",
            "correct queue (write its number where the name has a slash), or give RT's user the right SeeQueue",
        )
        if queue is None:
            return
        usable = _offers(queue, "create") and queue["Disabled"].id == "0"
        yield Finding(
            usable,
            f"tickets {'may' if usable else 'may not'} be made in it",
            "enable the queue, and give RT's user the right CreateTicket in it",
        )
        known = _fields(queue)
        for name in (settings.chat_field, *settings.fields):
            yield Finding(
                name.lower() in known,
                f"custom field '{name}' {_seen(name.lower() in known)}",
                "make it in Admin, Custom Fields, for tickets and of type 'Enter one value'; apply it to the queue; "
                "give RT's user the rights SeeCustomField and ModifyCustomField",
            )
        # What else RT's user may do, RT tells of tickets only.
        newest = {"query": f"Queue = {queue['id'].id}", "per_page": "1", "orderby": "id", "order": "DESC"}
        for ticket in self._call("GET", "tickets", params={**newest, "fields": "_hyperlinks"})["items"]:
            yield Finding(
                _offers(ticket, "comment"),
                f"comments {'may' if _offers(ticket, 'comment') else 'may not'} be made on its tickets",
                "give RT's user the rights CommentOnTicket and ShowTicketComments in the queue",
            )

    def imagine(self, method: str, path: str, body: Any) -> Any:
        """A queue with the fields that we ask for, and in it the ticket that we have made."""
        names = [self.settings.chat_field, *self.settings.fields]
        ticket = {"id": 1, "Status": "new", "Queue": {"id": "1", "Name": self.settings.queue}}
        return {
            **ticket,
            "items": [{"id": "1"}],
            "TicketCustomFields": [{"id": name, "name": name} for name in names],
            "CustomFields": [{"id": name, "name": name, "values": ["…"]} for name in names],
            "_hyperlinks": [{"ref": "comment"}],
        }

    # --- the wire --------------------------------------------------------------------------

    @property
    def base(self) -> str:
        return str(self.settings.url).rstrip("/")

    def _queue(self) -> Reply | None:
        """The queue; None where there is none or it may not be seen, which RT does not tell apart."""
        found = self._call("GET", f"queue/{quote(self.settings.queue, safe='')}", judge=self.when(OF_QUEUE))
        if found.object.keys() == {"message"} and found["message"].text in _NO_QUEUE:
            return None
        _ = found["TicketCustomFields"].list
        return found

    @cached_property
    def credentials(self) -> Credentials:
        # https://docs.bestpractical.com/rt/latest/RT/REST2.html#Authentication-Methods
        own = self.settings
        if own.token:
            return Header(own.token, kind="token ")
        return Basic(own.user, own.password.get_secret_value() if own.password else "")

    def _call(self, method: str, path: str, **options: Any) -> Reply:
        return self.ask(method, f"/REST/2.0/{path}", **options)


def _requestor(person: Person | None) -> str | None:
    """RT makes the user of `"Name" <address>`. For an address that is not ASCII it would make none, silently."""
    if person is None or not person.email.isascii() or len(person.email) > ADDRESS:
        return None
    return f'"{quoted(person.name)}" <{person.email}>'


def _in_utc(time: datetime | None) -> str | None:
    return time.astimezone(UTC).replace(tzinfo=None).isoformat(" ", "seconds") if time else None


def _fields(queue: Reply) -> dict[str, str]:
    """The numbers of a queue's custom fields, by name in small letters and by number."""
    fields = [(field["id"].id, field["name"].text) for field in queue["TicketCustomFields"]]
    return {number: number for number, _ in fields} | {name.lower(): number for number, name in fields}


def _offers(record: Reply, action: str) -> bool:
    """RT links what its user may do."""
    return any(link["ref"].text == action for link in record["_hyperlinks"])


def _seen(there: Any) -> str:
    return "is there" if there else "is not there, or RT's user may not see it"


def _in_query(text: str) -> str:
    """As a quoted value of a ticket query, which ends at no quotation mark of its own."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
