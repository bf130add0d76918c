"""How the server fares: its memory, its append-only file, its clock."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import redis

from core.config.environment import DISK_FILLING, DISK_FULL
from core.store.connection.client import errors

#: Shares of its memory at which a store is filling, and nearly full: then chats are refused soon.
FILLING, FULL = 0.80, 0.95


@dataclass(frozen=True)
class Shortage:
    """What the store runs out of; `percent` of it are used."""

    what: Literal["memory", "disk"]
    percent: int
    full: bool


@dataclass(frozen=True)
class StoreCondition:
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


def store_condition(client: redis.Redis) -> StoreCondition:
    """Raises StoreUnavailable."""
    with errors():
        info: dict[str, Any] = client.info()
        now: Any = client.time()
    return StoreCondition(
        used=int(info.get("used_memory", 0)),
        limit=int(info.get("maxmemory", 0)),
        machine=int(info.get("total_system_memory", 0)),
        file=int(info.get("aof_current_size", 0)),
        rewritten=info.get("aof_last_bgrewrite_status", "ok") == "ok",
        evicted=int(info.get("evicted_keys", 0)),
        clock=int(now[0]) * 1000 + int(now[1]) // 1000,
    )


def shortages(client: redis.Redis, disk: Path | None) -> Iterator[Shortage]:
    """What the store runs out of: what it was given of memory, and the `disk` of a folder where that is here.
    Raises StoreUnavailable."""
    found = store_condition(client)
    if found.limit and found.used >= found.limit * FILLING:
        percent = min(100, round(100 * found.used / found.limit))
        yield Shortage("memory", percent, found.used >= found.limit * FULL)
    if disk:
        try:
            usage = shutil.disk_usage(disk)
        except OSError:  # it is not there yet
            return
        if usage.free < DISK_FILLING:
            yield Shortage("disk", round(100 * (1 - usage.free / usage.total)), usage.free < DISK_FULL)
