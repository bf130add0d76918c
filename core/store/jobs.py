"""Bulk jobs: deliver again, or discard, everything that matches a filter.

Whoever calls `advance` does the next part; each part is one atomic step that moves the job's cursor, so it is done
once, whoever dies, and any number may take turns: the page that started it, a worker, the command line.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal

import redis

from core.errors import NotFound
from core.store import scripts
from core.store.client import errors
from core.store.keys import key
from core.store.search import Filter, Page, Search

Kind = Literal["replay", "discard"]

#: Conversations or deliveries that are looked at in one step: a few ms of the server's time.
PART = 200
#: How long a job is remembered, ms.
KEPT_MS = 30 * 86_400_000
_LISTED = 20


@dataclass(frozen=True)
class Job:
    """`total` is what matched when it began, `seen` how far it has come, `done` how many it could do something to.
    Times are ms; `finished` is None while it goes on."""

    id: str
    kind: Kind
    filter: Filter
    reason: str
    by: str
    created: int
    total: int
    seen: int = 0
    done: int = 0
    finished: int | None = None
    cursor: str = ""


class Jobs:
    """`knock` tells the workers of work in a lane. Every method raises StoreUnavailable."""

    def __init__(self, client: redis.Redis, knock: Callable[[str], None]) -> None:
        # redis-py's types allow text for every reply; without decode_responses, which this is, all are bytes.
        self._redis: Any = client
        self._knock = knock
        self._search = Search(client)

    def start(self, kind: Kind, wanted: Filter, *, reason: str = "", by: str = "admin") -> Job:
        """Begin. What matches later than now is left alone: what the job itself made due again, for one."""
        with errors():
            seconds, micros = self._redis.time()
            now = int(seconds) * 1000 + int(micros) // 1000
            until = min(wanted.until, now + 1) if wanted.until is not None else now + 1
            bounded = replace(wanted, until=until)
            total, _ = self._search.count(bounded)
            job = Job(secrets.token_hex(6), kind, bounded, reason, by, now, total)
            pipe = self._redis.pipeline()
            pipe.hset(
                key("job", job.id),
                mapping={
                    "kind": kind,
                    "filter": bounded.as_json(),
                    "reason": reason,
                    "by": by,
                    "created": now,
                    "total": total,
                    "seen": 0,
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
        with errors():
            row = {name.decode(): value.decode() for name, value in self._redis.hgetall(key("job", identity)).items()}
        if not row:
            raise NotFound(f"there is no job '{identity}'")
        return Job(
            id=identity,
            kind="discard" if row["kind"] == "discard" else "replay",
            filter=Filter.from_json(row["filter"]),
            reason=row["reason"],
            by=row["by"],
            created=int(row["created"]),
            total=int(row["total"]),
            seen=int(row["seen"]),
            done=int(row["done"]),
            finished=int(row["finished"]) if "finished" in row else None,
            cursor=row["cursor"],
        )

    def open(self) -> list[str]:
        """The jobs that go on."""
        with errors():
            return sorted(one.decode() for one in self._redis.smembers(key("jobs", "open")))

    def recent(self) -> list[Job]:
        """The last jobs, newest first."""
        with errors():
            ids = [one.decode() for one in self._redis.lrange(key("jobs", "recent"), 0, -1)]
        found = []
        for identity in ids:
            try:
                found.append(self.get(identity))
            except NotFound:  # forgotten after its time
                continue
        return found

    def advance(self, identity: str, seconds: float = 0.5) -> Job:
        """Do the next parts, for about `seconds`. Returns how far the job is. Raises NotFound."""
        job = self.get(identity)
        ends = time.monotonic() + seconds
        if job.finished is not None:
            self._close(identity)
            return job
        cursor = job.cursor
        for batch in self._search.batches(job.filter, cursor, PART):
            if not self._step(identity, cursor, batch) or time.monotonic() >= ends:
                break  # somebody else took this turn, or the time is over
            cursor = batch.after
        return self.get(identity)

    def _step(self, identity: str, cursor: str, batch: Page) -> bool:
        deliveries = [row.delivery for row in batch.rows if row.delivery]
        whole = [row.id for row in batch.rows if not row.delivery]
        for conversation, given in self._search.deliveries(whole).items():
            deliveries += [f"{name}:{conversation}" for name in given]
        with errors():
            step = (identity, cursor, batch.after, "" if batch.after else "1", len(batch.rows))
            knocks = scripts.run(self._redis, "advance", "", *step, *deliveries)
        for lane in knocks or ():
            self._knock(lane.decode())
        return knocks is not None

    def _close(self, identity: str) -> None:
        with errors():
            self._redis.srem(key("jobs", "open"), identity)
