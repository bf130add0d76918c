"""The ceiling of accepting: a bare Flask view that does one fsynced LPUSH, under the very server of `relay web`.

`python -m benchmarks.bare` takes the environment of `relay web`, and its settings of Granian, whatever they are.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from unittest.mock import patch

import redis
from flask import Flask, request
from granian import Granian

from app.process import tie_to_parent
from app.server import main
from app.server.asgi import Buffered, RawAnswer
from tests.support.stack import TOKEN

#: Where it is posted to: an address as long as the hook's.
PATH = f"/smartsupp/{TOKEN}"


class Threads:
    """As many as were best for such a view (docs/adr/0003)."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(8)

    def work(self, work: Callable[[], RawAnswer]) -> Awaitable[RawAnswer]:
        return asyncio.get_running_loop().run_in_executor(self._pool, work)


def application() -> Buffered:
    """What the server process loads."""
    client = redis.Redis.from_url(os.environ["RELAY_REDIS_URL"])
    app = Flask("bare")
    app.config["MAX_CONTENT_LENGTH"] = 1 << 20

    @app.post(PATH)
    def push() -> tuple[dict[str, str], int]:
        client.lpush("bodies", request.get_data(cache=False))
        return {"status": "accepted"}, 202

    @app.get("/healthz")
    def healthz() -> str:
        return "ok"

    return Buffered(app, Threads())


def served(_: str, **settings: Any) -> Any:
    """`relay web`'s server with another application in it."""
    return Granian("benchmarks.bare:application", **settings)


if __name__ == "__main__":
    tie_to_parent()
    with patch("app.server.main.Granian", served):
        main.main()
