"""Bulk jobs: deliver again, or discard, everything that matches a filter.

Whoever calls `advance` does the next part; each part is one atomic step that moves the job's cursor, so it is done
once, whoever dies, and any number may take turns: the page that started it, a worker, the command line.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from core.errors import NotFound
from core.store import scripts
from core.store.client import Client, errors
from core.store.keys import key
from core.store.search import Batch, Filter, Found, Search

Kind = Literal["replay", "discard"]

#: Conversations or deliveries that are dealt with in one step, or nearly twice as many: a few ms of the server's time.
PART = 200
#: How long a job is remembered, ms.
KEPT_MS = 30 * 86_400_000
_LISTED = 20


@dataclass(frozen=True)
class Job:
    """`total` is how many have to be looked at, `seen` how many were, `found` how many of these matched: conversations,
    or deliveries when the filter is about them. `done` is how many deliveries it could do something to.
    Times are ms; what is later than `as_of` is left alone; `finished` is None while it goes on."""

    id: str
    kind: Kind
    filter: Filter
    reason: str
    by: str
    created: int
    as_of: int
    total: int
    seen: int = 0
    found: int = 0
    done: int = 0
    finished: int | None = None
    cursor: str = ""


class Jobs:
    """`knock` tells the workers of work in a lane. Every method raises StoreUnavailable."""

    def __init__(self, client: Client, knock: Callable[[str], None]) -> None:
        # redis-py's types allow text for every reply; without decode_responses, which this is, all are bytes.
        self._redis: Any = client
        self._knock = knock
        self._search = Search(client)

    def start(
        self, kind: Kind, wanted: Filter, *, reason: str = "", by: str = "admin", as_of: int | None = None
    ) -> Job:
        """Begin. What matches later than `as_of` (ms), when somebody counted them and was shown how many there are, is
        left alone; and in any case what does later than now: what the job itself made due again, for one."""
        with errors():
            seconds, micros = self._redis.time()
            now = int(seconds) * 1000 + int(micros) // 1000
            ends = now if as_of is None else min(as_of, now)
            bounded = wanted.as_of(ends)
            job = Job(secrets.token_hex(6), kind, bounded, reason, by, now, ends, self._search.extent(bounded))
            pipe = self._redis.pipeline()
            pipe.hset(
                key("job", job.id),
                mapping={
                    "kind": kind,
                    "filter": bounded.as_json(),
                    "reason": reason,
                    "by": by,
                    "created": now,
                    "as_of": ends,
                    "total": job.total,
                    "seen": 0,
                    "found": 0,
                    "done": 0,
                    "cursor": "",
                },
            )
            pipe.pexpire(key("job", job.id), KEPT_MS)
            pipe.sadd(key("jobs", "open"), job.id)
            pipe.lpush(key("jobs", "recent"), job.id)
            pipe.ltrim(key("jobs", "recent"), 0, _LISTED - 1)
            pipe.execute()
        return job

    def get(self, identity: str) -> Job:
        """Raises NotFound."""
        found = self._read([identity])
        if not found:
            raise NotFound(f"there is no job '{identity}'")
        return found[0]

    def open(self) -> list[str]:
        """The jobs that go on."""
        with errors():
            found = sorted(one.decode() for one in self._redis.smembers(key("jobs", "open")))
        there = {job.id for job in self._read(found)}
        for identity in set(found) - there:  # nobody has worked on it until it was forgotten
            self._close(identity)
        return [identity for identity in found if identity in there]

    def recent(self) -> list[Job]:
        """The last jobs, newest first."""
        with errors():
            return self._read([one.decode() for one in self._redis.lrange(key("jobs", "recent"), 0, -1)])

    def advance(self, identity: str, seconds: float = 0.5) -> Job:
        """Do the next parts, for about `seconds`. Returns how far the job is. Raises NotFound."""
        found = self._read([identity])
        if not found or found[0].finished is not None:
            self._close(identity)
            return self.get(identity)
        ends = time.monotonic() + seconds
        for before, part in _parts(self._search.batches(found[0].filter, found[0].cursor, PART), found[0].cursor, ends):
            if not self._step(found[0], before, part) or time.monotonic() >= ends:
                break  # somebody else took this turn, or the time is over
        return self.get(identity)

    def _step(self, job: Job, cursor: str, batch: Batch) -> bool:
        """Do a batch. False: somebody else has, or the job is gone."""
        deliveries = [row.delivery for row in batch.rows if row.delivery]
        whole = [row.id for row in batch.rows if not row.delivery]
        for conversation, given in self._search.deliveries(whole).items():
            deliveries += [f"{name}:{conversation}" for name in given]
        with errors():
            step = (job.id, cursor, batch.after, "" if batch.after else "1", batch.looked, len(batch.rows))
            knocks = scripts.run(self._redis, "advance", "", *step, job.filter.status or "", *deliveries)
        for lane in knocks or ():
            self._knock(lane.decode())
        return knocks is not None

    def _close(self, identity: str) -> None:
        with errors():
            self._redis.srem(key("jobs", "open"), identity)

    def _read(self, identities: Sequence[str]) -> list[Job]:
        """Those of them that there are."""
        with errors():
            pipe = self._redis.pipeline(transaction=False)
            for identity in identities:
                pipe.hgetall(key("job", identity))
            rows = pipe.execute()
        return [_job(identity, row) for identity, row in zip(identities, rows, strict=True) if row]


def _parts(batches: Iterable[Batch], cursor: str, ends: float) -> Iterator[tuple[str, Batch]]:
    """Batches put together until they are worth a write, each with the cursor before it."""
    rows: tuple[Found, ...] = ()
    looked = 0
    for batch in batches:
        rows, looked = rows + batch.rows, looked + batch.looked
        if len(rows) >= PART or not batch.after or time.monotonic() >= ends:
            yield cursor, Batch(rows, batch.after, looked)
            cursor, rows, looked = batch.after, (), 0


def _job(identity: str, kept: dict[bytes, bytes]) -> Job:
    row = {name.decode(): value.decode() for name, value in kept.items()}
    return Job(
        id=identity,
        kind="discard" if row["kind"] == "discard" else "replay",
        filter=Filter.from_json(row["filter"]),
        reason=row["reason"],
        by=row["by"],
        created=int(row["created"]),
        as_of=int(row.get("as_of", row["created"])),
        total=int(row["total"]),
        seen=int(row["seen"]),
        found=int(row["found"]),
        done=int(row["done"]),
        finished=int(row["finished"]) if "finished" in row else None,
        cursor=row["cursor"],
    )
