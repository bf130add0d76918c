"""The language of a page: chosen by a form and kept in a cookie of this browser, else as the browser asks for it."""

from __future__ import annotations

from collections.abc import Mapping

from flask import g, request

#: Each by the name that its speakers read. The first is what everybody else gets.
PAGE_LANGUAGES: Mapping[str, str] = {
    "en": "English",
    "cs": "Čeština",
    "sk": "Slovenčina",
    "de": "Deutsch",
    "pl": "Polski",
    "hu": "Magyar",
    "fr": "Français",
    "es": "Español",
}

#: Of the cookie with what was chosen (frame/theme.py).
LANGUAGE_COOKIE = "relay-language"


def language() -> str:
    """Of this request, asked once. Where there is none, nobody reads a page."""
    try:
        found: str = g.language
    except AttributeError:
        kept = request.cookies.get(LANGUAGE_COOKIE, "")
        found = g.language = kept if kept in PAGE_LANGUAGES else _preferred()
    except RuntimeError:
        return "en"
    return found


def _preferred() -> str:
    """The first that we have; werkzeug's best_match would take `sk` before `cs-CZ`, which is wanted more."""
    wanted = (tag.partition("-")[0].lower() for tag, quality in request.accept_languages if quality > 0)
    return next((one for one in wanted if one in PAGE_LANGUAGES), "en")
