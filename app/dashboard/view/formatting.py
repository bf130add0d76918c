"""How values are spelled on pages. Times are Unix milliseconds; each function is a template filter of its own name."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from app.formatting import duration
from core.pretty_json import legible

#: Characters of JSON that stand on one line.
_LINE = 60


def iso(ms: int) -> str:
    """For <time datetime>."""
    return _at(ms).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def moment(ms: int) -> str:
    return _at(ms).strftime("%Y-%m-%d %H:%M:%S UTC")


def span(ms: float | None) -> str:
    """A length of time in its largest unit, or a dash where there is none."""
    return "–" if ms is None else duration(ms)


def number(value: float) -> str:
    """With a thin space between thousands, as ISO 80000 has it."""
    return f"{value:,}".replace(",", "\u202f")


def share(part: float, whole: float) -> str:
    """A percentage; never 100 % or 0 % unless it is exactly that."""
    if not whole:
        return "–"
    percent = 100 * part / whole
    if 0 < percent < 100:
        percent = min(max(percent, 0.1), 99.9)
    return f"{percent:.3g} %"


def size(length: int) -> str:
    """Bytes."""
    for unit, step in (("MiB", 1 << 20), ("KiB", 1 << 10)):
        if length >= step:
            return f"{length / step:.1f} {unit}"
    return f"{length} B"


def legible_value(value: object) -> str:
    """A setting, or what is sent: text as it is, everything else as JSON, on several lines where it is long."""
    if isinstance(value, str):
        return value
    short = json.dumps(value, ensure_ascii=False)
    return short if len(short) <= _LINE else legible(value)


def _at(ms: int) -> datetime:
    return datetime.fromtimestamp(ms / 1000, UTC)


FILTERS = {function.__name__: function for function in (iso, moment, span, number, share, size, legible_value)}
