"""How an alert is sent: by webhook or by email. Either takes a minute at most."""

from __future__ import annotations

import os
import smtplib
import socket
import ssl
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from email.message import EmailMessage
from email.utils import formatdate
from pathlib import Path
from urllib.parse import urlsplit

import certifi
from requests import Response

from connectors.kit.http import Http
from connectors.kit.masking import MASK
from connectors.kit.responses import STATUS, refusal, words
from core import signing
from core.config.alerts import Alerts, MailAlerts, WebhookAlerts
from core.errors import DeliveryError
from workers.alerts.messages import AlertMessage

#: Seconds that one sending may take in all.
_SECONDS = 60.0


class NotSent(Exception):
    """Why an alert was not sent, without secrets. It is tried again."""


class Channel(ABC):
    @abstractmethod
    def send(self, message: AlertMessage) -> str:
        """Returns what was answered. Raises NotSent."""


class ByWebhook(Channel):
    """Over the connectors' HTTP: their address guard, timeouts, and no redirects."""

    def __init__(self, settings: WebhookAlerts) -> None:
        self._settings = settings
        self._url = settings.url.get_secret_value()
        self._http = Http(
            timeout=settings.timeout, allow_networks=settings.allow_networks, judge=self._judge, mask=self._masked
        )

    def send(self, message: AlertMessage) -> str:
        with self._http.attempt(_SECONDS):
            try:
                answer = self._http.request(
                    "POST",
                    self._url,
                    data=message.body.encode(),
                    headers=signing.headers(f"msg_{message.id}", message.body, self._settings.secret),
                )
            except DeliveryError as error:
                raise NotSent(words(self._masked(str(error)))) from None
        return f"HTTP {answer.status_code}"

    def _judge(self, answer: Response) -> DeliveryError | None:
        return None if answer.status_code // 100 == 2 else refusal(answer, STATUS, self._masked, speaks_json=False)

    def _masked(self, text: str) -> str:
        parts = urlsplit(self._url)
        secret = self._settings.secret.get_secret_value() if self._settings.secret else ""
        for one in (self._url, parts.path, parts.query, secret):
            text = text.replace(one, MASK) if len(one) >= 4 else text
        return text


class ByMail(Channel):
    """By SMTP with TLS; a certificate that does not prove the server's name ends it."""

    def __init__(self, settings: MailAlerts) -> None:
        self._settings = settings

    def send(self, message: AlertMessage) -> str:
        try:
            with self._connection() as server:
                refused = server.send_message(self._mail(message))
        except (smtplib.SMTPException, OSError, ValueError) as error:
            raise NotSent(self._masked(_said(error))) from None
        taken = len(self._settings.to) - len(refused)
        return f"{self._settings.host} accepted it for {taken} of {len(self._settings.to)}"

    @contextmanager
    def _connection(self) -> Iterator[smtplib.SMTP]:
        mine = self._settings
        context = _trusted()
        server = (
            smtplib.SMTP_SSL(timeout=mine.timeout, context=context)
            if mine.security == "tls"
            else smtplib.SMTP(timeout=mine.timeout)
        )
        # A timeout of sockets is one of each read: a server that sends a byte a second would keep it for ever.
        end = threading.Timer(_SECONDS, _cut, [server])
        end.daemon = True
        end.start()
        try:
            # TLS checks the certificate against the name that is given here: smtplib's own way to say it.
            server._host = mine.host  # type: ignore[attr-defined]  # noqa: SLF001
            server.connect(mine.host, mine.open_port)
            if mine.security == "starttls":
                server.starttls(context=context)
            if mine.user:
                server.login(mine.user, mine.password.get_secret_value())
            yield server
            with suppress(smtplib.SMTPException, OSError):  # taken it is
                server.quit()
        finally:
            end.cancel()
            server.close()

    def _mail(self, message: AlertMessage) -> EmailMessage:
        """No text of strangers is in a header."""
        mail = EmailMessage()
        mail["From"] = self._settings.sender
        mail["To"] = ", ".join(self._settings.to)
        mail["Subject"] = f"[Relay] {message.title}"
        mail["Date"] = formatdate()
        mail["Message-ID"] = f"<{message.id}@{self._settings.sender.rpartition('@')[2]}>"
        mail["Auto-Submitted"] = "auto-generated"
        mail.set_content(message.text + "\n")
        return mail

    def _masked(self, text: str) -> str:
        password = self._settings.password.get_secret_value()
        return words(text.replace(password, MASK) if password else text)


def channels(settings: Alerts) -> dict[str, Channel]:
    """Those of the configuration, by name."""
    found: dict[str, Channel] = {}
    if settings.webhook:
        found["webhook"] = ByWebhook(settings.webhook)
    if settings.email:
        found["email"] = ByMail(settings.email)
    return found


def _trusted() -> ssl.SSLContext:
    """The authorities that connectors trust."""
    place = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("SSL_CERT_FILE") or certifi.where()
    folder = Path(place).is_dir()
    return ssl.create_default_context(cafile=None if folder else place, capath=place if folder else None)


def _cut(server: smtplib.SMTP) -> None:
    if server.sock:
        with suppress(OSError):
            server.sock.shutdown(socket.SHUT_RDWR)


def _said(error: Exception) -> str:
    if isinstance(error, smtplib.SMTPResponseException):
        answer = error.smtp_error
        text = answer.decode("utf-8", "replace") if isinstance(answer, bytes) else str(answer)
        return f"the mail server answered {error.smtp_code} {text}"
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return "the mail server refused every recipient: " + ", ".join(
            f"{code} {text.decode('utf-8', 'replace')}" for code, text in error.recipients.values()
        )
    return f"{type(error).__name__}: {error}"
