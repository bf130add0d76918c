"""The mark of a text that brings files: by it a destination says which files of a chat it has."""

from __future__ import annotations

import re
from collections.abc import Iterable

from connectors.kit.text.parts import Layout, ends_like


def files_mark(key: str, marks: Iterable[str]) -> str:
    """What stands at the end of a text that brings files."""
    return f"[{key} files {' '.join(marks)}]"


def marks_in(layout: Layout, key: str, texts: Iterable[str]) -> set[str]:
    """The marks of files that the texts of a record have at their ends, plain or in the vendor's format."""
    one = "f00dcafe"
    mark = files_mark(key, [one])
    ends = "|".join(re.escape(end.strip()) for end in (mark, layout.marked("", mark)) if end.strip())
    pattern = f"(?:{ends})".replace(one, r"(?:[0-9a-f]{8} ?)+")
    found = (ends_like(text, pattern) for text in texts)
    return {mark for end in found if end for mark in re.findall(r"\b[0-9a-f]{8}\b", end[0].rpartition(" files ")[2])}
