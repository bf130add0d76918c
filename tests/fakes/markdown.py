"""What people read where Markdown or Textile was written."""

from __future__ import annotations

import re

_ESCAPED = re.compile(r"\\([\\`*_{}\[\]<>#|~&=+-])")
_ITALIC = re.compile(r"^[*_](Part \d+ of \d+)[*_]$", re.MULTILINE)
_MARK = re.compile(r"\s*\[smartsupp:[^\]]*\]\Z")


def read(text: str) -> str:
    """Without escapes, what is invisible, the signs around the number of a part, and the mark at the end."""
    seen = _ESCAPED.sub(r"\1", text.replace("\u2060", "").replace("\r\n", "\n"))
    return _MARK.sub("", _ITALIC.sub(r"\1", seen))
