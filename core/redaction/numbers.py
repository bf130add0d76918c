"""Card numbers and IBANs in a text. What only looks like one stays: each is proved by its own check digits.

Lengths and beginnings of cards are those of the issuers (ISO/IEC 7812).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

from stdnum import iban, luhn

Span = tuple[int, int]

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

_IBAN_BEGINS = re.compile(r"(?:(?<![^\W_])|(?<=IBAN))[A-Z]{2}\d{2}", re.IGNORECASE)
_IBAN_REST = re.compile(rf"(?:(?:{GAP})?[A-Z0-9]){{11,30}}", re.IGNORECASE | re.ASCII)
_SIGN = re.compile(rf"(?:{GAP})?[A-Z0-9]", re.IGNORECASE | re.ASCII)
_NO_SIGN = re.compile(r"%20|[\W_]")


def digits(text: str) -> str:
    """The digits alone, whatever script they are in."""
    return "".join(str(unicodedata.decimal(one)) for one in text.replace("%20", "") if one.isdecimal())


def cards(text: str) -> Iterator[Span]:
    for run in _RUN.finditer(text):
        groups = [one.span(1) for one in _GROUP.finditer(text, *run.span())]
        start = 0
        while start < len(groups):
            last = _card_from(text, groups, start)
            if last is not None:
                yield groups[start][0], groups[last][1]
                start = last
            start += 1


def _card_from(text: str, groups: list[Span], start: int) -> int | None:
    """The last of the groups that make a card number with the one at `start`, as many as can be: a code of three digits
    may follow."""
    number, found = "", None
    for index in range(start, len(groups)):
        begins, ends = groups[index]
        if len(number) + ends - begins > _LONGEST:
            break
        number += digits(text[begins:ends])
        if len(number) >= _SHORTEST and _CARD.fullmatch(number) and luhn.is_valid(number):
            found = index
    return found


def ibans(text: str) -> Iterator[Span]:
    after = 0
    for begin in _IBAN_BEGINS.finditer(text):
        rest = _IBAN_REST.match(text, begin.end())
        if begin.start() < after or not rest:
            continue
        ends = [one.end() for one in _SIGN.finditer(text, begin.end(), rest.end())]
        for end in reversed(ends):
            # It ends where a word does: what follows is the next word.
            if text[end : end + 1].isalnum():
                continue
            if iban.is_valid(_NO_SIGN.sub("", text[begin.start() : end]), check_country=False):
                yield begin.start(), end
                after = end
                break
