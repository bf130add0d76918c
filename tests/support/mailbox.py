"""A mail server on loopback that keeps what it is given: real SMTP with TLS, vouched for by an authority of its own."""

from __future__ import annotations

import ssl
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword

from tests.support.certificates import Authority
from tests.support.stack import free_port

USER, PASSWORD = "relay", "mail-password-0123456789"


class Mailbox:
    """`mails` came, in order; `recipients` of each as the envelope has them; `answer` is what a mail gets instead of
    being taken. With `starttls`, whoever does not log in is refused."""

    def __init__(self, folder: Path, *, security: str = "starttls") -> None:
        authority = Authority(folder / "mail")
        #: The certificate of the authority that vouches for it.
        self.authority = authority.file
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*authority.issue("mail", "127.0.0.1"))
        self.mails: list[EmailMessage] = []
        self.recipients: list[list[str]] = []
        self.answer = ""
        starttls = security == "starttls"
        self.port = free_port()
        self._controller = Controller(
            self,
            hostname="127.0.0.1",
            port=self.port,
            ssl_context=None if starttls else context,
            tls_context=context if starttls else None,
            require_starttls=starttls,
            authenticator=self._log_in,
            # aiosmtpd takes TLS from the first byte for none, and warns.
            auth_required=starttls,
            auth_require_tls=starttls,
        )

    def _log_in(self, server: SMTP, session: Any, envelope: Any, mechanism: str, given: Any) -> AuthResult:
        right = isinstance(given, LoginPassword) and given == LoginPassword(USER.encode(), PASSWORD.encode())
        return AuthResult(success=right, handled=False)

    async def handle_DATA(self, server: SMTP, session: Any, envelope: Any) -> str:  # noqa: N802  # aiosmtpd's name
        if self.answer:
            return self.answer
        self.recipients.append(list(envelope.rcpt_tos))
        self.mails.append(message_from_bytes(envelope.content, policy=policy.default))
        return "250 taken"

    def __enter__(self) -> Mailbox:
        self._controller.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._controller.stop()
