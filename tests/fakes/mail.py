"""A help desk that is reached by mail: a mail server with TLS and a login, and the tickets that it makes.

It keeps what it took by Message-ID: a mail that comes twice is one, and one that refers to another belongs to the
ticket of that one, as osTicket, Zammad and Odoo do it. A mailbox (`is_desk` is False) keeps every mail.
"""

from __future__ import annotations

import asyncio
import html
import json
import re
import ssl
import threading
from collections.abc import Callable
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any, Self

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword

from connectors.testing.fake import Answer, Request
from tests.support.certificates import Authority
from tests.support.stack import free_port

USER, PASSWORD = "relay", "mail-password-0123456789"


def certified(authority: Authority) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority.issue("mail", "127.0.0.1"))
    return context


class MailDesk:
    """What does as a Fake does (connectors/testing/fake.py). An answer in `instead` is given at the place that its
    header `at` names: GREETING, AUTH, MAIL, RCPT, or DATA, which is the end of the text; without one, at DATA."""

    def __init__(self, context: ssl.SSLContext | None, *, security: str = "starttls") -> None:
        """Without a context it has no TLS, and offers none."""
        self.is_desk = True
        self.requests: list[Request] = []
        self.instead: list[Answer] = []
        self.lose_reply_after: int | None = None
        self.pause = 0.0
        self.hanging = False
        self.over = threading.Event()
        #: Recipients whom it does not know, and those whom it greylists: refused for now when they come first.
        self.unknown: set[str] = set()
        self.greylisted: set[str] = set()
        self.mails: dict[str, EmailMessage] = {}
        #: Every text that was taken, doubles included, as (recipients, bytes).
        self.taken: list[tuple[list[str], bytes]] = []
        #: Hands over what it takes, and says whether that worked; None: it keeps it itself.
        self.gateway: Callable[[bytes], bool] | None = None
        #: What it was ever asked.
        self.commands: set[str] = set()
        self._threads: dict[str, str] = {}
        self._port = free_port()
        starttls = security == "starttls"
        self._controller = _Controller(
            self,
            hostname="127.0.0.1",
            port=self._port,
            ready_timeout=30,
            ssl_context=None if starttls else context,
            tls_context=context if starttls else None,
            require_starttls=starttls and context is not None,
            authenticator=self._log_in,
            # aiosmtpd takes TLS from the first byte for none, and warns.
            auth_required=starttls and context is not None,
            auth_require_tls=starttls and context is not None,
        )

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self._port}"

    @property
    def port(self) -> int:
        return self._port

    # --- what a contract asks of a fake ---------------------------------------

    def people(self) -> list[str]:
        """Whom a desk would answer."""
        return sorted({str(one["Reply-To"]) for one in self.mails.values() if one["Reply-To"]})

    def records(self) -> list[list[EmailMessage]]:
        """The tickets, each with its mails."""
        found: dict[str, list[EmailMessage]] = {}
        for own, mail in self.mails.items():
            found.setdefault(self._threads[own], []).append(mail)
        return list(found.values())

    def texts(self) -> list[str]:
        """The HTML of each mail, and after it what is attached."""
        return [text for mail in self.mails.values() for text in shown(mail)]

    def writes(self) -> list[Request]:
        return [one for one in self.requests if one.method == "MAIL"]

    def forget(self) -> None:
        """As if nothing had been taken so far."""
        self.mails.clear()
        self._threads.clear()

    # --- the server ------------------------------------------------------------

    def _log_in(self, server: SMTP, session: Any, envelope: Any, mechanism: str, given: Any) -> AuthResult:
        if answer := self._answer("AUTH"):
            return AuthResult(success=False, handled=False, message=answer)
        right = isinstance(given, LoginPassword) and given == LoginPassword(USER.encode(), PASSWORD.encode())
        return AuthResult(success=right, handled=False)

    async def handle_MAIL(  # noqa: N802  # aiosmtpd's name
        self, server: SMTP, session: Any, envelope: Any, address: str, options: list[str]
    ) -> str:
        envelope.mail_from = address
        return self._answer("MAIL") or "250 OK"

    async def handle_RCPT(  # noqa: N802
        self, server: SMTP, session: Any, envelope: Any, address: str, options: list[str]
    ) -> str:
        if address in self.unknown:
            return "550 5.1.1 no such user here"
        if address in self.greylisted:
            self.greylisted.discard(address)
            return "450 4.2.0 greylisted, come back in a minute"
        if not (answer := self._answer("RCPT")):
            envelope.rcpt_tos.append(address)
        return answer or "250 OK"

    async def handle_DATA(self, server: SMTP, session: Any, envelope: Any) -> str:  # noqa: N802
        await asyncio.sleep(self.pause)
        self.requests.append(Request("MAIL", "", {}, {}, envelope.content.decode("ascii")))
        if answer := self._answer("DATA"):
            return answer
        if self.gateway and not await asyncio.to_thread(self.gateway, envelope.content):
            return "451 4.3.0 the gateway did not take it"
        self._take(envelope.rcpt_tos, envelope.content)
        lost = self.lose_reply_after == 0
        if self.lose_reply_after is not None:
            self.lose_reply_after = None if lost else self.lose_reply_after - 1
        if lost:
            assert isinstance(server.transport, asyncio.Transport)
            server.transport.abort()
        return "250 2.0.0 taken as 4711"

    def _take(self, recipients: list[str], content: bytes) -> None:
        self.taken.append((list(recipients), content))
        mail = message_from_bytes(content, policy=policy.default)
        own = str(mail["Message-ID"])
        if not self.is_desk:
            own = f"{own} {len(self.taken)}"
        refers = f"{mail['References'] or ''} {mail['In-Reply-To'] or ''}".split()
        known = next((self._threads[one] for one in refers if one in self._threads), own)
        if own not in self.mails:
            self.mails[own], self._threads[own] = mail, known

    def _answer(self, place: str) -> str:
        """The answer to give instead at a place, or ""."""
        if self.instead and self.instead[0].headers.get("at", "DATA") == place and self.instead[0].status != 200:
            one = self.instead.pop(0)
            text = one.body if isinstance(one.body, str) else json.dumps(one.body)
            return f"{one.status} {text}"
        return ""

    def _greeting(self) -> str:
        """What stands in place of the greeting, or ""."""
        if self.instead and (self.instead[0].status == 200 or self.instead[0].headers.get("at") == "GREETING"):
            one = self.instead.pop(0)
            self.requests.append(Request("CONNECT", "", {}, {}, None))
            return str(one.body) if one.status == 200 else f"{one.status} {one.body}"
        return ""

    def __enter__(self) -> Self:
        self._controller.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        self._controller.stop()


class _Controller(Controller):
    def factory(self) -> SMTP:
        return _Server(self.handler, **self.SMTP_kwargs)


class _Server(SMTP):
    """Greets as the desk wants, once for each connection."""

    greeted = False

    async def smtp_AUTH(self, arg: str) -> None:  # noqa: N802
        self.event_handler.commands.add("AUTH")
        await super().smtp_AUTH(arg)

    async def smtp_MAIL(self, arg: str | None) -> None:  # noqa: N802
        self.event_handler.commands.add("MAIL")
        await super().smtp_MAIL(arg)

    async def push(self, status: Any) -> None:
        desk: MailDesk = self.event_handler
        if not self.greeted:
            self.greeted = True
            while desk.hanging and not desk.over.is_set():
                await asyncio.sleep(0.02)
            if instead := desk._greeting():
                await super().push(instead)
                assert self.transport
                self.transport.close()
                return
        await super().push(status)


def shown(mail: EmailMessage) -> list[str]:
    """A mail as HTML, and its files as HTML too."""
    body = mail.get_body(("html", "plain"))
    assert body is not None
    files = [html.escape(str(part.get_content())) for part in mail.iter_attachments()]
    inside = re.search(r"<body>(.*)</body>", body.get_content(), re.DOTALL)
    return [inside[1] if inside else str(body.get_content()), *files]
