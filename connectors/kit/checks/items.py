"""Of what a check is made: one question and what its answer proves, or names of the settings that must all be there.

A connector yields them in the order in which people read what they find; each asks when it is its turn.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

from connectors.kit.checks.expectation import Expectation, TextValues
from connectors.kit.connector import Finding
from core.wording.sentence import say

A = TypeVar("A")


class CheckItem(Protocol):
    """Something that is looked at. Raises DeliveryError."""

    def findings(self) -> Iterator[Finding]: ...


@dataclass(frozen=True)
class AnswerCheck(Generic[A]):
    """What the answer to one question shows. `ask` reads only, and returns None where there is nothing. `then` is
    looked at with that answer, where it is as expected."""

    expected: Expectation[A]
    ask: Callable[[], A | None]
    given: TextValues = field(default_factory=dict)
    then: Callable[[A], Iterable[CheckItem]] = lambda _: ()

    def findings(self) -> Iterator[Finding]:
        answer = self.ask()
        found = self.expected.finding(answer, self.given)
        if found is not None:
            yield found
        if answer is not None and (found is None or found.right):
            yield from run_checks(self.then(answer))


@dataclass(frozen=True)
class NameCheck(Generic[A]):
    """Each of these names must be there: `look` is asked for it. In texts it is %(name)s."""

    expected: Expectation[A]
    names: Iterable[Any]
    look: Callable[[Any], A | None]
    given: TextValues = field(default_factory=dict)

    def findings(self) -> Iterator[Finding]:
        for name in dict.fromkeys(self.names):
            found = self.expected.finding(self.look(name), {**self.given, "name": str(name)})
            if found is not None:
                yield found


@dataclass(frozen=True)
class ListCheck(Generic[A]):
    """Each of these names must stand in one list, which is asked for where there is a name. In texts the names in it
    are %(known)s, each spelled by `spelled`."""

    expected: Expectation[A]
    names: Iterable[Any]
    known: Callable[[], Mapping[Any, A]]
    given: TextValues = field(default_factory=dict)
    spelled: Callable[[Any, A], str] = lambda name, _: str(name)

    def findings(self) -> Iterator[Finding]:
        names = list(self.names)
        if not names:
            return
        known = self.known()
        listed = ", ".join(self.spelled(*one) for one in known.items()) or say("none")
        yield from NameCheck(self.expected, names, known.get, {**self.given, "known": listed}).findings()


def run_checks(checks: Iterable[CheckItem]) -> Iterator[Finding]:
    """What all of them find, one after the other."""
    for one in checks:
        yield from one.findings()
