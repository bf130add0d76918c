"""How values are spelled on pages, in the reader's language. Times are Unix milliseconds; each of FILTERS is a template
filter of its own name."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from urllib.parse import urlsplit

from werkzeug.urls import iri_to_uri

from app.dashboard.language import spelling
from app.dashboard.language.spelling import number
from app.dashboard.language.translation import for_reader
from core.pretty_json import legible
from core.wording.sentence import say, to_be_said

#: Schemes of what may be a link.
_WEB = ("http", "https")
#: Characters of JSON that stand on one line.
_LINE = 60
_LENGTHS = (
    (86_400_000, to_be_said("%(number)s d")),
    (3_600_000, to_be_said("%(number)s h")),
    (60_000, to_be_said("%(number)s min")),
    (1_000, to_be_said("%(number)s s")),
)
_SIZES = ((1 << 20, to_be_said("%(number)s MiB")), (1 << 10, to_be_said("%(number)s KiB")))


def iso(ms: int) -> str:
    """For <time datetime>."""
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def moment(ms: int) -> str:
    """What stands there without scripts, and until they have put the time of the reader's zone."""
    return spelling.date_and_time(ms, UTC)


def span(ms: float | None) -> str:
    """A length of time in its largest unit, or a dash where there is none."""
    if ms is None:
        return "–"
    for size, text in _LENGTHS:
        if ms >= size:
            return for_reader(say(text, number=_rounded(ms / size)))
    return for_reader(say("%(number)s ms", number=f"{ms:.0f}"))


def share(part: float, whole: float) -> str:
    """A percentage; never 100 % or 0 % unless it is exactly that."""
    if not whole:
        return "–"
    percent = 100 * part / whole
    if 0 < percent < 100:
        percent = min(max(percent, 0.1), 99.9)
    return for_reader(say("%(number)s %%", number=_rounded(percent)))


def size(length: int) -> str:
    """Bytes."""
    for step, text in _SIZES:
        if length >= step:
            return for_reader(say(text, number=number(float(f"{length / step:.1f}"))))
    return for_reader(say("%(number)s B", number=str(length)))


def legible_value(value: object) -> str:
    """A setting, or what is sent: text as it is, everything else as JSON, on several lines where it is long."""
    if isinstance(value, str):
        return value
    short = json.dumps(value, ensure_ascii=False)
    return short if len(short) <= _LINE else legible(value)


def _rounded(value: float) -> str:
    """To three digits."""
    rounded = float(f"{value:.3g}")
    return number(int(rounded) if rounded.is_integer() else rounded)


def web(address: str) -> str:
    """An address that may become a link, in ASCII, or ""."""
    try:
        parts = urlsplit(address)
        return iri_to_uri(address) if parts.scheme in _WEB and parts.netloc.isprintable() and parts.netloc else ""
    except ValueError:
        return ""


FILTERS = {function.__name__: function for function in (iso, moment, span, number, share, size, legible_value)}
