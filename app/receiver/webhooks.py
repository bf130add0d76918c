"""Smartsupp's signed webhooks: authenticate, keep, wake a worker, answer; as the hook does it (docs/adr/0030).

A webhook says that something happened to a conversation. It is kept like a chat, since Smartsupp says of a webhook only
that it is sent again "later"; a worker then fetches the chat.
"""

from __future__ import annotations

import structlog
from flask import Blueprint, Response, jsonify, request
from werkzeug.exceptions import Forbidden, NotFound, TooManyRequests

from app.receiver.gathering import Gathering
from app.receiver.posted import Sources, Uninvited, set_aside, whole_body
from core.config.reload import Watched
from core.delivery import PayloadStatus
from core.errors import PayloadError
from core.smartsupp.events import SIGNATURE, read_event, signed
from core.store import Store

log = structlog.get_logger(__name__)


class WrongSignature(Forbidden):
    """Somebody else sent it, or the secret in relay.yaml is not the app's."""


def add_webhooks(pages: Blueprint, store: Store, watched: Watched, sources: Sources, gathering: Gathering) -> None:
    """`POST /smartsupp/webhooks/<name>`, on the hook's blueprint: refused is as the hook refuses."""

    @pages.post("/smartsupp/webhooks/<name>")
    def webhook(name: str) -> tuple[Response, int]:
        if not sources.admits(request.environ):
            raise Uninvited("nothing is taken from this address; see RELAY_ALLOWED_SOURCES")
        account = watched.current().accounts.get(name)
        if account is None or account.webhooks is None:
            raise NotFound("relay.yaml has no webhooks of that name under source")
        body = whole_body()
        if not signed(body, request.headers.get(SIGNATURE, ""), account.webhooks.secret.get_secret_value()):
            environ = request.environ
            if wait := gathering.aside(lambda: sources.guessed(environ)):
                raise TooManyRequests("too many wrong signatures", retry_after=wait)
            raise WrongSignature(f"wrong signature in {SIGNATURE}")
        accepted = gathering.accept(body, account.account or "", request.content_type or "", name)
        if accepted.known:
            log.info("duplicate", payload=accepted.id)
            return jsonify(id=accepted.id, status="duplicate"), 202
        answer = {"id": accepted.id, "status": "accepted"}
        try:
            read_event(body)
        except PayloadError as error:
            answer |= set_aside(store, gathering, accepted.id, PayloadStatus.QUARANTINED, str(error))
        log.info("accepted", payload=accepted.id, status=answer["status"], source=name)
        return jsonify(answer), 202
