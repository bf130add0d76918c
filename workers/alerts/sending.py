"""By webhook, by email, or where people talk. Each way takes a minute at most."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from html import escape
from ipaddress import IPv4Network, IPv6Network
from typing import Any
from urllib.parse import urlsplit

from requests import Response

from connectors.kit.chat_services.apprise import AppriseWire
from connectors.kit.http import Http
from connectors.kit.mail.message import Mail, header_text
from connectors.kit.mail.smtp import Smtp
from connectors.kit.masking import MASK, Secrets
from connectors.kit.responses import STATUS, refusal, words
from connectors.kit.text.formats import SLACK, card
from core import signing
from core.config.alerts import AppriseAlerts, MailAlerts, SlackAlerts, TeamsAlerts, WebhookAlerts
from core.errors import DeliveryError
from workers.alerts.channels import Channel, NotSent
from workers.alerts.messages import AlertMessage

#: Seconds that one sending may take in all.
_SECONDS = 60.0
_ANY = (IPv4Network("0.0.0.0/0"), IPv6Network("::/0"))


class _ByHttp(Channel):
    """Over the connectors' HTTP: their address guard, timeouts, and no redirects. Of an address that is a secret, path
    and query are, too, whatever they look like."""

    def __init__(self, settings: WebhookAlerts | SlackAlerts | TeamsAlerts, url: str) -> None:
        self._url, self._secrets = url, Secrets(settings)
        self._http = Http(
            timeout=settings.timeout, allow_networks=settings.allow_networks, judge=self._judge, mask=self._masked
        )

    def _post(self, **options: Any) -> str:
        with self._http.attempt(_SECONDS):
            try:
                answer = self._http.request("POST", self._url, **options)
            except DeliveryError as error:
                raise NotSent(words(self._masked(str(error)))) from None
        return f"HTTP {answer.status_code}"

    def _judge(self, answer: Response) -> DeliveryError | None:
        return None if answer.status_code // 100 == 2 else refusal(answer, STATUS, self._masked, speaks_json=False)

    def _masked(self, text: str) -> str:
        text, parts = self._secrets.mask(text), urlsplit(self._url)
        for one in (parts.path, parts.query):
            text = text.replace(one, MASK) if len(one) >= 4 else text
        return text


class ByWebhook(_ByHttp):
    def __init__(self, settings: WebhookAlerts) -> None:
        super().__init__(settings, settings.url.get_secret_value())
        self._secret = settings.secret

    def send(self, message: AlertMessage) -> str:
        signed = signing.headers(f"msg_{message.id}", message.body, self._secret)
        return self._post(data=message.body.encode(), headers=signed)


class BySlack(_ByHttp):
    def __init__(self, settings: SlackAlerts) -> None:
        # https://docs.slack.dev/reference/methods/chat.postMessage
        super().__init__(settings, f"{settings.base_url.rstrip('/')}/chat.postMessage")
        # Here, because whoever has no such channel needs nothing of it.
        from connectors.slack import Slack  # noqa: PLC0415

        self._settings, self._verdicts = settings, Slack.verdicts

    def send(self, message: AlertMessage) -> str:
        text = {"channel": self._settings.channel, "text": SLACK.escape(message.text), "unfurl_links": False}
        token = self._settings.token.get_secret_value()
        return self._post(json=text, headers={"Authorization": f"Bearer {token}"})

    def _judge(self, answer: Response) -> DeliveryError | None:
        return self._verdicts.judge(answer, self._masked)


class ByTeams(_ByHttp):
    def __init__(self, settings: TeamsAlerts) -> None:
        super().__init__(settings, settings.url.get_secret_value())

    def send(self, message: AlertMessage) -> str:
        html = "".join(f"<p>{escape(line)}</p>" for line in message.text.splitlines() if line)
        attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "content": card(html)}
        return self._post(json={"type": "message", "attachments": [attachment]})


class ByApprise(Channel):
    def __init__(self, settings: AppriseAlerts) -> None:
        self._wire = AppriseWire(
            settings.url.get_secret_value(), timeout=settings.timeout, allow_networks=settings.allow_networks
        )

    def send(self, message: AlertMessage) -> str:
        with self._wire.attempt(_SECONDS):
            try:
                self._wire.send(f"[Relay] {message.title}", message.text)
            except DeliveryError as error:
                raise NotSent(words(str(error))) from None
        return "sent"


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


CHANNEL_KINDS: Mapping[str, Callable[[Any], Channel]] = {
    "webhook": ByWebhook,
    "email": ByMail,
    "slack": BySlack,
    "teams": ByTeams,
    "notify": ByApprise,
}
