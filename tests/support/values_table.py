"""Writes the table of values into docs/templates.md, from their names, types and sentences in core/values/chat.py.

Run `python -m tests.support.values_table` after a value has changed.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, get_args, get_origin

from pydantic import BaseModel

from core.values.chat import TYPES, description

PAGE = Path(__file__).parent.parent.parent / "docs" / "templates.md"
_TABLE = re.compile(r"(?<=^\| value \| kind \| what \|\n\|---\|---\|---\|\n)(?:\|.*\n)+", re.MULTILINE)
_KINDS = {str: "text", int: "number", bool: "true or false"}


def page() -> str:
    """The page as it should be."""
    rows = (f"| `{name}` | {_kind(of)} | {description(name)} |\n" for name, of in TYPES.items())
    return _TABLE.sub("".join(rows).replace("\\", "\\\\"), PAGE.read_text())


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
