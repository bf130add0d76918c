"""The two spellings of Smartsupp's API: its document of 2021 writes `createdAt`, the API of today `created_at`."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

_HUMP = re.compile(r"(?<=[a-z0-9])([A-Z])")
#: Their keys are a shop's own.
_FOREIGN = frozenset({"variables"})


def snake(name: str) -> str:
    """`createdAt` -> `created_at`; what is spelled so stays."""
    return _HUMP.sub(lambda found: "_" + found[1].lower(), name)


def camel(name: str) -> str:
    """`created_at` -> `createdAt`."""
    first, *others = name.split("_")
    return first + "".join(other.capitalize() for other in others)


def snaked(value: Any) -> Any:
    """JSON with every key in snake case. Where both spellings are there, the one that says something wins."""
    if isinstance(value, list):
        return [snaked(one) for one in value]
    if not isinstance(value, dict):
        return value
    found: dict[str, Any] = {}
    for name, inner in value.items():
        key = snake(name)
        if found.get(key) is None:
            found[key] = inner if key in _FOREIGN else snaked(inner)
    return found


def respelled(value: Any, spell: Callable[[str], str]) -> Any:
    """JSON of ours with every key in another spelling."""
    if isinstance(value, list):
        return [respelled(one, spell) for one in value]
    if isinstance(value, dict):
        return {spell(name): respelled(inner, spell) for name, inner in value.items()}
    return value
