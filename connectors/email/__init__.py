"""Email: a chat as an email to a help desk or to a person, by a mail server of the shop's.

https://www.rfc-editor.org/rfc/rfc5322 (messages), /rfc5321 (SMTP), /rfc3834 (mail that a program writes)
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

from markupsafe import Markup

from connectors.email.settings import EmailSettings
from connectors.kit.capabilities import Capabilities
from connectors.kit.connector import Connector, Finding, Receipt, Step
from connectors.kit.mail.message import Attachment, Mail, header_text, mailbox
from connectors.kit.mail.smtp import Smtp
from connectors.kit.record import Mapping
from connectors.kit.text.formats import PLAIN
from connectors.kit.text.parts import Layout, Part, append
from connectors.kit.text.revisions import tell, told
from connectors.kit.transcript import as_text, inert
from connectors.kit.wire.outcome import forgotten_where_untaken, unknown_outcome
from core.conversation import Conversation
from core.delivery import Reference
from core.errors import PayloadError, RecordRefused

#: Characters of HTML in one email. Gmail shows 102 kB of one, and a character may have two bytes, or four.
EMAILS = Layout(30_000, mark="{} {}.{}".format, shown=False)
SUBJECT = 200
#: Emails of a thread that a later one refers to, beside the first (RFC 5322, 3.6.4).
_REFERENCES = 5
#: Characters of the part of a Message-ID before the @. Some mail programs cut the whole at 255.
_LONGEST_ID = 120


@dataclass(frozen=True)
class _Thread:
    """The emails of one chat. The first has an id of its own, which later ones can refer to whoever has forgotten it;
    the others have one that is made of revision and part, so that no id ever stands for two texts."""

    begin: str
    domain: str
    #: The revision that was sent first, to all that is remembered here, and whether the store can have forgotten none.
    first: int
    is_sure: bool

    def message_id(self, revision: int, part: int) -> str:
        if self.is_sure and (revision, part) == (self.first, 1):
            return self.root
        return f"<{self.begin}+{revision}.{part}@{self.domain}>"

    @property
    def root(self) -> str:
        return f"<{self.begin}@{self.domain}>"


@dataclass(frozen=True)
class _Chat:
    """One delivery: what each of its emails is made of."""

    conversation: Conversation
    receipt: Receipt
    step: Step
    words: Mapping
    thread: _Thread
    recipients: tuple[str, ...]
    subject: str


class Email(Connector[EmailSettings]):
    label = "Email"
    makes = "an email with the transcript to a help desk or a person"
    capabilities = Capabilities(
        person="in *Reply-To*, where the address is one",
        revision="what is new, as a reply in the thread",
        idempotent="the Message-ID, by which whoever reads it can know a repeat; or a person decides",
        files="a transcript that is too long for one email",
    )

    def __init__(self, name: str, settings: EmailSettings, data_dir: Path) -> None:
        super().__init__(name, settings, data_dir)
        self._smtp = Smtp(
            settings,
            sender=settings.from_address,
            timeout=settings.timeout,
            allow_networks=settings.allow_networks,
            mask=self.mask,
        )

    @property
    def wire(self) -> Smtp:
        return self._smtp

    def deliver(self, conversation: Conversation, receipt: Receipt, step: Step) -> Reference:
        words, number = Mapping(self.settings, conversation), receipt.number
        _ = words.person  # raises Skipped where the admin wants that
        if not any(name.startswith("mail ") for name in step.done):  # none was sent, nor has any begun
            step.keep("first", {"revision": number, "sure": step.first})
        first = step.recall("first")
        begin, _, domain = step("thread", lambda: f"{_slug(receipt.delivery)}@{self._domain}").rpartition("@")
        thread = _Thread(begin, domain, first["revision"], first["sure"])
        recipients = self._recipients(words, step)
        chat = _Chat(conversation, receipt, step, words, thread, recipients, self._subject(words, receipt))
        revised = number != thread.first
        known = told(step, receipt, thread.root) if revised else None
        parts = EMAILS.parts(words, number, revised=revised, after=known)
        file = None
        if len(parts) > 1 and self.settings.long_transcript == "attach":
            file = Attachment(_file_name(conversation), as_text(conversation, words.voice))
            parts = [self._first_of(words, parts, file)]
        append(step, "mail", parts, write=partial(self._send, chat, file), look=partial(self._look, chat))
        tell(step, receipt, thread.root)
        return Reference(thread.root)

    # --- one email ------------------------------------------------------------------------

    def _send(self, chat: _Chat, file: Attachment | None, part: Part) -> str:
        mail = self._mail(chat, part, file)
        with forgotten_where_untaken(chat.step, _step(part)):
            self._smtp.send(mail, own=set(chat.recipients) - set(self.settings.addresses))
        return mail.message_id

    def _look(self, chat: _Chat, part: Part) -> None:
        """A mail server cannot be asked."""
        unknown_outcome(
            chat.step,
            _step(part),
            self.settings.repeatable,
            "nobody knows whether the mail server took this email; if it has arrived, discard this delivery; if not, "
            "replay it",
        )

    def _mail(self, chat: _Chat, part: Part, file: Attachment | None) -> Mail:
        thread, settings = chat.thread, self.settings
        own = thread.message_id(part.revision, part.number)
        return Mail(
            message_id=own,
            sender=settings.from_address,
            sender_name=chat.words.render(settings.from_name),
            recipients=chat.recipients,
            # When we were told of what is in it: the same whenever it is sent, and never years ago.
            date=chat.receipt.revision.received_at,
            headers={name: text for name, text in self._headers(chat, own).items() if text},
            text=PLAIN.of(part.body) + "\n",
            html=f'<!doctype html><html><head><meta charset="utf-8"></head><body>{part.body}</body></html>\n',
            attachments=(file,) if file else (),
        )

    def _headers(self, chat: _Chat, own: str) -> dict[str, str]:
        words, auto = chat.words, self.settings.auto_submitted
        person, earlier = words.person, self._earlier(chat, own)
        # An address with letters beyond ASCII needs a server that takes SMTPUTF8; the transcript has it.
        replies = person is not None and person.email.isascii()
        return {
            "Reply-To": mailbox(person.given, person.email) if person and replies else "",
            "Subject": header_text(chat.subject),
            "In-Reply-To": earlier[-1] if earlier else "",
            "References": " ".join(earlier),
            "Keywords": header_text(", ".join(words.tags())),
            "X-Smartsupp-Conversation": header_text(chat.conversation.key),
            # https://www.rfc-editor.org/rfc/rfc3834#section-5
            "Auto-Submitted": "auto-generated" if auto else "",
            # https://learn.microsoft.com/en-us/openspecs/exchange_server_protocols/ms-oxcmail
            "X-Auto-Response-Suppress": "All" if auto else "",
            **{name: header_text(text) for name, text in words.fields().items()},
        }

    def _earlier(self, chat: _Chat, own: str) -> list[str]:
        """The thread's emails before this one: the first, whether or not it is remembered, and the last."""
        sent = sorted(
            ([int(piece) for piece in name.removeprefix("mail ").split(".")], str(chat.step.recall(name)))
            for name in chat.step.done
            if name.startswith("mail ") and not name.endswith("?")
        )
        root = chat.thread.root
        if own == root:
            return []
        others = [found for _, found in sent if found not in (root, own)]
        return [root, *others[-_REFERENCES:]]

    def _first_of(self, words: Mapping, parts: list[Part], file: Attachment) -> Part:
        """The first part, which says where all of it is instead of how many there are."""
        sign = Markup("<p><i>{}</i></p>")
        old = sign.format(words.voice.say("part", number=1, total=len(parts)))
        new = sign.format(inert(words.voice.say("attached", file=file.name)))
        return replace(parts[0], body=parts[0].body.replace(str(old), str(new), 1))

    # --- to whom, and about what ------------------------------------------------------------

    @cached_property
    def _domain(self) -> str:
        return self.settings.from_address.rpartition("@")[2].lower()

    def _recipients(self, words: Mapping, step: Step) -> tuple[str, ...]:
        """Raises RecordRefused where nobody is left."""
        found, wrong = [], False
        for one in self.settings.to:
            try:
                found.append(words.filled(one))
            except ValueError:
                wrong = True
        step.note("to", "A template under 'to' comes out as no email address for this chat." if wrong else "")
        named = tuple(dict.fromkeys(filter(None, found)))
        if not named:
            raise RecordRefused("the templates under 'to' name nobody for this chat; add an address without a template")
        return named

    def _subject(self, words: Mapping, receipt: Receipt) -> str:
        """That of the first revision that is known: mail programs take another subject for another thread."""
        try:
            first = receipt.read(receipt.history()[0])
        except (IndexError, PayloadError):  # as another version of us read it
            return words.subject(SUBJECT)
        return Mapping(self.settings, first).subject(SUBJECT)

    # --- looking first ----------------------------------------------------------------------

    def check(self) -> Iterator[Finding]:
        """Everything but the email itself: the connection, its certificate, the login, and whether the server takes
        mail from us for these recipients."""
        settings = self.settings
        seen = self._smtp.look(settings.addresses)
        place = f"{settings.host}:{settings.open_port}"
        yield Finding(True, f"{place} is a mail server; its certificate is right ({seen.tls})")
        login = f"the login as {settings.user} is accepted" if seen.logged_in else "no login: none is in the settings"
        yield Finding(True, login)
        if seen.accepted:
            whom = ", ".join(seen.accepted)
            yield Finding(True, f"it takes mail from {settings.from_address} for {whom}; none was sent")
        if len(settings.addresses) < len(settings.to):
            yield Finding(True, "recipients by template are seen with each chat")

    def imagine(self, method: str, path: str, body: Any) -> Any:
        """A mail server says nothing that is read."""


def _slug(delivery: str) -> str:
    """What is before the @ of the first Message-ID: `smartsupp+desk+208+55039`, of letters that an id can have
    (RFC 5322, atext)."""
    spelled = quote(delivery, safe=":").replace(":", "+").replace(".", "%2E")
    return "smartsupp+" + (spelled if len(spelled) <= _LONGEST_ID else hashlib.sha256(delivery.encode()).hexdigest())


def _file_name(conversation: Conversation) -> str:
    name = "".join(one if one.isascii() and one.isalnum() else "-" for one in conversation.key)
    return f"chat-{name[:60]}.txt"


def _step(part: Part) -> str:
    """As `append` names it."""
    return f"mail {part.revision}.{part.number}"
