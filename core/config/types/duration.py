"""How long: a number and a unit, as `14d`, `4h` or `30m` in the file."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Any

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_FORM = r"^\d{1,6}(\.\d{1,3})?\s*[smhdw]$"
WRITE = "write a number and a unit: 30m, 4h or 14d"


def parse_duration(text: str) -> timedelta:
    """Raises ValueError, with what to type."""
    if not re.fullmatch(_FORM, text.strip(), re.ASCII):
        raise ValueError(WRITE)
    found = text.strip()
    return timedelta(**{_UNITS[found[-1]]: float(found[:-1])})


def duration_text(length: timedelta) -> str:
    """In the largest unit that leaves no fraction."""
    seconds = length.total_seconds()
    for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if seconds and seconds % size == 0:
            return f"{seconds / size:g}{unit}"
    return f"{seconds:g}s"


def _read(value: Any) -> Any:
    if isinstance(value, timedelta):
        return value
    if not isinstance(value, str):
        raise ValueError(WRITE)
    return parse_duration(value)


Duration = Annotated[
    timedelta,
    BeforeValidator(_read),
    PlainSerializer(duration_text),
    WithJsonSchema({"type": "string", "pattern": _FORM}),
]
