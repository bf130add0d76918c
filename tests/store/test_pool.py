from __future__ import annotations

import time
from typing import Any

import pytest
from redis.client import Pipeline

from core.store import connect
from core.store.connection.pool import WARM
from tests.support.server import Server


def identity(client: Any) -> int:
    return int(client.client_id())


def test_a_connection_is_handed_on_while_it_is_warm_and_looked_after_later(server: Server) -> None:
    client = connect(server.url)
    first = identity(client)
    assert identity(client) == first
    server.client.client_kill_filter(_id=str(first))
    time.sleep(WARM + 0.2)
    assert identity(client) != first  # no error: that it is dead was seen before anything was sent


def test_what_was_not_read_is_not_taken_for_the_next_answer(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    client = connect(server.url)
    client.set("relay:x", "right")
    parse = Pipeline.parse_response
    left = [1, 2]

    def interrupted(*args: Any, **options: Any) -> Any:
        if not left:
            raise KeyboardInterrupt
        left.pop()
        return parse(*args, **options)  # type: ignore[no-untyped-call]

    pipe = client.pipeline(transaction=False)
    for number in range(5):
        pipe.echo(str(number))
    with monkeypatch.context() as broken:
        broken.setattr(Pipeline, "parse_response", interrupted)
        with pytest.raises(KeyboardInterrupt):
            pipe.execute()
    assert client.get("relay:x") == b"right"
