"""Sentences in the language of the request's reader, for templates and pages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import flash as flask_flash
from flask import g
from jinja2 import Environment
from markupsafe import Markup

from app.dashboard.language import catalogues
from app.dashboard.language.catalogues import Catalogue, has_markup
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
    one, *many = text.forms
    found = words.ngettext(one, many[0], text.number) if many else words.gettext(one)
    return found % {name: _shown(value) for name, value in text.values.items()}


def flash(text: str, kind: str) -> None:
    """For the page that is shown next; in the language of now, because it waits in a cookie."""
    flask_flash(str(for_reader(text)), kind)


def _words() -> Catalogue:
    try:
        found: Catalogue = g.words
    except AttributeError:
        found = g.words = catalogues.catalogue(language())
    except RuntimeError:  # nobody reads a page
        found = catalogues.catalogue("en")
    return found


def _shown(value: Any) -> Any:
    if isinstance(value, Sentence):
        return for_reader(value)
    return number(value) if type(value) is int else value


def _gettext(text: str, /, **values: Any) -> str:
    """Of a template: its own text is markup, its values are not. Never with a text that is no constant."""
    return _filled(_words().gettext(text), values) if values else _words().shown(text)


def _ngettext(one: str, many: str, count: int, /, **values: Any) -> str:
    """The same for a number of things, which is `%(num)s`."""
    return _filled(_words().ngettext(one, many, count), {"num": count, **values})


def _filled(text: str, values: Mapping[str, Any]) -> str:
    shown = {name: _shown(value) for name, value in values.items()}
    if has_markup(text) or any(isinstance(one, Markup) for one in shown.values()):
        return Markup(text) % shown  # noqa: S704  # the values are escaped
    return text % shown


def _finalized(value: Any) -> Any:
    return for_reader(value) if value.__class__ is Sentence else value
