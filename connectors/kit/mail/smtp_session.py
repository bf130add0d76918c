"""The dialogue with a mail server, by smtplib: on a connection that our guard makes, and in the time that is left.

What the server answers is judged elsewhere (smtp.py): here an answer is the expected one, or it is a refusal.
"""

from __future__ import annotations

import re
import smtplib
import socket
import ssl
from collections.abc import Callable, Container, Sequence
from functools import partial
from io import BufferedReader
from typing import Any

from connectors.kit.http import CONNECT_SECONDS
from connectors.kit.mail.trust import trusted
from connectors.kit.ssrf_guard import connect_guarded
from connectors.kit.transport.connection import TimedStream
from core.config.environment import Network
from core.config.types.mail_server import MailServer
from core.errors import ConnectorRefused, RecordRefused

#: What the dialogue is about when the server answers.
_GREETING, _HELLO, _TLS, _LOGIN = "the greeting", "EHLO", "STARTTLS", "the login"
SENDER, RECIPIENT, TEXT = "the sender", "the recipient", "the mail"


class SmtpRefusal(Exception):
    """The server's answer was no. `alone`: it says something of this mail alone."""

    def __init__(self, about: str, code: int, said: bytes | str, *, alone: bool = False) -> None:
        self.about, self.code, self.alone = about, code, alone or about == TEXT
        self.said = said.decode("utf-8", "replace") if isinstance(said, bytes) else said
        super().__init__(about)


class SmtpSession(smtplib.SMTP):
    """smtplib's dialogue on a connection that our guard makes, and on the time that the attempt has left."""

    def __init__(
        self,
        server: MailServer,
        networks: Sequence[Network],
        timeout: float,
        left: Callable[[], float],
        sender: str,
    ) -> None:
        # smtplib would ask the name server for this machine's name, and tell it to everybody.
        super().__init__(local_hostname=sender.rpartition("@")[2], timeout=timeout)
        self._server, self._networks, self._patience, self._left = server, networks, timeout, left
        self._host = server.host  # what the certificate has to be for
        self.about, self.opened, self.tls, self.size = _GREETING, False, "", 0

    # --- smtplib's own hooks --------------------------------------------------------------

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        sock = connect_guarded(host, port, self._networks, self._left, min(CONNECT_SECONDS, self._left()))
        self.opened = True
        if self._server.security == "starttls":
            return sock
        try:
            return trusted().wrap_socket(sock, server_hostname=host)
        except BaseException:
            sock.close()
            raise

    def getreply(self) -> tuple[int, bytes]:
        if self.file is None and self.sock is not None:
            self.sock.settimeout(self._patience)
            raw = self.sock.makefile("rb", buffering=0)
            self.file = BufferedReader(TimedStream(self.sock, raw, self._left))
        return super().getreply()

    def send(self, s: Any) -> None:
        if self.sock is not None:
            self.sock.settimeout(min(self._patience, self._left()) if len(s) < 10_000 else self._left())
        super().send(s)

    # --- the dialogue ---------------------------------------------------------------------

    def open(self) -> None:
        """Raises SmtpRefusal, SMTPException, OSError, ConnectorRefused."""
        self._must(_GREETING, lambda: self.connect(self._server.host, self._server.open_port), 220)
        self._hello()
        if self._server.security == "starttls":
            if not self.has_extn("starttls"):
                raise ConnectorRefused(
                    f"{self._server.host}:{self._server.open_port} offers no STARTTLS, and mail is sent by TLS alone;"
                    " use another port, or security: tls"
                )
            self.about = _TLS
            self.starttls(context=trusted())
            self._hello()
        self.tls = str(self.sock.version()) if isinstance(self.sock, ssl.SSLSocket) else ""
        self.size = int(found[0]) if (found := re.search(r"\d+", self.esmtp_features.get("size", ""))) else 0
        if self._server.user:
            self.about = _LOGIN
            self._log_in()

    def envelope(
        self,
        sender: str,
        recipients: Sequence[str],
        size: int = 0,
        own: Container[str] = (),
        *,
        some: bool = False,
    ) -> Sequence[str]:
        """Raises SmtpRefusal, RecordRefused."""
        if size > self.size > 0:
            raise RecordRefused(f"the mail has {size} bytes; the mail server takes {self.size}")
        options = [f"SIZE={size}"] if size and self.has_extn("size") else []
        self._must(f"{SENDER} {sender}", lambda: self.mail(sender, options), 250)
        taken = []
        for one in recipients:
            try:
                self._must(f"{RECIPIENT} {one}", partial(self.rcpt, one), 250, 251, 252, alone=one in own)
                taken.append(one)
            except SmtpRefusal:
                if not some or (one == recipients[-1] and not taken):
                    raise
        return taken

    def hand_over(self, data: bytes) -> tuple[int, bytes]:
        """Raises SmtpRefusal."""
        self._must("DATA", lambda: self.docmd("DATA"), 354)
        self.about = TEXT
        self.send(re.sub(rb"(?m)^\.", b"..", data.rstrip(b"\r\n") + b"\r\n") + b".\r\n")
        return self._must(TEXT, self.getreply, 250)

    def _hello(self) -> None:
        self.about = _HELLO
        self.ehlo_or_helo_if_needed()

    def _log_in(self) -> None:
        try:
            self.login(self._server.user, self._server.password.get_secret_value())
        except smtplib.SMTPResponseException:
            raise
        except smtplib.SMTPServerDisconnected:
            raise
        except smtplib.SMTPException as error:  # it offers none, or none that smtplib knows
            raise ConnectorRefused(
                f"{self._server.host} offers no login with a password; remove user and password, or ask its operator"
            ) from error

    def _must(
        self, about: str, ask: Callable[[], tuple[int, bytes]], *right: int, alone: bool = False
    ) -> tuple[int, bytes]:
        self.about = about
        code, said = ask()
        if code not in right:
            raise SmtpRefusal(about, code, said, alone=alone)
        return code, said
