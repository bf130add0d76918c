"""An admin's patterns over what visitors wrote, by RE2: its time grows with the text, whatever the pattern is.

Syntax: https://github.com/google/re2/wiki/Syntax
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Any

#: The beginnings of what RE2 says of a pattern that it does not take.
_FINDINGS = {
    "missing )": "a ( is never closed",
    "unexpected )": "there is a ) too many",
    "missing ]": "a [ is never closed",
    "trailing \\": "a \\ stands at the end; write \\\\ for the sign itself",
    "no argument for repetition operator": "there is nothing to repeat in front of",
    "bad repetition operator": "two signs of repetition follow each other",
    "invalid repetition size": "it repeats more than 1,000 times",
    "pattern too large": "it is too large; repeat less",
    "invalid character class": "there is no such range or class as",
    "invalid escape sequence": "there is no such escape as",
    "invalid perl operator": "patterns that look ahead or behind cannot be used",
    "invalid named capture group": "a name of a group is not complete",
    "invalid UTF-8": "it holds a character that is not one",
}
#: Of these findings RE2 says where they are.
_PLACED = ("nothing to repeat", "two signs", "no such")


@lru_cache(maxsize=1024)
def compiled(pattern: str) -> Any:
    """Raises ValueError with what is wrong, in plain words."""
    import re2  # 2 MB, for those who have patterns

    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(pattern, options)
    except UnicodeEncodeError:
        said = "invalid UTF-8"
    except re2.error as error:
        said = error.args[0].decode("utf-8", "replace") if isinstance(error.args[0], bytes) else str(error)
    found = next((text for begin, text in _FINDINGS.items() if said.startswith(begin)), "it cannot be read")
    place = said.partition(": ")[2] if any(begin in found for begin in _PLACED) else ""
    raise ValueError(f"is not a pattern: {found}{f' {place}' if place else ''}")


def first(pattern: str, texts: Iterable[str]) -> str:
    """What the first match in any of the texts has in its first group that took part, or as a whole; or ""."""
    search = compiled(pattern)
    for text in texts:
        if found := search.search(text):
            return str(next((group for group in found.groups() if group), found.group(0))).strip()
    return ""
