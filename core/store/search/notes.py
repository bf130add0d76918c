"""What admins wrote, and where it may name a visitor: bulk jobs, and why connectors are paused and payloads and
deliveries discarded. Only reads.

An erasing takes out what is found here, and an export shows it: a place that is added belongs here, for both of them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from core.delivery import PayloadStatus
from core.store.connection.client import errors
from core.store.protocol.base import Base
from core.store.protocol.keys import key
from core.store.protocol.records import decoded_hash
from core.store.search.filter import Filter
from core.store.search.visitors import comparable, whole_word

#: How many are looked at in one journey.
_MANY = 500


@dataclass(frozen=True)
class AdminNote:
    """`about` is a job, a connector, a payload or a delivery, `text` what is written there: why. `named`: one of the
    names stands in it, or in what a job `searched` for. `record` is all that is kept of a job, or of the attempt in a
    delivery's history, which is `kept` in the store like that."""

    kind: Literal["job", "pause", "payload", "delivery"]
    about: str
    text: str
    named: bool = True
    searched: str = ""
    record: Mapping[str, Any] = field(default_factory=dict)
    kept: bytes = b""


class AdminNotes(Base):
    """Every method raises StoreUnavailable."""

    def naming(self, names: Collection[str]) -> Iterator[AdminNote]:
        """Those in which one of these stands, and every finished job that looked for a text: it may be something that
        the visitor said."""
        # Shorter ones stand in every other sentence.
        known = [whole_word(one) for one in names if len(one) > 2]

        def named(text: str) -> bool:
            return any(one.search(comparable(text)) for one in known)

        yield from self._of_jobs(named)
        yield from self._of_connectors(named)
        yield from self._of_payloads(named)
        yield from self._of_deliveries(named)

    def _of_jobs(self, named: Callable[[str], bool]) -> Iterator[AdminNote]:
        for start in (key("job", ""), key("backfill", "")):
            with errors():
                names = list(self._redis.scan_iter(match=f"{start}*", count=1_000))
            for name in names:
                with errors():
                    job = decoded_hash(self._redis.hgetall(name))
                searched, reason = Filter.from_json(job.get("filter", "{}")).text, job.get("reason", "")
                about = named(searched) or named(reason)
                if about or (searched and job.get("finished")):
                    identity = name.decode().removeprefix(start)
                    yield AdminNote("job", identity, reason, named=about, searched=searched, record=job)

    def _of_connectors(self, named: Callable[[str], bool]) -> Iterator[AdminNote]:
        with errors():
            names = sorted(one.decode() for one in self._redis.smembers(key("connectors")))
        for name in names:
            with errors():
                reason = (self._redis.hget(key("gate", name), "reason") or b"").decode()
            if reason and named(reason):
                yield AdminNote("pause", name, reason)

    def _of_payloads(self, named: Callable[[str], bool]) -> Iterator[AdminNote]:
        with errors():
            found = self._redis.zrange(key("payloads", PayloadStatus.DISCARDED), 0, -1)
        for part in _parts(found):
            for one, reason in zip(part, self._each("hget", "payload", part, "error"), strict=True):
                if reason and named(reason.decode()):
                    yield AdminNote("payload", one.decode(), reason.decode())

    def _of_deliveries(self, named: Callable[[str], bool]) -> Iterator[AdminNote]:
        """Those that were done again have the reason in their history still."""
        with errors():
            ever = any(field.endswith(b":discarded") for field in self._redis.hkeys(key("totals")))
            names = list(self._redis.scan_iter(match=key("attempts", "*"), count=1_000)) if ever else []
        deliveries = [name.removeprefix(key("attempts", "").encode()) for name in names]
        for part in _parts(deliveries):
            for delivery, attempts in zip(part, self._each("lrange", "attempts", part, 0, -1), strict=True):
                for kept in attempts:
                    if not (kept.startswith(b"{") and b'"discarded"' in kept):
                        continue
                    attempt = json.loads(kept)
                    if attempt["outcome"] == "discarded" and named(attempt["error"]):
                        yield AdminNote("delivery", delivery.decode(), attempt["error"], record=attempt, kept=kept)

    def _each(self, command: str, kind: str, names: Sequence[bytes], *arguments: Any) -> list[Any]:
        """One command for each of them, in one journey."""
        with errors():
            pipe = self._redis.pipeline(transaction=False)
            for name in names:
                getattr(pipe, command)(key(kind, name.decode()), *arguments)
            return list(pipe.execute())


def _parts(names: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    for start in range(0, len(names), _MANY):
        yield names[start : start + _MANY]
