"""Flask behind Granian: a request takes a thread when the whole of it is here, and not before.

Granian's own WSGI mode reads a body in the thread that works on the request, for as long as the sender likes: eight
that stop in the middle stop the receiver for good. Here the event loop gathers bodies, any number at once, each within
BODY_SECONDS.
"""

from __future__ import annotations

import asyncio
import io
import json
import sys
from collections.abc import Awaitable, Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from itertools import chain
from typing import Any, Protocol

from flask import Flask

from app.receiver.hook import canonical
from app.server.connections import Connections, peer_of

#: For a body to come. At 1 MiB that is 105 kB/s; an admin's form that may be longer has as much longer.
BODY_SECONDS = 10
#: Requests for pages that are worked on at once, and that may wait for their turn. Few: one that takes long then delays
#: other pages, and neither the hook nor whoever watches the receiver, which have threads of their own.
PAGES_AT_ONCE, WAITING = 2, 48
PROBES_AT_ONCE = 2
#: Answers that are made while they are sent, such as a year of chats: their parts take turns in threads of their own.
PARTS_AT_ONCE = 1
#: Bytes of an answer that is sent whole.
_LONG = 1 << 20

AsgiScope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
Headers = list[tuple[str, str]]
RawAnswer = tuple[int, Headers, bytes]
#: What of an answer is still to be made, and what lets go of it, whether all of it was made or not.
Unmade = tuple[Iterator[bytes], Callable[[], object]]


class Works(Protocol):
    """Who works on posts to the hook (app/receiver/gathering.py)."""

    def work(self, work: Callable[[], RawAnswer]) -> Awaitable[RawAnswer]: ...


class Buffered:
    """An ASGI application (https://asgi.readthedocs.io/en/latest/specs/www.html) around a Flask one. What it answers is
    sent in one piece; only what is long, or of unknown length, is sent as it is made, as fast as it is read.

    `hook` works on posts to the hook, beside what PAGES and PROBES say. Of a body that is longer than
    the app's MAX_CONTENT_LENGTH, which the app refuses, little more than that is kept. `longest` is asked in a thread,
    with the WSGI environ of what is no post to the hook, whether more may come, and `refused` is told of posts that
    never reach the app: environ, status, reason.
    """

    def __init__(
        self,
        app: Flask,
        hook: Works,
        longest: Callable[[dict[str, Any]], int] | None = None,
        refused: Callable[[dict[str, Any], int, str], None] | None = None,
        watch: Connections | None = None,
    ) -> None:
        self._app, self._more, self._refused, self._watch = app, longest, refused, watch
        self._limit = int(app.config["MAX_CONTENT_LENGTH"])
        self._hook = hook
        self._pages = ThreadPoolExecutor(PAGES_AT_ONCE, "page")
        self._probes = ThreadPoolExecutor(PROBES_AT_ONCE, "probe")
        self._making = ThreadPoolExecutor(PARTS_AT_ONCE, "parts")
        self._waiting = 0

    async def __call__(self, scope: AsgiScope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":  # lifespan: there is nothing to begin or to end
            return
        values = environ(scope)
        limit = await self._longest(values)
        seconds = round(BODY_SECONDS * limit / self._limit)
        rest: Unmade | None = None
        try:
            async with asyncio.timeout(seconds):
                body = await self._body(values, receive, limit)
        except TimeoutError:
            status, headers, said = self._refusal(values, 408, f"the body did not arrive within {seconds} s")
        except ConnectionError:
            status, headers, said = self._refusal(values, 400, "the body is incomplete")
        else:
            values["wsgi.input"] = io.BytesIO(body)
            with self._at_work(scope):
                status, headers, said, rest = await self._answer(values)
        encoded = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers]
        await send({"type": "http.response.start", "status": status, "headers": encoded})
        if rest:
            await self._send_rest(scope, rest, receive, send)
        await send({"type": "http.response.body", "body": said})

    def _at_work(self, scope: AsgiScope) -> AbstractContextManager[None]:
        """While this lasts the peer waits for us, and not we for the peer."""
        return self._watch.working(peer_of(*scope["client"])) if self._watch else nullcontext()

    async def _send_rest(self, scope: AsgiScope, rest: Unmade, receive: Receive, send: Send) -> None:
        """Part by part: the next one is made when the last one was taken. Whoever has gone gets no more. What fails in
        the middle fails here, and the server breaks the connection, so that nobody takes a part for the whole."""
        loop, (parts, close) = asyncio.get_running_loop(), rest
        gone = asyncio.ensure_future(_disconnected(receive))
        try:
            while not gone.done():
                with self._at_work(scope):
                    part = await loop.run_in_executor(self._making, next, parts, None)
                if part is None:
                    return
                await send({"type": "http.response.body", "body": part, "more_body": True})
        finally:
            gone.cancel()
            await loop.run_in_executor(self._making, close)

    async def _longest(self, values: dict[str, Any]) -> int:
        """Bytes that are read of this body. Who it is from is only asked where that makes a difference."""
        declared = int(values.get("CONTENT_LENGTH") or 0)  # the server has checked that it is a number
        if declared <= self._limit or _is_hook(values) or self._more is None or self._waiting >= WAITING:
            return self._limit
        return int(await self._page(self._more, values))

    async def _answer(self, values: dict[str, Any]) -> tuple[int, Headers, bytes, Unmade | None]:
        # It asks nobody anything. In a thread it would wait behind requests that wait for a store, and whoever watches
        # would end a receiver that is well.
        if values["PATH_INFO"] == "/healthz" and values["REQUEST_METHOD"] in ("GET", "HEAD"):
            return *self._work(values), None
        loop = asyncio.get_running_loop()
        if _is_hook(values):
            return *await self._hook.work(lambda: self._work(values)), None
        if values["PATH_INFO"] in ("/readyz", "/metrics"):
            return *await loop.run_in_executor(self._probes, self._work, values), None
        if self._waiting >= WAITING:
            status, headers, said = self._refusal(values, 503, "too many pages are requested at once; try again")
            return status, [*headers, ("Retry-After", "5")], said, None
        answer: tuple[int, Headers, bytes, Unmade | None] = await self._page(self._begin, values)
        return answer

    async def _page(self, work: Callable[[dict[str, Any]], Any], values: dict[str, Any]) -> Any:
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pages, work, values)
        finally:
            self._waiting -= 1

    async def _body(self, values: dict[str, Any], receive: Receive, limit: int) -> bytes:
        """The whole body, or as much as shows that it is too long. Raises ConnectionError where it breaks off."""
        declared = values.get("CONTENT_LENGTH")
        if declared is None and "HTTP_TRANSFER_ENCODING" not in values:
            return b""
        if declared is not None and int(declared) > limit:
            return b""
        parts, size, more = [], 0, True
        while more and size <= limit:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise ConnectionError
            parts.append(message.get("body", b""))
            size += len(parts[-1])
            more = message.get("more_body", False)
        return b"".join(parts)

    def _work(self, values: dict[str, Any]) -> RawAnswer:
        status, headers, said, rest = self._begin(values)
        if rest:
            parts, close = rest
            try:
                said += b"".join(parts)
            finally:
                close()
        return status, headers, said

    def _begin(self, values: dict[str, Any]) -> tuple[int, Headers, bytes, Unmade | None]:
        """An answer that says how long it is, whole; any other without what is still to be made."""
        head: list[tuple[int, Headers]] = []
        written: list[bytes] = []

        def start(status: str, headers: Headers, _: object = None, /) -> Callable[[bytes], object]:
            head.append((int(status[:3]), headers))
            return written.append

        answer = self._app(values, start)
        close = getattr(answer, "close", lambda: None)
        if head and values["REQUEST_METHOD"] != "HEAD" and _is_made_in_parts(*head[-1]):
            return *head[-1], b"", (chain(written, answer), close)
        try:
            written += answer
        finally:
            close()
        return *head[-1], b"".join(written), None

    def _refusal(self, values: dict[str, Any], status: int, error: str) -> RawAnswer:
        if self._refused and (_is_hook(values) or values["REQUEST_METHOD"] == "POST"):
            self._refused(values, status, error)
        # Closed, or the rest of the body would be taken for the next request.
        headers = [("Content-Type", "application/json"), ("Connection", "close")]
        return status, headers, json.dumps({"error": error}).encode() + b"\n"


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _is_made_in_parts(status: int, headers: Headers) -> bool:
    """It has a body of which nobody knows how long it is, or one that is long, such as a file."""
    length = next((int(value) for name, value in headers if name.lower() == "content-length"), None)
    return status not in (204, 304) and (length is None or length > _LONG)


def _is_hook(values: Mapping[str, Any]) -> bool:
    """Whether it is for the hook."""
    return canonical(str(values["PATH_INFO"])).startswith("/smartsupp/")


def environ(scope: AsgiScope) -> dict[str, Any]:
    """The request as PEP 3333 spells it, without its body. Text in it is bytes taken for Latin-1."""
    values: dict[str, Any] = {
        "REQUEST_METHOD": scope["method"],
        "SCRIPT_NAME": "",
        "PATH_INFO": scope["path"].encode("utf-8", "replace").decode("latin-1"),
        "QUERY_STRING": scope["query_string"].decode("latin-1"),
        "SERVER_NAME": scope["server"][0],
        "SERVER_PORT": str(scope["server"][1]),
        "SERVER_PROTOCOL": f"HTTP/{scope['http_version']}",
        "REMOTE_ADDR": scope["client"][0],
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope["scheme"],
        "wsgi.input_terminated": True,
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    for raw, value in scope["headers"]:
        name, text = raw.decode("latin-1"), value.decode("latin-1")
        if "_" in name:  # X_Forwarded_For would pass for X-Forwarded-For, which a proxy has seen to
            continue
        variable = name.upper().replace("-", "_")
        if variable not in ("CONTENT_TYPE", "CONTENT_LENGTH"):
            variable = f"HTTP_{variable}"
        values[variable] = f"{values[variable]},{text}" if variable in values else text
    return values
