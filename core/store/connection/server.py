"""What the server must be like, so that a 2xx means kept."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import redis
from redis.exceptions import ResponseError

from core.store.connection.client import errors


@dataclass(frozen=True)
class ServerCheck:
    """`wrong` is what makes the server unfit, `doubts` what could not be seen or weakens the promise."""

    version: str
    wrong: list[str] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)


def check_server(client: redis.Redis) -> ServerCheck:
    """Ask the server about itself. Raises StoreUnavailable when it does not answer."""
    with errors():
        info: dict[str, Any] = client.info()
        config = _config(client)
    verdict = ServerCheck(
        version=f"{info.get('server_name', 'redis')} {info.get('valkey_version', info['redis_version'])}"
    )
    if not info.get("aof_enabled"):
        verdict.wrong.append("the append-only file is off: CONFIG SET appendonly yes, also in the config file")
    elif info.get("aof_last_write_status", "ok") != "ok":
        verdict.wrong.append("the server cannot write its append-only file: check its disk")
    policy = info.get("maxmemory_policy", config.get("maxmemory-policy", "unknown"))
    if policy != "noeviction":
        verdict.wrong.append(f"maxmemory-policy is {policy}, which drops keys: CONFIG SET maxmemory-policy noeviction")
    if info.get("role") not in ("master", None):
        verdict.wrong.append("this is a replica, which takes no writes: put the primary's address into RELAY_REDIS_URL")
    if info.get("cluster_enabled"):
        verdict.wrong.append("this is a Redis Cluster; Celery needs a single primary (with replicas and Sentinel)")
    if _major(info["redis_version"]) < 7:
        verdict.wrong.append(f"version {info['redis_version']} is too old: use Redis 7 or later, or Valkey")
    fsync = config.get("appendfsync")
    if fsync is None:
        verdict.doubts.append("appendfsync cannot be seen (CONFIG GET is not allowed); it should be 'always'")
    elif fsync != "always":
        verdict.doubts.append(f"appendfsync is {fsync}: up to a second of accepted chats is lost with the machine")
    return verdict


def _config(client: redis.Redis) -> dict[str, str]:
    try:
        return {str(name): str(value) for name, value in client.config_get("appendfsync", "maxmemory-policy").items()}
    except ResponseError:  # managed servers hide it
        return {}


def _major(version: str) -> int:
    return int(str(version).split(".", maxsplit=1)[0])
