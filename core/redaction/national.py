"""Numbers that a country gives to each person, in a text: by their shape, the date in them and their check digit.

A number with a single check digit and no date in it is found by chance in each tenth number of its length. Such a one
counts only beside its name.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, date, datetime

from core.config.sections.redact import Country
from core.redaction.numbers import TextSpan

#: Between groups, as it is written; in addresses.
_GAP = r"(?:[ \u00a0\u202f-]|%20|\+)?"
_SLASH = r"(?:[ \u00a0]?(?:/|%2F)[ \u00a0]?)"
#: No digit, and no `+` of a phone number, stands before it.
_BEGIN, _END = r"(?<![0-9+])", r"(?![0-9])"
_NO_SIGN = re.compile(r"%20|%2F|[\W_]", re.IGNORECASE)


def _today() -> date:
    return datetime.now(UTC).date()


def _of_somebody(year: int, month: int, day: int) -> bool:
    """Whether there is such a date in the lives of people."""
    try:
        return date(1890, 1, 1) <= date(year, month, day) <= _today()
    except ValueError:
        return False


def _birth_number(number: str) -> bool:
    """Rodné číslo: date of birth, with 50 or 20 added to the month, a serial number, divisible by 11 since 1954."""
    from stdnum.cz import rc

    return rc.is_valid(number) and rc.get_birth_date(number) <= _today()


def _pesel(number: str) -> bool:
    """Date of birth, a serial number, and a check digit."""
    from stdnum.pl import pesel

    return bool(pesel.is_valid(number))


def _hungarian_tax_number(number: str) -> bool:
    """Adóazonosító jel: the digit 8, days from 1867 to the birth, a serial number, and a check digit."""
    check = sum(place * int(digit) for place, digit in enumerate(number[:9], 1)) % 11
    days = int(number[1:6])
    alive = 8_400 <= days <= (_today() - date(1867, 1, 1)).days
    return number[0] == "8" and alive and check == int(number[9])


def _hungarian_personal_number(number: str) -> bool:
    """Személyi azonosító (1996. évi XX. törvény, annex): sex and century, date of birth, a serial number, and a check
    digit, whose weights run the other way for who was born since 1997."""
    century = {"1": 1900, "2": 1900, "3": 2000, "4": 2000}.get(number[0])
    if century is None or not _of_somebody(century + int(number[1:3]), int(number[3:5]), int(number[5:7])):
        return False
    weighed = range(1, 11) if (century + int(number[1:3]), number[3:5]) < (1997, "01") else range(10, 0, -1)
    return sum(weight * int(digit) for weight, digit in zip(weighed, number, strict=False)) % 11 == int(number[10])


def _taj(number: str) -> bool:
    """TAJ-szám of the social insurance (1996. évi XX. törvény, annex): a check digit by weights of 3 and 7."""
    return sum((3, 7)[place % 2] * int(digit) for place, digit in enumerate(number[:8])) % 10 == int(number[8])


def _german_tax_number(number: str) -> bool:
    """Steuerliche Identifikationsnummer: ten digits of chance, one of them two or three times, and a check digit."""
    from stdnum.de import idnr

    return bool(idnr.is_valid(number))


def _german_insurance_number(number: str) -> bool:
    """Versicherungsnummer: area, date of birth, initial, serial number, check digit (§ 2 VKVV)."""
    letter = f"{ord(number[8].upper()) - ord('A') + 1:02d}"
    plain = number[:8] + letter + number[9:11]
    sums = (int(digit) * weight for digit, weight in zip(plain, (2, 1, 2, 5, 7, 1, 2, 1, 2, 1, 2, 1), strict=True))
    born = 1 <= int(number[2:4]) <= 31 and 1 <= int(number[4:6]) <= 12
    return born and sum(one // 10 + one % 10 for one in sums) % 10 == int(number[11])


Rule = tuple[re.Pattern[str], Callable[[str], bool]]


def _rule(shape: str, proof: Callable[[str], bool]) -> Rule:
    return re.compile(f"{_BEGIN}(?P<number>{shape}){_END}", re.ASCII | re.IGNORECASE), proof


def _groups(*sizes: int) -> str:
    return _GAP.join(rf"\d{{{size}}}" for size in sizes)


# Nine digits are a birth number of before 1954, which has no check digit; without the slash they are a phone number.
_BIRTH = _rule(rf"\d{{6}}(?:{_SLASH}\d{{3,4}}|{_GAP}\d{{4}})", _birth_number)

_RULES: Mapping[Country, tuple[Rule, ...]] = {
    "CZ": (_BIRTH,),
    "SK": (_BIRTH,),
    "PL": (_rule(r"\d{11}", _pesel),),
    "HU": (
        _rule(r"8\d{9}", _hungarian_tax_number),
        _rule(_groups(1, 6, 4), _hungarian_personal_number),
        (re.compile(rf"\bTAJ\b[^\d\n]{{0,20}}(?P<number>{_groups(3, 3, 3)}){_END}", re.ASCII | re.IGNORECASE), _taj),
    ),
    "DE": (
        _rule(_groups(2, 3, 3, 3), _german_tax_number),
        _rule(rf"\d{{2}}{_GAP}\d{{6}}{_GAP}[A-Z]{_GAP}\d{{2}}{_GAP}\d", _german_insurance_number),
    ),
}


def numbers_of(country: Country, text: str) -> Iterator[TextSpan]:
    for shape, proof in _RULES[country]:
        for found in shape.finditer(text):
            if proof(_NO_SIGN.sub("", found["number"])):
                yield found.span("number")
