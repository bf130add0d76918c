"""The Lua scripts: loaded once, run by their hash."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from functools import cache
from importlib import resources
from typing import Any

import redis
from redis.exceptions import NoScriptError

#: Scripts that only add to the store. The others must run when it is full, or it could never be emptied.
_ADDS = frozenset({"accept"})
#: Those that only read run on a server that can write nothing at all.
_READS = frozenset({"look"})
#: What scripts have besides the prelude. Making a function takes time in each call, so those have it that use it.
_PARTS = dict.fromkeys(("claim", "crashed", "fan_out", "settle"), ("limits", "next"))


@cache
def source(name: str) -> str:
    """The whole text of a script. The first line lets the server refuse it before it has written anything."""
    folder = resources.files("core.store") / "lua"
    flags = "" if name in _ADDS else " flags=no-writes" if name in _READS else " flags=allow-oom"
    parts = ("prelude", *_PARTS.get(name, ()), name)
    return "\n".join((f"#!lua{flags}", *((folder / f"{part}.lua").read_text() for part in parts)))


@cache
def _sha(name: str) -> str:
    return hashlib.sha1(source(name).encode(), usedforsecurity=False).hexdigest()


def run(client: redis.Redis, name: str, *arguments: str | bytes | int) -> Any:
    """Run one script; a server that has forgotten it (a restart) is given it again."""
    try:
        return client.evalsha(_sha(name), 0, *arguments)
    except NoScriptError:
        return client.eval(source(name), 0, *arguments)


def run_each(client: redis.Redis, name: str, calls: Iterable[Sequence[str | bytes | int]]) -> list[Any]:
    """Run one script for each set of arguments, in one journey: one wait for the disk, and each still a step of its
    own. What was done before an error is done."""
    wanted = [*calls]

    def pipelined() -> list[Any]:
        pipe = client.pipeline(transaction=False)
        for arguments in wanted:
            pipe.evalsha(_sha(name), 0, *arguments)
        return pipe.execute()

    try:
        return pipelined()
    except NoScriptError:
        client.script_load(source(name))
        return pipelined()
