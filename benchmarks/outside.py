"""What is outside of Relay, in one process of its own: Smartsupp, which posts, and the destinations, which take.

Both speak HTTP/1.1 over raw sockets, so that they cost little beside what is measured (each reply says how much CPU
they took). A path is a destination: it answers at once, after a while, or not at all. Given the files of a certificate
and its key, destinations listen over TLS as well. Commands and replies are lines of JSON on stdin and stdout
(child.py); it ends with its stdin.
"""

from __future__ import annotations

import asyncio
import json
import re
import ssl
import sys
import time
from collections import Counter, defaultdict, deque
from collections.abc import Callable
from typing import Any

from app.process import tie_to_parent
from benchmarks.bodies import MARK, body, size

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_DONE = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"

#: Seconds until the answer; None: never.
Delay = float | None


class Http(asyncio.Protocol):
    """Cuts a stream into messages that have a Content-Length."""

    transport: asyncio.Transport

    def __init__(self) -> None:
        self._got = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101  # says the type; it cannot be another
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self._got += data
        while (end := self._got.find(b"\r\n\r\n") + 4) > 3:
            head = self._got[:end]
            length = _LENGTH.search(head)
            whole = end + (int(length[1]) if length else 0)
            if len(self._got) < whole:
                return
            content, self._got = self._got[end:whole], self._got[whole:]
            self.message(head, content)

    def message(self, head: bytes, content: bytes, /) -> None:
        raise NotImplementedError


class Outside:
    """What was sent and what came, by the machine's monotonic clock."""

    def __init__(self) -> None:
        self.delays: dict[str, Delay] = {}
        self.held: dict[str, list[asyncio.Transport]] = defaultdict(list)
        self.forget()

    def forget(self) -> None:
        self.sent: dict[int, float] = {}
        self.came: dict[str, dict[int, float]] = defaultdict(dict)
        self.requests: Counter[str] = Counter()
        self.took: list[float] = []
        self.answers: Counter[int] = Counter()
        self.arrived = asyncio.Event()
        self._cpu, self._since = time.process_time(), time.monotonic()

    def arrive(self, path: str, number: int) -> None:
        self.requests[path] += 1
        self.came[path].setdefault(number, time.monotonic())
        self.arrived.set()

    def behave(self, path: str, delay: Delay) -> None:
        self.delays[path] = delay
        for transport in self.held.pop(path, ()):
            transport.write(_DONE)

    def cpu(self) -> float:
        """The share of one core that this process took."""
        return (time.process_time() - self._cpu) / (time.monotonic() - self._since)


class Destination(Http):
    def __init__(self, outside: Outside) -> None:
        super().__init__()
        self._outside = outside

    def message(self, head: bytes, content: bytes) -> None:
        path = head.split(b" ", 2)[1].decode()
        mark = MARK.search(content)
        self._outside.arrive(path, int(mark[1]) if mark else 0)
        delay = self._outside.delays.get(path, 0.0)
        if delay is None:
            self._outside.held[path].append(self.transport)
        elif delay:
            asyncio.get_running_loop().call_later(delay, self.transport.write, _DONE)
        else:
            self.transport.write(_DONE)


class Client(Http):
    """One of Smartsupp's connections: posts, waits for the answer, and is free again."""

    def __init__(self, outside: Outside, head: bytes, free: Callable[[Client], None]) -> None:
        super().__init__()
        self._outside, self._head, self._free = outside, head, free
        self._since = 0.0
        self.over = False

    def post(self, number: int) -> None:
        self._since = self._outside.sent[number] = time.monotonic()
        self.transport.write(b"%s%d\r\n\r\n%s" % (self._head, size(number), body(number)))

    def message(self, head: bytes, _: bytes) -> None:
        self._outside.took.append(time.monotonic() - self._since)
        self._outside.answers[int(head[9:12])] += 1
        self._free(self)

    def connection_lost(self, _: Exception | None) -> None:
        if not self.over:
            self._outside.answers[0] += 1
            self._free(self)


class Load:
    """`clients` connections that post conversations from `first` on: so many, or for so many seconds; as fast as they
    are answered, or at a rate; never more than `ahead` of what has come to all of `paths`."""

    def __init__(self, outside: Outside, wanted: dict[str, Any]) -> None:
        self._outside = outside
        self._number = int(wanted["first"])
        self._last = self._number + int(wanted.get("count") or 10**7)
        self._seconds: float = wanted.get("seconds") or 3600.0
        self._rate: float | None = wanted.get("rate")
        self._ahead: int | None = wanted.get("ahead")
        self._paths: list[str] = wanted.get("paths", [])
        self._port, self._count = int(wanted["port"]), int(wanted["clients"])
        lines = (
            f"POST {wanted['path']} HTTP/1.1",
            f"Host: 127.0.0.1:{self._port}",
            "Content-Type: application/json",
            "Content-Length: ",
        )
        self._head = "\r\n".join(lines).encode()
        self._free: deque[Client] = deque()
        self._freed = asyncio.Event()

    async def run(self) -> dict[str, Any]:
        loop = asyncio.get_running_loop()
        clients = [
            (
                await loop.create_connection(
                    lambda: Client(self._outside, self._head, self._let_go), "127.0.0.1", self._port
                )
            )[1]
            for _ in range(self._count)
        ]
        self._free.extend(clients)
        before, begun = self._number, time.monotonic()
        while self._number < self._last and time.monotonic() < begun + self._seconds:
            await self._turn(begun, before)
            self._free.popleft().post(self._number)
            self._number += 1
        while len(self._free) < self._count:
            await _next(self._freed)
        elapsed = time.monotonic() - begun
        for client in clients:
            client.over = True
            client.transport.close()
        took = sorted(self._outside.took)
        return {
            "posts": self._number - before,
            "seconds": elapsed,
            "answers": dict(self._outside.answers),
            "median": took[len(took) // 2] * 1000,
            "p99": took[int(len(took) * 0.99)] * 1000,
            "cpu": self._outside.cpu(),
        }

    async def _turn(self, begun: float, before: int) -> None:
        """Wait until one client is free and may post."""
        if self._rate:
            await asyncio.sleep(begun + (self._number - before) / self._rate - time.monotonic())
        while not self._free:
            await _next(self._freed)
        while (
            self._ahead
            and self._number - before - min(len(self._outside.came[one]) for one in self._paths) >= self._ahead
        ):
            await _next(self._outside.arrived)

    def _let_go(self, client: Client) -> None:
        self._free.append(client)
        self._freed.set()


async def _next(event: asyncio.Event) -> None:
    event.clear()
    await event.wait()


async def _wait(outside: Outside, wanted: dict[str, Any]) -> dict[str, Any]:
    """Until `count` different conversations have come to each path, or `seconds` are over."""
    paths, count = wanted["paths"], int(wanted["count"])
    try:
        async with asyncio.timeout(wanted["seconds"]):
            while any(len(outside.came[path]) < count for path in paths):
                await _next(outside.arrived)
    except TimeoutError:
        return {"came": {path: len(outside.came[path]) for path in paths}, "late": True}
    first_sent = min(outside.sent.values(), default=None)
    arrivals = [sorted(outside.came[path].values())[:count] for path in paths]
    return {
        "late": False,
        "requests": sum(outside.requests[path] for path in paths),
        "sent": first_sent,
        "first": min(one[0] for one in arrivals),
        "last": max(one[-1] for one in arrivals),
        "cpu": outside.cpu(),
    }


async def _reply(outside: Outside, wanted: dict[str, Any]) -> dict[str, Any]:
    match wanted.pop("do"):
        case "forget":
            outside.forget()
            return {}
        case "behave":
            outside.behave(wanted["path"], wanted["delay"])
            return {}
        case "post":
            return await Load(outside, wanted).run()
        case "wait":
            return await _wait(outside, wanted)
        case "took":
            came = outside.came[wanted["path"]]
            return {"ms": [(came[number] - at) * 1000 for number, at in outside.sent.items() if number in came]}
        case other:
            raise ValueError(other)


async def _main() -> None:
    loop = asyncio.get_running_loop()
    outside = Outside()
    server = await loop.create_server(lambda: Destination(outside), "127.0.0.1", 0, backlog=512)
    commands = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(commands), sys.stdin)
    hello = {"port": server.sockets[0].getsockname()[1]}
    if certificate := sys.argv[1:]:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*certificate)
        secure = await loop.create_server(lambda: Destination(outside), "127.0.0.1", 0, backlog=512, ssl=context)
        hello["secure"] = secure.sockets[0].getsockname()[1]
    _say(hello)
    while line := await commands.readline():
        _say(await _reply(outside, json.loads(line)))


def _say(what: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    tie_to_parent()
    asyncio.run(_main())
