"""The receiver: authenticate, keep, wake a worker, answer. Smartsupp may never send a body twice, so it is kept first
and looked at afterwards."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import structlog
from flask import Blueprint, Response, jsonify, request
from werkzeug.exceptions import (
    BadRequest,
    Forbidden,
    HTTPException,
    RequestEntityTooLarge,
    TooManyRequests,
    UnsupportedMediaType,
)

from app.proxies import Proxies, address_of, network_of
from app.receiver.gathering import Gathering
from app.receiver.rejections import Refusals
from core.config.environment import Network, Token
from core.config.reload import Watched
from core.delivery import PayloadStatus
from core.errors import PayloadError, StoreUnavailable
from core.ids import PayloadId
from core.smartsupp.limits import LARGEST_BODY
from core.smartsupp.parser import glance
from core.store import RateLimit, Store

log = structlog.get_logger(__name__)

#: However the address was typed: slashes too many, capitals.
_HOOK = re.compile(r"/+smartsupp/+([^/]+)/*", re.IGNORECASE)
#: Seconds after which a sender that knows how may try again.
RETRY_AFTER = 5
#: Wrong tokens that one source may send at once, and how many more a second.
GUESSES, PER_SECOND = 20, 0.2


class Uninvited(Forbidden):
    """Of the address that it came from."""


class Empty(BadRequest):
    """There is no body."""


#: Reasons that the status does not tell (app/receiver/rejections.py).
_WHY: dict[type[HTTPException], str] = {Uninvited: "source", Empty: "empty"}


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


def blueprint(store: Store, watched: Watched, sources: Sources, refusals: Refusals, gathering: Gathering) -> Blueprint:
    """`POST /smartsupp/<token>`."""
    pages = Blueprint("receiver", __name__)

    @pages.post("/smartsupp/<token>")
    def receive(token: str) -> tuple[Response, int]:
        if not sources.admits(request.environ):
            raise Uninvited("nothing is taken from this address; see RELAY_ALLOWED_SOURCES")
        found = authenticated(token, watched.current().tokens)
        if found is None:
            # Only after a wrong one: whoever has the right token is never kept out by somebody else's guesses, which
            # may come from the address of the same proxy. So this makes guessing no harder; the token's length does.
            environ = request.environ
            if wait := gathering.aside(lambda: sources.guessed(environ)):
                raise TooManyRequests("too many wrong tokens", retry_after=wait)
            raise Forbidden("unknown token")
        body = _body()
        account = found.account or ""
        accepted = gathering.accept(body, account, request.content_type or "")
        if accepted.known:
            log.info("duplicate", payload=accepted.id)
            return jsonify(id=accepted.id, status="duplicate"), 202
        answer = {"id": accepted.id, **_looked_at(store, gathering, accepted.id, body, account)}
        log.info("accepted", payload=accepted.id, status=answer["status"])
        return jsonify(answer), 202

    @pages.errorhandler(StoreUnavailable)
    def unavailable(error: StoreUnavailable) -> tuple[Response, int, dict[str, str]]:
        log.error("chat not stored", error=str(error))
        refusals.note(request.environ, 503, "not stored", "store")
        return jsonify(error="not stored; try again"), 503, {"Retry-After": str(RETRY_AFTER)}

    @pages.errorhandler(HTTPException)
    def refused(error: HTTPException) -> tuple[Response, int, dict[str, str]]:
        status = error.code or 500
        text = "internal error" if status == 500 else str(error.description)
        if status == 413:  # werkzeug raises it, too, with words of its own
            text = f"the body is larger than {LARGEST_BODY >> 20} MiB"
        refusals.note(request.environ, status, text, _WHY.get(type(error), ""))
        wait = {"Retry-After": str(error.retry_after)} if isinstance(error, TooManyRequests) else {}
        return jsonify(error=text), status, wait

    return pages


def canonical(path: str) -> str:
    """The path as the hook's rule spells it, if it is the hook's; any other as it is."""
    found = _HOOK.fullmatch(path)
    return f"/smartsupp/{found[1]}" if found else path


def _body() -> bytes:
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


def authenticated(token: str, tokens: Iterable[Token]) -> Token | None:
    """The token that was meant, in a time that does not tell how much of it was right, nor which one."""
    given = hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()
    found = None
    for candidate in tokens:
        wanted = hashlib.sha256(candidate.token.get_secret_value().encode()).digest()
        if hmac.compare_digest(given, wanted):
            found = candidate
    return found


def _looked_at(store: Store, gathering: Gathering, identity: PayloadId, body: bytes, account: str) -> dict[str, str]:
    """What to tell the sender about a body that is kept. A worker finds the same, and what is wrong further inside."""
    try:
        if glance(body, account):
            return {"status": "accepted"}
        status, error = PayloadStatus.SET_ASIDE, ""
    except PayloadError as problem:
        status, error = PayloadStatus.QUARANTINED, str(problem)
    try:
        gathering.aside(lambda: store.divert(identity, status, error))
    except StoreUnavailable:
        log.info("not classified yet; left to the workers", payload=identity)  # kept it is
    return {"status": str(status), **({"error": error} if error else {})}
