"""The protocol of OAuth 2, by oauthlib: what a token endpoint is sent, and what its answer means.

RFC 6749 (grants), RFC 7523 (signed JWT), RFC 7636 (PKCE). Nothing is sent from here. Every
connector imports this module and few sign in by OAuth: so what it takes is imported by who needs it.
"""

from __future__ import annotations

import hashlib
import json
import time
from base64 import urlsafe_b64encode
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import parse_qsl

from pydantic import BaseModel, Field, SecretStr

from core.errors import ConnectorRefused, DeliveryError, RetryLater

if TYPE_CHECKING:
    from cryptography.fernet import Fernet

#: A token is renewed when so little is left of its life: this share of it, and at most these seconds.
EARLY, EARLY_SECONDS = 0.2, 120.0

Grant = Literal["client_credentials", "refresh_token", "login", "jwt"]


class OAuthSettings(BaseModel):
    """Settings of a connector that can sign in by OAuth 2; to be inherited beside its own."""

    client_id: str = Field(default="", description="Identifier of the OAuth client.")
    client_secret: SecretStr | None = Field(default=None, description="Secret of the OAuth client.")
    scope: str = Field(default="", description="Scope of the tokens; the default is what Relay needs.")
    grant: Literal["client_credentials", "login"] = Field(
        default="client_credentials",
        description="client_credentials: Relay works as the client. login: as the person who logs in with "
        "`relay connectors login`.",
    )


@dataclass(frozen=True)
class Jwt:
    """What a JWT is signed with and says (RFC 7523): `issuer` asks for a token, for `subject` if not for itself."""

    private_key: SecretStr
    issuer: str
    audience: str
    subject: str = ""
    claims: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Provider:
    """A vendor's authorization server, and who we are there.

    `as_json`: the token endpoint takes JSON instead of a form. `in_header`: it wants the client's id and secret as
    Basic (RFC 6749, 2.3.1). `extra` is sent along when a token is asked for. Codes of errors in `waits` pass by
    themselves. `kind` is what stands before the token in `Authorization`.
    """

    token_url: str
    client_id: str
    client_secret: SecretStr | None = None
    grant: Grant = "client_credentials"
    scope: str = ""
    authorize_url: str = ""
    #: For the grant `refresh_token`: the one in the settings. A vendor that rotates gives others, which are kept.
    refresh_token: SecretStr | None = None
    jwt: Jwt | None = None
    as_json: bool = False
    in_header: bool = False
    extra: Mapping[str, str] = field(default_factory=dict)
    waits: Sequence[str] = ()
    kind: str = "Bearer "
    #: The connector's name, for what to type.
    connector: str = "NAME"

    @property
    def login(self) -> str:
        return f"relay connectors login {self.connector}"

    @property
    def secret(self) -> str:
        found = self.jwt.private_key if self.jwt else self.client_secret
        return found.get_secret_value() if found else ""

    @property
    def identity(self) -> str:
        """Tells whose tokens are meant: those of another client, scope or secret are not ours."""
        parts: tuple[str, ...] = (self.token_url, self.client_id, self.secret, self.grant, self.scope)
        if self.refresh_token:
            parts += (self.refresh_token.get_secret_value(),)
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()


@dataclass(frozen=True)
class GrantedToken:
    """What a token endpoint gave. Times are Unix seconds; `ends` 0: it was not said. `version` as the state counts."""

    access: str = field(repr=False)
    refresh: str = field(default="", repr=False)
    fetched: float = 0.0
    ends: float = 0.0
    #: What else came, such as `instance_url` or `api_domain`.
    more: Mapping[str, str] = field(default_factory=dict)
    version: int = 0

    def lasts(self, now: float) -> bool:
        """Whether it can still be used."""
        return bool(self.access) and (not self.ends or now < self.ends)

    def is_fresh(self, now: float) -> bool:
        """Whether it need not be renewed yet."""
        early = min(EARLY_SECONDS, (self.ends - self.fetched) * EARLY)
        return bool(self.access) and (not self.ends or now < self.ends - early)

    def sealed(self, provider: Provider) -> bytes:
        """For keeping. Whoever has only the store reads nothing of it: the key is made of the client's secret."""
        text = json.dumps({**asdict(self), "version": 0}).encode()
        return _fernet(provider).encrypt(text)

    @classmethod
    def opened(cls, kept: bytes, provider: Provider, version: int) -> GrantedToken | None:
        """What was kept; None for what cannot be read, or was written by a version that does it differently."""
        from cryptography.fernet import InvalidToken

        try:
            found = json.loads(_fernet(provider).decrypt(kept))
            known = {name: found[name] for name in cls.__dataclass_fields__ if name in found}
            return replace(cls(**known), version=version)
        except (InvalidToken, ValueError, TypeError):
            return None


def _fernet(provider: Provider) -> Fernet:
    from cryptography.fernet import Fernet

    return Fernet(urlsafe_b64encode(hashlib.sha256(b"relay token\0" + provider.secret.encode()).digest()))


def token_request(provider: Provider, known: GrantedToken | None) -> dict[str, str]:
    """The parameters that ask for a token. Raises ConnectorRefused where somebody has to log in first."""
    from oauthlib.oauth2 import BackendApplicationClient, WebApplicationClient

    scope: list[object] | None = [*provider.scope.split()] or None
    extra: dict[str, Any] = {**_client(provider), **provider.extra}
    if provider.grant == "client_credentials":
        body = BackendApplicationClient(provider.client_id).prepare_request_body(scope=scope, **extra)
    elif provider.grant == "jwt" and provider.jwt:
        body = _signed(provider, provider.jwt)
    elif refresh := (known.refresh if known else "") or _given(provider):
        client = WebApplicationClient(provider.client_id)
        body = client.prepare_refresh_body(refresh_token=refresh, **extra)
    else:
        raise ConnectorRefused(f"nobody has logged in yet; run: {provider.login}")
    return dict(parse_qsl(body))


def exchanged(provider: Provider, code: str, redirect: str, verifier: str) -> dict[str, str]:
    """The parameters that make a token of the code which a login gave."""
    from oauthlib.oauth2 import WebApplicationClient

    client = WebApplicationClient(provider.client_id)
    named: dict[str, Any] = {"redirect_uri": redirect, "code_verifier": verifier, **_client(provider), **provider.extra}
    named.pop("client_id", None)  # it has it already
    body = client.prepare_request_body(code=code, **named)
    return dict(parse_qsl(body))


def _given(provider: Provider) -> str:
    return provider.refresh_token.get_secret_value() if provider.refresh_token else ""


def _client(provider: Provider) -> dict[str, Any]:
    if provider.in_header:
        return {"include_client_id": False}
    secret = {"client_secret": provider.secret} if provider.secret else {}
    return {"include_client_id": True, "client_id": provider.client_id, **secret}


def _signed(provider: Provider, jwt: Jwt) -> str:
    from jwt import PyJWTError
    from oauthlib.oauth2 import ServiceApplicationClient

    client = ServiceApplicationClient(provider.client_id)
    try:
        return client.prepare_request_body(
            private_key=jwt.private_key.get_secret_value(),
            issuer=jwt.issuer,
            subject=jwt.subject or jwt.issuer,
            audience=jwt.audience,
            scope=[],  # it stands among the claims
            extra_claims={**jwt.claims, **({"scope": provider.scope} if provider.scope else {})},
        )
    except (ValueError, TypeError, PyJWTError) as error:  # what signs says more of the key than anybody should read
        raise ConnectorRefused(f"the private key cannot sign ({type(error).__name__}); give it as PEM") from None


def received(
    provider: Provider, status: int, content: bytes, known: GrantedToken | None, *, wait: float | None = None
) -> GrantedToken:
    """The token in an answer, which may ask to `wait` for so many seconds. Raises what the answer means instead, in
    words of our own: never the endpoint's, which may hold a token or a secret."""
    from oauthlib.oauth2 import OAuth2Error
    from oauthlib.oauth2.rfc6749.errors import MissingTokenError, MissingTokenTypeError
    from oauthlib.oauth2.rfc6749.parameters import parse_token_response

    try:
        found = parse_token_response(content.decode("utf-8", "replace"))
    except OAuth2Error as error:
        # A success without a token is somebody else's page, or a maintenance.
        ours = isinstance(error, MissingTokenError | MissingTokenTypeError)
        raise refused(provider, status, "" if ours else str(error.error or ""), wait) from None
    except (ValueError, TypeError, AttributeError, RecursionError):
        raise refused(provider, status, "", wait) from None
    now = time.time()
    more = {name: value for name, value in found.items() if isinstance(value, str) and name not in _SECRET}
    lasts = float(found.get("expires_in") or 0)
    return GrantedToken(
        access=found["access_token"],
        # A vendor that does not rotate does not repeat it.
        refresh=str(found.get("refresh_token") or (known.refresh if known else "")),
        fetched=now,
        ends=now + lasts if lasts > 0 else 0.0,
        more=more,
    )


_SECRET = ("access_token", "refresh_token", "id_token", "expires_in", "expires_at")

#: Codes of errors (RFC 6749, 5.2), and what to do.
_REMEDIES: Mapping[str, str] = {
    "invalid_client": "client_id or client_secret is wrong, or the client was deleted",
    "invalid_grant": "the login has expired, or was revoked",
    "invalid_scope": "the client is not allowed all of scope",
    "unauthorized_client": "the client is not allowed this grant",
    "unsupported_grant_type": "the client is not allowed this grant",
    "invalid_request": "the destination did not understand the request for a token",
}


def refused(provider: Provider, status: int, code: str, wait: float | None) -> DeliveryError:
    """What an answer without a token means. Of what it says only a code is repeated."""
    known = code if code.replace("_", "").replace(".", "").isalnum() and code.isascii() and len(code) <= 40 else ""
    said = f"the token endpoint answered HTTP {status}{f' {known}' if known else ''}"
    passing = code in (*provider.waits, "temporarily_unavailable", "server_error", "slow_down")
    if passing or status in (408, 425, 429) or status >= 500 or (not known and status < 400):
        return RetryLater(said, status=status, retry_after=wait)
    remedy = _REMEDIES.get(known, "check client_id, client_secret and scope")
    if known == "invalid_grant" and provider.grant == "login":
        remedy += f"; run: {provider.login}"
    if known == "invalid_grant" and provider.grant == "refresh_token":
        remedy = "the refresh token has expired, or was revoked; make a new one"
    return ConnectorRefused(f"{said}: {remedy}", status=status)
