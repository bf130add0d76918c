"""How long: a number and a unit, as `14d`, `4h` or `30m` in the file."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Any

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

_UNITS = {"s": "seconds", "m": "minutes", "min": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_FORM = re.compile(r"([0-9]{1,6}(?:\.[0-9]{1,3})?) *(s|m|min|h|d|w)")
#: What an editor is told of one.
DURATION_SCHEMA = {"type": "string", "pattern": f"^{_FORM.pattern}$"}


def parse_duration(text: str) -> timedelta:
    """Raises ValueError, with what to type."""
    found = _FORM.fullmatch(text.strip())
    if not found:
        raise ValueError("is not a duration; write a number and a unit, such as 30m, 4h or 14d")
    return timedelta(**{_UNITS[found[2]]: float(found[1])})


def duration_text(length: timedelta) -> str:
    """In the largest unit that leaves no fraction."""
    seconds = length.total_seconds()
    for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if seconds and seconds % size == 0:
            return f"{seconds / size:g}{unit}"
    return f"{seconds:g}s"


def _read(value: Any) -> timedelta:
    if isinstance(value, timedelta):
        return value
    text = "" if isinstance(value, bool) else str(value).strip()
    if re.fullmatch(r"[0-9]+(?:\.[0-9]+)?", text):
        raise ValueError(f"needs a unit; write {text}s, {text}m, {text}h or {text}d")
    return parse_duration(text)


Duration = Annotated[
    timedelta,
    BeforeValidator(_read),
    PlainSerializer(duration_text),
    WithJsonSchema(DURATION_SCHEMA),
]
