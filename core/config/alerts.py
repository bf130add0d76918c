"""The config's `alerts` section: who receives alerts, and by which channel. workers/alerts/notifier.py sends them."""

from __future__ import annotations

import re
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, IPvAnyNetwork, SecretStr, model_validator

from core.config.environment import Strict
from core.signing import SigningSecret

#: Printable ASCII with one '@' and nothing that means something else in a header.
_ADDRESS = r"^[!#$%&'*+/=?^_`{|}~.A-Za-z0-9-]+@[A-Za-z0-9.-]+$"


def _address(value: str) -> str:
    if not re.fullmatch(_ADDRESS, value):
        found = re.search(r"<([^<>]+)>", value)
        right = found[1] if found and re.fullmatch(_ADDRESS, found[1]) else "relay@example.com"
        raise ValueError(f"write an address alone, such as {right}")
    return value


EmailAddress = Annotated[str, AfterValidator(_address), Field(max_length=254, json_schema_extra={"format": "email"})]

#: The port where mail servers wait for each kind of TLS (RFC 8314).
_PORTS = {"starttls": 587, "tls": 465}


def _web_address(value: SecretStr) -> SecretStr:
    try:
        parts = urlsplit(value.get_secret_value())
        right = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        right = False
    if not right or any(one.isspace() or not one.isprintable() for one in value.get_secret_value()):
        raise ValueError("must be a whole address, such as https://example.com/alerts")
    if "@" in parts.netloc:
        raise ValueError("must not contain a user and password; to sign alerts, use 'secret'")
    return value


class WebhookAlerts(Strict):
    """A POST of each alert, signed after Standard Webhooks where there is a secret."""

    url: Annotated[SecretStr, AfterValidator(_web_address)] = Field(
        description="Where alerts are posted. Hidden, because chat services put their secret into it."
    )
    secret: SigningSecret | None = Field(
        default=None, description="The signing secret: base64, with or without the prefix whsec_; null: not signed."
    )
    timeout: float = Field(default=20.0, gt=0, le=50, description="Seconds to wait for the response.")
    allow_networks: tuple[IPvAnyNetwork, ...] = Field(
        default=(), description="Loopback, private and link-local networks that may be reached, such as 10.0.0.0/8."
    )


def _host(value: str) -> str:
    """A name or an address alone. An IPv6 address has more than one colon."""
    bare = value.partition("://")[2] or value
    name, colon, port = bare.partition(":")
    if colon and port.strip("/").isdecimal():
        raise ValueError(f"write host: {name} and, on a line of its own, port: {port.strip('/')}")
    if bare != value or "/" in value:
        raise ValueError(f"write only {name.strip('/')}, the name of the mail server")
    if not re.fullmatch(r"[A-Za-z0-9_.:-]+", value):
        raise ValueError("write the name of the mail server, such as smtp.example.com")
    return value


class MailAlerts(Strict):
    """A mail server, always by TLS with a certificate that is checked."""

    host: Annotated[str, AfterValidator(_host)] = Field(max_length=253, description="The mail server.")
    security: Literal["starttls", "tls"] = Field(
        default="starttls", description="starttls: TLS begins after the greeting; tls: from the first byte."
    )
    port: int | None = Field(default=None, ge=1, le=65535, description="null: 587 for starttls, 465 for tls.")
    user: str = Field(default="", max_length=320, description="User name for the mail server; empty: no login.")
    password: SecretStr = Field(default=SecretStr(""), description="Password for the mail server.")
    sender: EmailAddress = Field(alias="from", description="The sender's address.")
    to: tuple[EmailAddress, ...] = Field(min_length=1, max_length=50, description="The recipients.")
    timeout: float = Field(default=20.0, gt=0, le=50, description="Seconds to wait for each response.")

    @model_validator(mode="after")
    def _has_both_or_neither(self) -> Self:
        if bool(self.user) != bool(self.password.get_secret_value()):
            raise ValueError("'user' and 'password' go together; give both, or neither")
        return self

    @property
    def open_port(self) -> int:
        return self.port or _PORTS[self.security]


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
