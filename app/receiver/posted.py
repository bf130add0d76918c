"""What the hook and the webhooks share: from whom they take a post, its whole body, and what to do with one that holds
nothing of use."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import structlog
from flask import request
from werkzeug.exceptions import BadRequest, Forbidden, RequestEntityTooLarge, UnsupportedMediaType

from app.proxies import Proxies, address_of, network_of
from app.receiver.gathering import Gathering
from core.config.environment import Network
from core.delivery import PayloadStatus
from core.errors import StoreUnavailable
from core.ids import PayloadId
from core.smartsupp.limits import LARGEST_BODY
from core.store import RateLimit, Store

log = structlog.get_logger(__name__)

#: Wrong tokens that one source may send at once, and how many more a second.
GUESSES, PER_SECOND = 20, 0.2


class Uninvited(Forbidden):
    """Of the address that it came from."""


class Empty(BadRequest):
    """There is no body."""


class Sources:
    """`allowed` are the networks that may post; empty: all. Every method takes a WSGI environ."""

    def __init__(self, proxies: Proxies, allowed: Sequence[Network], rate_limit: RateLimit) -> None:
        self._proxies, self._allowed, self._rate_limit = proxies, allowed, rate_limit

    def admits(self, environ: Mapping[str, Any]) -> bool:
        if not self._allowed:
            return True
        address = address_of(self._proxies.client(environ))
        return address is not None and any(address in network for network in self._allowed)

    def guessed(self, environ: Mapping[str, Any]) -> int:
        """Note a wrong token. Returns 0, or the seconds that its sender had better wait."""
        try:
            wait = self._rate_limit.take(f"tokens:{network_of(self._proxies.client(environ))}", GUESSES, PER_SECOND)
        except StoreUnavailable:
            return 0
        return -(-wait // 1000)


def whole_body() -> bytes:
    """The raw body, whole. Raises BadRequest, RequestEntityTooLarge, UnsupportedMediaType."""
    # Smartsupp packs nothing, and a megabyte of gzip may be a gigabyte.
    for header, plain in (("Content-Encoding", "identity"), ("Transfer-Encoding", "chunked")):
        if (request.headers.get(header, "").strip().lower() or plain) != plain:
            raise UnsupportedMediaType(f"{header} must be absent or '{plain}': send the body uncompressed")
    # Whatever its Content-Type says: never parsed as a form. Of a body without a declared length, werkzeug hands out
    # what fits into MAX_CONTENT_LENGTH, which is a byte more than we take, and says nothing of the rest.
    body = request.get_data(cache=False, parse_form_data=False)
    if len(body) > LARGEST_BODY:
        raise RequestEntityTooLarge
    # The server ends the stream where the connection broke, without an error.
    if request.content_length is not None and len(body) < request.content_length:
        raise BadRequest("the body is incomplete")
    if not body:
        raise Empty("the body is empty")
    return body


def set_aside(
    store: Store, gathering: Gathering, identity: PayloadId, status: PayloadStatus, error: str
) -> dict[str, str]:
    """Take a body that is kept, and holds nothing to deliver, out of the inbox; and what to tell its sender."""
    try:
        gathering.aside(lambda: store.divert(identity, status, error))
    except StoreUnavailable:
        log.info("not classified yet; left to the workers", payload=identity)  # kept it is
    return {"status": str(status), **({"error": error} if error else {})}
