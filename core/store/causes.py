"""Dead letters by their cause, as the scripts count them (lua/lib/causes.lua)."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass

from core.delivery import Attempt, DeliveryStatus
from core.encryption import Vault
from core.errors import StoreUnsafe
from core.store.connection.client import errors
from core.store.protocol.base import Base
from core.store.protocol.causes import CRASHED, Cause, cause_of
from core.store.protocol.constants import CRASHED_CAUSE
from core.store.protocol.keys import key
from core.store.protocol.records import from_json

#: Deliveries that are looked at in one round trip.
_MANY = 200


@dataclass(frozen=True)
class CountedCause:
    """`cause` is None where what it was cannot be read: it was encrypted with a key that is not there. `last` is when
    the last one died (ms)."""

    connector: str
    id: str
    count: int
    last: int
    cause: Cause | None


@dataclass(frozen=True)
class CauseList:
    """The most frequent ones; `number` is how many causes there are in all, `dead` how many dead letters have one."""

    rows: tuple[CountedCause, ...]
    number: int
    dead: int


class Causes(Base):
    """Every method raises StoreUnavailable."""

    def most_frequent(self, connectors: Sequence[str], limit: int = 20) -> CauseList:
        """Of these connectors."""
        with errors():
            pipe = self._redis.pipeline(transaction=False)
            for name in connectors:
                pipe.zrange(key("causes", name), 0, -1, desc=True, withscores=True)
            found = pipe.execute()
        counted = [
            (int(number), name, cause.decode())
            for name, rows in zip(connectors, found, strict=True)
            for cause, number in rows
        ]
        counted.sort(key=lambda one: -one[0])
        rows = tuple(self._described(counted[:limit]))
        return CauseList(rows, len(counted), sum(number for number, _, _ in counted))

    def described(self, connectors: Sequence[str], identity: str) -> CountedCause | None:
        """One of them, as the first of these connectors has it that has it most often; None: nobody has it."""
        found = [one for one in self.most_frequent(connectors, limit=10_000).rows if one.id == identity]
        return found[0] if found else None

    def sort(self, connectors: Sequence[str]) -> int:
        """Bring in what versions that know no causes have killed and replayed meanwhile. Returns how many got one."""
        return sum(self._sorted(name) for name in connectors)

    def _described(self, counted: Sequence[tuple[int, str, str]]) -> Iterator[CountedCause]:
        with errors():
            pipe = self._redis.pipeline(transaction=False)
            for _, name, cause in counted:
                pipe.hget(key("cause", name), cause)
                pipe.zrange(key("dead", name, cause), 0, 0, desc=True, withscores=True)
            replies = pipe.execute()
        for (number, name, cause), kept, last in zip(counted, replies[::2], replies[1::2], strict=True):
            yield CountedCause(name, cause, number, int(last[0][1]) if last else 0, self._read(cause, kept))

    def _read(self, identity: str, kept: bytes | None) -> Cause | None:
        if identity == CRASHED_CAUSE:
            return CRASHED
        try:
            return from_json(Cause, self._vault.open(kept)) if kept else None
        except StoreUnsafe:
            return None

    def _sorted(self, connector: str) -> int:
        dead = key("deliveries", connector, DeliveryStatus.DEAD)
        with errors():
            counts = self._redis.zrange(key("causes", connector), 0, -1, withscores=True)
            number = self._redis.zcard(dead)
        if sum(int(one) for _, one in counts) == number:
            return 0
        for cause, _ in counts:
            self._unsort(connector, cause.decode())
        return sum(self._sort_part(connector, part) for part in self._parts(dead))

    def _unsort(self, connector: str, cause: str) -> None:
        """Take out those that are dead no longer."""
        for part in self._parts(key("dead", connector, cause)):
            with errors():
                pipe = self._redis.pipeline(transaction=False)
                for one in part:
                    pipe.hget(key("delivery", one), "status")
                statuses = pipe.execute()
            gone = [one for one, is_in in zip(part, statuses, strict=True) if is_in != DeliveryStatus.DEAD.encode()]
            if gone:
                self._run("sort_dead", connector=connector, cause=cause, about="", ids=gone)

    def _sort_part(self, connector: str, part: Sequence[str]) -> int:
        with errors():
            pipe = self._redis.pipeline(transaction=False)
            for one in part:
                pipe.hexists(key("delivery", one), "cause")
                pipe.lindex(key("attempts", one), -1)
            replies = pipe.execute()
        found: dict[tuple[str, bytes], list[str]] = defaultdict(list)
        for one, known, attempt in zip(part, replies[::2], replies[1::2], strict=True):
            if not known:
                found[self._cause(attempt)].append(one)
        for (cause, about), ids in found.items():
            self._run("sort_dead", connector=connector, cause=cause, about=about, ids=ids)
        return sum(map(len, found.values()))

    def _cause(self, attempt: bytes | None) -> tuple[str, bytes]:
        try:
            read = from_json(Attempt, self._vault.open(attempt)) if attempt else None
        except StoreUnsafe:
            read = None
        if read is None or read.outcome is CRASHED.outcome:
            return CRASHED_CAUSE, b""
        return sealed_cause(self._vault, read)

    def _parts(self, name: str) -> Iterator[list[str]]:
        """Its members, newest first. Those that leave it meanwhile make others move up: what is passed over for that is
        found the next time."""
        at = 0
        while True:
            with errors():
                part = [one.decode() for one in self._redis.zrange(name, at, at + _MANY - 1, desc=True)]
            if not part:
                return
            yield part
            at += _MANY


def sealed_cause(vault: Vault, attempt: Attempt) -> tuple[str, bytes]:
    """The id of what a delivery died of, which says nothing to who has the store alone, and what is kept of it."""
    about = json.dumps(asdict(cause_of(attempt)), separators=(",", ":")).encode()
    identity = hashlib.sha256(vault.digest("cause", about).encode()).hexdigest()[:10]
    return identity, vault.seal(about)
