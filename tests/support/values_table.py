"""Writes tables into the documentation from the code: of values, from their names, types and sentences in
core/values/chat.py, and of the presets of `only`, from core/values/presets.py.

Run `python -m tests.support.values_table` after one has changed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, get_args, get_origin

from pydantic import BaseModel

from core.values.chat import TYPES, description
from core.values.presets import PRESETS

_DOCS = Path(__file__).parent.parent.parent / "docs"
PAGE = _DOCS / "templates.md"
PRESETS_PAGE = _DOCS / "configuration.md"
_KINDS = {str: "text", int: "number", bool: "true or false"}


def page() -> str:
    """The page of values as it should be."""
    rows = (f"| `{name}` | {_kind(of)} | {description(name)} |" for name, of in TYPES.items())
    return _with(PAGE, "| value | kind | what |", rows)


def presets_page() -> str:
    """The page of presets as it should be."""
    rows = (f"| `{name}` | {sentence} |" for name, (_, sentence) in PRESETS.items())
    return _with(PRESETS_PAGE, "| kind | which chats |", rows)


def _with(page: Path, head: str, rows: Iterable[str]) -> str:
    """A page with these rows under a table's head."""
    rule = re.sub(r"[^|]+", "---", head)
    table = re.compile(rf"(?<=^{re.escape(head)}\n{re.escape(rule)}\n)(?:\|.*\n)+", re.MULTILINE)
    found, number = table.subn("".join(f"{row}\n" for row in rows).replace("\\", "\\\\"), page.read_text())
    if number != 1:
        raise LookupError(f"{page.name} has no table '{head}'")
    return found


def _kind(of: Any) -> str:
    if get_origin(of) is tuple:
        return f"list of {_kind(get_args(of)[0])}"
    if get_origin(of) is dict:
        return "texts by name"
    if issubclass(of, BaseModel):
        return ", ".join(f"`{name}`" for name in of.model_fields)
    return _KINDS[of]


if __name__ == "__main__":
    PAGE.write_text(page())
    PRESETS_PAGE.write_text(presets_page())
