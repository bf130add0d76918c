"""A phone number as the whole world writes it: `+420602123456`; "" for what is none, or might be another number.

The library, 5 MB of numbers of the world, is loaded by the first who asks: many relays never do.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable, Iterator
from typing import TYPE_CHECKING

from core.conversation import Message, Variable

if TYPE_CHECKING:
    from phonenumbers import PhoneNumber

#: Characters of one message, and of all of a chat's, in which numbers are looked for; and of a field.
_MESSAGE, _CHAT, _FIELD = 2_000, 20_000, 100
_DIGITS = re.compile(r"\d")
#: How a field for a phone number is called in the languages of the shops, without accents; `tel` and its like alone.
_FIELD_STEMS = ("phone", "telefon", "telephon", "telefoon", "mobil", "mobiel", "cellphone", "cellular", "whatsapp")
_FIELD_WORDS = frozenset(("tel", "gsm", "handy", "cell", "movil", "portable", "komorka", "msisdn"))
#: And what people say around one.
_SPOKEN_STEMS = (*_FIELD_STEMS, "zavolej", "zavolat", "anruf", "ruckruf", "zadzwon", "oddzwon", "llama", "viber")
_SPOKEN_WORDS = _FIELD_WORDS | {"call", "ring"}


def region(*countries: str | None) -> str | None:
    """The first that is a country with phone numbers."""
    from phonenumbers import SUPPORTED_REGIONS

    known = (country.strip().upper() for country in countries if country)
    return next((one for one in known if one in SUPPORTED_REGIONS), None)


def number_in(text: str, country: str | None) -> str:
    """Of a text that is nothing but a number."""
    from phonenumbers import NumberParseException, parse

    try:
        return _written(parse(text[:_FIELD], country))
    except NumberParseException:
        return ""


def is_named(name: str, variable: Variable) -> bool:
    """Whether a variable is called what forms call a phone number."""
    return any(_says(text, _FIELD_STEMS, _FIELD_WORDS) for text in (name, variable.label))


def spoken(messages: Iterable[Message], country: str | None, others: Collection[str]) -> str:
    """The first number in what the visitor wrote. One without a country's prefix counts only where that message, or the
    one before it, speaks of a phone: it might be the number of an order. `others` are texts that are known to be
    something else."""
    digits = {_only_digits(other) for other in others}
    asked, left = False, _CHAT
    for message in messages:
        text = message.content[:_MESSAGE]
        named = _says(text, _SPOKEN_STEMS, _SPOKEN_WORDS)
        if message.type == "visitor" and left > 0 and len(_DIGITS.findall(text)) >= 6:
            left -= len(text)
            for raw, number in _numbers(text, country):
                if (asked or named or raw.startswith(("+", "00"))) and _only_digits(raw) not in digits:
                    return number
        if message.type != "system":
            asked = named
    return ""


def _numbers(text: str, country: str | None) -> Iterator[tuple[str, str]]:
    from phonenumbers import PhoneNumberMatcher

    for match in PhoneNumberMatcher(text, country):
        yield match.raw_string, _written(match.number)


def _written(number: PhoneNumber) -> str:
    from phonenumbers import PhoneNumberFormat, format_number, is_valid_number

    return format_number(number, PhoneNumberFormat.E164) if is_valid_number(number) else ""


def _says(text: str, stems: tuple[str, ...], words: Collection[str]) -> bool:
    # userPhone and phone_number are two words each.
    parted = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", text[:_MESSAGE])
    plain = "".join(one for one in unicodedata.normalize("NFKD", parted) if not unicodedata.combining(one))
    return any(word in words or word.startswith(stems) for word in re.findall(r"[^\W\d_]+", plain.casefold()))


def _only_digits(text: str) -> str:
    return "".join(_DIGITS.findall(text))
