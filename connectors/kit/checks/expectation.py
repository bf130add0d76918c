"""What a check expects of one thing that the destination answered, and says of it: right, or wrong and what to do.

    ACTIVE = Expectation[Reply](
        "pipeline %(number)s: %(name)s",
        "there is no active pipeline %(number)s",
        "correct pipeline_id, or remove it",
        holds=lambda found: found["active"].raw is True,
        values=lambda found: {"name": found["name"].text},
    )

Texts are constants with named values, so that a face can say them in another language. What is right is read from the
answer: without one it is wrong, and where the answer has another shape, `Reply` raises.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from connectors.kit.connector import Finding
from core.wording.sentence import say

A = TypeVar("A")

#: Values of a text. A number that is an id is given as text: others are spelled with separators.
TextValues = Mapping[str, Any]


@dataclass(frozen=True)
class Mismatch(Generic[A]):
    """Something else that may be wrong with an answer, and what to do."""

    text: str
    remedy: str
    when: Callable[[A], bool]


class Expectation(Generic[A]):
    """`right` is said of an answer for which it `holds`; where it is "", nothing is. `wrong` and `remedy` are said
    where it does not hold, or there is no answer; and after that, the first mismatch of `also` that there is."""

    def __init__(
        self,
        right: str,
        wrong: str = "",
        remedy: str = "",
        *,
        holds: Callable[[A], bool] = lambda _: True,
        also: Sequence[Mismatch[A]] = (),
        values: Callable[[A], TextValues] = lambda _: {},
    ) -> None:
        self.right, self.wrong, self.remedy, self.also = right, wrong, remedy, also
        self._holds, self._values = holds, values

    def finding(self, answer: A | None, given: TextValues) -> Finding | None:
        """None and False are no answer. Raises LookupError where nothing says what is wrong then."""
        if answer is None or answer is False:
            return self._wrong(given)
        known = {**given, **self._values(answer)}
        if not self._holds(answer):
            return self._wrong(known)
        found = next((one for one in self.also if one.when(answer)), None)
        if found is not None:
            return _wrong(found.text, found.remedy, known)
        return Finding(True, say(self.right, **known)) if self.right else None

    def _wrong(self, values: TextValues) -> Finding:
        if not self.wrong:
            raise LookupError(f"nothing says what is wrong where this is not so: {self.right}")
        return _wrong(self.wrong, self.remedy, values)


def _wrong(text: str, remedy: str, values: TextValues) -> Finding:
    return Finding(False, say(text, **values), say(remedy, **values))
