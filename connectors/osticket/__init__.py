"""osTicket 1.17 and 1.18: a ticket for each chat, by emails that are posted to its API.

Documentation: docs/connectors/osticket.md. Its JSON makes tickets and nothing else, and two when it is asked twice. An
email whose Message-ID it has seen is answered with the ticket that this made, and one that refers to it is added there:
https://github.com/osTicket/osTicket/blob/v1.18/include/api.tickets.php (processEmail).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from functools import cached_property, partial
from hashlib import sha256
from typing import Any

from requests import Response

from connectors.kit.auth.credentials import Credentials, Header
from connectors.kit.capabilities import Capabilities
from connectors.kit.connector import Finding, HttpConnector, Receipt, Step
from connectors.kit.record import Mapping
from connectors.kit.text.parts import Layout
from connectors.osticket.settings import OsTicketSettings
from core.conversation import Conversation
from core.delivery import Reference
from core.errors import ConnectorRefused, DeliveryError, RecordRefused, RetryLater

#: Characters of one email; what is longer continues in further ones. PHP takes 8 MB.
PARTS = Layout(100_000, shown=False)
SUBJECT = 200
#: A number of a ticket, whatever an admin made them look like.
_NUMBER = re.compile(r"[\w-]{1,20}")


class OsTicket(HttpConnector[OsTicketSettings]):
    label = "osTicket"
    makes = "a ticket of the visitor's, with the transcript in its messages"
    capabilities = Capabilities(
        person="a user, by email, made with the ticket; without an email, a made-up address",
        revision="the whole chat, as a further message",
        idempotent="the Message-ID, by which osTicket knows a repeat",
    )
    speaks_json = False

    @property
    def base(self) -> str:
        return str(self.settings.url).rstrip("/")

    @cached_property
    def credentials(self) -> Credentials:
        return Header(self.settings.key, "X-API-Key", "")

    def deliver(self, conversation: Conversation, receipt: Receipt, step: Step) -> Reference:
        own = self.settings
        way = "placeholder" if own.without_email == "nobody" else own.without_email
        words = Mapping(own.model_copy(update={"without_email": way}), conversation)
        mail = partial(self._mail, words, conversation, receipt)
        number = receipt.number
        first = PARTS.parts(words, number)

        def post(revision: int, html: str) -> dict[str, Any]:
            return {"number": self._post(mail("", html)), "revision": revision, "came": number}

        def find() -> dict[str, Any]:
            """The ticket that this email made, or makes now; osTicket does not say which. Where what made it may have
            been another text, it is the subject alone, and the text follows: there once either way."""
            if step.begun("ticket") == number:
                return post(number, first[0].body)
            return post(0, words.heading(SUBJECT))

        made = step.once("ticket", partial(post, number, first[0].body), find=find, revision=number)
        revised = number != made.get("came", made["revision"])
        parts = first if not revised else PARTS.parts(words, number, revised=True)
        for part in parts[1 if made["revision"] == number else 0 :]:
            name = f"{number}.{part.number}"
            step(f"message {name}", partial(self._post, mail(f".{name}", part.body)))
        return Reference(made["number"], f"{self.base}/scp/tickets.php?number={made['number']}")

    # --- what the vendor means -----------------------------------------------------------

    def judge(self, answer: Response) -> DeliveryError | None:
        """Errors are texts; what is wrong with one ticket is a 403 (a filter, a ban) or a 500 that says so."""
        error = super().judge(answer)
        refused = answer.status_code == 500 and b"Unable to create new ticket" in answer.content
        if refused or (answer.status_code == 403 and type(error) is ConnectorRefused):
            return RecordRefused(str(error), status=answer.status_code)
        return error

    # --- looking first -------------------------------------------------------------------

    def check(self) -> Iterator[Finding]:
        # Of an empty email no ticket can be made; the key is asked for before it is read.
        self.http.request("POST", f"{self.base}/api/tickets.email", data=b"", judge=self._judge_empty)
        yield Finding(True, "osTicket accepts the key from this address")

    def _judge_empty(self, answer: Response) -> DeliveryError | None:
        if answer.status_code // 100 == 2:
            return RetryLater("an empty email was taken: osTicket would not", status=answer.status_code)
        said = answer.status_code in (400, 500) and b"<" not in answer.content and b"{" not in answer.content
        return None if said else self.judge(answer)

    def imagine(self, method: str, path: str, body: Any) -> Any:
        """The number of a new ticket."""
        return 100001

    # --- the emails ----------------------------------------------------------------------

    def _post(self, mail: EmailMessage) -> str:
        answer = self.http.request(
            "POST",
            f"{self.base}/api/tickets.email",
            repeatable=True,
            data=mail.as_bytes(),
            headers={"Content-Type": "message/rfc822"},
        )
        number = answer.text.strip()
        if not _NUMBER.fullmatch(number):
            raise RetryLater("expected the number of a ticket, got something else", status=answer.status_code)
        return number

    def _mail(self, words: Mapping, conversation: Conversation, receipt: Receipt, end: str, html: str) -> EmailMessage:
        """`end` tells one email of a conversation from the others; the first has none."""
        person = words.person
        assert person is not None  # noqa: S101  # who has no email has a made-up one
        # osTicket does not tell capitals in it from small letters, and names may differ in these alone.
        name = f"smartsupp.{sha256(words.key.encode()).hexdigest()[:32]}"
        mail = EmailMessage(policy=SMTP)
        user, _, domain = person.email.rpartition("@")
        mail["From"] = Address(person.name, user, domain)
        mail["To"] = self.settings.address
        # It takes "#123" in a subject of its owner's for the number of a ticket.
        mail["Subject"] = words.subject(SUBJECT).replace("#", "#\u2060")
        ended = conversation.span()[1] / 1000 or receipt.revision.received_at.timestamp()
        mail["Date"] = format_datetime(datetime.fromtimestamp(ended, UTC))
        mail["Message-ID"] = f"<{name}{end}@smartsupp.invalid>"
        if end:
            mail["References"] = f"<{name}@smartsupp.invalid>"
        # RFC 3834: osTicket makes the ticket, and writes nothing to the visitor.
        mail["Auto-Submitted"] = "auto-generated"
        mail["X-Smartsupp-Conversation"] = words.key
        mail.set_content(html, subtype="html", cte="quoted-printable")
        return mail
