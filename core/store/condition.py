"""How the server fares: its memory, its append-only file, its clock."""

from __future__ import annotations

import time
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import redis
from redis.exceptions import ResponseError

from core.store.client import errors

#: Seconds between two looks at a rewrite.
_LOOK = 0.1


@dataclass(frozen=True)
class Condition:
    """Bytes of memory in `use`, and how many there are: `limit` that it was given (0: none), `machine` that there are
    (0: not told); bytes of the append-only file; whether its last rewrite went well; keys that were dropped; ms by its
    clock."""

    used: int
    limit: int
    machine: int
    file: int
    rewritten: bool
    evicted: int
    clock: int


class Rewrite(StrEnum):
    """How a rewrite of the append-only file went, after which nothing that was erased is in it."""

    DONE = "done"
    BEGUN = "begun"  # it goes on
    FAILED = "failed"
    REFUSED = "refused"  # this user may not, or the server does not know how


def condition(client: redis.Redis) -> Condition:
    """Raises StoreUnavailable."""
    with errors():
        info: dict[str, Any] = client.info()
        seconds, micros = _time(client)
    return Condition(
        used=int(info.get("used_memory", 0)),
        limit=int(info.get("maxmemory", 0)),
        machine=int(info.get("total_system_memory", 0)),
        file=int(info.get("aof_current_size", 0)),
        rewritten=info.get("aof_last_bgrewrite_status", "ok") == "ok",
        evicted=int(info.get("evicted_keys", 0)),
        clock=seconds * 1000 + micros // 1000,
    )


def _time(client: Any) -> tuple[int, int]:
    seconds, micros = client.time()
    return int(seconds), int(micros)


def rewrite(client: redis.Redis, patience: float = 30.0) -> Rewrite:
    """Rewrite the append-only file from what is there now, and wait for it for some seconds. Raises StoreUnavailable.

    A rewrite that goes on already may hold what was erased since it began, so the one waited for begins after it.
    """
    ends = time.monotonic() + patience
    begun = False
    while True:
        with errors():
            info: dict[str, Any] = client.info("persistence")
            busy = info.get("aof_rewrite_in_progress") or info.get("aof_rewrite_scheduled")
            if begun and not busy:
                return Rewrite.DONE if info.get("aof_last_bgrewrite_status", "ok") == "ok" else Rewrite.FAILED
            if not begun and not busy:
                try:
                    client.bgrewriteaof()
                except ResponseError:
                    return Rewrite.REFUSED
                begun = True
        if time.monotonic() >= ends:
            return Rewrite.BEGUN if begun else Rewrite.FAILED
        time.sleep(_LOOK)
