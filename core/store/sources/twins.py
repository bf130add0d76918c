"""Two ids of one conversation: the hook's and the API's. Which ones began when, and which was found to be which
(docs/adr/0030). core/sameness.py decides."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from time import monotonic

from core.errors import StoreUnsafe
from core.ids import ConversationId
from core.store.connection.client import errors
from core.store.protocol.base import Base
from core.store.protocol.constants import TWIN_MS
from core.store.protocol.keys import key
from core.summary import summary_of

#: Conversations of a former version whose beginning is noted in one journey.
_MANY = 500
#: How long it is believed of which accounts chats came from the API.
_FETCHED_SECONDS = 5.0


@dataclass(frozen=True)
class KeptBody:
    """The newest body of a conversation, that of `payload`; `taken`: it came both ways, and both of its ids are known.
    With `trouble` it cannot be opened, and is empty."""

    id: ConversationId
    account: str
    body: bytes = field(repr=False)
    taken: bool = False
    trouble: str = ""
    payload: str = ""


@dataclass(frozen=True)
class Kin:
    """What is kept under a conversation's own id, or under the one that it was found to be (`own`), and what else began
    at about that time (`near`). `seen` is how many began then, itself included: when it is another number by the time
    that it is written down, this look was too early. `held`: its source's lane is closed."""

    own: ConversationId | None
    near: tuple[ConversationId, ...]
    seen: int
    held: bool = False


class Twins(Base):
    """Every method raises StoreUnavailable."""

    _fetched: tuple[float, frozenset[str]] = (-_FETCHED_SECONDS, frozenset())

    def kin(self, asked: Sequence[tuple[ConversationId, int | None, str]]) -> list[Kin]:
        """For each conversation, with when it began (ms) and its source's lane; in one journey."""
        with errors():
            pipe = self._redis.pipeline(transaction=False)
            for one, began, lane in asked:
                pipe.get(key("other-id", one))
                pipe.exists(key("revisions", one))
                around = (began - TWIN_MS, began + TWIN_MS) if began is not None else (1, 0)
                pipe.zrangebyscore(key("begun", one.account), *around)
                pipe.exists(key("gate", lane))
            replies = pipe.execute()
        found = []
        for number, (one, _, _) in enumerate(asked):
            other, kept, near, held = replies[4 * number : 4 * number + 4]
            own = ConversationId(other.decode()) if other else one if kept else None
            ids = tuple(ConversationId(id_.decode()) for id_ in near)
            found.append(Kin(own, ids, len(ids), bool(held)))
        return found

    def newest_of(self, conversations: Sequence[ConversationId]) -> Mapping[ConversationId, KeptBody]:
        """Those that are there."""
        with errors():
            pipe = self._redis.pipeline(transaction=False)
            for one in conversations:
                pipe.zrange(key("revisions", one), 0, 0, desc=True)
                pipe.exists(key("other-ids", one))
            heads = pipe.execute()
            there = [
                (one, ids[0].decode(), bool(taken))
                for one, ids, taken in zip(conversations, heads[::2], heads[1::2], strict=True)
                if ids
            ]
            for _, payload, _ in there:
                pipe.hget(key("payload", payload), "account")
                pipe.get(key("raw", payload))
            bodies = pipe.execute()
        found = {}
        for (one, payload, taken), account, body in zip(there, bodies[::2], bodies[1::2], strict=True):
            try:
                opened = self._vault.open(body or b"")
                found[one] = KeptBody(one, (account or b"").decode(), opened, taken, payload=payload)
            except StoreUnsafe as error:  # sealed with a key that is not there
                found[one] = KeptBody(one, (account or b"").decode(), b"", taken, str(error), payload)
        return found

    def fetched_accounts(self, also: Collection[str] = ()) -> frozenset[str]:
        """Numbers of the accounts of which chats came from the API, `also` from now on: what their hooks send may be
        one of these, whatever is configured today. Known for some seconds, as nearly every look finds the same."""
        at, known = self._fetched
        if new := set(also) - known:
            with errors():
                self._redis.sadd(key("fetched-accounts"), *new)
        if new or monotonic() - at > _FETCHED_SECONDS:
            with errors():
                known = frozenset(one.decode() for one in self._redis.smembers(key("fetched-accounts")))
            self._fetched = (monotonic(), known)
        return known

    def beginnings_noted(self, now: bool = False) -> bool:
        """Whether every conversation is among those whose beginning is known; `now`: it is from now on."""
        with errors():
            if now:
                self._redis.set(key("begun-noted"), "1")
            return bool(self._redis.exists(key("begun-noted")))

    def note_beginnings(self, cursor: int) -> int:
        """Note when conversations began that a version without this has read: some of them, from `cursor` on, 0 at
        first. Returns the next cursor, 0 when all are done."""
        with errors():
            following, rows = self._redis.zscan(key("conversations"), cursor, count=_MANY)
            ids = [ConversationId(one.decode()) for one, _ in rows]
            pipe = self._redis.pipeline(transaction=False)
            for one in ids:
                pipe.get(key("summary", one))
            for one, kept in zip(ids, pipe.execute(), strict=True):
                began = summary_of(kept or b"").began
                if began is not None:
                    pipe.zadd(key("begun", one.account), {one: began})
            pipe.execute()
        return int(following)
