"""How a request travels: an adapter of requests on Python's own http.client (docs/adr/0012).

All threads of a connector share its kept connections, so that a thread, or a greenlet, that is new finds one that is
warm.
"""

from __future__ import annotations

import errno
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from functools import partial
from http.client import HTTPException, HTTPResponse, IncompleteRead
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import BaseAdapter
from requests.cookies import extract_cookies_to_jar
from requests.exceptions import ConnectionError as Broken
from requests.exceptions import ConnectTimeout
from requests.structures import CaseInsensitiveDict
from requests.utils import get_encoding_from_headers
from urllib3 import HTTPResponse as Unpacked
from urllib3.util.wait import wait_for_read

from connectors.kit.ssrf_guard import connect_guarded
from connectors.kit.transport.connection import (
    Connection,
    NotConnected,
    SecureConnection,
    as_requests_error,
    secured,
    set_timeout,
)
from core.config.environment import Network

#: Seconds after which a connection that nobody needed is closed.
IDLE = 120.0
#: Scheme, host with port, and who may sign certificates.
_Place = tuple[str, str, "bool | str"]

#: What is around each request: given the request, it takes the status of the answer.
RequestSpan = Callable[[requests.PreparedRequest], AbstractContextManager[Callable[[int], None]]]


@contextmanager
def _no_span(_: requests.PreparedRequest) -> Iterator[Callable[[int], None]]:
    yield lambda _: None


#: In force for all that are sent. Traces put another one here (workers/telemetry.py).
spans: list[RequestSpan] = [_no_span]


class Transport(BaseAdapter):
    """Held to public addresses and `networks`, and to the time that is `left`, which gives seconds, and raises when
    there are none. It goes to no proxy and follows nothing."""

    def __init__(self, networks: Sequence[Network], left: Callable[[], float]) -> None:
        super().__init__()
        self._networks, self._left = tuple(networks), left
        # Of each place the connections that nobody uses, with the time since when, the latest last.
        self._idle: dict[_Place, deque[tuple[Connection, float]]] = {}

    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,
        timeout: Any = None,
        verify: Any = True,
        cert: Any = None,
        proxies: Any = None,
    ) -> requests.Response:
        """`timeout` is that of connecting and that of a read. The body is left to be read (`raw.read1`). Raises what
        requests does, and what `left` and the guard of addresses do."""
        for_connecting, for_reading = timeout
        with spans[-1](request) as answered:
            parts = urlsplit(request.url or "")
            place = (parts.scheme, parts.netloc.rpartition("@")[2], verify)
            connection = self._kept(place)
            try:
                if connection is None:
                    connection = self._made(place, for_connecting)
                answer = _exchanged(connection, request, for_reading)
            except BaseException:
                if connection is not None:
                    connection.close()
                raise
            answered(answer.status)
        return _response(request, answer, _Body(answer, connection, partial(self._keep, place)))

    def close(self) -> None:
        """Close what nobody uses."""
        for idle in self._idle.values():
            while idle:
                with suppress(IndexError):  # another thread was faster
                    idle.pop()[0].close()

    def _kept(self, place: _Place) -> Connection | None:
        """A connection that is open, to all that is known."""
        idle = self._idle.get(place)
        while idle:
            try:
                connection, _ = idle.pop()
            except IndexError:  # another thread was faster
                break
            # What can be read before anything was asked is the end, or an answer to nothing.
            if connection.sock is not None and not wait_for_read(connection.sock, 0):
                return connection
            connection.close()
        return None

    def _keep(self, place: _Place, connection: Connection) -> None:
        now = time.monotonic()
        idle = self._idle.setdefault(place, deque())
        idle.append((connection, now))
        with suppress(IndexError):  # another thread was faster
            while idle[0][1] < now - IDLE:
                idle.popleft()[0].close()

    def _made(self, place: _Place, seconds: float) -> Connection:
        scheme, netloc, verify = place
        kind = SecureConnection if scheme == "https" else Connection
        connection = kind(netloc, self._left)
        try:
            sock = connect_guarded(connection.host, connection.port, self._networks, self._left, seconds)
        except TimeoutError as error:
            raise ConnectTimeout(error) from error
        except OSError as error:
            raise NotConnected(error) from error
        connection.sock = sock
        if kind is SecureConnection:
            try:
                connection.sock = secured(sock, connection.host, verify)
            except BaseException as error:
                sock.close()
                if isinstance(error, OSError):
                    raise as_requests_error(error) from error
                raise
        return connection


def _exchanged(connection: Connection, request: requests.PreparedRequest, seconds: float) -> HTTPResponse:
    """Write a request and read the head of its answer."""
    # What requests leaves as text it has counted as UTF-8; http.client would make Latin-1 of it.
    body = request.body.encode() if isinstance(request.body, str) else request.body
    chunked = "Transfer-Encoding" in request.headers
    path = request.path_url
    try:
        try:
            with connection.together(body):
                connection.request(
                    request.method or "",
                    f"/{path.lstrip('/')}" if path.startswith("//") else path,
                    body,
                    request.headers,
                    encode_chunked=chunked,
                )
        except OSError as error:
            # Whoever refuses a body that is too long may have answered before the whole of it was there.
            if error.errno not in (errno.EPIPE, errno.ECONNRESET, errno.EPROTOTYPE):
                raise Broken(error) from error
        if connection.sock is not None:
            set_timeout(connection.sock, seconds)
        return connection.getresponse()
    except (OSError, HTTPException) as error:
        if isinstance(error, requests.RequestException):
            raise
        raise as_requests_error(error) from error


def _response(request: requests.PreparedRequest, answer: HTTPResponse, body: _Body) -> requests.Response:
    headers: CaseInsensitiveDict[str] = CaseInsensitiveDict()
    for name, value in answer.headers.items():
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    response = requests.Response()
    response.status_code = answer.status
    response.headers = headers
    response.encoding = get_encoding_from_headers(headers)
    response.reason = answer.reason
    response.url = request.url or ""
    response.request = request
    response.raw = body
    if "Set-Cookie" in headers:
        body._original_response = answer  # noqa: SLF001  # where requests looks for the headers
        extract_cookies_to_jar(response.cookies, request, body)  # type: ignore[no-untyped-call]
    if "Content-Encoding" in headers:
        body.unpack(headers, request.method)
    return response


class _Body:
    """What is to be read of an answer. Its connection is kept once that was all read, and closed if it was not."""

    _original_response: HTTPResponse

    def __init__(self, answer: HTTPResponse, connection: Connection, keep: Callable[[Connection], None]) -> None:
        self._answer, self._connection, self._keep = answer, connection, keep
        self._unpacked: Unpacked | None = None

    def unpack(self, headers: Mapping[str, str], method: str | None) -> None:
        """What comes is packed. urllib3 unpacks it, never more at once than is asked for."""
        self._unpacked = Unpacked(
            self._answer,
            headers,
            self._answer.status,
            preload_content=False,
            original_response=self._answer,
            request_method=method,
        )

    def read1(self, amount: int, decode_content: bool = True) -> bytes:
        """At most so many bytes, none at the end. Raises RequestException, urllib3's HTTPError."""
        try:
            if self._unpacked is not None and decode_content:
                if part := self._unpacked.read1(amount, decode_content=True):
                    return part
                amount = 1  # what urllib3 has read to its end, http.client has not seen the end of
            part = self._answer.read(amount)
            if not part and self._answer.length:
                raise IncompleteRead(part, self._answer.length)
        except BaseException as error:
            self.close()
            if isinstance(error, requests.RequestException) or not isinstance(error, OSError | HTTPException):
                raise
            raise as_requests_error(error) from error
        return part

    def release_conn(self) -> None:
        # The socket is gone where the server said that it closes, or where `close` was called.
        if self._answer.isclosed() and self._connection.sock is not None:
            self._keep(self._connection)

    def close(self) -> None:
        self._answer.close()
        self._connection.close()
