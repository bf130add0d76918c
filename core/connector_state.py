"""What all workers share of one connector besides its deliveries: the access token, and answers worth remembering.

A connector is given one such state: that of the store is in core/store/shared/connector_state.py. Nothing here does
I/O.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol


@dataclass(frozen=True)
class Taken:
    """What became of asking for a token. `new`: somebody has kept one that the caller does not know. `renew`: the
    caller alone may fetch one now, for as long as he asked for. `busy`: somebody else is fetching one.

    `kept` is what was kept last for this client, which may be of no use any more; `version` counts what was kept.
    """

    what: Literal["new", "renew", "busy"]
    version: int = 0
    kept: bytes = field(default=b"", repr=False)


class ConnectorState(Protocol):
    """Every method may raise StoreUnavailable."""

    def take_token(self, client: str, seen: int, holder: str, lease_ms: int) -> Taken:
        """Ask for a token that is newer than version `seen`, or for the right to fetch one. `client` tells whose tokens
        are meant: those of another client are as good as none. `holder` is new for each fetch."""

    def keep_token(self, client: str, seen: int, holder: str, kept: bytes) -> int:
        """Keep what was fetched, sealed, and let others fetch; returns its version. 0: the lease was lost, and somebody
        has kept another one since, which is the newer."""

    def release_token(self, holder: str) -> None:
        """Nothing was fetched: others may try."""

    def recall(self, name: str) -> bytes | None:
        """What was noted under a name, or None when its time is over."""

    def note(self, name: str, value: bytes, life_ms: int) -> None:
        """Note something for a while, sealed; others see it, too."""

    def drop(self, name: str) -> None:
        """What was noted is true no longer."""

    def persons(self, names: Sequence[str]) -> list[bytes | None]:
        """For each name by which persons are known (`email:ann@example.com`): whose it is, or None. Small and capital
        letters are the same."""

    def note_person(self, person: bytes, names: Sequence[str], life_ms: int) -> None:
        """A person at the vendor's goes by these names for a while, and by those noted before. Sealed; what erases the
        visitor removes it."""

    def forget_person(self, person: bytes) -> None:
        """Nobody goes by any of the names that were noted for this person."""


class OwnState:
    """A state of this process alone, for tests, previews and whoever has no store."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._token: tuple[str, int, bytes] = ("", 0, b"")
        self._holder, self._until = "", 0.0
        self._noted: dict[str, tuple[float, bytes]] = {}
        self._persons: dict[str, tuple[float, bytes]] = {}

    def take_token(self, client: str, seen: int, holder: str, lease_ms: int) -> Taken:
        with self._lock:
            whose, version, kept = self._token
            if whose != client:
                kept = b""
            if kept and version != seen:
                return Taken("new", version, kept)
            if self._holder and self._clock() < self._until:
                return Taken("busy", version, kept)
            self._holder, self._until = holder, self._clock() + lease_ms / 1000
            return Taken("renew", version, kept)

    def keep_token(self, client: str, seen: int, holder: str, kept: bytes) -> int:
        with self._lock:
            _, version, _ = self._token
            if self._holder == holder:
                self._holder = ""
            elif version != seen:
                return 0
            self._token = (client, version + 1, kept)
            return version + 1

    def release_token(self, holder: str) -> None:
        with self._lock:
            if self._holder == holder:
                self._holder = ""

    def recall(self, name: str) -> bytes | None:
        until, value = self._noted.get(name, (0.0, b""))
        return value if self._clock() < until else None

    def note(self, name: str, value: bytes, life_ms: int) -> None:
        self._noted[name] = (self._clock() + life_ms / 1000, value)

    def drop(self, name: str) -> None:
        self._noted.pop(name, None)

    def persons(self, names: Sequence[str]) -> list[bytes | None]:
        found = (self._persons.get(name.casefold(), (0.0, b"")) for name in names)
        return [person if self._clock() < until else None for until, person in found]

    def note_person(self, person: bytes, names: Sequence[str], life_ms: int) -> None:
        until = self._clock() + life_ms / 1000
        self._persons |= {name.casefold(): (until, person) for name in names}

    def forget_person(self, person: bytes) -> None:
        with self._lock:
            self._persons = {name: kept for name, kept in self._persons.items() if kept[1] != person}
