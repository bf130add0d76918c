"""A record for a person whom the destination may refuse."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from connectors.kit.connector import Step
from connectors.kit.record import Mapping
from core.errors import Gone, RecordRefused

P = TypeVar("P")
R = TypeVar("R")

#: The step that remembers that the visitor was refused.
LEFT_OUT = "left out"


def unless_refused(step: Step, name: str, words: Mapping, who: Callable[[], P], make: Callable[[P], R]) -> R:
    """`make(who())`, and once more with `words.left_out` set where the destination does not take the person, which the
    body then says.

    `who` remembers the person as the step `name`, and looks at `words.left_out` for whom to give. Both raise Gone with
    `name` for a person who is not taken: an address that is called wrong, a user who is suspended, a contact that was
    deleted. Somebody whom an earlier attempt remembered is looked up again first (`Step.heals`).
    """
    words.left_out = step.knows(LEFT_OUT)
    earlier = step.knows(name)
    try:
        return make(who())
    except Gone as refused:
        if earlier or name not in refused.steps:
            raise  # Step.heals forgets it, and the delivery begins again
        if words.left_out:
            raise RecordRefused(str(refused), status=refused.status) from refused
    step.forget(name, f"{name}?")
    words.left_out = step(LEFT_OUT, lambda: True)
    try:
        return make(who())
    except Gone as refused:
        step.forget(LEFT_OUT)  # it was not the visitor's fault
        if name not in refused.steps:
            raise
        raise RecordRefused(str(refused), status=refused.status) from refused


def for_person(
    step: Step,
    name: str,
    words: Mapping,
    *,
    person: Callable[[], P],
    nobody: Callable[[], P],
    make: Callable[[P], R],
    identity: str = "",
    finds: tuple[Callable[[], P | None], Callable[[], P | None]] | None = None,
) -> R:
    """`make(person())`; and `make(nobody())` for whom the destination does not take (`unless_refused`).

    `nobody` is what stands for a visitor without an address. `finds` look for the two where a vendor makes a second one
    when asked twice, as in `Step.once`.
    """

    def who() -> P:
        create = nobody if words.left_out else person
        if finds is None:
            return step(name, create, identity=identity)
        return step.once(name, create, find=finds[words.left_out], identity=identity)

    return unless_refused(step, name, words, who, make)
