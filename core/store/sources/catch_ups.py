"""Catch-ups: past chats that are fetched from Smartsupp's API, because somebody asked for a backfill, or because a
comparison found that the hook never sent them (docs/adr/0029).

A catch-up first lists every conversation of its time, then works through the list, the oldest first: what is kept is
left out, the rest is fetched. Each step moves list, cursor and figures at once, so whoever dies in the middle is
followed by another one, who does at most one part again; and what was taken twice is a duplicate. Whoever is only cut
off, and comes back, finds that the lease is not his: each step is refused (lua/lib/catching.lua).
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import Any, Literal

from core.errors import LostLease, NotFound
from core.store.connection.client import errors
from core.store.protocol.keys import key
from core.store.protocol.records import decoded_hash, from_json, from_record
from core.store.sources.known_chats import KnownChats, Listed

CatchUpKind = Literal["backfill", "reconcile"]
Stage = Literal["listing", "fetching"]

#: How long a catch-up is remembered, ms; how many are listed.
_KEPT_MS, _LISTED = 30 * 86_400_000, 20
#: Who begins comparisons by the clock.
RELAY = "relay"
#: For how many days it is known how many chats were missing.
_DAYS = 30
_DAY_MS = 86_400_000
#: What a step says that went well.
_NO_TROUBLE: Mapping[str, str] = MappingProxyType({"error": "", "hold": "0"})
_NO_FIGURES: Mapping[str, int] = MappingProxyType({})


@dataclass(frozen=True)
class CatchUp:
    """`source` is the account's name in relay.yaml, `account` Smartsupp's number. Times are in ms: of conversations
    that began from `since` to before `until`. Of those that were listed `known` were kept already, `fetched` are new
    here, `gone` were deleted at Smartsupp meanwhile, `failed` cannot be had, and `waiting` are left. `expected` is
    Smartsupp's own count, or -1. `connector`: that one alone gets them. Nothing is done before `hold`, for the reason
    in `error`. `recent` began in the last day, and of these `recent_missing` were not here. `stopped`: by somebody,
    before it was over."""

    id: str
    kind: CatchUpKind
    source: str
    account: str
    since: int
    until: int
    by: str
    created: int
    connector: str = ""
    expected: int = -1
    stage: Stage = "listing"
    cursor: str = ""
    known: int = 0
    fetched: int = 0
    gone: int = 0
    failed: int = 0
    recent: int = 0
    recent_missing: int = 0
    error: str = ""
    hold: int = 0
    finished: int | None = None
    stopped: int = 0
    waiting: int = 0

    @property
    def listed(self) -> int:
        return self.known + self.fetched + self.gone + self.failed + self.waiting

    @property
    def after(self) -> Any:
        """What the API called the place where the next page begins."""
        return json.loads(self.cursor) if self.cursor else None


@dataclass(frozen=True)
class Comparison:
    """The last comparison of an account with Smartsupp, at `at` (ms). `silent` is since when the hook has sent nothing
    while Smartsupp had chats, or 0; `worked`: the hook is known to have sent something once."""

    at: int
    checked: int = 0
    missing: int = 0
    silent: int = 0
    worked: bool = False


class CatchUps(KnownChats):
    """Every method raises StoreUnavailable."""

    def start(
        self,
        kind: CatchUpKind,
        source: str,
        account: str,
        since: int,
        until: int,
        *,
        by: str,
        connector: str = "",
        expected: int = -1,
    ) -> CatchUp:
        """Begin: the workers go on with it."""
        identity = secrets.token_hex(6)
        made = CatchUp(identity, kind, source, account, since, until, by, self.now(), connector, expected)
        fields = {name: value for name, value in asdict(made).items() if name not in ("id", "finished", "waiting")}
        with errors():
            pipe = self._redis.pipeline()
            pipe.hset(_key(identity), mapping=fields)
            pipe.pexpire(_key(identity), _KEPT_MS)
            pipe.sadd(key("catch-ups", "open"), identity)
            pipe.lpush(key("catch-ups", "recent"), identity)
            pipe.ltrim(key("catch-ups", "recent"), 0, _LISTED - 1)
            pipe.execute()
        return made

    def get(self, identity: str) -> CatchUp:
        """Raises NotFound."""
        found = self._read([identity])
        if not found:
            raise NotFound(f"there is no catch-up '{identity}'")
        return found[0]

    def open(self) -> list[CatchUp]:
        """Those that go on, the oldest first."""
        with errors():
            ids = [one.decode() for one in self._redis.smembers(key("catch-ups", "open"))]
        found = self._read(ids)
        if lost := set(ids) - {one.id for one in found}:  # nobody has worked on it until it was forgotten
            with errors():
                self._redis.srem(key("catch-ups", "open"), *lost)
        return sorted(found, key=lambda one: one.created)

    def recent(self) -> list[CatchUp]:
        """Those that go on and the last ones, the newest first."""
        with errors():
            ids = {one.decode() for one in self._redis.lrange(key("catch-ups", "recent"), 0, -1)}
        found = {one.id: one for one in [*self.open(), *self._read(sorted(ids))]}
        return sorted(found.values(), key=lambda one: one.created, reverse=True)

    def hold(self, token: str, *, keep: bool = True) -> bool:
        """Take or keep the lease on all of them, or let go of it. False: somebody else has it."""
        return bool(self._run("hold_catch_up", token=token, keep=keep))

    def renew(self, catch_up: CatchUp, token: str) -> None:
        """Keep the lease. Raises LostLease when it ran out, whoever has it now, and when the catch-up was stopped."""
        _held(self._run("renew_catch_up", token=token, id=catch_up.id), catch_up.id)

    # --- steps -----------------------------------------------------------------
    # Each raises LostLease, and does nothing, where a `token` is given that is not the lease's any more.

    def page_listed(self, catch_up: CatchUp, rows: Sequence[Listed], after: Any, *, token: str = "") -> None:
        """A page of the list was read; without `after` it was the last."""
        fields = {"cursor": json.dumps(after) if after else "", "stage": "listing" if after else "fetching"}
        listed = [text for one in rows for text in (one.id, str(one.began))]
        self._step(catch_up, token, {**fields, **_NO_TROUBLE}, listed=listed)

    def oldest(self, catch_up: CatchUp, many: int) -> list[Listed]:
        """The oldest of those that are left."""
        with errors():
            found = self._redis.zrange(_rows_key(catch_up.id), 0, many - 1, withscores=True)
        return [Listed(identity.decode(), int(began)) for identity, began in found]

    def done(self, catch_up: CatchUp, rows: Sequence[str], *, token: str = "", **figures: int) -> None:
        """These are done with; `figures` are added to those of the same names."""
        self._step(catch_up, token, _NO_TROUBLE, figures=figures, done=rows)

    def put_off(self, catch_up: CatchUp, until: int, why: str, *, token: str = "") -> None:
        """Nothing is done before that time, for that reason. So it is forgotten in the end."""
        self._step(catch_up, token, {"hold": str(until), "error": why}, kept=0)

    def finish(self, catch_up: CatchUp, *, stopped: bool = False, token: str = "") -> None:
        """Nothing is left, or nothing more is wanted."""
        by_clock = catch_up.by == RELAY
        ended = self._run(
            "finish_catch_up", token=token, id=catch_up.id, stopped=stopped, by_clock=by_clock, kept=_KEPT_MS
        )
        _held(ended or not token, catch_up.id)

    def _step(
        self,
        catch_up: CatchUp,
        token: str,
        fields: Mapping[str, str],
        *,
        figures: Mapping[str, int] = _NO_FIGURES,
        listed: Sequence[str] = (),
        done: Sequence[str] = (),
        kept: int = _KEPT_MS,
    ) -> None:
        went_on = self._run(
            "step_catch_up",
            token=token,
            id=catch_up.id,
            kept=kept,
            fields=[field for pair in fields.items() for field in pair],
            figures=[figure for name, number in figures.items() for figure in (name, str(number))],
            listed=listed,
            done=done,
        )
        _held(went_on or not token, catch_up.id)

    # --- what comparisons found ----------------------------------------------------

    def compared(self, source: str, comparison: Comparison, *, token: str = "") -> None:
        """Raises LostLease where a `token` is given that is not the lease's any more."""
        _held(self._run("compared", token=token, source=source, comparison=json.dumps(asdict(comparison))), source)

    def comparisons(self) -> Mapping[str, Comparison]:
        """The last of each account, by its name in relay.yaml."""
        with errors():
            found = self._redis.hgetall(key("compared"))
        return {name.decode(): from_json(Comparison, kept) for name, kept in found.items()}

    def missing(self, days: int = 7) -> int:
        """How many chats the hook never sent, of those that were fetched in the last days."""
        today = self.now() // _DAY_MS
        with errors():
            found = {int(day): int(number) for day, number in self._redis.hgetall(key("missing")).items()}
            if old := [day for day in found if day <= today - _DAYS]:
                self._redis.hdel(key("missing"), *old)
        return sum(number for day, number in found.items() if day > today - days)

    def _read(self, identities: Sequence[str]) -> list[CatchUp]:
        with errors():
            pipe = self._redis.pipeline(transaction=False)
            for identity in identities:
                pipe.hgetall(_key(identity))
                pipe.zcard(_rows_key(identity))
            replies = pipe.execute()
        rows = zip(identities, replies[::2], replies[1::2], strict=True)
        # Without its kind it is what a last step has left of one that was forgotten.
        return [
            from_record(CatchUp, decoded_hash(row), id=one, waiting=left) for one, row, left in rows if b"kind" in row
        ]


def _held(went_on: object, what: str) -> None:
    if not went_on:
        raise LostLease(what)


def _key(identity: str) -> str:
    return key("catch-up", identity)


def _rows_key(identity: str) -> str:
    return key("catch-up-rows", identity)
