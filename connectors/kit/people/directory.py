"""How a vendor's persons are looked for, made and filled: what a vendor's file says, and how two values compare."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from phonenumbers import MatchType, is_number_match

from connectors.kit.people.settings import NO, YES, Identifier, Said
from connectors.kit.transcript import single_line

_Values = str | Sequence[str]


@dataclass(frozen=True)
class Contact:
    """A person as the vendor has it. `fields` are by the vendor's names, several values where it keeps several; what is
    blank may be missing. `active` is when somebody last had to do with the person, as a text that sorts, or "".
    `fresh`: we created the person just now, with all that was said. `company`: there is one."""

    id: Any
    fields: Mapping[str, _Values] = field(default_factory=dict)
    active: str = ""
    owned: bool = False
    fresh: bool = False
    company: bool = False

    def values(self, name: str) -> tuple[str, ...]:
        """What stands in a field; () where it is blank."""
        found = self.fields.get(name) or ()
        return tuple(one for one in ([found] if isinstance(found, str) else found) if one and one.strip())


class Directory(ABC):
    """The persons of one vendor. What goes wrong is raised as everywhere; Gone with the step of the person says that
    the vendor does not take this visitor's address."""

    #: The fields that make a name: filled together where all are blank, and never mixed with what is there.
    names: Sequence[str] = ("name",)
    #: The field of the email address, where several may stand.
    email: str = "email"
    #: What somebody without an address is called, where the vendor keeps such people and wants somebody; the same for
    #: each chat of a visitor. "": nobody is made for them.
    nameless: str = ""

    @abstractmethod
    def own(self, said: Said) -> Mapping[str, str]:
        """Name and identifiers by the vendor's fields; "" for what was not said."""

    @abstractmethod
    def find(self, by: Identifier, value: str) -> Iterable[Contact]:
        """All who have this address, number or customer id."""

    @abstractmethod
    def get(self, person: Any) -> Contact | None:
        """The person with an id, or whoever that was merged into; None for one who is no longer there."""

    @abstractmethod
    def create(self, said: Said, fields: Mapping[str, str]) -> Contact:
        """A new person, or the one who the vendor says has the address."""

    def made(self, said: Said) -> Any | None:
        """The id of somebody whom an earlier attempt created and did not hear of, where a create that is repeated would
        make a second one. It asks no index that lags."""
        return None

    @abstractmethod
    def fill(self, person: Any, fields: Mapping[str, str]) -> object:
        """Write fields that are blank."""

    def company(self, domain: str) -> Any | None:
        """The id of the one company with this domain; None for none, or several."""
        return None

    def link(self, person: Any, company: Any) -> object:
        """Say that a person who has no company belongs to one."""
        return None


def texts(value: Any) -> tuple[str, ...]:
    """What stands in a field, in all the words in which a template may say it. What is off may be so on purpose, and is
    not blank."""
    if isinstance(value, bool):
        return YES if value else NO
    if isinstance(value, list):
        return tuple(map(str, value))
    return (str(value),) if value not in (None, "") else ()


def best(found: Iterable[Contact]) -> Contact | None:
    """The one to take of several: with whom somebody had to do last, then one who has an owner, then the oldest."""
    by_age = sorted(found, key=lambda one: (len(str(one.id)), str(one.id)))
    return max(by_age, key=lambda one: (one.active, one.owned), default=None)


def same(there: str, said: str) -> bool:
    """Whether two values differ at most in their spelling."""
    if single_line(there).casefold() == single_line(said).casefold():
        return True
    digits = {one for one in said if not one.isspace()} <= set("+0123456789-()./")
    return digits and same_number(there, said)


def same_number(there: str, said: str) -> bool:
    """Whether two phone numbers are one, however they are written, and where one of them has no country code."""
    return is_number_match(there, said) in (MatchType.EXACT_MATCH, MatchType.NSN_MATCH)


def same_name(there: Iterable[str], said: str) -> bool:
    """Whether a name says nothing that is not there: "Jane" beside "Jane Doe"."""
    return {*single_line(said).casefold().split()} <= {*" ".join(there).casefold().split()}
