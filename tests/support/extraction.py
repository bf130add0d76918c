"""What the dashboard's catalogues are made of: every sentence in its templates, in code, and about types of connectors.

`python -m tests.support.extraction FILE` writes the template of the catalogues; `make translations` calls it.
"""

from __future__ import annotations

import importlib
import pkgutil
import re
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import DEFAULT_KEYWORDS, extract_from_dir
from babel.messages.frontend import parse_keywords
from babel.messages.pofile import write_po

import connectors
from connectors import registry
from connectors.kit.checks.expectation import Expectation

ROOT = Path(__file__).parents[2]
#: What marks a sentence, beside gettext's own names, which templates have.
_KEYWORDS = {**DEFAULT_KEYWORDS, **parse_keywords(("say", "say_n:1,2", "to_be_said", "to_be_counted:1,2"))}
_TEMPLATES = {"trimmed": "true", "silent": "false", "trim_blocks": "true", "lstrip_blocks": "true"}


@cache
def extracted() -> Catalog:
    """All that can be said."""
    found = Catalog(project="Relay for Smartsupp", fuzzy=False)
    templates = ROOT / "app/dashboard/templates"
    for _, _, message, comments, _ in extract_from_dir(
        templates, [("**.html", "jinja2")], {"**.html": _TEMPLATES}, _KEYWORDS, ("Translators:",)
    ):
        found.add(message, auto_comments=comments)
    for package in ("app", "workers", "connectors", "core"):
        for _, _, message, comments, _ in extract_from_dir(
            ROOT / package, [("**.py", "python")], {}, _KEYWORDS, ("Translators:",)
        ):
            found.add(message, auto_comments=comments)
    for text, comment in _constants():
        found.add(text.replace("%", "%%"), auto_comments=[comment])
    for text in expected():
        found.add(text)
    return found


def expected() -> Iterator[str]:
    """What checks of connectors say, as their modules declare it. A text that is one value has nothing to translate."""
    for module in pkgutil.walk_packages(connectors.__path__, "connectors."):
        for one in vars(importlib.import_module(module.name)).values():
            if isinstance(one, Expectation):
                others = (text for it in one.also for text in (it.text, it.remedy))
                yield from filter(_has_words, (one.right, one.wrong, one.remedy, *others))


def _has_words(text: str) -> bool:
    return re.search(r"[^\W\d_]", re.sub(r"%\(\w+\)s", "", text)) is not None


def _constants() -> Iterator[tuple[str, str]]:
    """What pages say about types of connectors: texts that know nothing of languages, and are said by `constant`."""
    for kind, connector in sorted(registry.types().items()):
        for text, what in ((connector.makes, "what it makes"), (connector.erases, "whom it erases")):
            if text:
                yield text, f"Translators: of the connector {kind}, {what}."
        for name, field in connector.settings_model.model_fields.items():
            if field.description:
                yield field.description, f"Translators: of the setting {name}."


if __name__ == "__main__":
    with Path(sys.argv[1]).open("wb") as file:
        write_po(file, extracted(), width=120, no_location=True, omit_header=True, sort_output=True)
