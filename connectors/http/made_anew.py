"""What was made at the destination and died there, and is made anew: with all that was in it, and under other keys."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from connectors.http.program import Action
from connectors.kit.files.carrying import steps_of_files
from connectors.kit.step import Step
from core.errors import Gone

#: What is remembered: by step, how often what it made has died.
_GENERATIONS = "generations of steps"


def with_contents(refused: Gone, actions: Sequence[Action], step: Step) -> Gone:
    """The error, which names all that is to be done again with what has died: what was made in it, too."""
    dead = {name for name in refused.steps if step.knows(name)}
    for action in actions:
        if action.create is not None and action.create.lives_in(dead, anywhere=bool(action.step.each)):
            dead.add(action.name)
    if not dead:
        return refused
    step.keep(_GENERATIONS, {**_known(step), **{name: _known(step).get(name, 0) + 1 for name in dead}})
    again = [name for action in actions if action.name in dead for name in _remembered(action, step)]
    again += steps_of_files(step)  # they were in it
    return Gone(str(refused), *refused.steps, *again, status=refused.status)


def generation(action: Action, step: Step) -> int:
    """How often what a create makes, or what it names, has died: each time it is another request."""
    known = _known(step)
    named: Collection[str] = action.create.named if action.create is not None else ()
    return sum(known.get(name, 0) for name in {action.name, *named})


def _known(step: Step) -> dict[str, int]:
    kept = step.recall(_GENERATIONS)
    return {str(name): int(count) for name, count in kept.items()} if isinstance(kept, dict) else {}


def _remembered(action: Action, step: Step) -> list[str]:
    """All that is remembered of a step. That a create has begun stays with one that can be looked for: it is."""
    of_step = re.compile(rf"{re.escape(action.name)}( .*)?(\?)?")
    found = (name for name in step.done if of_step.fullmatch(name))
    return [name for name in found if not (name.endswith("?") and action.find and not action.step.each)]
