"""How Request Tracker is asked, what its answers mean, and what its queues and users are.

https://docs.bestpractical.com/rt/latest/RT/REST2.html
"""

from __future__ import annotations

import json
from email.utils import quote as quoted
from functools import cached_property
from typing import Any, ClassVar
from urllib.parse import quote

from connectors.kit.auth.credentials import Basic, Credentials, Header
from connectors.kit.capabilities import Capabilities
from connectors.kit.connector import HttpConnector
from connectors.kit.record import Person
from connectors.kit.reply import Reply
from connectors.kit.text.parts import Layout, octets
from connectors.kit.wire.verdicts import PAUSE, WAIT, Verdicts, When
from connectors.kit.work.owner import Owners
from connectors.request_tracker.settings import RequestTrackerSettings
from core.wording.sentence import to_be_said

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
REQUESTOR = "requestor"
OF_NEW = When((400,), steps=(REQUESTOR,), said=(b"requestor",), refused=True)
OF_TICKET = (
    When((404,), text="the ticket is no longer in RT; it was removed there"),
    When((403,), text="the ticket was moved to a queue that RT's user may not see"),
)
_NO_QUEUE = ("Forbidden", "Not Found")
OF_QUEUE = When((403, 404), then=None, every={"message": {*_NO_QUEUE}})
OF_USER = When((404,), then=None, every={"message": {"Not Found"}})
#: For a new user: somebody has the name or the address.
IN_USE = When((400,), then=None, said=(b"in use",))
#: For one of whom RT is told nothing but name and address, which it does not take.
OF_ADDRESS = When((400,), steps=(REQUESTOR,), refused=True)
ADDRESS = 120  # characters that RT's database holds; it cuts what is longer, and a cut address is another one
#: Who has a ticket that nobody has.
NOBODY = "Nobody"
#: Bytes of a body that RT shows in a ticket's history; of a longer one it says that it is too large ($MaxInlineBody).
COMMENTS = Layout(25_000, octets, mark="{} {}.{}".format, shown=False)
SUBJECT = 200  # characters that RT's database holds; it cuts what is longer


class RequestTrackerApi(HttpConnector[RequestTrackerSettings]):
    """The part of the connector that knows nothing of chats."""

    label = "Request Tracker"
    makes = "a ticket in a queue, with the transcript in internal comments"
    capabilities = Capabilities(
        person="a requestor, by email, made with the ticket; filled with `manage_users`",
        revision="what is new, as an internal comment",
        idempotent="looked for in the database, by field and mark",
        files="attached to an internal comment",
    )
    verdicts: ClassVar[Verdicts | None] = VERDICTS

    @property
    def base(self) -> str:
        return str(self.settings.url).rstrip("/")

    @cached_property
    def credentials(self) -> Credentials:
        # https://docs.bestpractical.com/rt/latest/RT/REST2.html#Authentication-Methods
        own = self.settings
        if own.token:
            return Header(own.token, kind="token ")
        return Basic(own.user, own.password.get_secret_value() if own.password else "")

    def ask(self, method: str, path: str, **options: Any) -> Reply:
        return super().ask(method, f"/REST/2.0/{path}", **options)

    def page_of(self, ticket: str) -> str:
        return f"{self.base}/Ticket/Display.html?id={ticket}"

    def queue_of(self, name: str) -> Reply | None:
        """The queue; None where there is none or it may not be seen, which RT does not tell apart."""
        found = self.ask("GET", f"queue/{quote(name, safe='')}", judge=self.when(OF_QUEUE))
        if found.object.keys() == {"message"} and found["message"].text in _NO_QUEUE:
            return None
        _ = found["TicketCustomFields"].list
        return found

    def takes_tickets(self, name: str) -> bool:
        """Whether there is such a queue, and RT's user may make tickets in it; asked once for all workers."""
        if self.cache.pretends:
            return True
        return self.cache.get(f"queue {name}", lambda: usable(self.queue_of(name)))

    # --- who gets the ticket ---------------------------------------------------------------

    @cached_property
    def owners(self) -> Owners[str]:
        return Owners(
            self.cache,
            by_email=self._user_by_email,
            by_id=self._user_by_name,
            kind=to_be_said("a privileged user of RT"),
            imagined="…",
        )

    def _user_by_email(self, email: str) -> str | None:
        # https://docs.bestpractical.com/rt/latest/RT/REST2.html#Users : those that are disabled are not in it, and the
        # list of the privileged alone is younger than RT 5.0.3.
        params = {"query": json.dumps([{"field": "EmailAddress", "value": email}])}
        for one in self.ask("GET", "users", params=params)["items"]:
            if found := self._user_by_name(one["id"].id):
                return found
        return None

    def _user_by_name(self, named: str) -> str | None:
        found = self.ask("GET", f"user/{quote(named, safe='')}", judge=self.when(OF_USER))
        privileged = str(found.object.get("Privileged")) == "1" and str(found.object.get("Disabled") or "0") == "0"
        return found["Name"].text if privileged and found.object.get("Name") != NOBODY else None


def usable(queue: Reply | None) -> bool:
    return queue is not None and offers(queue, "create") and queue["Disabled"].id == "0"


def fields_of(queue: Reply) -> dict[str, str]:
    """The numbers of a queue's custom fields, by name in small letters and by number."""
    fields = [(field["id"].id, field["name"].text) for field in queue["TicketCustomFields"]]
    return {number: number for number, _ in fields} | {name.lower(): number for number, name in fields}


def offers(record: Reply, action: str) -> bool:
    """RT links what its user may do."""
    return any(link["ref"].text == action for link in record["_hyperlinks"])


def in_query(text: str) -> str:
    """As a quoted value of a ticket query, which ends at no quotation mark of its own."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def usable_address(email: str) -> bool:
    """For an address that is not ASCII RT would make no user, silently."""
    return email.isascii() and len(email) <= ADDRESS


def requestor_of(person: Person | None) -> str | None:
    """RT makes the user of `"Name" <address>`."""
    if person is None or not usable_address(person.email):
        return None
    return f'"{quoted(person.name)}" <{person.email}>'
