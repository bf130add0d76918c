"""Sentences in the language of the request's reader, for templates and pages."""

from __future__ import annotations

from typing import Any

from flask import flash as flask_flash
from flask import g, has_request_context
from jinja2 import Environment
from markupsafe import Markup

from app.dashboard.language import catalogues
from app.dashboard.language.choice import language
from app.dashboard.language.spelling import number
from core.wording.sentence import Sentence, constant, say, say_all


def install(environment: Environment) -> None:
    """Give templates `_`, `ngettext`, `{% trans %}` and what pages have; a sentence is translated when it is shown."""
    environment.policies["ext.i18n.trimmed"] = True
    environment.add_extension("jinja2.ext.i18n")
    environment.newstyle_gettext = True  # type: ignore[attr-defined]  # the extension adds it
    environment.globals.update(
        _=_gettext,
        gettext=_gettext,
        ngettext=_ngettext,
        say=say,
        say_all=say_all,
        constant=constant,
        translated=for_reader,
    )
    environment.finalize = _finalized


def for_reader(text: str) -> str:
    """A sentence in the reader's language; what is no sentence stays as it is."""
    if not isinstance(text, Sentence):
        return text
    if text.parts:
        return text.between.join(map(for_reader, text.parts))
    if not text.forms:
        return text
    words = _words()
    found = words.gettext(text.forms[0]) if len(text.forms) == 1 else words.ngettext(*text.forms, text.number)
    return str(found % {name: _shown(value) for name, value in text.values.items()})


def flash(text: str, kind: str) -> None:
    """For the page that is shown next; in the language of now, because it waits in a cookie."""
    flask_flash(str(for_reader(text)), kind)


def _words() -> Any:
    if not has_request_context():
        return catalogues.catalogue("en")
    found = g.get("words")
    if found is None:
        found = g.words = catalogues.catalogue(language())
    return found


def _shown(value: Any) -> Any:
    if isinstance(value, Sentence):
        return for_reader(value)
    return number(value) if type(value) is int else value


def _gettext(text: str, /, **values: Any) -> Markup:
    """Of a template: its own text is markup, its values are not. Never with a text that is no constant."""
    return Markup(_words().gettext(text)) % {name: _shown(value) for name, value in values.items()}  # noqa: S704  # as said


def _ngettext(one: str, many: str, count: int, /, **values: Any) -> Markup:
    """The same for a number of things, which is `%(num)s`."""
    values.setdefault("num", count)
    return Markup(_words().ngettext(one, many, count)) % {name: _shown(value) for name, value in values.items()}  # noqa: S704  # as above


def _finalized(value: Any) -> Any:
    return for_reader(value) if value.__class__ is Sentence else value
