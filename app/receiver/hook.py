"""The receiver: authenticate, keep, knock, answer. Smartsupp may never send a body twice, so it is kept first and
looked at afterwards."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Iterable

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

from app.refusals import Refusals
from app.sources import Sources
from core.delivery import PayloadStatus
from core.environment import Token
from core.errors import PayloadError, StoreUnavailable
from core.smartsupp import glance
from core.store import INBOX, Store
from core.watch import Watched

log = structlog.get_logger(__name__)

#: Bytes of a body. Smartsupp's own are a few kilobytes; a conversation of a whole day fits well into this.
LARGEST_BODY = 1024 * 1024
#: Seconds after which a sender that knows how may try again.
RETRY_AFTER = 5


def blueprint(
    store: Store, watched: Watched, knock: Callable[[str], None], sources: Sources, refusals: Refusals
) -> Blueprint:
    """`POST /smartsupp/<token>`."""
    pages = Blueprint("receiver", __name__)

    @pages.post("/smartsupp/<token>")
    def receive(token: str) -> tuple[Response, int]:
        if not sources.admits(request.environ):
            raise Forbidden("nothing is taken from this address; see RELAY_ALLOWED_SOURCES")
        found = authenticated(token, watched.current().tokens)
        if found is None:
            # Only after a wrong one: whoever has the right token is never kept out by somebody else's guesses, which
            # may come from the address of the same proxy. So this makes guessing no harder; the token's length does.
            if wait := sources.guessed(request.environ):
                raise TooManyRequests("too many wrong tokens", retry_after=wait)
            raise Forbidden("unknown token")
        body = _body()
        account = found.account or ""
        accepted = store.accept(body, account, request.content_type or "")
        if accepted.known:
            log.info("duplicate", payload=accepted.id)
            return jsonify(id=accepted.id, status="duplicate"), 202
        answer = {"id": accepted.id, **_looked_at(store, accepted.id, body, account)}
        log.info("accepted", payload=accepted.id, status=answer["status"])
        if accepted.knock:
            knock(INBOX)
        return jsonify(answer), 202

    @pages.errorhandler(StoreUnavailable)
    def unavailable(error: StoreUnavailable) -> tuple[Response, int, dict[str, str]]:
        log.error("a body could not be kept", error=str(error))
        return jsonify(error="not kept, try again"), 503, {"Retry-After": str(RETRY_AFTER)}

    @pages.errorhandler(HTTPException)
    def refused(error: HTTPException) -> tuple[Response, int, dict[str, str]]:
        refusals.note(request.environ, error.code or 500, str(error.description))
        wait = {"Retry-After": str(error.retry_after)} if isinstance(error, TooManyRequests) else {}
        return jsonify(error=error.description), error.code or 500, wait

    return pages


def _body() -> bytes:
    """The raw body, whole. Raises BadRequest, RequestEntityTooLarge, UnsupportedMediaType."""
    # Smartsupp packs nothing, and a megabyte of gzip may be a gigabyte.
    for header, plain in (("Content-Encoding", "identity"), ("Transfer-Encoding", "chunked")):
        if (request.headers.get(header, "").strip().lower() or plain) != plain:
            raise UnsupportedMediaType(f"{header} must be absent, or '{plain}': send the body as it is, not packed")
    # Whatever its Content-Type says: never parsed as a form. Of a body without a declared length, werkzeug hands out
    # what fits into MAX_CONTENT_LENGTH, which is a byte more than we take, and says nothing of the rest.
    body = request.get_data(cache=False, parse_form_data=False)
    if len(body) > LARGEST_BODY:
        raise RequestEntityTooLarge
    # The server ends the stream where the connection broke, without an error.
    if request.content_length is not None and len(body) < request.content_length:
        raise BadRequest("the body was cut short")
    if not body:
        raise BadRequest("the body is empty")
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


def _looked_at(store: Store, identity: str, body: bytes, account: str) -> dict[str, str]:
    """What to tell the sender about a body that is kept. A worker finds the same, and what is wrong further inside."""
    try:
        if glance(body, account):
            return {"status": "accepted"}
        status, error = PayloadStatus.SET_ASIDE, ""
    except PayloadError as problem:
        status, error = PayloadStatus.QUARANTINED, str(problem)
    try:
        store.divert(identity, status, error)
    except StoreUnavailable:
        log.info("left to the workers", payload=identity)  # kept it is
    return {"status": str(status), **({"error": error} if error else {})}
