"""As much of a body as one page shows, whatever was sent: reading and drawing all of a hostile megabyte takes seconds.
Pure."""

from __future__ import annotations

import json
from typing import Any

from core.pretty_json import legible

#: Messages of a page; pages visited and variables that are shown.
MESSAGES, ITEMS = 200, 100
#: Values of a body that are set out line by line, and characters of it.
_VALUES, _CHARACTERS = 5_000, 200_000
#: Members that are read of a body; a conversation has no others, whether the hook sent it or it was fetched.
_READ = (
    *("accountId", "channel", "visitor", "beginAt", "endAt", "messages", "paths"),
    *("relay", "conversation", "contact", "agents"),
)
#: Where a shop's variables stand: in a body of the hook, and in one that was fetched.
_WHOSE = ("visitor", "conversation")


def part(body: bytes, start: int) -> tuple[bytes, int]:
    """A body with MESSAGES of its messages, from `start` on, and as many other things as are shown; and the number of
    messages that it has. A body with fewer is handed back as it is."""
    try:
        value = json.loads(body, strict=False)
    except (ValueError, RecursionError):
        return body, 0
    if not isinstance(value, dict) or not isinstance(value.get("messages", []), list):
        return body, 0
    total = len(value.get("messages", []))
    paths = value.get("paths")
    variables = {whose: value[whose].get("variables") for whose in _WHOSE if isinstance(value.get(whose), dict)}
    if total <= MESSAGES and not any(map(_is_long, (paths, value.get("agents"), *variables.values()))):
        return body, total
    kept = {name: value[name] for name in _READ if name in value}
    kept["messages"] = value.get("messages", [])[start : start + MESSAGES]
    for name in ("paths", "agents"):
        if isinstance(kept.get(name), list):
            kept[name] = kept[name][:ITEMS]
    for whose, given in variables.items():
        if isinstance(given, dict):
            kept[whose] = {**value[whose], "variables": dict(list(given.items())[:ITEMS])}
    return json.dumps(kept).encode(), total


def _is_long(value: object) -> bool:
    return isinstance(value, dict | list) and len(value) > ITEMS


def pretty(body: bytes) -> tuple[str, bool]:
    """Set in, if it is JSON; as it is, if not. And whether there is more of it."""
    try:
        budget = [_VALUES]
        text = legible(_cut(json.loads(body, strict=False), budget))
    except (ValueError, RecursionError):
        text = body.decode(errors="replace")
        return text[:_CHARACTERS], len(text) > _CHARACTERS
    # A lone surrogate can be spelled in JSON and stand on no page.
    text = text[:_CHARACTERS].encode(errors="replace").decode()
    return text, budget[0] <= 0 or len(text) == _CHARACTERS


def _cut(value: Any, budget: list[int]) -> Any:
    """The value without what comes after the first values, as many as the `budget` has left."""
    if isinstance(value, dict):
        members = {}
        for name, item in value.items():
            budget[0] -= 1
            if budget[0] <= 0:
                break
            members[name] = _cut(item, budget)
        return members
    if isinstance(value, list):
        items = []
        for item in value:
            budget[0] -= 1
            if budget[0] <= 0:
                break
            items.append(_cut(item, budget))
        return items
    return value
