"""Request Tracker 5: a ticket in a queue, and internal comments on it.

https://docs.bestpractical.com/rt/latest/RT/REST2.html
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from collections.abc import Mapping as Table
from datetime import UTC, datetime
from email.utils import quote as quoted
from typing import Any, Self
from urllib.parse import quote

from pydantic import AnyHttpUrl, Field, SecretStr, model_validator
from requests import Response

from connectors.answers import STATUS, Verdict, refusal
from connectors.base import Finding, HttpConnector, Receipt, Step
from connectors.mapping import Mapping, Person, RecordSettings
from core.conversation import Conversation
from core.delivery import Reference
from core.errors import ConnectorRefused, DeliveryError, RecordRefused, RetryLater

#: Bytes of a body that RT shows in a ticket's history; of a longer one it says that it is too large ($MaxInlineBody).
BODY = 25_000
#: Characters that RT's database holds. It cuts what is longer, and a cut address is another one.
SUBJECT, ADDRESS = 200, 120

#: What a 400 may say, in the language of RT's user; English is the one that users have by default.
MEANS: Table[bytes, Verdict] = {
    # RT's own database failed it, and took all of it back.
    b"due to an internal error": RetryLater,
    b"could not be recorded": RetryLater,
    b"Permission Denied": ConnectorRefused,
}


class RequestTrackerSettings(RecordSettings):
    """Settings of `type: request-tracker`."""

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
            raise ValueError("url is shown to people; take the credentials out of it")
        return self


class RequestTracker(HttpConnector[RequestTrackerSettings]):
    label = "Request Tracker"

    def deliver(self, conversation: Conversation, receipt: Receipt, step: Step) -> Reference:
        words = Mapping(self.settings, conversation)
        number = receipt.revision.number
        oldest = step("oldest", lambda: number)
        new = not step.knows("ticket")
        # The ticket, and the revision that it was made of: this one, or an earlier one.
        made = step.once(
            "ticket",
            lambda: {"id": self._create(words, conversation), "revision": number},
            find=lambda: self._find(words.key, oldest),
        )
        ticket, revised = made["id"], made["revision"] != number
        parts = enumerate(words.bodies(BODY, _octets, revised=revised), 1)
        due = {n: body for n, body in parts if (revised or n > 1) and not step.knows(f"comment {number}.{n}")}
        if new or due:
            self._look_at(ticket, new, commenting=bool(due))
        for n, body in due.items():
            # Its fields too are brought up to date with a revision, once.
            fields = words.fields() if revised and n == 1 else {}
            self._comment(step, ticket, f"comment {number}.{n}", f"{words.key} {number}.{n}", body, fields)
        return Reference(ticket, f"{self._base}/Ticket/Display.html?id={ticket}")

    # --- the ticket --------------------------------------------------------------------

    def _create(self, words: Mapping, conversation: Conversation) -> str:
        requestor = _requestor(words.person)
        queue = self._queue()
        if not queue:
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
            "Content": words.bodies(BODY, _octets)[0],
            "CustomFields": {known[name.lower()]: value for name, value in wanted.items()},
        }
        given = {name: value for name, value in ticket.items() if value is not None}
        return str(self._call("POST", "ticket", "id", json=given)["id"])

    def _find(self, key: str, revision: int) -> dict[str, Any] | None:
        # https://docs.bestpractical.com/rt/latest/query_builder.html
        # The database, not an index. RT does not tell small letters from capitals, so the values are compared here.
        query = f"{_in_query('CF.{' + self.settings.chat_field + '}')} = {_in_query(key)}"
        found = self._call("GET", "tickets", "items", params={"query": query, "fields": "CustomFields"})
        same = (item for item in found["items"] if any(key in one["values"] for one in item.get("CustomFields") or ()))
        return next(({"id": str(item["id"]), "revision": revision} for item in same), None)

    def _look_at(self, ticket: str, new: bool, *, commenting: bool) -> None:
        """Whether the ticket is as it ought to be before we go on. Raises RecordRefused and ConnectorRefused."""
        judge = None if new else self._judge_of_ticket
        record = self._call("GET", f"ticket/{ticket}", "Status", params={"fields[Queue]": "Name"}, judge=judge)
        if record["Status"] == "deleted":
            raise RecordRefused(f"ticket {ticket} was deleted in RT; give it another status and replay this delivery")
        name = self.settings.chat_field.lower()
        kept = (one["values"] for one in record["CustomFields"] if name in (one["name"].lower(), one["id"]))
        if new and not any(kept):
            # RT makes the ticket all the same, and logs it at best. A lost reply would then make a second ticket.
            raise ConnectorRefused(
                f"RT kept no '{self.settings.chat_field}' for ticket {ticket}; give its user the right "
                "ModifyCustomField, and make the custom field one of type 'Enter one value'"
            )
        if commenting and not _offers(record, "comment"):
            queue = record["Queue"]
            moved = self.settings.queue.lower() not in (queue["Name"].lower(), queue["id"])
            raise (RecordRefused if moved else ConnectorRefused)(
                f"RT's user may not comment on ticket {ticket}; give it CommentOnTicket in queue '{queue['Name']}'"
            )

    def _comment(self, step: Step, ticket: str, name: str, mark: str, body: str, fields: Table[str, str]) -> None:
        """Add an internal comment with `mark` for a subject. Unlike /correspond it mails nothing to the requestor."""

        def add() -> str:
            # https://docs.bestpractical.com/rt/latest/RT/REST2.html#Replying-Commenting-Tickets
            comment = {"Subject": mark, "ContentType": "text/html", "Content": body, "CustomFields": fields}
            self._call("POST", f"ticket/{ticket}/comment", json=comment)
            return mark

        def look() -> str | None:
            # https://docs.bestpractical.com/rt/latest/RT/REST2.html#JSON-searches
            query = json.dumps([{"field": "Subject", "value": mark}])
            found = self._call("GET", f"ticket/{ticket}/attachments", "items", params={"query": query})
            return mark if found["items"] else None

        step.once(name, add, find=look)
        if look() is None:
            raise ConnectorRefused(
                f"ticket {ticket} has a comment that RT's user cannot see; give it the right ShowTicketComments, "
                "without which a repeat cannot be prevented"
            )

    # --- errors --------------------------------------------------------------------------

    def judge(self, answer: Response) -> DeliveryError | None:
        if answer.status_code // 100 == 2:
            return None
        known = next((verdict for text, verdict in MEANS.items() if text in answer.content), RecordRefused)
        return refusal(answer, {**STATUS, 400: known}, self.mask)

    def _judge_of_ticket(self, answer: Response) -> DeliveryError | None:
        """What an answer means when the request names a ticket that was made earlier."""
        if answer.status_code == 404:
            return RecordRefused("the ticket is no longer in RT; it was removed there", status=404)
        if answer.status_code == 403:
            return RecordRefused("the ticket was moved to a queue that RT's user may not see", status=403)
        return self.judge(answer)

    # --- looking first -------------------------------------------------------------------

    def check(self) -> Iterator[Finding]:
        settings = self.settings
        yield Finding(True, f"RT {self._call('GET', 'rt', 'Version')['Version']} at {self._base} knows the credentials")
        queue = self._queue()
        yield Finding(
            bool(queue),
            f"queue '{settings.queue}' {_seen(queue)}",
            "correct queue (write its number where the name has a slash), or give RT's user the right SeeQueue",
        )
        if not queue:
            return
        usable = _offers(queue, "create") and str(queue["Disabled"]) == "0"
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
        newest = {"query": f"Queue = {queue['id']}", "per_page": "1", "orderby": "id", "order": "DESC"}
        for ticket in self._call("GET", "tickets", "items", params={**newest, "fields": "_hyperlinks"})["items"]:
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
    def _base(self) -> str:
        return str(self.settings.url).rstrip("/")

    def _queue(self) -> Any:
        """The queue; empty where there is none or it may not be seen, which RT does not tell apart."""
        found = self._call(
            "GET",
            f"queue/{quote(self.settings.queue, safe='')}",
            "TicketCustomFields",
            "message",
            judge=lambda answer: None if answer.status_code in (403, 404) else self.judge(answer),
        )
        return found if "message" not in found else {}

    def _call(self, method: str, path: str, *expected: str, **options: Any) -> Any:
        """The JSON of an answer that has one of `expected`."""
        # https://docs.bestpractical.com/rt/latest/RT/REST2.html#Authentication-Methods
        settings = self.settings
        if settings.token:
            options["headers"] = {"Authorization": f"token {settings.token.get_secret_value()}"}
        elif settings.password:
            options["auth"] = (settings.user, settings.password.get_secret_value())
        answer = self.http.json(method, f"{self._base}/REST/2.0/{path}", **options)
        if expected and not (isinstance(answer, dict) and any(name in answer for name in expected)):
            raise RetryLater(f"expected '{expected[0]}' in the answer to {method} {path}")
        return answer


def _requestor(person: Person | None) -> str | None:
    """RT makes the user of `"Name" <address>`. For an address that is not ASCII it would make none, silently."""
    if person is None or not person.email.isascii() or len(person.email) > ADDRESS:
        return None
    return f'"{quoted(person.name)}" <{person.email}>'


def _in_utc(time: datetime | None) -> str | None:
    return time.astimezone(UTC).replace(tzinfo=None).isoformat(" ", "seconds") if time else None


def _fields(queue: Any) -> dict[str, str]:
    """The numbers of a queue's custom fields, by name in small letters and by number."""
    fields = queue["TicketCustomFields"]
    return {field["id"]: field["id"] for field in fields} | {field["name"].lower(): field["id"] for field in fields}


def _offers(record: Any, action: str) -> bool:
    """RT links what its user may do."""
    return any(link["ref"] == action for link in record["_hyperlinks"])


def _seen(there: Any) -> str:
    return "is there" if there else "is not there, or RT's user may not see it"


def _in_query(text: str) -> str:
    """As a quoted value of a ticket query, which ends at no quotation mark of its own."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _octets(text: str) -> int:
    return len(text.encode())
