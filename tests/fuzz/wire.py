"""HTTP by hand: requests as nobody sends them, and what comes back, byte for byte."""

from __future__ import annotations

import json
import os
import re
import socket
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from tests.support.stack import TOKEN, chat

HOOK = f"/smartsupp/{TOKEN}".encode()
KEEP = b"Connection: keep-alive"

_HEAD = re.compile(rb"HTTP/1\.[01] (\d\d\d) [^\r]*\r\n((?:[^\r\n]+\r\n)*)\r\n")
_LENGTH = re.compile(rb"content-length: (\d+)\r\n", re.IGNORECASE)


@dataclass(frozen=True)
class Answer:
    status: int
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


def exchange(port: int, sent: bytes, *, seconds: float = 60, cut: bool = False) -> list[Answer]:
    """Send something on a connection of its own and read to its end. With `cut`, we close our side at once.

    Raises TimeoutError when the server neither answers nor closes: that is a hang.
    """
    with socket.create_connection(("127.0.0.1", port), timeout=seconds) as connection:
        came = b""
        try:
            connection.sendall(sent)
            if cut:
                with suppress(OSError):  # closed by the other side already
                    connection.shutdown(socket.SHUT_WR)
            while piece := connection.recv(65536):
                came += piece
        except (BrokenPipeError, ConnectionResetError):  # refused before all of it was sent
            pass
    return answers(came)


def answers(came: bytes) -> list[Answer]:
    """The answers in a stream; those that only ask to go on are left out."""
    found = []
    while head := _HEAD.match(came):
        length = _LENGTH.search(head[2])
        end = head.end() + (int(length[1]) if length else 0)
        if int(head[1]) >= 200:
            found.append(Answer(int(head[1]), came[head.end() : end]))
        came = came[end:]
    assert not came.startswith(b"HTTP/1.1 5"), came
    return found


def request(
    body: bytes | None = b"", *headers: bytes, method: bytes = b"POST", path: bytes = HOOK, length: bool = True
) -> bytes:
    """A request, rightly framed unless `length` is False, and the last on its connection unless a header says so."""
    lines = [method + b" " + path + b" HTTP/1.1", b"Host: relay", *headers]
    if KEEP not in headers:
        lines.insert(1, b"Connection: close")
    if length and body is not None:
        lines.append(b"Content-Length: %d" % len(body))
    return b"\r\n".join([*lines, b"", body or b""])


def chunked(*parts: bytes) -> bytes:
    return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"


def worked(pid: int) -> float:
    """Seconds of a core that a process and its children have taken; 0 where the system has no /proc."""
    if not Path("/proc/self/stat").exists():
        return 0
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    times = [Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split()[11:13] for one in (pid, *children)]
    return sum(int(time) for pair in times for time in pair) / os.sysconf("SC_CLK_TCK")


def memory(pid: int) -> int:
    """Bytes that a process and its children hold; 0 where the system has no /proc."""
    if not Path("/proc/self/statm").exists():
        return 0
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    pages = sum(int(Path(f"/proc/{one}/statm").read_text().split()[1]) for one in (pid, *children))
    return pages * os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True)
class Sent:
    """A generated request: its bytes, the body that is in it as far as its framing can be trusted, else None, and
    whether it breaks off."""

    raw: bytes
    body: bytes | None = None
    cut: bool = False


_BODIES = (
    chat("fuzz"),
    chat("fuzz", visitor={"name": "\ud83d", "variables": {"a": {"label": [1], "value": {}}}}),
    b'{"domains": {"a": 1}}',
    b"[" * 5000,
    b'{"accountId": 1, "channel": {"id": 1e999}}',
    b'\xef\xbb\xbf{"accountId": 1, "channel": {"id": "b"}}',
    '{"accountId": 1, "channel": {"id": "u"}}'.encode("utf-16"),
    b"\x00" * 100,
    b"x" * 40_000,
)
_METHODS = (b"POST", b"GET", b"PUT", b"HEAD", b"OPTIONS", b"TRACE", b"DELETE", b"post", b"P" * 300, b"\x00", b"POST\t")
_PATHS = (
    HOOK,
    HOOK + b"/",
    HOOK + b"x",
    HOOK + b"?a=%ff&b=%00",
    b"/" + HOOK,
    b"/./smartsupp/../smartsupp/x",
    b"http://elsewhere" + HOOK,
    b"/smartsupp/%00",
    b"/smartsupp/%2e%2e%2fhealthz",
    b"/smartsupp/%FF%fe",
    b"/healthz",
    b"/readyz",
    b"*",
    b"",
    b"/" + b"a" * 9000,
    b"/\xc5\xbe",
)
_HEADERS = (
    b"Content-Type: application/json",
    b"Content-Type: multipart/form-data; boundary=",
    b"Content-Type: application/x-www-form-urlencoded",
    b"Content-Type: \xff\xfe",
    b"Content-Encoding: gzip",
    b"Content-Encoding: identity",
    b"Expect: 100-continue",
    b"Expect: nothing",
    b"Connection: upgrade\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__",
    b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x\r\nSec-WebSocket-Version: 13",
    b"Content_Length: 3",
    b"Host: other",
    b"Cookie: " + b"a=b; " * 500,
    b"X-Forwarded-For: ' OR 1=1\t",
    b"Range: bytes=0-1,2-",
    b"Accept: */*;q=nan, \x80",
    b"If-None-Match: " + b'"' * 99,
    b"Authorization: Basic \xff",
)
_WRONG_HEADERS = (
    b"Transfer-Encoding: gzip",
    b"Transfer-Encoding: chunked, chunked",
    b"Content-Length: -1",
    b"Content-Length: 18446744073709551616",
    b"Content-Length: 0x10",
    b" folded: line",
    b"no colon",
    b": no name",
    b"a\x00b: c",
    b"Transfer-Encoding : chunked",
)
_WRONG_CHUNKS = (
    b"zz\r\nabc\r\n0\r\n\r\n",
    b"-1\r\nabc\r\n0\r\n\r\n",
    b"3\r\nabcdef\r\n0\r\n\r\n",
    b"1;" + b"x" * 20_000 + b"\r\na\r\n0\r\n\r\n",
    b"0\r\n" + b"a: b\r\n" * 300 + b"\r\n",
    b"\r\n\r\n",
)
_CHUNKS_WITHOUT_END = (b"ffffffffffffffff\r\nabc", b"5\r\nab", b"2\r\nab\r\n", b"2")

_FRAMES = ("length",) * 6 + ("chunks", "chunks", "long", "short", "wrong chunks", "chunks without end", "none", "noise")


@st.composite
def requests(draw: st.DrawFn) -> Sent:
    """Requests that are right in most of their parts, so that what is wrong in them is reached."""
    body = draw(st.sampled_from(_BODIES) | st.binary(max_size=200))
    if draw(st.booleans()):
        cut = draw(st.integers(0, len(body)))
        body = body[:cut] + draw(st.binary(max_size=8)) + body[cut + draw(st.integers(0, 3)) :]
    method = draw(st.sampled_from((b"POST",) * 40 + _METHODS))
    path = draw(st.sampled_from((HOOK,) * 40 + _PATHS))
    headers = draw(st.lists(st.sampled_from(_HEADERS), max_size=3))
    if draw(st.integers(0, 11)) == 11:
        headers.append(draw(st.sampled_from(_WRONG_HEADERS) | st.binary(max_size=40)))
    how = draw(st.sampled_from(_FRAMES))
    chunks = [b"Transfer-Encoding: chunked", *headers]
    match how:
        case "noise":
            return Sent(draw(st.binary(min_size=1, max_size=300)), cut=True)
        case "chunks":
            cut = draw(st.integers(0, len(body)))
            raw = chunked(*filter(None, (body[:cut], body[cut:])))
            return Sent(request(raw, *chunks, method=method, path=path, length=False), body)
        case "wrong chunks":
            raw = draw(st.sampled_from(_WRONG_CHUNKS))
            return Sent(request(raw, *chunks, method=method, path=path, length=False))
        case "chunks without end":
            raw = draw(st.sampled_from(_CHUNKS_WITHOUT_END))
            return Sent(request(raw, *chunks, method=method, path=path, length=False), cut=True)
        case "long":
            headers.append(b"Content-Length: %d" % (len(body) + draw(st.integers(1, 10**7))))
        case "short":
            headers.append(b"Content-Length: %d" % draw(st.integers(0, max(0, len(body) - 1))))
    raw = request(body, *headers, method=method, path=path, length=how == "length")
    return Sent(raw, body if how == "length" else None, cut=how == "long")
