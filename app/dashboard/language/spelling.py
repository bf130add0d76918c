"""Numbers and times as a language writes them, by Babel; in English as ISO has them."""

from __future__ import annotations

from datetime import datetime, tzinfo
from functools import lru_cache

from app.dashboard.language.choice import language

#: Between thousands in English, as ISO 80000 has it.
_THIN = "\u202f"


def number(value: float) -> str:
    """With its separators between thousands and before decimals."""
    return _number(value, language())


def date_and_time(ms: int, zone: tzinfo) -> str:
    """A date and a time to the second, with the zone."""
    return _date_and_time(ms, zone, language())


def day_and_time(ms: int, zone: tzinfo) -> str:
    """A day of some year, and a time to the minute."""
    return _day_and_time(ms, zone, language())


# A page has the same numbers and times again and again, and Babel takes some 20 µs for each. Loaded where they are
# needed, because a relay whose pages are read in English does without.


@lru_cache(maxsize=4096, typed=True)
def _number(value: float, code: str) -> str:
    if code == "en":
        return f"{value:,}".replace(",", _THIN)
    from babel.numbers import format_decimal  # noqa: PLC0415

    return format_decimal(value, locale=code)


@lru_cache(maxsize=4096, typed=True)
def _date_and_time(ms: int, zone: tzinfo, code: str) -> str:
    at = datetime.fromtimestamp(ms / 1000, zone)
    if code == "en":
        return at.strftime("%Y-%m-%d %H:%M:%S %Z")
    from babel.dates import format_datetime  # noqa: PLC0415

    return f"{format_datetime(at, 'medium', locale=code)} {at.tzname()}"


@lru_cache(maxsize=4096, typed=True)
def _day_and_time(ms: int, zone: tzinfo, code: str) -> str:
    at = datetime.fromtimestamp(ms / 1000, zone)
    if code == "en":
        return at.strftime("%-d %b %H:%M")
    from babel.dates import format_skeleton  # noqa: PLC0415

    return f"{format_skeleton('MMMd', at, locale=code)} {at:%H:%M}"
