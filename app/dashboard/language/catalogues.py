"""The catalogues of gettext, read as they stand in the repository: nothing has to be compiled, and nobody pays for a
language that nobody reads."""

from __future__ import annotations

import io
from functools import cache
from gettext import GNUTranslations, NullTranslations
from importlib.resources import files

_DOMAIN = "dashboard"


@cache
def catalogue(language: str) -> NullTranslations:
    """Of a language, for as long as the process lives; English texts stand for themselves."""
    if language == "en":
        return NullTranslations()
    # Here, because a relay whose pages are read in English needs no reader of catalogues.
    from babel.messages.mofile import write_mo  # noqa: PLC0415
    from babel.messages.pofile import read_po  # noqa: PLC0415

    path = files("app.dashboard") / "locale" / language / "LC_MESSAGES" / f"{_DOMAIN}.po"
    with path.open("rb") as file:
        read = read_po(file, locale=language, abort_invalid=True)
    compiled = io.BytesIO()
    write_mo(compiled, read)
    compiled.seek(0)
    return GNUTranslations(compiled)
