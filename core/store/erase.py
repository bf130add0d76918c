"""Taking things out of the store for good: a visitor's, because they ask; the old, because their time is over."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import redis

from core.delivery import PayloadStatus
from core.errors import InUse, PayloadError
from core.smartsupp import parse_conversation
from core.store import scripts
from core.store.client import errors
from core.store.keys import key

_BATCH = 200


@dataclass(frozen=True)
class Erased:
    """What went: one conversation's revisions, deliveries and attempts, by number."""

    revisions: int
    deliveries: int
    attempts: int


@dataclass(frozen=True)
class Traces:
    """Where a visitor is found: conversations, and bodies that belong to none."""

    conversations: tuple[str, ...]
    payloads: tuple[str, ...]


class Eraser:
    """Every method raises StoreUnavailable. `clock` gives milliseconds and is for tests."""

    def __init__(self, client: redis.Redis, clock: Any = None) -> None:
        # redis-py's types allow text for every reply; without decode_responses, which this is, all are bytes.
        self._redis: Any = client
        self._clock = clock

    def traces(self, visitor: str) -> Traces:
        """Look for a visitor, by e-mail or by Smartsupp's id of the visitor, in every body that is kept."""
        wanted = visitor.strip().casefold()
        if not wanted:
            return Traces((), ())
        conversations: dict[str, None] = {}
        payloads = []
        for identity, conversation, account, body in self._bodies():
            if not _speaks_of(body, account, wanted, whole=bool(conversation)):
                continue
            if conversation:
                conversations[conversation] = None
            else:
                payloads.append(identity)
        return Traces(tuple(conversations), tuple(payloads))

    def conversation(
        self, identity: str, *, settled_before: int | None = None, dead_before: int | None = None
    ) -> Erased | None:
        """Remove a conversation and everything about it; None: there is none.

        With `settled_before` (ms) only when all of it was settled by then, and dead ones only with `dead_before`.
        Raises InUse when an attempt is going on, or it is not old enough.
        """
        before = "" if settled_before is None else settled_before
        reply = self._run("erase", identity, before, "" if dead_before is None else dead_before)
        if reply[0] == 0:
            return None
        if reply[0] < 0:
            raise InUse(f"conversation {identity} is being worked on, or is not settled for long enough")
        return Erased(*reply[1:])

    def payload(self, identity: str, status: PayloadStatus | None = None) -> bool:
        """Remove a body that belongs to no conversation; only in `status`, if given. Raises InUse."""
        reply = self._run("erase_payload", identity, status or "")
        if reply < 0:
            raise InUse(f"payload {identity} is being worked on, or belongs to a conversation")
        return bool(reply)

    def forget_jobs(self, visitor: str) -> None:
        """Bulk jobs whose filter names a visitor."""
        wanted = visitor.strip().casefold()
        with errors():
            for identity in self._redis.lrange(key("jobs", "recent"), 0, -1):
                job = key("job", identity.decode())
                if wanted in (self._redis.hget(job, "filter") or b"").decode().casefold():
                    self._redis.delete(job)
                    self._redis.srem(key("jobs", "open"), identity)

    def old(self, before: int) -> Iterator[str]:
        """Conversations whose newest revision was read before a time (ms), oldest first."""
        yield from self._older(key("conversations"), before)

    def old_payloads(self, status: PayloadStatus, before: int) -> Iterator[str]:
        """Bodies of a status that were received before a time (ms), oldest first."""
        yield from self._older(key("payloads", status), before)

    def _older(self, name: str, before: int) -> Iterator[str]:
        """What goes meanwhile moves the rest forward: so what is left is stepped over by its score."""
        low, offset = "-inf", 0
        while True:
            with errors():
                rows = self._redis.zrangebyscore(name, low, f"({before}", start=offset, num=_BATCH, withscores=True)
            if not rows:
                return
            yield from (member.decode() for member, _ in rows)
            last = f"{rows[-1][1]:.0f}"
            with errors():
                left = self._redis.zrangebyscore(name, last, last)
            seen = {member for member, _ in rows}
            low, offset = last, sum(1 for member in left if member in seen)

    def _bodies(self) -> Iterator[tuple[str, str, str, bytes]]:
        """Every body: payload, conversation or "", account of its token, bytes."""
        for status in PayloadStatus:
            with errors():
                found = [one.decode() for one in self._redis.zrange(key("payloads", status), 0, -1)]
            for start in range(0, len(found), _BATCH):
                part = found[start : start + _BATCH]
                with errors():
                    pipe = self._redis.pipeline(transaction=False)
                    for one in part:
                        pipe.hmget(key("payload", one), "conversation", "account")
                    about = pipe.execute()
                    bodies = self._redis.mget([key("raw", one) for one in part])
                for one, (conversation, account), body in zip(part, about, bodies, strict=True):
                    yield one, (conversation or b"").decode(), (account or b"").decode(), body or b""

    def _run(self, script: str, *arguments: str | bytes | int) -> Any:
        with errors():
            return scripts.run(self._redis, script, self._clock() if self._clock else "", *arguments)


def _speaks_of(body: bytes, account: str, wanted: str, *, whole: bool) -> bool:
    """Whether a body is that visitor's. One that holds no conversation is, when the name stands anywhere in it."""
    spellings = {json.dumps(wanted, ensure_ascii=ascii_only)[1:-1] for ascii_only in (True, False)}
    low = body.lower()
    if not any(one.encode("utf-8", "replace").lower() in low for one in spellings):
        return False  # cheap, and true of nearly all
    if not whole:
        return True
    try:
        visitor = parse_conversation(body, account).visitor
    except PayloadError:
        return False
    return wanted in (visitor.email.strip().casefold(), visitor.id.strip().casefold())
