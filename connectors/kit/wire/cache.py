"""Answers that hardly change (agents, owners, labels, types of fields, who we are), asked for once by all workers.

    me = self.cache.get("me", lambda: self.ask("GET", "users/me")["user"]["id"].number)

What is remembered is anything that JSON can spell. It is asked for again when its time is over; when the connector's
settings change, as what they name may be another account; and when the vendor refuses what was made of it (`forget`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from typing import TypeVar

from core.connector_state import ConnectorState

T = TypeVar("T")

#: Seconds for which an answer is taken to be true, unless the caller says otherwise.
_LIFE = 600.0
#: Bytes of an answer that is worth remembering.
_LONGEST = 256 * 1024


class Cache:
    """Of one connector. `settings` tells two accounts apart."""

    def __init__(self, state: Callable[[], ConnectorState], settings: str, pretends: Callable[[], bool]) -> None:
        self._state, self._pretends = state, pretends
        self._account = hashlib.sha256(settings.encode()).hexdigest()[:16]

    def get(self, name: str, ask: Callable[[], T], life: float = _LIFE, *, anew: bool = False) -> T:
        """What is remembered under a name for `life` seconds, or what `ask` returns now; surely that with `anew`.
        Raises what `ask` does, and StoreUnavailable."""
        if self._pretends():  # what a preview makes up is worth remembering to nobody
            return ask()
        state, kept_as = self._state(), self._name(name)
        kept = None if anew else state.recall(kept_as)
        if kept is not None:
            found: T = json.loads(kept)
            return found
        found = ask()
        text = json.dumps(found).encode()
        if len(text) <= _LONGEST:
            state.note(kept_as, text, round(life * 1000))
        return found

    @property
    def pretends(self) -> bool:
        """Whether what is asked now is made up, for a preview."""
        return self._pretends()

    def forget(self, name: str) -> None:
        """Ask again the next time."""
        if not self._pretends():
            self._state().drop(self._name(name))

    def _name(self, name: str) -> str:
        return hashlib.sha256(f"{self._account}\0{name}".encode()).hexdigest()[:32]
