"""Connectors that have another name now (docs/adr/0015): everything of theirs goes on under it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

from core.config.settings import Settings
from core.delivery import DeliveryStatus
from core.store.connection.client import errors
from core.store.protocol.base import Base
from core.store.protocol.constants import DAY_KEPT_MS, HOUR_KEPT_MS, MINUTE_KEPT_MS
from core.store.protocol.keys import key

#: Deliveries, and hashes of counts, that one step moves: a few ms of the server's time.
_MANY, _HASHES = 100, 40
_MINUTE, _HOUR, _DAY = 60_000, 3_600_000, 86_400_000
_STATUSES = [str(status) for status in DeliveryStatus]


class Renames(Base):
    """Any number of processes may do this at once, and die in the middle. Every method raises StoreUnavailable."""

    def adopt(self, settings: Settings) -> list[tuple[str, str]]:
        """Settings come into force: before anything is given to a connector of theirs. From here on the old names mean
        the new ones to everybody. Returns old and new name of what is renamed by that."""
        done, _ = self._names(settings, adopted=True)
        names = [one.decode() for one in done]
        return list(zip(names[::2], names[1::2], strict=True))

    def keep(self, settings: Settings) -> set[str]:
        """Settings are still in force. Returns those of their connectors whose names are earlier ones of others, by
        settings that were in force a minute ago: nothing is given to these here."""
        return {one.decode() for one in self._names(settings, adopted=False)[1]}

    def move(self, seconds: float = 0.5) -> bool:
        """Bring deliveries under the names of today, for about `seconds`. Returns whether all are there but those that
        are worked on."""
        ends = time.monotonic() + seconds
        return all(self._deliveries(old, new, _STATUSES, ends) for old, new in self.unfinished())

    def finish(self, seconds: float = 0.5) -> list[tuple[str, str]]:
        """The same, and once nobody works under an old name any more, what was counted under it. Returns old and new
        names of the connectors that are finished by that."""
        ends = time.monotonic() + seconds
        return [(old, new) for old, new in self.unfinished() if self._finished(old, new, ends)]

    def unfinished(self) -> list[tuple[str, str]]:
        """Old and new names of connectors of which something is under the old one still."""
        with errors():
            renamed = self._redis.hgetall(key("renamed"))
            there = self._redis.smembers(key("connectors")) if renamed else set()
        return [(old.decode(), self._final(renamed, old)) for old in renamed if old in there]

    @staticmethod
    def _final(renamed: dict[bytes, bytes], name: bytes) -> str:
        for _ in range(len(renamed)):
            name = renamed.get(name, name)
        return name.decode()

    def _names(self, settings: Settings, *, adopted: bool) -> tuple[list[bytes], list[bytes]]:
        connectors, olds, news = list(settings.connectors), list(settings.renames), list(settings.renames.values())
        done, taken = self._run("adopt_names", adopted=adopted, connectors=connectors, olds=olds, news=news)
        return done, taken

    def _deliveries(self, old: str, new: str, statuses: Sequence[str], ends: float) -> bool:
        while self._run("rename", old=old, new=new, most=_MANY, statuses=statuses):
            if time.monotonic() >= ends:
                return False
        return True

    def _finished(self, old: str, new: str, ends: float) -> bool:
        if not self._deliveries(old, new, _STATUSES, ends):
            return False
        with errors():
            if self._redis.exists(key("leases", old)):
                return False
            # Another version may know more statuses.
            prefix = key("deliveries", old, "")
            others = [name.decode().removeprefix(prefix) for name in self._redis.scan_iter(f"{prefix}*", count=1_000)]
        if not self._deliveries(old, new, others, ends):
            return False
        statuses = [*_STATUSES, *others]
        for keys in self._counts():
            self._run("rename_counts", old=old, new=new, keys=keys)
        return bool(self._run("renamed", old=old, statuses=statuses))

    def _counts(self) -> Iterator[list[str]]:
        now = self.now()
        names = [key("totals")]
        units = (
            ("minute", _MINUTE, MINUTE_KEPT_MS),
            ("hour", _HOUR, HOUR_KEPT_MS),
            ("day", _DAY, DAY_KEPT_MS),  # last: one that is added up meanwhile has both names, until this comes
        )
        for unit, length, kept in units:
            names += [key("count", unit, str(one)) for one in range((now - kept) // length, now // length + 1)]
        for start in range(0, len(names), _HASHES):
            yield names[start : start + _HASHES]
