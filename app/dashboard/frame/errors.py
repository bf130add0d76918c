"""What went wrong, as a page that says what to do."""

from __future__ import annotations

import structlog
from flask import Blueprint, Flask, Response, g, make_response, render_template, request
from werkzeug.exceptions import HTTPException

from app.dashboard.frame.headers import guarded
from app.dashboard.frame.login import LIVE, LoginGuard
from app.dashboard.language.translation import for_reader
from core.errors import ConfigError, NotFound, StoreUnavailable, StoreUnsafe
from core.wording.sentence import say

log = structlog.get_logger(__name__)

#: Code -> title and what to do.
_SAID = {
    400: (say("Bad request"), say("Go back and try again.")),
    403: (say("Not allowed"), say("Reload the page, then try again.")),
    404: (say("Page not found"), say("It may have been erased, or the address is wrong.")),
    405: (say("Method not allowed"), say("Go back and use the buttons of the page.")),
    409: (say("This cannot be decrypted"), say("Put the key back for all processes, then reload the page.")),
    413: (say("Too large"), say("A payload has at most 1 MiB.")),
    422: (
        say("relay.yaml has mistakes"),
        say("Correct them in the file, then reload the page. Chats are still accepted."),
    ),
    429: (say("Too many requests"), say("Wait a moment, then try again.")),
    500: (say("Internal error"), say("The log of the relay has the details. Chats are still accepted.")),
    503: (
        say("The store does not respond"),
        say(
            "Check that Redis is running and that this machine can reach it. The dashboard then recovers automatically."
        ),
    ),
}


def routes(pages: Blueprint) -> None:
    """For everything that a page raises."""

    @pages.errorhandler(StoreUnavailable)
    def unavailable(error: StoreUnavailable) -> Response:
        log.error("store unavailable", error=str(error))
        return _page(503, say("The relay is running, but it cannot read its data."), {"Retry-After": "5"})

    @pages.errorhandler(NotFound)
    def missing(error: NotFound) -> Response:
        return _page(404, _said(error))

    @pages.errorhandler(StoreUnsafe)
    def sealed(error: StoreUnsafe) -> Response:
        return _page(409, _said(error))

    @pages.errorhandler(ConfigError)
    def mistaken(error: ConfigError) -> Response:
        return _page(422, _said(error))

    @pages.errorhandler(HTTPException)
    def refused(error: HTTPException) -> Response:
        if error.response is not None:  # made by abort(response)
            return make_response(error.response)
        return _page(error.code or 500, _description(error))


def of_nowhere(app: Flask, door: LoginGuard) -> None:
    """For addresses that belong to nobody. What lies below the paths of the receiver and of machines keeps its plain
    answers."""

    def lost(error: HTTPException) -> Response | HTTPException:
        others = (rule.rule for rule in app.url_map.iter_rules() if not rule.endpoint.startswith("dashboard."))
        if request.path.startswith(tuple(rule.partition("<")[0] for rule in others)):
            return error
        try:
            door.recognise()
        except StoreUnavailable:
            g.user = None
        return guarded(_page(error.code or 500, _description(error)))

    for code in (404, 405):
        app.register_error_handler(code, lost)


def _said(error: Exception) -> str:
    """What an error says; str() would forget that it is a sentence."""
    return error.args[0] if error.args and isinstance(error.args[0], str) else str(error)


def _description(error: HTTPException) -> str:
    # Werkzeug's own words are for developers.
    return error.description or "" if error.description != type(error).description else ""


def _page(code: int, text: str, headers: dict[str, str] | None = None) -> Response:
    title, remedy = _SAID.get(code, (say("Internal error") if code >= 500 else say("Request failed"), ""))
    if LIVE in request.headers:
        return Response(for_reader(title), code, {"Content-Type": "text/plain; charset=utf-8", **(headers or {})})
    words = {"code": code, "title": title, "text": text, "remedy": remedy}
    return make_response(render_template("error.html", **words), code, headers or {})
