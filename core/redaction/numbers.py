"""Card numbers and IBANs in a text. What only looks like one stays: each is proved by its own check digits.

Lengths and beginnings of cards are those of the issuers (ISO/IEC 7812).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from itertools import accumulate

TextSpan = tuple[int, int]

#: What people, keyboards and addresses put between groups of digits: spaces of all kinds, dots, dashes, `+` and `%20`.
GAP = r"(?:%20|[ \t\u00a0\u2000-\u200d\u202f\u2060\ufeff._+\u2010-\u2015-]){1,3}"
_RUN = re.compile(rf"\d+(?:{GAP}\d+)*")
_GROUP = re.compile(rf"(?:{GAP})?(\d+)")
_CARD = re.compile(
    r"4\d{15}(?:\d{3})?"  # Visa
    r"|(?:5[1-5]\d\d|222[1-9]|22[3-9]\d|2[3-6]\d\d|27[01]\d|2720)\d{12}"  # Mastercard
    r"|3[47]\d{13}"  # American Express
    r"|3(?:0[0-59]\d|[689]\d\d)\d{10,15}"  # Diners Club
    r"|35(?:2[89]|[3-8]\d)\d{12,15}"  # JCB
    r"|(?:5[0678]|6\d)\d{14,17}"  # Maestro, Discover, UnionPay
)
_SHORTEST, _LONGEST = 14, 19
#: People write a card number in up to so many groups. More are a list of numbers, and would take long to look through.
_GROUPS = 10
#: Twice a digit, and the digits of that added up.
_DOUBLED = str.maketrans("0123456789", "0246813579")

_IBAN_BEGINS = re.compile(r"(?:(?<![^\W_])|(?<=IBAN))([A-Z]{2})\d{2}", re.IGNORECASE | re.ASCII)
_SIGNS = {"n": "[0-9]", "a": "[A-Z]", "c": "[A-Z0-9]"}
_NO_SIGN = re.compile(r"%20|[\W_]")


def cards(text: str) -> Iterator[TextSpan]:
    for run in _RUN.finditer(text):
        groups = [one.span(1) for one in _GROUP.finditer(text, *run.span())]
        digits = "".join(_digits(text[begins:ends]) for begins, ends in groups)
        # Where in the digits each group begins; the last one is their end.
        places = [0, *accumulate(ends - begins for begins, ends in groups)]
        if len(digits) < _SHORTEST:
            continue
        start = 0
        while start < len(groups):
            after = _card_from(digits, places, start)
            if after:
                yield groups[start][0], groups[after - 1][1]
            start = after or start + 1


def _card_from(digits: str, places: list[int], start: int) -> int:
    """The group after those that make a card number from this one on, or 0. They are as many as can be: a code of three
    digits may follow."""
    begins = places[start]
    for after in range(min(start + _GROUPS, len(places) - 1), start, -1):
        size = places[after] - begins
        if size < _SHORTEST:
            break
        number = digits[begins : begins + size]
        if size <= _LONGEST and _CARD.fullmatch(number) and _luhn(number):
            return after
    return 0


def _luhn(number: str) -> bool:
    """The check digit of cards. Here, as a hostile chat asks for it 100,000 times."""
    return sum(map(int, number[::-2] + number[-2::-2].translate(_DOUBLED))) % 10 == 0


def _digits(text: str) -> str:
    """In whatever script they are."""
    return text if text.isascii() else "".join(str(unicodedata.decimal(one)) for one in text)


def ibans(text: str) -> Iterator[TextSpan]:
    from stdnum import iban

    after = 0
    for begin in _IBAN_BEGINS.finditer(text):
        shape = _iban_of(begin[1].upper())
        found = shape.match(text, begin.start(1)) if shape and begin.start() >= after else None
        if found and iban.is_valid(_NO_SIGN.sub("", found[0]), check_country=False):
            yield found.span()
            after = found.end()


@lru_cache(maxsize=26**2)
def _iban_of(country: str) -> re.Pattern[str] | None:
    """How an IBAN of a country may be written, or None where a country has none."""
    from stdnum import numdb

    known = numdb.get("iban").info(country)[0][1]
    # Such as 4!n6!n10!n: digits, capitals (a), both (c).
    parts = re.findall(r"(\d+)!([nac])", known.get("bban", ""))
    if not parts:
        return None
    signs = "".join(rf"(?:(?:{GAP})?{_SIGNS[kind]}){{{size}}}" for size, kind in parts)
    return re.compile(rf"[A-Z]{{2}}\d{{2}}{signs}(?![^\W_])", re.IGNORECASE | re.ASCII)
