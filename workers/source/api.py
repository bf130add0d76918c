"""The client of Smartsupp's API for one account: its token, its rate over all workers, and what its answers mean."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import Any

from pydantic import SecretStr
from requests import Response

from connectors.kit.auth.credentials import Header
from connectors.kit.http import Http
from connectors.kit.masking import MASK
from connectors.kit.responses import refusal, words
from core.config.sections.source import Account, ApiSource
from core.errors import ConnectorRefused, DeliveryError, NotFound, RetryLater
from core.smartsupp.api.client import SmartsuppApi
from core.store import Client, RateLimit

#: What a refusal of everything means here, and what to do.
_REMEDIES: Mapping[int, str] = {
    401: "Smartsupp rejects the token (HTTP 401). Create another one in Smartsupp and put it into source.api.token",
    402: "Smartsupp wants another plan for its API (HTTP 402). Ask Smartsupp's support which plan has it",
    403: "the token may not read this (HTTP 403). Ask for one that can read conversations, contacts and agents",
}
#: Requests that one burst may have, in seconds of the rate.
_BURST_SECONDS = 1.0
#: For so long the agents that were read are those that there are.
OPEN_SECONDS = 1_800.0

#: Opens the API of an account by its name; None where it has none.
OpenApi = Callable[[str, Account], SmartsuppApi | None]


class ApiTransport:
    """Sends what the client asks (core/smartsupp/api/client.py). Threads may share it."""

    def __init__(self, name: str, settings: ApiSource, limits: RateLimit, stopping: threading.Event) -> None:
        self._base = str(settings.base_url).rstrip("/")
        self._bucket, self._rate, self._limits, self._stopping = (
            f"smartsupp-api:{name}",
            settings.rate,
            limits,
            stopping,
        )
        self._counted = f"asked:{name}"
        self._secret = settings.token.get_secret_value()
        token = Header(SecretStr(self._secret))
        self._http = Http(
            timeout=settings.timeout,
            allow_networks=settings.allow_networks,
            judge=self._judged,
            mask=self._masked,
            credentials=lambda: token,
        )

    def __call__(self, method: str, path: str, *, params: Mapping[str, str] | None = None, body: Any = None) -> Any:
        self._take_turn()
        with self._http.attempt():
            # A search changes nothing, so it may be sent again though it is a POST.
            return self._http.json(
                method, f"{self._base}/{path}", params=params, repeatable=True, **({"json": body} if body else {})
            )

    def _take_turn(self) -> None:
        """Wait until the rate allows a request. Raises RetryLater when the process stops."""
        capacity = max(1.0, self._rate * _BURST_SECONDS)
        while wait := self._limits.take(self._bucket, capacity, self._rate, counted=self._counted):
            if self._stopping.wait(wait / 1000):
                raise RetryLater("stopped before Smartsupp was asked")

    def _judged(self, answer: Response) -> DeliveryError | None:
        if answer.status_code // 100 == 2:
            return None
        error = refusal(answer, mask=self._masked)
        text = _REMEDIES.get(answer.status_code, "")
        if isinstance(error, ConnectorRefused) and text:
            return ConnectorRefused(f"{text}. It said: {words(self._masked(_said(answer)))}", status=answer.status_code)
        return error

    def _masked(self, text: str) -> str:
        return text.replace(self._secret, MASK) if len(self._secret) >= 4 else text


def _said(answer: Response) -> str:
    """The API's own sentence: `{code, message}`."""
    try:
        found = answer.json()
    except (ValueError, RecursionError):
        return answer.reason or ""
    return str(found.get("message") or found.get("code") or "") if isinstance(found, dict) else ""


def opened_api(
    name: str, account: Account, client: Client, stopping: threading.Event | None = None
) -> SmartsuppApi | None:
    """The API of an account, or None where it is not configured. `stopping` ends what waits for the rate."""
    if account.api is None:
        return None
    return SmartsuppApi(ApiTransport(name, account.api, RateLimit(client), stopping or threading.Event()))


def still_answers(api: SmartsuppApi) -> bool:
    """Whether the API gives anything, though not one chat that it was asked for."""
    now = datetime.now(UTC)
    try:
        api.total(now - timedelta(days=1), now)
    except (DeliveryError, NotFound):
        return False
    return True


class OpenApis:
    """Those of one worker; threads share it. Each is opened anew now and then, as it reads the agents only once."""

    def __init__(self, opened: OpenApi) -> None:
        self._open = opened
        self._apis: Mapping[str, tuple[Account, float, SmartsuppApi | None]] = {}

    def of(self, name: str, account: Account) -> SmartsuppApi | None:
        known, now = self._apis.get(name), monotonic()
        if known is None or known[0] != account or now - known[1] > OPEN_SECONDS:
            known = (account, now, self._open(name, account))
            self._apis = {**self._apis, name: known}
        return known[2]
