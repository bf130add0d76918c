"""What to do where an answer may get lost and nothing can be looked for: again, or a person decides."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

from connectors.kit.step import Step
from core.errors import ConnectorRefused, Gone, RecordRefused, RetryLater

#: again: two are better than none. never: a person decides.
LostAnswer = Literal["again", "never"]


@contextmanager
def forgotten_where_untaken(step: Step, name: str) -> Iterator[None]:
    """Around the create of `Step.once`: a failure that says that the destination surely does not have it leaves no
    mark that the create has begun, so that only what is truly unknown is left to a person."""
    try:
        yield
    except (RetryLater, RecordRefused, ConnectorRefused) as error:
        if not isinstance(error, RetryLater) or error.untaken:
            step.forget(f"{name}?")
        raise


def unknown_outcome(step: Step, name: str, repeatable: LostAnswer, text: str) -> None:
    """For `find` of `Step.once`: nothing is found, so that it is created again; or Gone is raised, with what a person
    has to do, and a replay creates it."""
    if repeatable == "again":
        return
    step.forget(f"{name}?")
    # Gone, of no step: nothing is begun again by itself.
    raise Gone(text)
