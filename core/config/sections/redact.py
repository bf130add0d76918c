"""The section `redact`: what is taken out of a chat before it leaves for a destination (core/redaction)."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from core.config.environment import Strict

#: Countries whose numbers of people are known; core/redaction/national.py has the rules of each.
Country = Literal["CZ", "SK", "PL", "HU", "DE"]


def _capitals(value: Any) -> Any:
    return value.strip().upper() if isinstance(value, str) else value


class Redact(Strict):
    """What no destination may see, or one of them. The payload and the archive keep it."""

    cards: bool = Field(default=True, description="Numbers of payment cards, by issuer, length and check digit.")
    iban: bool = Field(default=False, description="Account numbers, by their country's structure and check digits.")
    national_numbers: tuple[Annotated[Country, BeforeValidator(_capitals)], ...] = Field(
        default=(), description="Countries whose personal and tax numbers of people are taken out."
    )
    passwords: bool = Field(default=False, description="What follows 'password:', 'heslo:' and the like.")

    def within(self, section: Redact) -> Redact:
        """Of one connector: what it does not name is that of the section, which all connectors share."""
        return section.model_copy(update={name: getattr(self, name) for name in self.model_fields_set})
