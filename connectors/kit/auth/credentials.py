"""Credentials that stay as they are, and what all credentials can do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from pydantic import SecretStr

#: Options of a request, as requests takes them.
Options = Mapping[str, Any]


class Credentials(Protocol):
    def sign(self, options: Options) -> Options:
        """The options of a request, with what proves who sends it. Raises DeliveryError."""

    def renew(self, refused: Options) -> bool:
        """The vendor has answered 401 to these signed options. True: sign again, there are others now."""


class Fixed:
    """Credentials that are in the settings: when they are refused, others cannot be had."""

    def sign(self, options: Options) -> Options:
        return options

    def renew(self, refused: Options) -> bool:
        return False


#: For a vendor that wants none, or wants them in the body.
NOTHING = Fixed()


@dataclass(frozen=True)
class Header(Fixed):
    """A key in a header, such as `Authorization: Bearer KEY`; `kind` is what stands before it."""

    key: SecretStr
    name: str = "Authorization"
    kind: str = "Bearer "

    def sign(self, options: Options) -> Options:
        return with_header(options, self.name, self.kind + self.key.get_secret_value())


@dataclass(frozen=True)
class Basic(Fixed):
    """A user and a password, or what the vendor takes for these (RFC 7617)."""

    user: str = field(repr=False)
    password: str = field(repr=False)

    def sign(self, options: Options) -> Options:
        return {**options, "auth": (self.user, self.password)}


def with_header(options: Options, name: str, value: str) -> Options:
    return {**options, "headers": {name: value, **(options.get("headers") or {})}}
