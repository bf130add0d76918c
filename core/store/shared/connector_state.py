"""What all workers share of one connector, in the store (core/connector_state.py)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from core.connector_state import Taken
from core.store.connection.client import Client, errors
from core.store.protocol.base import Base
from core.store.protocol.keys import key
from core.store.shared.persons import Persons


class StoredState(Base):
    """Every method raises StoreUnavailable when the server does not answer, and StoreUnsafe when what is kept was
    sealed with a key that is not there."""

    def __init__(self, client: Client, connector: str, clock: Callable[[], int] | None = None) -> None:
        super().__init__(client, clock)
        self.connector = connector

    def take_token(self, client: str, seen: int, holder: str, lease_ms: int) -> Taken:
        client = self._digest(client)
        what, version, kept = self._run(
            "take_token", connector=self.connector, client=client, seen=seen, holder=holder, lease_ms=lease_ms
        )
        return Taken(what.decode(), version, self._vault.open(kept) if kept else b"")

    def keep_token(self, client: str, seen: int, holder: str, kept: bytes) -> int:
        client, kept = self._digest(client), self._vault.seal(kept)
        return int(
            self._run("keep_token", connector=self.connector, client=client, seen=seen, holder=holder, kept=kept)
        )

    def release_token(self, holder: str) -> None:
        self._run("release_token", connector=self.connector, holder=holder)

    def recall(self, name: str) -> bytes | None:
        with errors():
            found = self._redis.get(key("cache", self.connector, name))
        return None if found is None else self._vault.open(found)

    def note(self, name: str, value: bytes, life_ms: int) -> None:
        with errors():
            self._redis.set(key("cache", self.connector, name), self._vault.seal(value), px=life_ms)

    def drop(self, name: str) -> None:
        with errors():
            self._redis.delete(key("cache", self.connector, name))

    def persons(self, names: Sequence[str]) -> list[bytes | None]:
        return Persons(self._redis, self._clock).known(self.connector, names)

    def note_person(self, person: bytes, names: Sequence[str], life_ms: int) -> None:
        Persons(self._redis, self._clock).note(self.connector, person, names, life_ms)

    def forget_person(self, person: bytes) -> None:
        Persons(self._redis, self._clock).forget(self.connector, person)

    def _digest(self, client: str) -> str:
        # Without the connector's name, which may change.
        return self._vault.digest("token", client.encode())
