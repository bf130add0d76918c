"""What the server must be like, so that a 2xx means kept."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import redis
from redis.exceptions import ResponseError

from core.store.connection.client import errors
from core.wording.sentence import Sentence, say, say_all

#: What an admin types at the server.
_APPEND_ONLY, _POLICY = "CONFIG SET appendonly yes", "CONFIG SET maxmemory-policy noeviction"


@dataclass(frozen=True)
class ServerCheck:
    """`wrong` is what makes the server unfit, `doubts` what could not be seen or weakens the promise; each a text, or a
    text and what to do with a colon between them (`halves`)."""

    version: str
    wrong: list[str] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)


def halves(text: str) -> tuple[str, str]:
    """What is wrong, and what to do about it, or "", each to be translated as it is."""
    what, *remedy = text.parts if isinstance(text, Sentence) and text.parts else (text,)
    return what, remedy[0] if remedy else ""


def check_server(client: redis.Redis) -> ServerCheck:
    """Ask the server about itself. Raises StoreUnavailable when it does not answer."""
    with errors():
        info: dict[str, Any] = client.info()
        config = _config(client)
    verdict = ServerCheck(
        version=f"{info.get('server_name', 'redis')} {info.get('valkey_version', info['redis_version'])}"
    )

    def unfit(what: str, remedy: str = "") -> None:
        verdict.wrong.append(say_all(what, remedy, between=": "))

    if not info.get("aof_enabled"):
        unfit(say("the append-only file is off"), say("%(command)s, also in the config file", command=_APPEND_ONLY))
    elif info.get("aof_last_write_status", "ok") != "ok":
        unfit(say("the server cannot write its append-only file"), say("check its disk"))
    policy = info.get("maxmemory_policy", config.get("maxmemory-policy", "unknown"))
    if policy != "noeviction":
        unfit(say("maxmemory-policy is %(policy)s, which drops keys", policy=policy), _POLICY)
    if info.get("role") not in ("master", None):
        unfit(say("this is a replica, which takes no writes"), say("put the primary's address into RELAY_REDIS_URL"))
    if info.get("cluster_enabled"):
        unfit(say("this is a Redis Cluster; Celery needs a single primary (with replicas and Sentinel)"))
    if _major(info["redis_version"]) < 7:
        unfit(
            say("version %(version)s is too old", version=info["redis_version"]),
            say("use Redis 7 or later, or Valkey"),
        )
    fsync = config.get("appendfsync")
    if fsync is None:
        verdict.doubts.append(say("appendfsync cannot be seen (CONFIG GET is not allowed); it should be 'always'"))
    elif fsync != "always":
        verdict.doubts.append(
            say("appendfsync is %(fsync)s: up to a second of accepted chats is lost with the machine", fsync=fsync)
        )
    return verdict


def _config(client: redis.Redis) -> dict[str, str]:
    try:
        return {str(name): str(value) for name, value in client.config_get("appendfsync", "maxmemory-policy").items()}
    except ResponseError:  # managed servers hide it
        return {}


def _major(version: str) -> int:
    return int(str(version).split(".", maxsplit=1)[0])
