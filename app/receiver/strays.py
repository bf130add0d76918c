"""Posts that no page and no hook takes: each may be a chat that was sent to a wrong address, so it is answered in JSON,
logged and counted like every post that is refused."""

from __future__ import annotations

from collections.abc import Callable

from flask import Flask, Response, jsonify, request

from app.receiver.rejections import Refusals

_READING = frozenset({"GET", "HEAD", "OPTIONS"})
_FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")
_HINT = "post chats to /smartsupp/TOKEN"


def answer_strays(app: Flask, refusals: Refusals, at_home: Callable[[], bool]) -> None:
    """`at_home` tells whether the request is an admin's, who sees pages instead."""

    def answered(response: Response) -> Response:
        if response.status_code < 300 or not _is_stray() or at_home():
            return response
        # A stranger is led from a page's form to the log-in; whatever posts a chat follows nobody there.
        status = 403 if response.status_code < 400 else response.status_code
        kept = {name: response.headers[name] for name in ("Allow", "Retry-After") if name in response.headers}
        text, why = _said(status)
        refusals.note(request.environ, status, text, why)
        refusal = jsonify(error=text)
        refusal.status_code = status
        refusal.headers.update(kept)
        return refusal

    app.after_request(answered)


def _is_stray() -> bool:
    if request.blueprint == "receiver":
        return False
    if _near_the_hook():
        return request.method != "OPTIONS"
    # A browser's form that a page knows is that page's matter.
    return request.method not in _READING and not (request.endpoint and request.mimetype in _FORMS)


def _near_the_hook() -> bool:
    return "smartsupp" in request.path.lower()


def _said(status: int) -> tuple[str, str]:
    """The sentence, which shows no path, because that may hold a token; and the reason."""
    meant = _near_the_hook() or request.path == "/"
    if status == 404:
        return f"there is nothing at this address; {_HINT}", "path" if meant else "elsewhere"
    if status == 405:
        return f"{request.method} is not allowed at this address; {_HINT}", "method" if meant else "elsewhere"
    return f"chats are not accepted at this address; {_HINT}", "elsewhere" if status == 403 else ""
