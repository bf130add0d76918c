"""Finding conversations: newest first, as many as are asked for, within a time. Only reads.

The server looks through the summaries (core/summary.py), newest first, a batch at a time; a filter by connector or
status starts from the deliveries of that status instead. For a text it looks through blocks of them (blocks.py), where
there are some: these are no index that has to be kept true.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from core import summary
from core.delivery import DeliveryStatus
from core.ids import NO_DELIVERY, ConversationId, DeliveryId, can_be_part
from core.store.connection.client import Client, errors
from core.store.protocol.base import Base
from core.store.protocol.keys import job_key, key
from core.store.protocol.records import word
from core.store.search.bodies import Bodies
from core.store.search.filter import Filter
from core.summary import Summary

#: Summaries that are looked through in one go: a few ms of the server's time. Bodies are larger.
_BATCH = 1000
_BATCH_OF_BODIES = 200
#: Blocks of a thousand, the same.
_BLOCKS = 24

_PLACE = re.compile(r"([0-9]{1,15})~([\x21-\x7e]{1,200})")


@dataclass(frozen=True)
class Found:
    """A conversation that matches. `at` is when its newest revision was read, or its delivery changed; `delivery` is
    that delivery, or NO_DELIVERY. `place` is where to go on after it."""

    id: ConversationId
    at: int
    summary: Summary
    delivery: DeliveryId = NO_DELIVERY

    @property
    def place(self) -> str:
        return f"{self.at}~{self.delivery or self.id}"


@dataclass(frozen=True)
class ResultPage:
    """What was found. `after` is where to go on, or "" when everything was looked at; `reached` is how far back the
    search came (ms) when its time was over before it had found enough, else None."""

    rows: tuple[Found, ...]
    after: str = ""
    reached: int | None = None


@dataclass(frozen=True)
class Batch:
    """What matches among the next `looked`. `after` is where to go on, or "" at the end."""

    rows: tuple[Found, ...]
    after: str = ""
    looked: int = 0


class Search(Base):
    """Every method raises StoreUnavailable when the server does not answer. A place that `after` names must be one that
    was given out, or it raises ValueError."""

    def __init__(self, client: Client) -> None:
        super().__init__(client)
        self._bodies = Bodies(client)

    def page(self, wanted: Filter, *, after: str = "", limit: int = 25, seconds: float = 0.15) -> ResultPage:
        """The next `limit` that match, looking for `seconds` at most (and at one batch at least)."""
        ends = time.monotonic() + seconds
        rows: list[Found] = []
        first = limit + 1 if wanted.exact else 2 * limit
        for batch in self.batches(wanted, after, first, _BATCH, quick=True):
            rows += batch.rows
            if len(rows) > limit:
                return ResultPage(self._named(rows[:limit]), rows[limit - 1].place)
            if batch.after and time.monotonic() >= ends:
                return ResultPage(self._named(rows), batch.after, place(batch.after)[0])
        return ResultPage(self._named(rows))

    def batches(
        self, wanted: Filter, after: str = "", size: int = _BATCH, most: int = 0, *, quick: bool = False
    ) -> Iterator[Batch]:
        """Everything that matches, looked through `size` at a time, or twice as many each time up to `most`. The last
        batch has no `after`. A `quick` one may look through many more at once, and find as many."""
        keys = self._keys(wanted)
        needle = b"" if self._reads_bodies(wanted) else summary.folded(wanted.text)
        enough = size
        since = self._since(wanted)
        if self._reads_bodies(wanted):
            size, most = min(size, _BATCH_OF_BODIES), min(most, _BATCH_OF_BODIES)
        while True:
            score, member = place(after) if after else ("", "")
            low = "" if since is None else str(since)
            reply = self._in_blocks(wanted, needle, low, after, enough) if quick and after and needle else None
            in_block = reply is not None
            if reply is None:
                reply = self._run(
                    "look",
                    score=str(score),
                    member=member,
                    low=low,
                    high="" if wanted.until is None else str(wanted.until - 1),
                    most=size,
                    text=needle,
                    in_ids=can_be_part(wanted.text),
                    deliveries=wanted.about_deliveries,
                    job=wanted.job,
                    tags=wanted.tags,
                    sets=keys,
                )
            looked, score, member, *rows = reply
            found = self._matching(wanted, list(zip(rows[::3], rows[1::3], rows[2::3], strict=True)))
            if looked < size and not in_block:
                yield Batch(found, "", looked)
                return
            after = f"{score.decode()}~{member.decode()}"
            yield Batch(found, after, looked)
            size = max(size, min(2 * size, most))

    def _in_blocks(self, wanted: Filter, needle: bytes, low: str, after: str, enough: int) -> list[Any] | None:
        """What look.lua would say of the next ones, as far as these are in blocks (blocks.py); None: they are not."""
        if wanted.about_deliveries or wanted.undelivered:
            return None
        score, member = place(after)
        found: list[Any] = self._run(
            "look_in_blocks",
            score=score,
            member=member,
            low=low,
            enough=enough,
            most=_BLOCKS,
            text=needle,
            in_ids=can_be_part(wanted.text),
            tags=wanted.tags,
        )
        return found or None

    def of_job(self, wanted: Filter, seconds: float) -> tuple[dict[DeliveryStatus, int], bool]:
        """How many deliveries of a bulk job are in each status now, and whether that is all: the time may have been
        over before. Those that are in none of them are being worked on, were erased, or are another job's by now."""
        ends = time.monotonic() + seconds
        counts, all_counted = {}, True
        for status in DeliveryStatus:
            left = max(0.0, ends - time.monotonic())
            counts[status], whole = self.count(replace(wanted, status=status), left)
            all_counted = all_counted and whole
        return {status: number for status, number in counts.items() if number}, all_counted

    def extent(self, wanted: Filter) -> int:
        """How many conversations or deliveries have to be looked at: at least as many as match."""
        low = "-inf" if wanted.since is None else wanted.since
        high = "+inf" if wanted.until is None else wanted.until - 1
        with errors():
            pipe = self._redis.pipeline(transaction=False)
            for name in self._keys(wanted):
                pipe.zcount(name, low, high)
            return sum(pipe.execute())

    def count(self, wanted: Filter, seconds: float | None = None) -> tuple[int, bool]:
        """How many match, and whether that is all: the time may have been over before."""
        if wanted.exact:
            return self.extent(wanted), True
        ends = time.monotonic() + seconds if seconds is not None else None
        total = 0
        for batch in self.batches(wanted, size=_BATCH, quick=True):
            total += len(batch.rows)
            if batch.after and ends is not None and time.monotonic() >= ends:
                return total, False
        return total, True

    def deliveries(self, conversations: Sequence[ConversationId]) -> dict[ConversationId, dict[str, DeliveryStatus]]:
        """connector -> status, for each conversation."""
        with errors():
            pipe = self._redis.pipeline(transaction=False)
            for one in conversations:
                pipe.smembers(key("deliveries-of", one))
            names = [sorted(name.decode() for name in members) for members in pipe.execute()]
            pairs = [(one, name) for one, mine in zip(conversations, names, strict=True) for name in mine]
            for one, name in pairs:
                pipe.hget(key("delivery", DeliveryId.of(name, one)), "status")
            statuses = pipe.execute()
        found: dict[ConversationId, dict[str, DeliveryStatus]] = {one: {} for one in conversations}
        for (one, name), status in zip(pairs, statuses, strict=True):
            if status:
                found[one][name] = word(DeliveryStatus, status.decode())
        return found

    def lost(self, conversations: Sequence[ConversationId]) -> set[ConversationId]:
        """Those of them that were delivered nowhere, though nobody wanted that."""
        if not conversations:
            return set()
        with errors():
            scores = self._redis.zmscore(key("undelivered"), conversations)
        return {one for one, score in zip(conversations, scores, strict=True) if score is not None}

    def blocked(self, connectors: Sequence[str]) -> set[str]:
        """Those of them that are paused or do not respond."""
        with errors():
            pipe = self._redis.pipeline(transaction=False)
            for name in connectors:
                pipe.exists(key("gate", name))
            return {name for name, closed in zip(connectors, pipe.execute(), strict=True) if closed}

    def connectors(self) -> list[str]:
        """Every connector that was ever given anything."""
        with errors():
            return sorted(name.decode() for name in self._redis.smembers(key("connectors")))

    def accounts(self) -> list[str]:
        """The accounts of the newest conversations, for a choice."""
        with errors():
            newest = self._redis.zrange(key("conversations"), 0, 999, desc=True)
        return sorted({ConversationId(one.decode()).account for one in newest})

    def _keys(self, wanted: Filter) -> list[str]:
        if not wanted.about_deliveries:
            return [key("undelivered" if wanted.undelivered else "conversations")]
        names = [wanted.connector] if wanted.connector else self.connectors()
        if wanted.cause:
            return [key("dead", name, wanted.cause) for name in names]
        statuses = [wanted.status] if wanted.status else list(DeliveryStatus)
        return [key("deliveries", name, status) for name in names for status in statuses]

    def _since(self, wanted: Filter) -> int | None:
        """What a bulk job did something to was changed since it began: nothing before has to be looked at."""
        if not wanted.job:
            return wanted.since
        with errors():
            began = int(self._redis.hget(job_key(wanted.job), "created") or 0)
        return max(wanted.since or 0, began)

    def _reads_bodies(self, wanted: Filter) -> bool:
        return bool(wanted.text) and (wanted.said or self._bodies.sealed)

    def _named(self, rows: Sequence[Found]) -> tuple[Found, ...]:
        """With the names and words that a sealed store's summaries are without."""
        if not self._bodies.sealed:
            return tuple(rows)
        known = self._bodies.summaries([row.id for row in rows])
        return tuple(replace(row, summary=known.get(row.id, row.summary)) for row in rows)

    def _matching(self, wanted: Filter, rows: list[tuple[bytes, bytes, bytes]]) -> tuple[Found, ...]:
        members = [row[0].decode() for row in rows]
        deliveries = [DeliveryId(one) for one in members] if wanted.about_deliveries else [NO_DELIVERY] * len(rows)
        ids = [
            delivery.conversation if delivery else ConversationId(one)
            for one, delivery in zip(members, deliveries, strict=True)
        ]
        picked: Sequence[int] = range(len(rows))
        if self._reads_bodies(wanted):
            needle = summary.folded(wanted.text)
            in_ids = can_be_part(wanted.text)
            named = {index for index in picked if _named_by(needle, ids[index] if in_ids else "", rows[index][2])}
            others = {index: ids[index] for index in picked if index not in named}
            picked = sorted(named | self._bodies.saying(wanted.text, others, said=wanted.said))
        return tuple(
            Found(
                ids[index],
                int(float(rows[index][1])),
                summary.summary_of(rows[index][2]),
                deliveries[index],
            )
            for index in picked
        )


def _named_by(needle: bytes, identity: str, line: bytes) -> bool:
    """As look.lua has it."""
    return needle in summary.searched(line) or needle in identity.lower().encode()


def place(text: str) -> tuple[int, str]:
    """Score (ms) and member of a place in the order. Raises ValueError."""
    found = _PLACE.fullmatch(text)
    if not found:
        raise ValueError(f"'{text[:50]}' is not a place in a list")
    return int(found[1]), found[2]
