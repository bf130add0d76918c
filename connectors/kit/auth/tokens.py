"""Tokens that all workers share: one of them fetches, the others wait for it.

Before a new token is used it is kept, because the refresh token that came with it may be the only one that still works.
It is renewed early, so that nobody waits; and once more when the vendor answers 401.
"""

from __future__ import annotations

import secrets
import time
from base64 import b64encode
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Protocol
from urllib.parse import quote_plus

import requests
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

from connectors.kit.auth.credentials import Options, with_header
from connectors.kit.auth.oauth import GrantedToken, Provider, exchanged, received, token_request
from connectors.kit.responses import retry_after
from core.connector_state import ConnectorState, Taken
from core.errors import ConnectorRefused, DeliveryError, RetryLater, StoreUnavailable

#: Nobody else fetches a token for so long: longer than fetching takes, with its repeats. Ms.
_LEASE_MS = 40_000
#: Seconds that an answer of the endpoint may take, and that others wait for a token; and between two looks.
_FETCH, _WAIT, _LOOK = 10.0, 5.0, 0.05
#: Seconds for which a refused refresh token may have been used by another worker, whose answer is on its way.
OTHERS = 1.0
#: Seconds until a delivery tries again that did not get a token meanwhile.
LATER = 3.0
#: Seconds for which a token that was fetched is tried to be kept while the store is away.
_PATIENCE = 15.0

_patiently = Retrying(
    retry=retry_if_exception_type(StoreUnavailable),
    stop=stop_after_delay(_PATIENCE),
    wait=wait_fixed(0.3),
    reraise=True,
)


class Endpoint(Protocol):
    """How the token endpoint is asked: connectors.kit.http.Http."""

    @property
    def is_pretending(self) -> bool:
        """Nothing is sent."""

    def unsigned(self, method: str, url: str, **options: Any) -> requests.Response:
        """Send a request without credentials, of which nothing is kept but its status; any answer comes back."""


class Tokens:
    """Credentials by OAuth 2. One for each connector of a process; its threads share it."""

    def __init__(
        self,
        endpoint: Endpoint,
        provider: Provider,
        state: Callable[[], ConnectorState],
        learn: Callable[[str], None],
    ) -> None:
        """`learn` is told every token, to mask it from then on."""
        self.provider = provider
        self._endpoint, self._state, self._learn = endpoint, state, learn
        #: The newest that this process has seen. Others may have kept a newer one since.
        self._known: GrantedToken | None = None
        #: Fetched, and not kept: the store was away.
        self._unkept: tuple[int, str, GrantedToken] | None = None

    def sign(self, options: Options) -> Options:
        if self._endpoint.is_pretending:
            return with_header(options, "Authorization", f"{self.provider.kind}**********")
        return with_header(options, "Authorization", self.provider.kind + self.current().access)

    def renew(self, refused: Options) -> bool:
        """Whether there is another token than the one that was refused. Raises DeliveryError."""
        sent = str((refused.get("headers") or {}).get("Authorization", "")).removeprefix(self.provider.kind)
        known = self._known
        if known is not None and known.access == sent:
            self._renewed(replace(known, access=""))
        return True

    def current(self) -> GrantedToken:
        """A token that can be used. Raises DeliveryError, StoreUnavailable."""
        known = self._known
        return known if known is not None and known.is_fresh(time.time()) else self._renewed(known)

    def log_in(self, code: str, redirect: str, verifier: str) -> GrantedToken:
        """Make a token of the code which a login gave, and keep it. Raises DeliveryError, StoreUnavailable."""
        holder, version = secrets.token_hex(8), self._known.version if self._known else 0
        taken = self._wait(version, holder)
        while taken.what == "new":
            version = taken.version
            taken = self._wait(version, holder)
        try:
            token = self._asked(exchanged(self.provider, code, redirect, verifier), None)
        except BaseException:
            self._state().release_token(holder)
            raise
        return self._kept(taken.version, holder, token)

    # --- one for all -----------------------------------------------------------------

    def _renewed(self, known: GrantedToken | None) -> GrantedToken:
        """A newer token than `known`: another worker's, or a new one; `known` itself, while another worker fetches one
        and this one still works."""
        if self._unkept is not None:
            return self._kept(*self._unkept)
        holder = secrets.token_hex(8)
        while True:
            taken = self._wait(known.version if known else 0, holder, known)
            if taken.what == "busy" and known is not None:
                return known
            found = self._opened(taken)
            if taken.what == "new" and found is not None and found.is_fresh(time.time()):
                self._known = found
                return found
            if taken.what == "renew":
                return self._fetched(taken.version, holder, found)
            # What others have kept must be renewed, too.
            known = replace(found, version=taken.version) if found else GrantedToken("", version=taken.version)

    def _wait(self, seen: int, holder: str, known: GrantedToken | None = None) -> Taken:
        """Until there is a newer one, or it is ours to fetch; `busy` while `known` will do. Raises RetryLater."""
        ends = time.monotonic() + _WAIT
        while True:
            taken = self._state().take_token(self.provider.identity, seen, holder, _LEASE_MS)
            if taken.what != "busy" or (known is not None and known.lasts(time.time())):
                return taken
            if time.monotonic() >= ends:
                raise RetryLater("another worker is fetching an access token", retry_after=LATER)
            time.sleep(_LOOK)

    def _fetched(self, version: int, holder: str, known: GrantedToken | None) -> GrantedToken:
        try:
            token = self._asked(token_request(self.provider, known), known)
        except BaseException as error:
            self._state().release_token(holder)
            if isinstance(error, ConnectorRefused) and known is not None and known.refresh:
                return self._others(version, error)
            raise
        return self._kept(version, holder, token)

    def _others(self, version: int, refused: ConnectorRefused) -> GrantedToken:
        """What another worker has kept meanwhile: it used our refresh token before us. Else we were refused."""
        holder, ends = secrets.token_hex(8), time.monotonic() + OTHERS
        while True:
            taken = self._state().take_token(self.provider.identity, version, holder, _LEASE_MS)
            if taken.what == "renew":
                self._state().release_token(holder)
            if taken.what == "new" or time.monotonic() >= ends:
                break
            time.sleep(_LOOK)  # it may be about to keep what it got
        found = self._opened(taken) if taken.what == "new" else None
        if found is None or not found.lasts(time.time()):
            raise refused
        self._known = found
        return found

    def _kept(self, version: int, holder: str, token: GrantedToken) -> GrantedToken:
        """The token once it is kept, or the one that somebody has kept since."""
        self._learned(token)
        self._unkept = (version, holder, token)
        identity, sealed = self.provider.identity, token.sealed(self.provider)
        found = _patiently(lambda: self._state().keep_token(identity, version, holder, sealed))
        self._unkept = None
        if not found:
            return self._renewed(replace(token, access="", version=version))
        self._known = replace(token, version=found)
        return self._known

    def _opened(self, taken: Taken) -> GrantedToken | None:
        found = GrantedToken.opened(taken.kept, self.provider, taken.version) if taken.kept else None
        if found is not None:
            self._learned(found)
        return found

    def _learned(self, token: GrantedToken) -> None:
        for secret in filter(None, (token.access, token.refresh)):
            self._learn(secret)

    # --- the endpoint ------------------------------------------------------------------

    def _asked(self, parameters: dict[str, str], known: GrantedToken | None) -> GrantedToken:
        provider = self.provider
        headers = {"Accept": "application/json"}
        if provider.in_header:
            pair = f"{quote_plus(provider.client_id)}:{quote_plus(provider.secret)}"
            headers["Authorization"] = f"Basic {b64encode(pair.encode()).decode()}"
        body: dict[str, Any] = {"json": parameters} if provider.as_json else {"data": parameters}
        # A request whose reply was lost is sent again. Where the vendor has acted on it, nothing else can be done: some
        # take the old refresh token for a little longer, for just this.
        answer = self._endpoint.unsigned("POST", provider.token_url, headers=headers, timeout=_FETCH, **body)
        return received(provider, answer.status_code, answer.content, known, wait=retry_after(answer.headers))


def is_refused(error: DeliveryError) -> bool:
    """Whether other credentials might be taken in place of those that were sent."""
    return isinstance(error, ConnectorRefused) and error.status == 401
