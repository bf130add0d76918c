"""JSON for people to read, whatever it is."""

from __future__ import annotations

import json

#: Lists and objects in each other that are set in. Payloads of Smartsupp have four.
_DEEPEST = 12


def legible(value: object, *, ascii_only: bool = False) -> str:
    """JSON with a line for each value; on one line where that would take many times the room.

    Every level sets in all that it holds: ninety of them make a text ninety-four times as long.
    """
    return json.dumps(value, indent=None if is_deeper(value, _DEEPEST) else 2, ensure_ascii=ascii_only)


def is_deeper(value: object, depth: int) -> bool:
    """Whether lists and objects stand more than `depth` deep in each other."""
    level = [value]
    for _ in range(depth):
        level = [
            item
            for part in level
            if isinstance(part, dict | list)
            for item in (part.values() if isinstance(part, dict) else part)
        ]
    return any(isinstance(part, dict | list) for part in level)
