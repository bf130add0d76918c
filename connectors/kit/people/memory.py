"""Whom the vendor has as which person: what earlier chats have found out, known to all workers and sealed in the store.

An address that a person gave once and the vendor does not keep, a number that the vendor's search does not know yet, a
browser that comes back without an address. What is remembered is believed only after the vendor was asked: a person
may have been merged or deleted since. It is erased with the visitor.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from core.connector_state import ConnectorState

DAY_MS = 86_400_000


class Memory:
    """Of one connector. `pretends`: what a preview makes up is worth remembering to nobody."""

    def __init__(self, state: Callable[[], ConnectorState], days: float, pretends: Callable[[], bool]) -> None:
        self._state, self._pretends = state, pretends
        self._life_ms = round(days * DAY_MS)

    def recall(self, known_by: Mapping[str, str], kinds: Iterable[str]) -> list[Any]:
        """The ids that go by these identifiers, in the order of `kinds`, each once."""
        names = [f"{kind}:{known_by[kind]}" for kind in kinds if kind in known_by]
        if not names or not self._life_ms or self._pretends():
            return []
        found = (json.loads(one) for one in self._state().persons(names) if one)
        return list(dict.fromkeys(found))

    def note(self, person: Any, known_by: Mapping[str, str]) -> None:
        names = [f"{kind}:{value}" for kind, value in known_by.items()]
        if names and self._life_ms and not self._pretends():
            self._state().note_person(json.dumps(person).encode(), names, self._life_ms)

    def forget(self, person: Any) -> None:
        """The person is no longer at the vendor's."""
        if not self._pretends():
            self._state().forget_person(json.dumps(person).encode())
