"""Bulk jobs: deliver again, fan out again, or discard, everything that matches a filter.

Whoever calls `advance` does the next part; each part is one atomic step that moves the job's cursor, so it is done
once, whoever dies, and any number may take turns: the page that started it, a worker, the command line.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal, get_args

from core.config.settings import Settings
from core.errors import NotFound
from core.ids import DeliveryId
from core.store.backfill import Aim, Backfill, Plan
from core.store.connection.client import Client, errors
from core.store.protocol.base import Base
from core.store.protocol.keys import BACKFILL_ID, job_key, key
from core.store.protocol.records import decoded_hash, from_record
from core.store.search.conversations import Batch, Found, Search
from core.store.search.filter import Filter

JobKind = Literal["replay", "discard"]

#: Conversations or deliveries that are dealt with in one step, or nearly twice as many: a few ms of the server's time.
_PART = 200
#: How long a job is remembered, ms.
_KEPT_MS = 30 * 86_400_000
_LISTED = 20
#: So long after a job was begun, in ms, whoever has other routes leaves it alone: the file was saved a moment ago, and
#: who began the job read it as it is now. All have adopted it by then, or refused it.
ADOPTED_MS = 15_000
_OPEN = (key("jobs", "open"), key("backfills", "open"))


@dataclass(frozen=True)
class Job:
    """`total` is how many have to be looked at, `seen` how many were, `found` how many of these matched: conversations,
    or deliveries when the filter is about them. `done` is how many deliveries it could do something to.
    Times are ms; what is later than `as_of` is left alone; `finished` is None while it goes on. `aim` is for a replay
    of conversations, `routes` a digest of those that it was begun under. One that is not `understood` was begun by
    another version, which alone can go on with it."""

    id: str
    kind: JobKind
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
    aim: Aim = field(default_factory=Aim)
    routes: str = ""
    understood: bool = True


class Jobs(Base):
    """`settings` gives those of the moment: the routes of what is fanned out. Every method raises StoreUnavailable."""

    def __init__(self, client: Client, settings: Callable[[], Settings]) -> None:
        super().__init__(client)
        self._search = Search(client)
        self._backfill = Backfill(client, settings)

    def start(
        self,
        kind: JobKind,
        wanted: Filter,
        *,
        reason: str = "",
        by: str = "admin",
        as_of: int | None = None,
        aim: Aim | None = None,
    ) -> Job:
        """Begin. What matches later than `as_of` (ms), when somebody counted them and was shown how many there are, is
        left alone; and in any case what does later than now: what the job itself made due again, for one."""
        aim = aim or Aim()
        self._backfill.gather()
        now = self.now()
        with errors():
            ends = now if as_of is None else min(as_of, now)
            bounded = wanted.as_of(ends)
            identity = ("" if bounded.about_deliveries else BACKFILL_ID) + secrets.token_hex(6)
            total, routes = self._search.extent(bounded), self._backfill.routes()
            job = Job(identity, kind, bounded, reason, by, now, ends, total, aim=aim, routes=routes)
            pipe = self._redis.pipeline()
            pipe.hset(
                job_key(job.id),
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
                    "to": aim.connector,
                    "repeat": "1" if aim.repeat else "",
                    "anyway": "1" if aim.anyway else "",
                    "routes": job.routes,
                },
            )
            pipe.pexpire(job_key(job.id), _KEPT_MS)
            pipe.sadd(open_of(job.id), job.id)
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
        """The jobs that go on, and that this version understands: to leave a condition out would do more than was
        asked."""
        with errors():
            found = sorted(one.decode() for name in _OPEN for one in self._redis.smembers(name))
        there = {job.id: job for job in self._read(found)}
        for identity in set(found) - there.keys():  # nobody has worked on it until it was forgotten
            self._close(identity)
        return [identity for identity, job in there.items() if job.understood]

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
        if not found[0].understood or self._has_other_routes(found[0]):
            return found[0]
        ends = time.monotonic() + seconds
        if not self._backfill.gather(seconds):
            return found[0]
        for before, part in _parts(
            self._search.batches(found[0].filter, found[0].cursor, _PART), found[0].cursor, ends
        ):
            if not self._step(found[0], before, part) or time.monotonic() >= ends:
                break  # somebody else took this turn, or the time is over
        return self.get(identity)

    def _has_other_routes(self, job: Job) -> bool:
        other = job.kind == "replay" and job.routes not in ("", self._backfill.routes())
        return other and self.now() < job.created + ADOPTED_MS

    def _step(self, job: Job, cursor: str, batch: Batch) -> bool:
        """Do a batch. False: somebody else has, or the job is gone."""
        deliveries = [row.delivery for row in batch.rows if row.delivery]
        if job.kind == "replay":
            deliveries = [one for one in deliveries if self._backfill.knows(one.connector)]
        whole = [row.id for row in batch.rows if not row.delivery]
        if job.kind == "discard":
            given = self._search.deliveries(whole)
            deliveries += [DeliveryId.of(name, one) for one, names in given.items() for name in names]
            plans = [Plan(one) for one in whole]
        else:
            plans = self._backfill.plans(whole, job.aim)
        lanes = self._run(
            "advance",
            job=job_key(job.id),
            open=open_of(job.id),
            id=job.id,
            before=cursor,
            after=batch.after,
            last=not batch.after,
            looked=batch.looked,
            matched=len(batch.rows),
            status=job.filter.status or "",
            plans=[one.as_json() for one in plans],
            deliveries=deliveries,
        )
        for lane in lanes or ():
            self._wake_up(lane.decode())
        return lanes is not None

    def _close(self, identity: str) -> None:
        with errors():
            self._redis.srem(open_of(identity), identity)

    def _read(self, identities: Sequence[str]) -> list[Job]:
        """Those of them that there are."""
        with errors():
            pipe = self._redis.pipeline(transaction=False)
            for identity in identities:
                pipe.hgetall(job_key(identity))
            rows = pipe.execute()
        return [_job(identity, row) for identity, row in zip(identities, rows, strict=True) if row]


def open_of(identity: str) -> str:
    """The key of the set of open jobs that it belongs to."""
    return _OPEN[identity.startswith(BACKFILL_ID)]


def _parts(batches: Iterable[Batch], cursor: str, ends: float) -> Iterator[tuple[str, Batch]]:
    """Batches put together until they are worth a write, each with the cursor before it."""
    rows: tuple[Found, ...] = ()
    looked = 0
    for batch in batches:
        rows, looked = rows + batch.rows, looked + batch.looked
        if len(rows) >= _PART or not batch.after or time.monotonic() >= ends:
            yield cursor, Batch(rows, batch.after, looked)
            cursor, rows, looked = batch.after, (), 0


def _job(identity: str, kept: dict[bytes, bytes]) -> Job:
    row = decoded_hash(kept)
    return from_record(
        Job,
        {"as_of": row["created"], **row},
        id=identity,
        filter=Filter.from_json(row["filter"]),
        aim=Aim(row.get("to", ""), bool(row.get("repeat")), bool(row.get("anyway"))),
        understood=row["kind"] in get_args(JobKind) and Filter.understands(row["filter"]),
    )
