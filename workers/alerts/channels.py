"""How an alert is sent: by webhook or by email. Either takes a minute at most."""

from __future__ import annotations

from abc import ABC, abstractmethod
from datetime import UTC, datetime
from ipaddress import IPv4Network, IPv6Network
from urllib.parse import urlsplit

from requests import Response

from connectors.kit.http import Http
from connectors.kit.mail.message import Mail, header_text
from connectors.kit.mail.smtp import Smtp
from connectors.kit.masking import MASK
from connectors.kit.responses import STATUS, refusal, words
from core import signing
from core.config.alerts import Alerts, MailAlerts, WebhookAlerts
from core.errors import DeliveryError
from workers.alerts.messages import AlertMessage

#: Seconds that one sending may take in all.
_SECONDS = 60.0
_ANY = (IPv4Network("0.0.0.0/0"), IPv6Network("::/0"))


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
    """By SMTP with TLS. The server is the admin's own and may be in any network."""

    def __init__(self, settings: MailAlerts) -> None:
        self._settings = settings
        self._smtp = Smtp(
            settings,
            sender=settings.sender,
            timeout=settings.timeout,
            allow_networks=_ANY,
            mask=self._masked,
        )

    def send(self, message: AlertMessage) -> str:
        mail = Mail(
            message_id=f"<{message.id}@{self._settings.sender.rpartition('@')[2]}>",
            sender=self._settings.sender,
            recipients=self._settings.to,
            date=datetime.now(UTC),
            text=message.text + "\n",
            headers={"Subject": header_text(f"[Relay] {message.title}"), "Auto-Submitted": "auto-generated"},
        )
        with self._smtp.attempt(_SECONDS):
            try:
                # Whoever can be told is told, whatever is wrong with the others.
                taken = self._smtp.send(mail, some=True)
            except DeliveryError as error:
                raise NotSent(words(self._masked(str(error)))) from None
        return f"{self._settings.host} accepted it for {len(taken)} of {len(self._settings.to)}"

    def _masked(self, text: str) -> str:
        password = self._settings.password.get_secret_value()
        return text.replace(password, MASK) if password else text


def channels(settings: Alerts) -> dict[str, Channel]:
    """Those of the configuration, by name."""
    found: dict[str, Channel] = {}
    if settings.webhook:
        found["webhook"] = ByWebhook(settings.webhook)
    if settings.email:
        found["email"] = ByMail(settings.email)
    return found
