"""Which chats of a list are known here: by their own id, by another one, or as gone. Part of `CatchUps`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from core.ids import ConversationId
from core.store.connection.client import errors
from core.store.protocol.base import Base
from core.store.protocol.keys import key

#: By so much less than a second a time was rounded.
_ROUNDED_MS = 999


@dataclass(frozen=True)
class Listed:
    """A conversation of a list: its id at Smartsupp, and when it began, in ms."""

    id: str
    began: int


class KnownChats(Base):
    """Every method raises StoreUnavailable."""

    def kept(self, account: str, rows: Sequence[Listed], *, removed: bool = True) -> dict[str, str]:
        """Those of the rows that need not be fetched -> how they are known: `own` by that id, `hook` by another one,
        `erased`, or `removed` by retention, where that counts. `rows` are all that began in these moments. Where two
        did in one, or the hook knew only the second, the bodies say which is which: those are fetched."""
        found: dict[str, str] = {}
        with errors():
            pipe = self._redis.pipeline(transaction=False)
            for row in rows:
                one, at = ConversationId.of(account, row.id), row.began
                # A whole second may be all that the API knows; the hook knew the millisecond.
                around = (at - _ROUNDED_MS, at + _ROUNDED_MS) if at % 1_000 == 0 else (at, at)
                pipe.exists(key("revisions", one), key("other-id", one))
                pipe.zrangebyscore(key("begun", account), at, at, start=0, num=2)
                pipe.zcount(key("erased", account), *around)
                pipe.zcount(key("removed", account), *around)
            replies = pipe.execute()
        moments: dict[int, int] = {}
        for row in rows:
            moments[row.began] = moments.get(row.began, 0) + 1
        twins: dict[str, str] = {}
        for number, row in enumerate(rows):
            own, near, erased, gone = replies[4 * number : 4 * number + 4]
            if own:
                found[row.id] = "own"
            elif erased:
                found[row.id] = "erased"
            elif gone and removed:
                found[row.id] = "removed"
            elif len(near) == 1 and moments[row.began] == 1:
                twins[row.id] = near[0].decode()
        with errors():
            pipe = self._redis.pipeline(transaction=False)
            for other in twins.values():
                pipe.exists(key("other-ids", other))
            taken = pipe.execute()
        # One that has both of its ids already is another one's.
        found.update({row: "hook" for (row, _), known in zip(twins.items(), taken, strict=True) if not known})
        return found

    def memory(self) -> int:
        """Since when (ms) everything that began is known; 0: since ever."""
        with errors():
            return int(self._redis.hget(key("epoch"), "memory") or 0)
