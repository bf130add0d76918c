"""The catalogues of gettext, read as they stand in the repository: nothing has to be compiled, and nobody pays for a
language that nobody reads."""

from __future__ import annotations

import io
from functools import cache
from gettext import GNUTranslations, NullTranslations
from importlib.resources import files

from markupsafe import Markup

_DOMAIN = "dashboard"


class Catalogue:
    """What is said in one language. A page says hundreds of texts, so those of templates are kept as they are shown."""

    def __init__(self, translations: NullTranslations) -> None:
        self.gettext, self.ngettext = translations.gettext, translations.ngettext
        self._shown: dict[str, str] = {}

    def shown(self, text: str) -> str:
        """A text of a template that has no values: the template's own, and so there are only so many."""
        found = self._shown.get(text)
        if found is None:
            found = self._shown[text] = as_markup(self.gettext(text) % ())
        return found


def as_markup(text: str) -> str:
    """What a template says is markup. Where there is none in it, it stays text, which is shown several times faster."""
    return Markup(text) if has_markup(text) else text  # noqa: S704  # ours, markup and all


def has_markup(text: str) -> bool:
    return "<" in text or "&" in text


@cache
def catalogue(language: str) -> Catalogue:
    """Of a language, for as long as the process lives; English texts stand for themselves."""
    if language == "en":
        return Catalogue(NullTranslations())
    # Here, because a relay whose pages are read in English needs no reader of catalogues.
    from babel.messages.mofile import write_mo  # noqa: PLC0415
    from babel.messages.pofile import read_po  # noqa: PLC0415

    path = files("app.dashboard") / "locale" / language / "LC_MESSAGES" / f"{_DOMAIN}.po"
    with path.open("rb") as file:
        read = read_po(file, locale=language, abort_invalid=True)
    compiled = io.BytesIO()
    write_mo(compiled, read)
    compiled.seek(0)
    return Catalogue(GNUTranslations(compiled))
