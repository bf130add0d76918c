"""Servers that hang, drip, lie and break off: an attempt ends, in time and in little memory."""

from __future__ import annotations

import gzip
import os
import socket
import threading
import time
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from http.client import HTTPConnection
from ipaddress import ip_network

import pytest
from urllib3.util.wait import wait_for_read

from connectors.kit import http as module
from connectors.kit.http import ANSWER_LIMIT, Http
from connectors.kit.transport import attempt
from core.errors import DeliveryError, RetryLater, TimedOut
from tests.support.destination import Destination, Handler

LOOPBACK = (ip_network("127.0.0.0/8"),)
HEAD = b"HTTP/1.1 200 OK\r\n"

#: Seconds that are far more than any attempt here takes, and far less than any of these servers would.
GENEROUS = 20.0

Script = Callable[[socket.socket], None]


@contextmanager
def server(script: Script) -> Iterator[str]:
    """A server of raw bytes: reads one request of each connection, then does as the script says, and hangs up."""
    over = threading.Event()
    listener = socket.create_server(("127.0.0.1", 0))

    def serve(connection: socket.socket) -> None:
        with closing(connection), suppress(OSError):
            while b"\r\n\r\n" not in connection.recv(65536):
                pass
            script(connection)

    def accept() -> None:
        with suppress(OSError):
            while not over.is_set():
                threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
    finally:
        over.set()
        listener.close()


def sends(*parts: bytes, every: float = 0.0) -> Script:
    def script(connection: socket.socket) -> None:
        for part in parts:
            connection.sendall(part)
            time.sleep(every)

    return script


def failure(http: Http, url: str, method: str = "POST", *, seconds: float = 60.0, tries: int = 1) -> RetryLater:
    """How a request fails; it always is something to try again later, and it is in the list of exchanges."""
    started = time.monotonic()
    with pytest.raises(DeliveryError) as caught, http.attempt(seconds) as exchanges:
        http.request(method, url)
    assert time.monotonic() - started < GENEROUS
    assert isinstance(caught.value, RetryLater)
    assert exchanges[-1].error == str(caught.value)
    assert len(exchanges) == tries  # of a write only one: it may have been done
    assert len(str(caught.value)) < 400
    return caught.value


@pytest.fixture
def http() -> Http:
    return Http(timeout=GENEROUS, allow_networks=LOOPBACK)


def test_a_server_that_hangs_times_out(destination: Destination) -> None:
    destination.behaviour = lambda handler, _: handler.hang()
    found = failure(Http(timeout=0.3, allow_networks=LOOPBACK), destination.url)
    assert isinstance(found, TimedOut)
    assert str(found).startswith("no response in time (127.0.0.1:")
    assert not found.untaken  # nobody knows what it did
    assert len(destination.received) == 1


def test_a_server_that_hangs_in_the_middle_of_an_answer_times_out() -> None:
    with server(sends(HEAD + b"Content-Length: 9\r\n\r\nhalf", every=5)) as url:
        found = failure(Http(timeout=0.3, allow_networks=LOOPBACK), url)
    assert found.status == 200
    assert not found.untaken


@pytest.mark.parametrize(
    "parts",
    [
        (HEAD + b"Content-Length: 100000\r\n\r\n", *[b"x"] * 300),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n", *[b"1\r\nx\r\n"] * 300),
        (
            HEAD + b"Content-Encoding: gzip\r\nContent-Length: 100000\r\n\r\n",
            *[bytes([byte]) for byte in gzip.compress(os.urandom(300))],
        ),
        (HEAD + b"X-Drip: ", *[b"x"] * 300),
        (HEAD, *[b"X: y\r\n"] * 99),
        tuple(bytes([byte]) for byte in HEAD * 20),
    ],
    ids=["body", "chunks", "gzip", "header", "headers", "status line"],
)
def test_a_server_that_drips_is_ended_by_the_attempt(http: Http, parts: tuple[bytes, ...]) -> None:
    with server(sends(*parts, every=0.1)) as url:
        found = failure(http, url, seconds=0.6)
    assert isinstance(found, TimedOut)
    assert "no response in time" in str(found) or "longer than it may" in str(found) or "timed out" in str(found)
    assert not found.untaken


def test_the_end_of_an_attempt_is_that_of_all_its_requests(http: Http, destination: Destination) -> None:
    def slow(handler: Handler, number: int) -> None:
        time.sleep(0.2)
        handler.answer(200)

    def never_ending() -> None:
        while True:
            http.request("GET", destination.url)

    destination.behaviour = slow
    with pytest.raises(RetryLater), http.attempt(2):
        never_ending()
    assert 0 < len(destination.received) <= 10
    with http.attempt():
        assert http.request("GET", destination.url).ok  # the next attempt has its own time


def test_a_server_that_does_not_read_is_ended_by_the_attempt(http: Http) -> None:
    def deaf(connection: socket.socket) -> None:
        time.sleep(GENEROUS)

    with (
        server(deaf) as url,
        pytest.raises(RetryLater, match=r"timed out|longer than it may") as caught,
        http.attempt(0.6),
    ):
        http.request("POST", url, data=b"x" * 50_000_000)
    assert not caught.value.untaken


def test_a_long_body_has_more_time_than_a_connection(http: Http, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CONNECT_SECONDS", 0.5)

    def slow_reader(connection: socket.socket) -> None:
        time.sleep(1)
        while not connection.recv(1_000_000).endswith(b"the end"):
            pass
        connection.sendall(HEAD + b"Content-Length: 4\r\n\r\ndone")

    with server(slow_reader) as url, http.attempt():
        assert http.request("POST", url, data=b"x" * 20_000_000 + b"the end").text == "done"


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 2",
        HEAD + b"Content-Length: 100\r\n\r\nhalf",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n64\r\nhalf",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\nhalf\r\n0\r\n\r\n",
        HEAD + b"Content-Encoding: gzip\r\nContent-Length: 4\r\n\r\nhalf",
        HEAD + b"Content-Length: 100\r\nContent-Encoding: gzip\r\n\r\n" + gzip.compress(b"x" * 999)[:-4],
        b"220 mail.example.com ESMTP\r\n" * 3,
        b"\x16\x03\x01\x00\x00" * 30,
        b"HTTP/1.1 abc OK\r\n\r\n",
        HEAD + b"X: " + b"y" * 70_000 + b"\r\n\r\n",
        HEAD + b"X: y\r\n" * 200 + b"\r\n",
    ],
    ids=[
        *(
            "nothing",
            "half a status",
            "half a body",
            "half a chunk",
            "no last chunk",
            "no chunk",
            "no gzip",
            "half a gzip",
        ),
        *("mail", "noise", "no status", "long header", "many headers"),
    ],
)
def test_an_answer_that_breaks_off_or_is_none_is_tried_again_later(
    http: Http, answer: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_backoff", lambda state: 0.01)
    with server(sends(answer)) as url:
        found = failure(http, url)
        assert not found.untaken
        assert str(found).isprintable()
        failure(http, url, "GET", tries=3)


def test_an_answer_without_a_length_ends_with_the_connection(http: Http) -> None:
    with server(sends(HEAD + b"\r\n", b"all", b" of it")) as url:
        assert http.request("GET", url).text == "all of it"


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_a_compressed_answer_is_read(http: Http, encoding: str) -> None:
    body = gzip.compress(b"hello " * 1000) if encoding == "gzip" else zlib.compress(b"hello " * 1000)
    head = HEAD + f"Content-Encoding: {encoding}\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    with server(sends(head + body)) as url:
        assert http.request("GET", url).content == b"hello " * 1000


def test_an_answer_that_fills_the_limit_is_read(http: Http) -> None:
    with server(sends(HEAD + f"Content-Length: {ANSWER_LIMIT}\r\n\r\n".encode(), b"x" * ANSWER_LIMIT)) as url:
        assert len(http.request("GET", url).content) == ANSWER_LIMIT


@pytest.mark.parametrize("status", [b"200 OK", b"422 No", b"302 Found\r\nLocation: /"])
def test_an_answer_that_is_too_long_is_not_read_to_its_end(http: Http, status: bytes) -> None:
    sent = 0

    def endless(connection: socket.socket) -> None:
        nonlocal sent
        connection.sendall(b"HTTP/1.1 " + status + b"\r\n\r\n")
        while sent < 4 * ANSWER_LIMIT:
            connection.sendall(b"x" * 65536)
            sent += 65536

    with server(endless) as url:
        found = failure(http, url)
    assert str(found) == f"the answer is longer than {ANSWER_LIMIT} bytes"
    assert sent < 4 * ANSWER_LIMIT  # what was read, and what the system's buffers hold


def bomb(encoding: str) -> bytes:
    """A few kilobytes that unpack to 200 MB."""
    body = gzip.compress(b"\0" * 200_000_000, 9)
    return gzip.compress(body, 9) if encoding == "gzip, gzip" else body


@pytest.mark.parametrize("encoding", ["gzip", "gzip, gzip"])
def test_an_answer_that_unpacks_to_too_much_takes_little_memory(http: Http, encoding: str) -> None:
    body = bomb(encoding)
    head = HEAD + f"Content-Encoding: {encoding}\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    with server(sends(head + body)) as url:
        tracemalloc.start()
        try:
            found = failure(http, url)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert str(found) == f"the answer is longer than {ANSWER_LIMIT} bytes"
    assert peak < 8 * ANSWER_LIMIT


def test_a_connection_that_the_server_closed_meanwhile_is_made_anew(http: Http, destination: Destination) -> None:
    def last(handler: Handler, number: int) -> None:
        handler.answer(200)
        handler.close_connection = True  # without a word in the answer

    destination.behaviour = last
    http.request("POST", destination.url)
    [[(idle, _)]] = http._transport._idle.values()
    assert idle.sock
    assert wait_for_read(idle.sock, GENEROUS), "the end of the connection"
    http.request("POST", destination.url)
    assert len(destination.received) == 2


def test_what_the_last_attempt_had_left_is_no_bound_for_the_next(
    http: Http, destination: Destination, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A body that finds no room at once would fail by it, and might have come."""
    http.request("POST", destination.url)
    [[(kept, _)]] = http._transport._idle.values()
    assert kept.sock
    kept.sock.settimeout(0.001)
    given: list[float | None] = []
    send = HTTPConnection.send

    def noted(connection: HTTPConnection, data: bytes) -> None:
        given.append(connection.sock.gettimeout())
        send(connection, data)

    monkeypatch.setattr(HTTPConnection, "send", noted)
    http.request("POST", destination.url, data=b"short")
    [seconds] = given
    assert seconds is not None
    assert seconds > 1


def test_a_broken_answer_does_not_spoil_the_next_request(http: Http, destination: Destination) -> None:
    destination.behaviour = lambda handler, number: handler.answer(200) if number % 2 else handler.cut()
    for _ in range(3):
        with pytest.raises(RetryLater):
            http.request("POST", destination.url)
        assert http.request("POST", destination.url).ok


def test_outside_an_attempt_nothing_is_without_a_time_out_either(
    destination: Destination, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attempt, "ATTEMPT_SECONDS", 0.3)
    destination.behaviour = lambda handler, _: handler.hang()
    with pytest.raises(RetryLater, match="no response in time"):
        Http(timeout=GENEROUS, allow_networks=LOOPBACK).request("POST", destination.url)
