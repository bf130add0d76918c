"""One text without what must not leave."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from enum import StrEnum

from core.config.sections.redact import Redact
from core.redaction.national import numbers_of
from core.redaction.numbers import TextSpan, cards, ibans


class RedactedKind(StrEnum):
    """What was taken out, in the words that people read."""

    PASSWORD = "password"  # noqa: S105  # the word
    IBAN = "IBAN"
    CARD = "card number"
    NATIONAL = "national number"

    @property
    def mark(self) -> str:
        """What stands in its place, in English."""
        return f"[{self} redacted]"


#: What stands in the place of something, which may be in the language of a record.
RedactedMark = Callable[[RedactedKind], str]

#: And in an address, which a vendor may check.
_IN_ADDRESS = "redacted"

#: What people call a password in the languages of the shops, with the endings that it takes before a colon.
_NAMES = (
    "passwords?|passwort|passphrase|passcode|passwd|pwd|kennwort|heslo|heslem|has[lł]o|jelsz[oó]|jelszavam|"
    "parol[aăe]|contrase[nñ]a|wachtwoord|mot de passe|mdp"
)
# Up to the end of its clause: "password for the shop: …". A link is not a password: "password reset: https://…".
_PASSWORD = re.compile(
    rf"(?<!\w)(?:{_NAMES})(?!\w)[^\n:=.!?]{{0,40}}[:=]\s{{0,5}}"
    r"(?!https?://)(?P<value>\"[^\"\n]{1,200}\"|'[^'\n]{1,200}'|\S{1,200})",
    re.IGNORECASE,
)
_NAMED = re.compile(rf"(?<![^\W_])(?:{_NAMES})(?![^\W_])", re.IGNORECASE)
_PASSWORD_IN_ADDRESS = re.compile(rf"(?<![^\W_])(?:{_NAMES}|pass)=(?P<value>[^&#;\s]+)", re.IGNORECASE)


def english(kind: RedactedKind) -> str:
    return kind.mark


#: Digits as many as the shortest card number has, and as near to each other. Most texts have fewer, so nothing is found
#: in them; where cards alone are looked for, this is most of what a chat costs.
_LIKE_A_CARD = re.compile(r"\d(?:\D{0,3}\d){13}")


def finds_cards_alone(settings: Redact) -> bool:
    return not (settings.passwords or settings.iban or settings.national_numbers)


def may_have_card(text: str) -> bool:
    """False: no card number is found in it, nor in any part that four line breaks separate from the rest."""
    return bool(_LIKE_A_CARD.search(text))


def redacted(
    text: str, settings: Redact, *, address: bool = False, mark: RedactedMark = english
) -> tuple[str, list[RedactedKind]]:
    """The text without what the settings name, and what that was, in the order of the text."""
    if finds_cards_alone(settings) and not may_have_card(text):
        return text, []
    found = sorted(_found(text, settings, address=address))
    if not found:
        return text, []
    pieces, done = [], 0
    for start, end, kind in found:
        pieces += [text[done:start], _IN_ADDRESS if address else mark(kind)]
        done = end
    return "".join([*pieces, text[done:]]), [kind for _, _, kind in found]


def names_password(title: str) -> bool:
    """Whether a field that is called so holds a password."""
    # userPassword and user_password are two words each.
    return bool(_NAMED.search(re.sub(r"(?<=[a-z])(?=[A-Z])", " ", title)))


def _found(text: str, settings: Redact, *, address: bool) -> Iterator[tuple[int, int, RedactedKind]]:
    """Spans that do not overlap: what one look has found is hidden from the next."""
    hidden = text
    for kind, look, wanted in _looks(settings, address=address):
        pieces, done = [], 0
        for start, end in look(hidden):
            pieces += [hidden[done:start], "\0" * (end - start)]
            done = end
            if wanted:
                yield start, end, kind
        hidden = "".join([*pieces, hidden[done:]])


def _looks(
    settings: Redact, *, address: bool
) -> Iterator[tuple[RedactedKind, Callable[[str], Iterable[TextSpan]], bool]]:
    if settings.passwords:
        yield RedactedKind.PASSWORD, lambda text: _passwords(text, address=address), True
    if settings.iban or settings.cards or settings.national_numbers:
        # Even where an IBAN may stay, its groups of digits are neither a card nor a person.
        yield RedactedKind.IBAN, ibans, settings.iban
    if settings.cards:
        yield RedactedKind.CARD, cards, True
    for country in settings.national_numbers:
        yield RedactedKind.NATIONAL, lambda text, of=country: numbers_of(of, text), True  # type: ignore[misc]


def _passwords(text: str, *, address: bool) -> Iterator[TextSpan]:
    for found in (_PASSWORD_IN_ADDRESS if address else _PASSWORD).finditer(text):
        yield found.span("value")
