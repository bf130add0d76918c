"""One connection: its TLS, and reads that end with the attempt.

A time-out of sockets is one of each read: a server that sends a byte a second keeps it for ever. So each read also asks
how much is left of the attempt.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache, partial
from http.client import HTTPS_PORT, HTTPConnection, HTTPException, HTTPResponse
from io import BufferedReader, RawIOBase
from pathlib import Path
from typing import Any

import requests
from requests.exceptions import ConnectionError as Broken
from requests.exceptions import ReadTimeout, SSLError
from requests.utils import DEFAULT_CA_BUNDLE_PATH
from urllib3.util.ssl_ import create_urllib3_context

#: Bytes of a body that is sent together with its head.
_SHORT = 1 << 16
#: Seconds in which it is gone by any line.
_ENOUGH = 5.0


class NotConnected(Broken):
    """No connection was made, so nothing was sent."""


def as_requests_error(error: OSError | HTTPException) -> requests.RequestException:
    if isinstance(error, TimeoutError):
        return ReadTimeout(error)
    return SSLError(error) if isinstance(error, ssl.SSLError) else Broken(error)


class Connection(HTTPConnection):
    """To one host. It leads back to no pool, which would keep whoever owns that alive."""

    def __init__(self, netloc: str, left: Callable[[], float]) -> None:
        super().__init__(netloc)
        self._left = left
        self._gathered: list[bytes] | None = None
        self.response_class = partial(_Timed, left=left)  # type: ignore[assignment]  # it is only called
        self.auto_open = 0  # only `connect` of the guard opens

    @contextmanager
    def together(self, body: object) -> Iterator[None]:
        """Head and body go out at once, where the body is short: each call of the system lets other threads go first.
        Raises OSError, and what `left` does."""
        if isinstance(body, bytes) and len(body) <= _SHORT:
            self._gathered = []
        try:
            yield
            gathered, self._gathered = self._gathered, None
            if gathered:
                if self.sock is not None:
                    self._give_time(self.sock)
                super().send(b"".join(gathered))
        finally:
            self._gathered = None

    def _give_time(self, sock: socket.socket) -> None:
        """To send a short body: what the connection was given before is enough, unless that was the end of an
        attempt."""
        left, given = self._left(), sock.gettimeout()
        if given is None or not min(left, _ENOUGH) <= given <= left:
            sock.settimeout(left)

    def send(self, data: Any) -> None:
        if self._gathered is not None:
            self._gathered.append(data)
            return
        # Else it would be the time-out of connecting, or, when the connection was kept, of the last answer.
        if self.sock is not None:
            set_timeout(self.sock, self._left())
        super().send(data)


class SecureConnection(Connection):
    default_port = HTTPS_PORT


class _Timed(HTTPResponse):
    """An answer whose head and body are read in the time that is left."""

    def __init__(self, sock: socket.socket, *args: Any, left: Callable[[], float], **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self.fp = BufferedReader(TimedStream(sock, self.fp.detach(), left))


class TimedStream(RawIOBase):
    """The bytes of a socket; each read waits as long as the socket's time-out and what is `left` allow."""

    def __init__(self, sock: socket.socket, raw: RawIOBase, left: Callable[[], float]) -> None:
        self._socket, self._raw, self._left = sock, raw, left
        self._patience = sock.gettimeout()

    def readable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._raw.fileno()

    def readinto(self, buffer: Any) -> int | None:
        left = self._left()
        set_timeout(self._socket, left if self._patience is None else min(self._patience, left))
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


def set_timeout(sock: socket.socket, seconds: float) -> None:
    """Each change is a call of the system, which lets other threads go first."""
    if sock.gettimeout() != seconds:
        sock.settimeout(seconds)


def secured(sock: socket.socket, host: str, verify: bool | str) -> ssl.SSLSocket:
    """TLS on a connection, its certificate checked against the name. Raises OSError."""
    # Python takes an address with a zone for a name.
    name = host.partition("%")[0].rstrip(".")
    authorities = verify if isinstance(verify, str) else DEFAULT_CA_BUNDLE_PATH
    return _context(authorities, Path(authorities).stat().st_mtime_ns).wrap_socket(sock, server_hostname=name)


@lru_cache(maxsize=4)
def _context(authorities: str, _changed: int) -> ssl.SSLContext:
    """One for all, until the file changes: to read it takes 10 ms. Settings are urllib3's. Raises OSError."""
    context = create_urllib3_context()
    if Path(authorities).is_dir():
        context.load_verify_locations(capath=authorities)
    else:
        context.load_verify_locations(cafile=authorities)
    context.set_alpn_protocols(["http/1.1"])
    return context
