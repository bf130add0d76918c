"""How an email is handed to a mail server: by TLS alone, to addresses that may be reached, with an end for the whole.

What the server answers becomes the error whose class is the recovery (core/errors.py). One thing cannot be known: what
became of a text whose answer gets lost. It may have been taken; `RetryLater.untaken` is False of that alone.
"""

from __future__ import annotations

import smtplib
import time
from collections.abc import Callable, Container, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPException
from ipaddress import ip_address
from typing import Any

from requests.exceptions import ConnectTimeout

from connectors.kit.mail.message import Mail
from connectors.kit.mail.smtp_session import RECIPIENT, SENDER, TEXT, SmtpRefusal, SmtpSession
from connectors.kit.responses import unanswered, without_frames, words
from connectors.kit.transport.connection import NotConnected, as_requests_error
from connectors.kit.transport.plain_wire import PlainWire
from core.config.environment import Network
from core.config.types.mail_server import MailServer
from core.errors import ConnectorRefused, DeliveryError, RecordRefused, RetryLater, TimedOut

#: Whoever is refused so has to log in, or logged in wrongly, whenever it is said (RFC 4954).
_NOT_LET_IN = frozenset({530, 534, 535, 538})
#: The mail is too large: it is its own fault, and not the sender's whom the answer is about (RFC 1870). Of a recipient
#: it says that the mailbox is full (RFC 5321, 4.2.2).
_TOO_LARGE = 552


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
                session.about = SENDER
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
    def _session(self) -> Iterator[SmtpSession]:
        """A connection that is logged in. Whatever goes wrong inside becomes a DeliveryError."""
        server = self._server
        session = SmtpSession(server, self._networks, self._timeout, self._clock.left, self._sender)
        try:
            session.open()
            yield session
            # Said, and not waited for: what was taken is taken.
            with suppress(smtplib.SMTPException, OSError, TimedOut):
                session.putcmd("QUIT")
        except TimedOut as error:  # the attempt is over
            raise TimedOut(str(error), untaken=session.about != TEXT) from None
        except SmtpRefusal as refused:
            raise self._refusal(refused) from None
        except smtplib.SMTPResponseException as error:
            raise self._refusal(SmtpRefusal(session.about, error.smtp_code, error.smtp_error)) from None
        except (smtplib.SMTPException, OSError, HTTPException) as error:
            raise self._lost(error, session) from None
        except UnicodeError:
            raise ConnectorRefused(
                "user or password has a letter beyond ASCII, which this login cannot send; change it"
            ) from None
        finally:
            session.close()

    def _refusal(self, refused: SmtpRefusal) -> DeliveryError:
        """The error that an answer means. A 4yz is temporary, a 5yz is not (RFC 5321, 4.2.1)."""
        code, about = refused.code, refused.about
        said = words(self._mask(refused.said))
        text = f"SMTP {code} to {about}" + (f": {said}" if said else "")
        if not 400 <= code <= 599:
            # Nothing that a mail server would say: another program listens there, or a proxy.
            return RetryLater(f"{self.place} did not answer as a mail server does", untaken=about != TEXT)
        if code < 500:
            return RetryLater(text, status=code, untaken=True)
        if code in _NOT_LET_IN:
            return ConnectorRefused(text, status=code)
        alone = refused.alone or (code == _TOO_LARGE and not about.startswith(RECIPIENT))
        return (RecordRefused if alone else ConnectorRefused)(text, status=code)

    def _lost(self, error: Exception, session: SmtpSession) -> DeliveryError:
        """No answer. Nobody knows what became of a text that had been sent whole, or nearly."""
        cause: Any = error
        if isinstance(error, smtplib.SMTPServerDisconnected):
            cause = error.__context__ if isinstance(error.__context__, OSError) else ConnectionResetError(104, "closed")
        known = session.about != TEXT
        wrapped: Exception = as_requests_error(cause)
        if not session.opened:
            wrapped = ConnectTimeout(cause) if isinstance(cause, TimeoutError) else NotConnected(cause)
        found = unanswered(without_frames(wrapped), self.place, None)
        text = str(found) if known else f"{found}: nobody knows whether it took the mail"
        kind = type(found) if isinstance(found, RetryLater) else RetryLater
        return kind(text, untaken=known)
