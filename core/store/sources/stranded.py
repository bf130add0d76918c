"""Orders in the lane of an account that relay.yaml does not name any more, or has no API for: nobody fetches them.

Smartsupp's number of the account says whose they are, so under another name they go on by themselves. The rest is for
an admin to decide: put the account back, hand them to another one, or drop them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from core.config.settings import Settings
from core.ids import ConversationId
from core.store.connection.client import errors
from core.store.protocol.base import Base
from core.store.protocol.keys import key
from core.store.sources.orders import source_lane, source_name
from core.wording.sentence import say, say_n

#: Orders that one step moves or drops: some ms of the server's time.
_MANY = 500


@dataclass(frozen=True)
class StrandedQueue:
    """Of an account that is not in `source` any more: how many chats are to be fetched, of which of Smartsupp's
    `accounts`, the oldest due since `oldest_due` ms. `heir`: an account of relay.yaml that could take them over, or
    ""."""

    name: str
    waiting: int
    accounts: tuple[str, ...]
    oldest_due: int
    heir: str = ""

    @property
    def sentence(self) -> str:
        return say_n(
            "%(count)s chat waits to be fetched for source '%(name)s' (account %(accounts)s), which relay.yaml does not"
            " have with an API any more: nobody fetches it.",
            "%(count)s chats wait to be fetched for source '%(name)s' (account %(accounts)s), which relay.yaml does not"
            " have with an API any more: nobody fetches them.",
            self.waiting,
            name=self.name,
            accounts=", ".join(self.accounts),
        )

    @property
    def remedy(self) -> str:
        return say(
            "Put the account with its api back into relay.yaml, under any name: they are taken over by its number,"
            " %(accounts)s. Or hand them to another account, or drop them.",
            accounts=", ".join(self.accounts),
        )

    @property
    def commands(self) -> tuple[str, ...]:
        moves = (f"relay source move {self.name} --to {self.heir}",) if self.heir else ()
        return (*moves, f"relay source drop {self.name}")


class StrandedOrders(Base):
    """Every method raises StoreUnavailable."""

    def queues(self, settings: Settings) -> Iterator[StrandedQueue]:
        """Those that no account of the settings takes over by itself."""
        taken = _by_number(settings)
        for name in self._gone(settings):
            with errors():
                rows = self._redis.zrange(key("lane", source_lane(name)), 0, -1, withscores=True)
            left = [(ConversationId(one.decode()).account, int(due)) for one, due in rows]
            left = [(number, due) for number, due in left if number not in taken]
            if left:
                oldest = max(0, self.now() - min(due for _, due in left))
                numbers = tuple(sorted({number for number, _ in left}))
                yield StrandedQueue(name, len(left), numbers, oldest, next(iter(taken.values()), ""))

    def adopt(self, settings: Settings) -> list[tuple[str, str, int]]:
        """Bring what waits under a name of yesterday to the account that has its number today. Returns old name, new
        name and how many, as far as any were moved."""
        found = []
        for old in self._gone(settings):
            for number, new in _by_number(settings).items():
                if moved := self.move(old, new, number):
                    found.append((old, new, moved))
        return found

    def move(self, old: str, new: str, number: str = "") -> int:
        """Hand orders of one account in `source` to another, those that are worked on excepted; with `number` only
        those of that account of Smartsupp's. Returns how many."""
        lane, total, moved = source_lane(new), 0, _MANY
        while moved == _MANY:
            moved, wake = self._run("move_orders", old=source_lane(old), new=lane, account=number, most=_MANY)
            total += moved
            if wake:
                self._wake_up(lane)
        return total

    def drop(self, name: str) -> int:
        """Nothing is to be fetched for an account any more. Returns how many orders that were."""
        total, looked = 0, _MANY
        while looked == _MANY:
            looked, dropped = self._run("drop_orders", lane=source_lane(name), most=_MANY)
            total += dropped
        return total

    def _gone(self, settings: Settings) -> list[str]:
        """Names under which something was ordered, and whose lanes nobody serves under these settings."""
        with errors():
            lanes = self._redis.smembers(key("source-lanes"))
        names = sorted(source_name(lane.decode()) for lane in lanes)
        return [name for name in names if not ((known := settings.accounts.get(name)) and known.api)]


def _by_number(settings: Settings) -> Mapping[str, str]:
    """Smartsupp's number of each account with an API -> its name in relay.yaml."""
    return {one.account: name for name, one in settings.accounts.items() if one.api and one.account}
