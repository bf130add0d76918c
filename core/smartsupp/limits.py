"""How large one body may be, and how much it may hold, whatever its size in bytes.

A megabyte has room for 340,000 empty messages. Each becomes an object of some hundred bytes, so that a handful of such
bodies would take a worker more memory than it has, and everybody else's deliveries with it.
"""

from __future__ import annotations

import json
import re

from core.errors import PayloadError

#: Bytes of a body. Smartsupp's own are a few kilobytes; a conversation of a whole day fits well into this.
LARGEST_BODY = 1024 * 1024
#: Objects and lists in a body. The largest chat that the limits below let through has 11,000 of them.
MOST_OBJECTS = 20_000
#: Items of each list or map of a conversation. A real chat has some hundred messages at most; one of a whole day, about
#: a thousand.
MOST_ITEMS = {"messages": 5_000, "paths": 5_000, "variables": 1_000}

#: One that is never closed ends with the body: else it would be tried again from each quote in it, for minutes.
_TEXT = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)', re.DOTALL)


def check_objects(body: bytes) -> None:
    """Look at a body before it is read as JSON, which makes all its objects. Raises PayloadError, and Unicode's."""
    if body.count(b"{") + body.count(b"[") <= MOST_OBJECTS:
        return
    # There are many brackets. Those in what somebody wrote do not count.
    text = body.decode(json.detect_encoding(body), "surrogatepass")
    found = _brackets(text) - sum(_brackets(written[0]) for written in _TEXT.finditer(text))
    if found > MOST_OBJECTS:
        raise PayloadError("", f"too large: {found:,} JSON objects and lists, where {MOST_OBJECTS:,} are allowed")


def _brackets(text: str) -> int:
    return text.count("{") + text.count("[")


def check_items(path: str, key: str, value: object) -> None:
    """Look at one member of a conversation, which stands at `path`. Raises PayloadError."""
    if isinstance(value, list | dict) and len(value) > MOST_ITEMS[key]:
        raise PayloadError(path, f"too large: {len(value):,} {key}, where {MOST_ITEMS[key]:,} are allowed")
