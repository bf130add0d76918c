"""How an email is handed to a mail server: by TLS alone, to addresses that may be reached, with an end for the whole.

What the server answers becomes the error whose class is the recovery (core/errors.py). One thing cannot be known: what
became of a text whose answer gets lost. It may have been taken; `RetryLater.untaken` is False of that alone.
"""

from __future__ import annotations

import re
import smtplib
import socket
import ssl
import time
from collections.abc import Callable, Container, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from http.client import HTTPException
from io import BufferedReader
from ipaddress import ip_address
from typing import Any

from requests.exceptions import ConnectTimeout

from connectors.kit.http import CONNECT_SECONDS
from connectors.kit.mail.message import Mail
from connectors.kit.mail.trust import trusted
from connectors.kit.responses import unanswered, without_frames, words
from connectors.kit.ssrf_guard import connect_guarded
from connectors.kit.transport.connection import NotConnected, TimedStream, as_requests_error
from connectors.kit.transport.plain_wire import PlainWire
from core.config.environment import Network
from core.config.types.mail_server import MailServer
from core.errors import ConnectorRefused, DeliveryError, RecordRefused, RetryLater, TimedOut

#: What the dialogue is about when the server answers.
_GREETING, _HELLO, _TLS = "the greeting", "EHLO", "STARTTLS"
_LOGIN, _SENDER, _RECIPIENT, _TEXT = "the login", "the sender", "the recipient", "the mail"

#: Whoever is refused so has to log in, or logged in wrongly, whenever it is said (RFC 4954).
_NOT_LET_IN = frozenset({530, 534, 535, 538})
#: The mail is too large: it is its own fault, and not the sender's whom the answer is about (RFC 1870). Of a recipient
#: it says that the mailbox is full (RFC 5321, 4.2.2).
_TOO_LARGE = 552


class _Refused(Exception):
    """The server's answer was no. `alone`: it says something of this mail alone."""

    def __init__(self, about: str, code: int, said: bytes | str, *, alone: bool = False) -> None:
        self.about, self.code, self.alone = about, code, alone or about == _TEXT
        self.said = said.decode("utf-8", "replace") if isinstance(said, bytes) else said
        super().__init__(about)


@dataclass(frozen=True)
class ServerLook:
    """What a look at a mail server saw: the version of TLS, whether somebody logged in, the bytes of a mail that it
    takes (0: it does not say), and the recipients whom it accepts, so far."""

    tls: str
    logged_in: bool
    size: int
    accepted: tuple[str, ...]


class Smtp(PlainWire):
    """The mail server of one connector. Threads share it; each mail has a connection of its own."""

    def __init__(
        self,
        server: MailServer,
        *,
        sender: str,
        timeout: float,
        allow_networks: Sequence[Network] = (),
        mask: Callable[[str], str] = str,
    ) -> None:
        """`sender` is the address that every mail comes from."""
        super().__init__(mask)
        self._server, self._sender, self._timeout = server, sender, timeout
        self._networks = tuple(allow_networks)

    @property
    def place(self) -> str:
        host = self._server.host
        with suppress(ValueError):
            host = f"[{host}]" if ip_address(host).version == 6 else host
        return f"smtp://{host}:{self._server.open_port}"

    def send(self, mail: Mail, *, own: Container[str] = (), some: bool = False) -> Sequence[str]:
        """Hand over a mail; returns the recipients for whom the server took it. That is all of them or none, or with
        `some` all that are not refused. Recipients in `own` are this mail's alone: one of them is refused for it alone.
        Raises RetryLater, RecordRefused, ConnectorRefused.
        """
        self._begin()
        return self._once(mail, own, some)

    def look(self, recipients: Sequence[str]) -> ServerLook:
        """Log in, and ask whether the server takes mail for these recipients, without sending any. Raises what `send`
        does."""
        started, problem, code, said = time.monotonic(), "", None, ""
        try:
            with self._session() as session:
                session.envelope(self._sender, recipients)
                session.about = _SENDER
                code, answer = session.rset()
                said = answer.decode("utf-8", "replace")
                return ServerLook(session.tls, bool(self._server.user), session.size, tuple(recipients))
        except DeliveryError as error:
            problem, code = str(error), error.status
            raise
        finally:
            self._note("LOOK", self.place, started, code, problem, "", said)

    def _once(self, mail: Mail, own: Container[str], some: bool) -> Sequence[str]:
        if self._pretended("MAIL", self.place, mail.shown()):
            return mail.recipients
        started, problem, code, said = time.monotonic(), "", None, ""
        data = bytes(mail)
        try:
            with self._session() as session:
                taken = session.envelope(mail.sender, mail.recipients, len(data), own, some=some)
                code, answer = session.hand_over(data)
                said = answer.decode("utf-8", "replace")
                return taken
        except DeliveryError as error:
            problem, code = str(error), error.status
            raise
        finally:
            sent = mail.text if problem else mail.headers.get("Subject", "")
            self._note("MAIL", self.place, started, code, problem, sent, said)

    @contextmanager
    def _session(self) -> Iterator[_Session]:
        """A connection that is logged in. Whatever goes wrong inside becomes a DeliveryError."""
        server = self._server
        session = _Session(server, self._networks, self._timeout, self._clock.left, self._sender)
        try:
            session.open()
            yield session
            # Said, and not waited for: what was taken is taken.
            with suppress(smtplib.SMTPException, OSError, TimedOut):
                session.putcmd("QUIT")
        except TimedOut as error:  # the attempt is over
            raise TimedOut(str(error), untaken=session.about != _TEXT) from None
        except _Refused as refused:
            raise self._refusal(refused) from None
        except smtplib.SMTPResponseException as error:
            raise self._refusal(_Refused(session.about, error.smtp_code, error.smtp_error)) from None
        except (smtplib.SMTPException, OSError, HTTPException) as error:
            raise self._lost(error, session) from None
        except UnicodeError:
            raise ConnectorRefused(
                "user or password has a letter beyond ASCII, which this login cannot send; change it"
            ) from None
        finally:
            session.close()

    def _refusal(self, refused: _Refused) -> DeliveryError:
        """The error that an answer means. A 4yz is temporary, a 5yz is not (RFC 5321, 4.2.1)."""
        code, about = refused.code, refused.about
        said = words(self._mask(refused.said))
        text = f"SMTP {code} to {about}" + (f": {said}" if said else "")
        if not 400 <= code <= 599:
            # Nothing that a mail server would say: another program listens there, or a proxy.
            return RetryLater(f"{self.place} did not answer as a mail server does", untaken=about != _TEXT)
        if code < 500:
            return RetryLater(text, status=code, untaken=True)
        if code in _NOT_LET_IN:
            return ConnectorRefused(text, status=code)
        alone = refused.alone or (code == _TOO_LARGE and not about.startswith(_RECIPIENT))
        return (RecordRefused if alone else ConnectorRefused)(text, status=code)

    def _lost(self, error: Exception, session: _Session) -> DeliveryError:
        """No answer. Nobody knows what became of a text that had been sent whole, or nearly."""
        cause: Any = error
        if isinstance(error, smtplib.SMTPServerDisconnected):
            cause = error.__context__ if isinstance(error.__context__, OSError) else ConnectionResetError(104, "closed")
        known = session.about != _TEXT
        wrapped: Exception = as_requests_error(cause)
        if not session.opened:
            wrapped = ConnectTimeout(cause) if isinstance(cause, TimeoutError) else NotConnected(cause)
        found = unanswered(without_frames(wrapped), self.place, None)
        text = str(found) if known else f"{found}: nobody knows whether it took the mail"
        kind = type(found) if isinstance(found, RetryLater) else RetryLater
        return kind(text, untaken=known)


class _Session(smtplib.SMTP):
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
        """Raises _Refused, SMTPException, OSError, ConnectorRefused."""
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
        """Raises _Refused, RecordRefused."""
        if size > self.size > 0:
            raise RecordRefused(f"the mail has {size} bytes; the mail server takes {self.size}")
        options = [f"SIZE={size}"] if size and self.has_extn("size") else []
        self._must(f"{_SENDER} {sender}", lambda: self.mail(sender, options), 250)
        taken = []
        for one in recipients:
            try:
                self._must(f"{_RECIPIENT} {one}", partial(self.rcpt, one), 250, 251, 252, alone=one in own)
                taken.append(one)
            except _Refused:
                if not some or (one == recipients[-1] and not taken):
                    raise
        return taken

    def hand_over(self, data: bytes) -> tuple[int, bytes]:
        """Raises _Refused."""
        self._must("DATA", lambda: self.docmd("DATA"), 354)
        self.about = _TEXT
        self.send(re.sub(rb"(?m)^\.", b"..", data.rstrip(b"\r\n") + b"\r\n") + b".\r\n")
        return self._must(_TEXT, self.getreply, 250)

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
            raise _Refused(about, code, said, alone=alone)
        return code, said
