"""Whom a connector's vendor has as which person, by what names: an email, a phone number, a visitor's id.

Names are kept as digests, and what they stand for sealed. All names of one person are in one set, so that whoever is
erased by one of them is erased by all.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass

from core.errors import StoreUnsafe
from core.store.connection.client import errors
from core.store.protocol.base import Base
from core.store.protocol.keys import key
from core.store.search.visitors import comparable, number_searched

#: What a visitor is erased by, and the kind of name that it is kept as.
_ERASED_BY = ("email", "visitor")
_PHONE = "phone"


@dataclass(frozen=True)
class Remembered:
    """Somebody at a connector's vendor. `person` is the id there, as JSON, or None when nobody can open it; `names` are
    the digests of all names that lead to it; it is forgotten at `until` (ms), unless a chat comes before."""

    connector: str
    person: str | None
    names: tuple[str, ...]
    until: int


class Persons(Base):
    """Every method raises StoreUnavailable when the server does not answer."""

    def known(self, connector: str, names: Sequence[str]) -> list[bytes | None]:
        """Whose each of these names is. One that was sealed with a key that is not there is nobody's."""
        with errors():
            kept = self._redis.mget([self._name(connector, self._digest(name)) for name in names])
        return [None if one is None else self._opened(one) for one in kept]

    def note(self, connector: str, person: bytes, names: Sequence[str], life_ms: int) -> None:
        digests, group = [self._digest(name) for name in names], self._group(connector, person)
        with errors():
            pipe = self._redis.pipeline()
            pipe.sadd(group, *digests)
            pipe.pexpire(group, life_ms)
            for digest in digests:
                pipe.set(self._name(connector, digest), self._vault.seal(person), px=life_ms)
            pipe.execute()

    def forget(self, connector: str, person: bytes) -> int:
        """Returns how many names went."""
        group = self._group(connector, person)
        with errors():
            names = [self._name(connector, digest.decode()) for digest in self._redis.smembers(group)]
            self._redis.delete(group)
            return int(self._redis.delete(*names)) if names else 0

    def of_visitor(self, names: Collection[str]) -> list[tuple[str, str]]:
        """Connector and key of each name that is kept of a visitor, of whom these are emails and ids."""
        with errors():
            # What was noted before a connector was renamed stays under its earlier name until its time is over.
            ever = {*self._redis.smembers(key("connectors")), *self._redis.hkeys(key("renamed"))}
            connectors = sorted(one.decode() for one in ever)
            named = [f"{kind}:{name}" for name in names for kind in _ERASED_BY]
            named += [f"{_PHONE}:{number}" for number in filter(None, map(number_searched, names))]
            wanted = [(one, self._name(one, self._digest(name))) for one in connectors for name in named]
            pipe = self._redis.pipeline(transaction=False)
            for _, name in wanted:
                pipe.exists(name)
            there = pipe.execute() if wanted else []
        return [one for one, found in zip(wanted, there, strict=True) if found]

    def remembered(self, names: Collection[str]) -> list[Remembered]:
        """Each once, whatever it was found by."""
        found: dict[tuple[str, str], Remembered] = {}
        for connector, name in self.of_visitor(names):
            with errors():
                kept, left = self._redis.get(name), self._redis.pttl(name)
            if kept is None:  # forgotten meanwhile
                continue
            person, digest = self._opened(kept), name.removeprefix(self._name(connector, ""))
            group = self._group(connector, person) if person is not None else ""
            with errors():
                digests = {one.decode() for one in self._redis.smembers(group)} if group else set[str]()
            text = None if person is None else person.decode(errors="replace")
            one = Remembered(connector, text, tuple(sorted(digests | {digest})), self.now() + max(0, left))
            found.setdefault((connector, group or digest), one)
        return list(found.values())

    def erase(self, names: Collection[str]) -> int:
        """Remove what is kept of a visitor, under names that are not given here, too. Returns how many names went."""
        return sum(self._erased(connector, name) for connector, name in self.of_visitor(names))

    def _erased(self, connector: str, name: str) -> int:
        with errors():
            kept = self._redis.getdel(name)
        person = self._opened(kept) if kept is not None else None
        return int(kept is not None) + (self.forget(connector, person) if person is not None else 0)

    def _opened(self, kept: bytes) -> bytes | None:
        with suppress(StoreUnsafe):
            return self._vault.open(kept)
        return None

    def _digest(self, name: str) -> str:
        # Without the connector's name, which may change.
        return self._vault.digest("person", comparable(name).encode())

    def _name(self, connector: str, digest: str) -> str:
        return key("person", connector, digest)

    def _group(self, connector: str, person: bytes) -> str:
        return key("person-names", connector, self._vault.digest("names", person))
