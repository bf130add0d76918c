"""How the server fares: its memory, its append-only file, its clock."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import redis

from core.store.client import errors


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


def condition(client: redis.Redis) -> Condition:
    """Raises StoreUnavailable."""
    with errors():
        info: dict[str, Any] = client.info()
        now: Any = client.time()
    return Condition(
        used=int(info.get("used_memory", 0)),
        limit=int(info.get("maxmemory", 0)),
        machine=int(info.get("total_system_memory", 0)),
        file=int(info.get("aof_current_size", 0)),
        rewritten=info.get("aof_last_bgrewrite_status", "ok") == "ok",
        evicted=int(info.get("evicted_keys", 0)),
        clock=int(now[0]) * 1000 + int(now[1]) // 1000,
    )
