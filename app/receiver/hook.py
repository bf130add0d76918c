"""The receiver: authenticate, keep, wake a worker, answer. Smartsupp may never send a body twice, so it is kept first
and looked at afterwards."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterable

import structlog
from flask import Blueprint, Response, jsonify, request
from werkzeug.exceptions import (
    Forbidden,
    HTTPException,
    TooManyRequests,
)

from app.receiver.gathering import Gathering
from app.receiver.posted import Empty, Sources, Uninvited, set_aside, whole_body
from app.receiver.rejections import Refusals
from app.receiver.webhooks import WrongSignature, add_webhooks
from core.config.environment import Token
from core.config.reload import Watched
from core.delivery import PayloadStatus
from core.errors import PayloadError, StoreUnavailable
from core.ids import PayloadId
from core.smartsupp.limits import LARGEST_BODY
from core.smartsupp.parser import glance
from core.store import Store

log = structlog.get_logger(__name__)

#: However the address was typed: slashes too many, capitals.
_HOOK = re.compile(r"/+smartsupp/+(?:(webhooks)/+)?([^/]+)/*", re.IGNORECASE)
#: Seconds after which a sender that knows how may try again.
RETRY_AFTER = 5


#: Reasons that the status does not tell (app/receiver/rejections.py).
_WHY: dict[type[HTTPException], str] = {Uninvited: "source", Empty: "empty", WrongSignature: "signature"}


def blueprint(store: Store, watched: Watched, sources: Sources, refusals: Refusals, gathering: Gathering) -> Blueprint:
    """`POST /smartsupp/<token>`, and the webhooks beside it."""
    pages = Blueprint("receiver", __name__)
    add_webhooks(pages, store, watched, sources, gathering)

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
        body = whole_body()
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

    @pages.errorhandler(404)  # or the dashboard's page would be the answer
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
    """The path as the rule of the hook, or of the webhooks, spells it, if it is theirs; any other as it is."""
    found = _HOOK.fullmatch(path)
    if not found:
        return path
    return f"/smartsupp/webhooks/{found[2]}" if found[1] else f"/smartsupp/{found[2]}"


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
    return set_aside(store, gathering, identity, status, error)
