"""An answer of which nobody knows how long it is: sent as it is made, and made as it is taken."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask, Response

from app.server.asgi import AsgiScope, Buffered, RawAnswer


class Parts:
    """A page in so many parts, of which `broken` is none."""

    def __init__(self, number: int, broken: int = -1) -> None:
        self.number, self.broken = number, broken
        self.made, self.closed = 0, False

    def __iter__(self) -> Iterator[bytes]:
        try:
            for one in range(self.number):
                if one == self.broken:
                    raise ConnectionError("the store has gone")
                self.made += 1
                yield b"part %d\n" % one
        finally:
            self.closed = True


class NoHook:
    def work(self, work: Any) -> Any:
        raise AssertionError("no post to the hook")


class Reader:
    """Reads the answer of one request; after `patience` parts it is gone."""

    def __init__(self, parts: Parts, patience: int = 1_000_000) -> None:
        self._parts, self._patience = parts, patience
        self.head: dict[str, Any] = {}
        self.read: list[bytes] = []
        self.ahead: list[int] = []
        self.whole = False
        self._gone = asyncio.Event()
        self._asked = False

    async def receive(self) -> dict[str, Any]:
        if not self._asked:
            self._asked = True
            return {"type": "http.request"}
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            self.head = message
            return
        self.read.append(message["body"])
        self.whole = not message.get("more_body", False)
        self.ahead.append(self._parts.made - len(self.read))
        if len(self.read) >= self._patience:
            self._gone.set()
            await asyncio.sleep(0)


def scope(method: str = "GET", path: str = "/long") -> AsgiScope:
    return {
        "type": "http",
        "method": method,
        "path": path,
        "query_string": b"",
        "headers": [],
        "http_version": "1.1",
        "scheme": "http",
        "server": ("127.0.0.1", 80),
        "client": ("127.0.0.1", 4000),
    }


def asked(parts: Parts, reader: Reader, **request: str) -> Reader:
    app = Flask("long")
    app.config["MAX_CONTENT_LENGTH"] = 1_000
    app.add_url_rule("/long", "long", view_func=lambda: Response(iter(parts), content_type="text/csv"))
    app.add_url_rule("/short", "short", view_func=lambda: "short")
    app.add_url_rule("/same", "same", view_func=lambda: Response(status=304))
    whole = {"Content-Length": str(7 * parts.number)}
    app.add_url_rule("/file", "file", view_func=lambda: Response(iter(parts), headers=whole, direct_passthrough=True))
    asyncio.run(Buffered(app, NoHook())(scope(**request), reader.receive, reader.send))
    return reader


def test_a_part_is_made_when_the_one_before_was_taken_and_the_whole_arrives() -> None:
    parts = Parts(50)
    reader = asked(parts, Reader(parts))
    assert b"".join(reader.read) == b"".join(b"part %d\n" % one for one in range(50))
    assert (reader.head["status"], reader.whole, parts.closed) == (200, True, True)
    assert max(reader.ahead) == 0


def test_nothing_more_is_made_for_a_reader_who_has_gone() -> None:
    parts = Parts(1_000)
    reader = asked(parts, Reader(parts, patience=3))
    assert parts.closed
    assert parts.made < 10
    assert len(reader.read) < 10


def test_an_answer_that_fails_in_the_middle_is_never_taken_for_a_whole_one() -> None:
    parts = Parts(5, broken=3)
    reader = Reader(parts)
    with pytest.raises(ConnectionError, match="the store has gone"):
        asked(parts, reader)
    assert (len(reader.read), reader.whole, parts.closed) == (3, False, True)


def test_any_other_answer_is_sent_in_one_piece() -> None:
    # What has not changed has no length, and no body either.
    for request in ({"path": "/short"}, {"path": "/long", "method": "HEAD"}, {"path": "/nowhere"}, {"path": "/same"}):
        parts = Parts(3)
        reader = asked(parts, Reader(parts), **request)
        assert (len(reader.read), reader.whole, parts.made) == (1, True, 0)


def test_a_file_that_is_long_is_read_as_it_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.server.asgi._LONG", 20)
    parts = Parts(5)
    reader = asked(parts, Reader(parts), path="/file")
    assert max(reader.ahead) == 0
    assert dict(reader.head["headers"])[b"content-length"] == b"35"
    short = Parts(2)
    assert asked(short, Reader(short), path="/file").read == [b"part 0\npart 1\n"]


def test_whoever_wants_it_whole_gets_it_whole() -> None:
    """As the hook does, which never answers in parts."""
    parts = Parts(3)
    app = Flask("hook")
    app.config["MAX_CONTENT_LENGTH"] = 1_000
    app.add_url_rule("/smartsupp/x", "hook", view_func=lambda: Response(iter(parts)))

    class Hook:
        def work(self, work: Any) -> Any:
            async def done() -> RawAnswer:
                answer: RawAnswer = work()
                return answer

            return done()

    reader = Reader(parts)
    asyncio.run(Buffered(app, Hook())(scope(path="/smartsupp/x"), reader.receive, reader.send))
    assert (reader.read, reader.whole, parts.closed) == ([b"part 0\npart 1\npart 2\n"], True, True)
