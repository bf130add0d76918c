"""Blocks: the searched lines of conversations that have not moved for an hour, a thousand together, so that a name is
looked for in a year of chats as quickly as in a day of them (docs/adr/0037).

Nothing that happens to a conversation has to know of them. The order of conversations is that of their newest revision,
so whatever happens to one moves it to the top, or removes it: in the stretch of time that a block is about there can
only become fewer. A block of which some have left is made anew, and until then what left is judged by where it is now.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from core.store.connection.client import errors
from core.store.protocol.base import Base
from core.store.protocol.keys import key

#: Conversations of a block, and of two that are small together.
SIZE = 1_000
#: A conversation that came so long ago will not move for a while, and no clock is put back so far.
STILL_MS = 3_600_000
#: Blocks live for so long after somebody looked after them: a version without them would leave names of visitors in
#: them that it has erased.
LIFE_MS = 2 * 86_400_000


@dataclass(frozen=True)
class _Block:
    """Conversations from `start` to before `before` (ms); `kept` lines for them, of which so many are `there`."""

    start: int
    before: int
    kept: int
    there: int


class SearchBlocks(Base):
    """Every method raises StoreUnavailable."""

    def refresh(self) -> int:
        """Make those anew that somebody has left, and keep the others. Returns how many were made."""
        if self._vault.seals:
            self._remove()
            return 0
        found: list[_Block] = []
        made = 0
        for one in self._blocks():
            last = found[-1] if found else None
            if last and one.start < last.before:  # made by somebody who did the same at the same moment
                self._forget(one.start)
                continue
            if last and last.before == one.start and last.there + one.there <= SIZE:
                start, gone = found.pop().start, [last.start, one.start]
            elif one.kept != one.there:
                start, gone = one.start, []
            else:
                found.append(one)
                continue
            number = self._keep(start, one.before, gone)
            found.append(_Block(start, one.before, number, number))
            made += 1
        with errors():
            pipe = self._redis.pipeline(transaction=False)
            for one in found:
                pipe.pexpire(key("search-block", str(one.start)), LIFE_MS)
            pipe.execute()
        return made

    def build(self) -> bool:
        """Make the next block, where there is enough for one. Returns whether there was."""
        if self._vault.seals:  # summaries hold no names then
            return False
        blocks = self._blocks()
        start = blocks[-1].before if blocks else 0
        still = self.now() - STILL_MS
        with errors():
            last = self._redis.zrangebyscore(
                key("conversations"), start, f"({still}", start=SIZE - 1, num=1, withscores=True
            )
        if not last:
            return False
        # With all of the same millisecond.
        self._keep(start, int(last[0][1]) + 1)
        return True

    def _forget(self, start: int) -> None:
        with errors():
            self._redis.delete(key("search-block", str(start)))
            self._redis.zrem(key("search-blocks"), str(start))

    def _remove(self) -> None:
        """What is left from before there were encryption keys."""
        with errors():
            starts = self._redis.zrange(key("search-blocks"), 0, -1)
            if starts:
                self._redis.delete(key("search-blocks"), *(key("search-block", one.decode()) for one in starts))

    def _keep(self, start: int, before: int, gone: Sequence[int] = ()) -> int:
        return int(self._run("keep_block", start=start, before=before, life=LIFE_MS, gone=[str(one) for one in gone]))

    def _blocks(self) -> list[_Block]:
        """Oldest first, without those whose time is over."""
        with errors():
            starts = [int(one) for one in self._redis.zrange(key("search-blocks"), 0, -1)]
            pipe = self._redis.pipeline(transaction=False)
            for start in starts:
                pipe.hmget(key("search-block", str(start)), "before", "count")
            about = pipe.execute()
            found = [
                (start, int(before), int(count or 0))
                for start, (before, count) in zip(starts, about, strict=True)
                if before
            ]
            if gone := {str(one) for one in starts} - {str(one) for one, _, _ in found}:
                self._redis.zrem(key("search-blocks"), *gone)
            for start, before, _ in found:
                pipe.zcount(key("conversations"), start, f"({before}")
            return [_Block(*one, there) for one, there in zip(found, pipe.execute(), strict=True)]
