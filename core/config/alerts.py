"""The config's `alerts` section: who receives alerts, and by which channel. workers/alerts/notifier.py sends them."""

from __future__ import annotations

from pydantic import Field, IPvAnyNetwork, SecretStr

from core.config.environment import Strict
from core.config.types.apprise_url import AppriseUrl
from core.config.types.mail_server import EmailAddress, MailServer
from core.config.types.secret_url import SecretUrl
from core.signing import SigningSecret

#: By which alerts can be sent, as the section names them.
CHANNELS = ("webhook", "email", "slack", "teams", "notify")


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


class SlackAlerts(Strict):
    """Messages of a bot in a channel of Slack. An incoming webhook of Slack is a `webhook`."""

    token: SecretStr = Field(description="The bot's token, xoxb-…, with the scope chat:write.")
    channel: str = Field(pattern=r"^[CGD][A-Z0-9]{5,20}$", description="The id of the channel, such as C0123456789.")
    base_url: str = Field(
        default="https://slack.com/api", pattern=r"^https?://[^\s?#@]+$", description="Of Slack's API."
    )
    timeout: float = Field(default=20.0, gt=0, le=50, description="Seconds to wait for the response.")
    allow_networks: tuple[IPvAnyNetwork, ...] = Field(
        default=(), description="Loopback, private and link-local networks that may be reached."
    )


class TeamsAlerts(Strict):
    """Cards in Microsoft Teams, by the address of a workflow."""

    url: SecretUrl = Field(description="The address of the workflow, from Teams.")
    timeout: float = Field(default=20.0, gt=0, le=50, description="Seconds to wait for the response.")
    allow_networks: tuple[IPvAnyNetwork, ...] = Field(
        default=(), description="Loopback, private and link-local networks that may be reached."
    )


class AppriseAlerts(Strict):
    """Messages by Apprise: Telegram, ntfy, Discord, SMS and a hundred others."""

    url: AppriseUrl = Field(description="The address of the service, as Apprise spells it.")
    timeout: float = Field(default=20.0, gt=0, le=50, description="Seconds to wait for the service.")
    allow_networks: tuple[IPvAnyNetwork, ...] = Field(
        default=(), description="Loopback, private and link-local networks that may be reached."
    )


class Alerts(Strict):
    """Alerts: one when an incident begins, one when it is over."""

    webhook: WebhookAlerts | None = Field(default=None, description="Posts alerts to an address.")
    email: MailAlerts | None = Field(default=None, description="Sends alerts by email.")
    slack: SlackAlerts | None = Field(default=None, description="Sends alerts to a channel of Slack.")
    teams: TeamsAlerts | None = Field(default=None, description="Sends alerts to Microsoft Teams.")
    notify: AppriseAlerts | None = Field(default=None, description="Sends alerts by Apprise.")
    oldest_after: float = Field(
        default=15,
        gt=0,
        le=100_000,
        description="Minutes after which due deliveries count as a backlog.",
    )

    @property
    def channels(self) -> tuple[str, ...]:
        return tuple(name for name in CHANNELS if getattr(self, name) is not None)
