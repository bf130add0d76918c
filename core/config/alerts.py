"""The config's `alerts` section: who receives alerts, and by which channel. workers/alerts/notifier.py sends them."""

from __future__ import annotations

from pydantic import Field, IPvAnyNetwork

from core.config.environment import Strict
from core.config.types.mail_server import EmailAddress, MailServer
from core.config.types.secret_url import SecretUrl
from core.signing import SigningSecret


class WebhookAlerts(Strict):
    """A POST of each alert, signed after Standard Webhooks where there is a secret."""

    url: SecretUrl = Field(
        description="Where alerts are posted. Hidden, because chat services put their secret into it."
    )
    secret: SigningSecret | None = Field(
        default=None, description="The signing secret: base64, with or without the prefix whsec_; null: not signed."
    )
    timeout: float = Field(default=20.0, gt=0, le=50, description="Seconds to wait for the response.")
    allow_networks: tuple[IPvAnyNetwork, ...] = Field(
        default=(), description="Loopback, private and link-local networks that may be reached, such as 10.0.0.0/8."
    )


class MailAlerts(MailServer):
    """Emails by way of a mail server."""

    sender: EmailAddress = Field(alias="from", description="The sender's address.")
    to: tuple[EmailAddress, ...] = Field(min_length=1, max_length=50, description="The recipients.")
    timeout: float = Field(default=20.0, gt=0, le=50, description="Seconds to wait for each response.")


class Alerts(Strict):
    """Alerts: one when an incident begins, one when it is over."""

    webhook: WebhookAlerts | None = Field(default=None, description="Posts alerts to an address.")
    email: MailAlerts | None = Field(default=None, description="Sends alerts by email.")
    oldest_after: float = Field(
        default=15,
        gt=0,
        le=100_000,
        description="Minutes after which due deliveries count as a backlog.",
    )

    @property
    def channels(self) -> tuple[str, ...]:
        return tuple(name for name in ("webhook", "email") if getattr(self, name) is not None)
