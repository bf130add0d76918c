"""Finding conversations: newest first, as many as are asked for, within a time. Only reads.

There is no index to keep true: summaries (core/summary.py) are read in batches, newest first, and what does not match
is passed over; a filter by connector or status starts from the deliveries of that status instead.
"""

from __future__ import annotations

import heapq
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from itertools import islice
from typing import Any

import redis

from core import summary
from core.delivery import DeliveryStatus
from core.store.client import errors
from core.store.keys import key
from core.summary import Summary

#: Conversations that are looked at in one go.
BATCH = 500

#: A place in the order: score (ms) and member.
Place = tuple[float, str]


@dataclass(frozen=True)
class Filter:
    """Which conversations. "" and None ask for nothing; `since` and `until` are ms, until excluded; `rating` is 5, 3,
    1 or `none`. `text` is looked for in name, e-mail and ids, with `said` also in the newest body.

    With `connector` or `status` it is about deliveries, times are those of their last change, and a conversation comes
    once for each of its deliveries that match.
    """

    text: str = ""
    said: bool = False
    connector: str = ""
    status: DeliveryStatus | None = None
    account: str = ""
    missed: bool = False
    offline: bool = False
    rating: str = ""
    since: int | None = None
    until: int | None = None

    @property
    def about_deliveries(self) -> bool:
        return bool(self.connector or self.status)

    @property
    def exact(self) -> bool:
        """Whether the order alone tells what matches, so that nothing has to be read."""
        return not (self.text or self.account or self.missed or self.offline or self.rating)

    def as_json(self) -> str:
        defaults = asdict(Filter())
        return json.dumps({name: value for name, value in asdict(self).items() if value != defaults[name]})

    @classmethod
    def from_json(cls, text: str | bytes) -> Filter:
        found = json.loads(text)
        known = {one.name for one in fields(cls)}
        status = found.pop("status", None)
        picked = {name: value for name, value in found.items() if name in known}
        return cls(**picked, status=DeliveryStatus(status) if status else None)


@dataclass(frozen=True)
class Found:
    """A conversation that matches. `at` is when its newest revision was read, or its delivery changed; `delivery` is
    that delivery, or "". `place` is where to go on after it."""

    id: str
    at: int
    summary: Summary
    delivery: str = ""

    @property
    def place(self) -> str:
        return f"{self.at}~{self.delivery or self.id}"


@dataclass(frozen=True)
class Page:
    """What was found. `after` is where to go on, or "" when everything was looked at; `reached` is how far back the
    search came (ms) when its time was over before it had found enough, else None."""

    rows: tuple[Found, ...]
    after: str = ""
    reached: int | None = None


class Search:
    """Every method raises StoreUnavailable when the server does not answer."""

    def __init__(self, client: redis.Redis) -> None:
        # redis-py's types allow text for every reply; without decode_responses, which this is, all are bytes.
        self._redis: Any = client

    def page(self, wanted: Filter, *, after: str = "", limit: int = 25, seconds: float = 0.15) -> Page:
        """The next `limit` that match, looking for `seconds` at most (and at one batch at least)."""
        ends = time.monotonic() + seconds
        rows: list[Found] = []
        for batch in self.batches(wanted, after, limit + 1 if wanted.exact else BATCH):
            rows += batch.rows
            if len(rows) > limit:
                return Page(tuple(rows[:limit]), rows[limit - 1].place)
            if batch.after and time.monotonic() >= ends:
                return Page(tuple(rows), batch.after, int(_place(batch.after)[0]))
        return Page(tuple(rows))

    def batches(self, wanted: Filter, after: str = "", size: int = BATCH) -> Iterator[Page]:
        """Everything that matches, looked at `size` at a time; each page says where to go on."""
        order = self._order(wanted, after)
        while places := list(islice(order, size)):
            rows = tuple(self._matching(wanted, places))
            yield Page(rows, f"{int(places[-1][0])}~{places[-1][1]}")
        yield Page(())

    def count(self, wanted: Filter, seconds: float | None = None) -> tuple[int, bool]:
        """How many match, and whether that is all: the time may have been over before."""
        if wanted.exact:
            with errors():
                pipe = self._redis.pipeline(transaction=False)
                for name in self._keys(wanted):
                    pipe.zcount(name, *_bounds(wanted))
                return sum(pipe.execute()), True
        ends = time.monotonic() + seconds if seconds is not None else None
        total = 0
        for batch in self.batches(wanted):
            total += len(batch.rows)
            if batch.after and ends is not None and time.monotonic() >= ends:
                return total, False
        return total, True

    def deliveries(self, conversations: Sequence[str]) -> dict[str, dict[str, DeliveryStatus]]:
        """connector -> status, for each conversation."""
        with errors():
            pipe = self._redis.pipeline(transaction=False)
            for one in conversations:
                pipe.smembers(key("deliveries-of", one))
            names = [sorted(name.decode() for name in members) for members in pipe.execute()]
            pairs = [(one, name) for one, mine in zip(conversations, names, strict=True) for name in mine]
            for one, name in pairs:
                pipe.hget(key("delivery", name, one), "status")
            statuses = pipe.execute()
        found: dict[str, dict[str, DeliveryStatus]] = {one: {} for one in conversations}
        for (one, name), status in zip(pairs, statuses, strict=True):
            if status:
                found[one][name] = DeliveryStatus(status.decode())
        return found

    def accounts(self) -> list[str]:
        """The accounts of the newest conversations, for a choice."""
        with errors():
            newest = self._redis.zrange(key("conversations"), 0, 1999, desc=True)
        return sorted({one.decode().split(":", 1)[0] for one in newest})

    def _keys(self, wanted: Filter) -> list[str]:
        if not wanted.about_deliveries:
            return [key("conversations")]
        names = [wanted.connector] if wanted.connector else self._connectors()
        statuses = [wanted.status] if wanted.status else list(DeliveryStatus)
        return [key("deliveries", name, status) for name in names for status in statuses]

    def _connectors(self) -> list[str]:
        with errors():
            return sorted(name.decode() for name in self._redis.smembers(key("connectors")))

    def _order(self, wanted: Filter, after: str) -> Iterator[Place]:
        start = _place(after) if after else None
        low, high = _bounds(wanted)
        walks = [self._walk(name, start, low, high) for name in self._keys(wanted)]
        return heapq.merge(*walks, reverse=True)

    def _walk(self, name: str, start: Place | None, low: int | str, high: int | str) -> Iterator[Place]:
        """A sorted set from `start` downwards. Members may come and go meanwhile."""
        top: float | str = min(start[0], float(high)) if start else high
        offset = 0
        while True:
            with errors():
                rows = self._redis.zrevrangebyscore(name, top, low, start=offset, num=BATCH, withscores=True)
            if not rows:
                return
            last = rows[-1][1]
            same = sum(1 for _, score in rows if score == last)
            offset = offset + same if last == top else same
            top = last
            for member, score in rows:
                place = (score, member.decode())
                if start is None or place < start:
                    yield place

    def _matching(self, wanted: Filter, places: Sequence[Place]) -> Iterator[Found]:
        ids = [member.split(":", 1)[1] if wanted.about_deliveries else member for _, member in places]
        with errors():
            lines = self._redis.mget([key("summary", one) for one in ids])
        picked = [index for index, line in enumerate(lines) if _wears(wanted, line or b"")]
        if wanted.text:
            picked = self._saying(wanted, picked, ids, lines)
        for index in picked:
            score, member = places[index]
            about = summary.read(lines[index] or b"")
            yield Found(ids[index], int(score), about, member if wanted.about_deliveries else "")

    def _saying(self, wanted: Filter, picked: list[int], ids: list[str], lines: list[bytes | None]) -> list[int]:
        needle = summary.folded(wanted.text)
        found = [index for index in picked if needle in summary.searched(lines[index] or b"")]
        if not wanted.said:
            return found
        known = set(found)
        rest = [index for index in picked if index not in known]
        bodies = [body.lower() for body in self._newest_bodies([ids[index] for index in rest])]
        spellings = _spellings(wanted.text)
        more = [index for index, body in zip(rest, bodies, strict=True) if any(one in body for one in spellings)]
        return sorted([*found, *more])

    def _newest_bodies(self, conversations: Sequence[str]) -> list[bytes]:
        if not conversations:
            return []
        with errors():
            pipe = self._redis.pipeline(transaction=False)
            for one in conversations:
                pipe.zrange(key("revisions", one), 0, 0, desc=True)
            newest = [found[0].decode() if found else "" for found in pipe.execute()]
            return [body or b"" for body in self._redis.mget([key("raw", one) for one in newest])]


def _wears(wanted: Filter, line: bytes) -> bool:
    worn = summary.tags(line)
    return all(f" {tag} ".encode() in worn for tag in _tags(wanted))


def _tags(wanted: Filter) -> Iterator[str]:
    if wanted.missed:
        yield "missed"
    if wanted.offline:
        yield "offline"
    if wanted.rating:
        yield f"rating:{wanted.rating}"
    if wanted.account:
        yield f"account:{wanted.account}"


def _spellings(text: str) -> set[bytes]:
    """How JSON may spell a text: as it is, or with escapes; other cases of letters that bytes.lower() does not know."""
    cases = {text, text.lower(), text.upper(), text.title()}
    forms = {json.dumps(one, ensure_ascii=ascii_only)[1:-1] for one in cases for ascii_only in (True, False)}
    return {form.encode("utf-8", "replace").lower() for form in forms}


def _bounds(wanted: Filter) -> tuple[int | str, int | str]:
    low = wanted.since if wanted.since is not None else "-inf"
    return low, wanted.until - 1 if wanted.until is not None else "+inf"


def _place(text: str) -> Place:
    """Raises ValueError."""
    score, _, member = text.partition("~")
    return float(score), member
