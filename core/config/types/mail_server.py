"""A mail server and an address, as alerts and connectors have them in the file."""

from __future__ import annotations

import re
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, SecretStr, model_validator

from core.config.environment import Strict

#: Printable ASCII with one '@' and nothing that means something else in a header.
_ADDRESS = r"^[!#$%&'*+/=?^_`{|}~.A-Za-z0-9-]+@[A-Za-z0-9.-]+$"

#: The port where mail servers wait for each kind of TLS (RFC 8314).
_PORTS = {"starttls": 587, "tls": 465}


def _address(value: str) -> str:
    if not re.fullmatch(_ADDRESS, value):
        found = re.search(r"<([^<>]+)>", value)
        right = found[1] if found and re.fullmatch(_ADDRESS, found[1]) else "relay@example.com"
        raise ValueError(f"write an address alone, such as {right}")
    return value


EmailAddress = Annotated[str, AfterValidator(_address), Field(max_length=254, json_schema_extra={"format": "email"})]


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


class MailServer(Strict):
    """A mail server, always by TLS with a certificate that is checked."""

    host: Annotated[str, AfterValidator(_host)] = Field(max_length=253, description="The mail server.")
    security: Literal["starttls", "tls"] = Field(
        default="starttls", description="starttls: TLS begins after the greeting; tls: from the first byte."
    )
    port: int | None = Field(default=None, ge=1, le=65535, description="null: 587 for starttls, 465 for tls.")
    user: str = Field(default="", max_length=320, description="User name for the mail server; empty: no login.")
    password: SecretStr = Field(default=SecretStr(""), description="Password for the mail server.")

    @model_validator(mode="after")
    def _has_both_or_neither(self) -> Self:
        if bool(self.user) != bool(self.password.get_secret_value()):
            raise ValueError("'user' and 'password' go together; give both, or neither")
        return self

    @property
    def open_port(self) -> int:
        return self.port or _PORTS[self.security]
