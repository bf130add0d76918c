"""Credentials, as they are written in the configuration."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Self

from pydantic import Field, SecretStr, model_validator

from connectors.http.answers import Code
from connectors.kit.auth.credentials import Basic, Credentials, Fixed, Header, Options
from connectors.kit.auth.oauth import Provider
from core.config.environment import Strict

#: Fills in what a recipe says of its settings; in relay.yaml itself nothing is to be filled in.
Fill = Callable[[str], str]


class OfBasic(Strict):
    user: str = Field(description="Name of the user, or what is taken for it.")
    password: SecretStr = Field(description="The password.")


class OfHeader(Strict):
    name: str = Field(pattern=r"^[A-Za-z][A-Za-z0-9-]*$", description="Name of the header.")
    prefix: str = Field(default="", description="What stands before the secret, such as 'Token token='.")
    value: SecretStr = Field(description="The secret.")


class OfQuery(Strict):
    name: str = Field(min_length=1, description="Name of the parameter.")
    value: SecretStr = Field(description="The secret.")


class OfOAuth(Strict):
    token_url: str = Field(description="Address of the token endpoint.")
    client_id: str = Field(description="Identifier of the OAuth client.")
    client_secret: SecretStr | None = Field(default=None, description="Its secret.")
    grant: Literal["client_credentials", "refresh_token", "login"] = Field(
        default="client_credentials",
        description="client_credentials: as the client. refresh_token: by the refresh token below. login: as the "
        "person who logs in with `relay connectors login`.",
    )
    refresh_token: SecretStr | None = Field(default=None, description="For grant: refresh_token.")
    authorize_url: str = Field(default="", description="For grant: login, the page where people log in.")
    scope: str = Field(default="", description="Scope of the tokens.")
    extra: dict[str, str] = Field(default_factory=dict, description="What else is sent for a token.")
    as_json: bool = Field(default=False, description="The endpoint takes JSON instead of a form.")
    in_header: bool = Field(default=False, description="It wants client_id and client_secret as Basic.")
    waits: tuple[Code, ...] = Field(
        default=(),
        description="Error codes of the endpoint that pass by themselves, besides slow_down, temporarily_unavailable "
        "and server_error; others pause the connector.",
    )
    prefix: str = Field(default="Bearer ", description="What stands before the token in Authorization.")

    @model_validator(mode="after")
    def _has_what_its_grant_needs(self) -> Self:
        if (self.grant == "refresh_token") != (self.refresh_token is not None):
            raise ValueError("grant: refresh_token and refresh_token go together; write both, or neither")
        if (self.grant == "login") != bool(self.authorize_url):
            raise ValueError("grant: login and authorize_url go together; write both, or neither")
        return self


class Auth(Strict):
    """One of these proves who sends the requests."""

    bearer: SecretStr | None = Field(default=None, description="A key in Authorization: Bearer KEY.")
    basic: OfBasic | None = Field(default=None, description="A user and a password.")
    header: OfHeader | None = Field(default=None, description="A key in a header.")
    query: OfQuery | None = Field(default=None, description="A key in the query; addresses are shown without it.")
    oauth: OfOAuth | None = Field(default=None, description="OAuth 2; all workers share the tokens.")

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        given = [name for name in type(self).model_fields if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError("needs one of bearer, basic, header, query and oauth")
        return self

    def texts(self) -> list[tuple[tuple[str, ...], str]]:
        """Each text in it, and where it stands: a recipe's are templates over its settings."""
        found: list[tuple[tuple[str, ...], str]] = []
        for kind in type(self).model_fields:
            of = getattr(self, kind)
            if isinstance(of, SecretStr):
                found.append(((kind,), of.get_secret_value()))
            elif of is not None:
                for name in type(of).model_fields:
                    value = getattr(of, name)
                    if isinstance(value, SecretStr):
                        found.append(((kind, name), value.get_secret_value()))
                    elif isinstance(value, str):
                        found.append(((kind, name), value))
        return found

    def credentials(self, fill: Fill, tokens: Callable[[Provider], Credentials]) -> Credentials:
        def secret(value: SecretStr) -> SecretStr:
            return SecretStr(fill(value.get_secret_value()))

        if self.bearer is not None:
            return Header(secret(self.bearer))
        if self.basic is not None:
            return Basic(fill(self.basic.user), fill(self.basic.password.get_secret_value()))
        if self.header is not None:
            return Header(secret(self.header.value), self.header.name, self.header.prefix)
        if self.query is not None:
            return Query(self.query.name, secret(self.query.value))
        assert self.oauth is not None  # noqa: S101  # one of them is there
        own = self.oauth
        return tokens(
            Provider(
                fill(own.token_url),
                fill(own.client_id),
                secret(own.client_secret) if own.client_secret else None,
                grant=own.grant,
                scope=fill(own.scope),
                authorize_url=fill(own.authorize_url),
                refresh_token=secret(own.refresh_token) if own.refresh_token else None,
                as_json=own.as_json,
                in_header=own.in_header,
                extra=own.extra,
                waits=own.waits,
                kind=own.prefix,
            )
        )


@dataclass(frozen=True)
class Query(Fixed):
    """A key in the query. Addresses are shown and kept without theirs."""

    name: str
    key: SecretStr

    def sign(self, options: Options) -> Options:
        return {**options, "params": {**(options.get("params") or {}), self.name: self.key.get_secret_value()}}
