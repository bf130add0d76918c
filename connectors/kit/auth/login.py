"""The one time that a person logs in: the page to open, and the code that comes back (RFC 6749, 4.1; PKCE, RFC 7636).

The code comes to an address of this machine, or is pasted by whoever has only a terminal.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

from oauthlib.oauth2 import WebApplicationClient

from connectors.kit.auth.tokens import Tokens
from connectors.kit.connector import Connector
from core.errors import ConnectorRefused


@dataclass(frozen=True)
class Login:
    """One login: `url` is the page to open, `redirect` where it sends people afterwards."""

    url: str
    redirect: str
    _state: str = field(repr=False)
    _verifier: str = field(repr=False)
    _tokens: Tokens = field(repr=False)

    def finish(self, came: str) -> None:
        """Make tokens of what came back, the whole address or the code alone, and keep them. Raises ConnectorRefused,
        RetryLater, StoreUnavailable."""
        self._tokens.log_in(self._code(came.strip()), self.redirect, self._verifier)

    def _code(self, came: str) -> str:
        query = urlsplit(came).query if "://" in came or came.startswith("/") else came if "code=" in came else ""
        if not query:
            if not came or "=" in came or "/" in came:
                raise ConnectorRefused("there is no login code in it; paste the whole address that the browser ends at")
            return came
        said = {name: values[0] for name, values in parse_qs(query).items()}
        if "error" in said:
            raise ConnectorRefused(f"the destination rejected the login: {said['error'][:40]}")
        if not secrets.compare_digest(said.get("state", "").encode(), self._state.encode()):
            raise ConnectorRefused("this address belongs to another login; start again")
        if "code" not in said:
            raise ConnectorRefused("there is no login code in it; paste the whole address that the browser ends at")
        return said["code"]


def begin(connector: Connector[Any], redirect: str) -> Login:
    """Raises ConnectorRefused for a connector that nobody logs in to."""
    tokens = getattr(connector, "credentials", None)
    if not isinstance(tokens, Tokens) or tokens.provider.grant != "login":
        raise ConnectorRefused(f"{connector.name} needs no login: its credentials are in relay.yaml")
    provider = tokens.provider
    client = WebApplicationClient(provider.client_id)
    verifier, state = client.create_code_verifier(64), secrets.token_urlsafe(24)
    scheme, _, place = provider.authorize_url.partition("://")
    # oauthlib wants HTTPS; a server of one's own may do without, where the settings say so.
    url = client.prepare_request_uri(
        f"https://{place}",
        redirect_uri=redirect,
        scope=[*provider.scope.split()] or None,
        state=state,
        code_challenge=client.create_code_challenge(verifier, "S256"),
        code_challenge_method="S256",
    )
    return Login(f"{scheme}{url.removeprefix('https')}", redirect, state, verifier, tokens)
