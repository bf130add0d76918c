"""How pages look and in which language they are, unless the browser is to say: chosen by a form of the frame, kept in a
cookie of this browser."""

from __future__ import annotations

from typing import Literal, get_args

from flask import Blueprint, g, redirect, request
from werkzeug.wrappers import Response

from app.dashboard.frame.login import local
from app.dashboard.language.choice import LANGUAGE_COOKIE, PAGE_LANGUAGES

Theme = Literal["system", "light", "dark"]
THEMES: tuple[Theme, ...] = get_args(Theme)

_COOKIE = "relay-theme"
_YEAR = 365 * 24 * 3600


def routes(pages: Blueprint) -> None:
    @pages.post("/theme")
    def theme_chosen() -> Response:
        answer = redirect(local(request.form.get("back") or "/"), 303)
        answer.set_cookie(
            _COOKIE, _known(request.form.get("theme", "")), _YEAR, secure=g.secure, httponly=True, samesite="Lax"
        )
        return answer

    @pages.post("/language")
    def language_chosen() -> Response:
        answer = redirect(local(request.form.get("back") or "/"), 303)
        wanted = request.form.get("language", "")
        if wanted in PAGE_LANGUAGES:
            answer.set_cookie(LANGUAGE_COOKIE, wanted, _YEAR, secure=g.secure, httponly=True, samesite="Lax")
        return answer


def theme() -> Theme:
    return _known(request.cookies.get(_COOKIE, ""))


def back_here() -> str:
    """Where a form of the frame comes back to: what a form has answered cannot be opened again."""
    if request.method != "GET":
        return "/"
    # No page repeats whom somebody has looked for in an address.
    return request.path if "visitor" in request.args else request.full_path.rstrip("?")


def _known(wanted: str) -> Theme:
    return next((one for one in THEMES if one == wanted), "system")
