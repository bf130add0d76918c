"""A destination on loopback that can be told how to behave: a real HTTP server, with its own record of what came."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Received:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    at: float = field(default_factory=time.monotonic)

    def json(self) -> Any:
        return json.loads(self.body)


#: Answers one request, given the handler and how many came before it.
Behaviour = Callable[["Handler", int], None]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # the body does not wait until the head was acknowledged
    server: Destination

    def _serve(self) -> None:
        length = int(self.headers.get("Content-Length", 0))
        body = self.rfile.read(length)
        if len(body) < length:  # whoever sent it died: that is no request
            self.close_connection = True
            return
        headers = {name.lower(): value for name, value in self.headers.items()}
        number = self.server.note(Received(self.command, self.path, headers, body))
        self.server.behaviour(self, number)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = _serve

    def answer(self, status: int, body: bytes = b"{}", **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def cut(self) -> None:
        """Close the connection in the middle of the answer."""
        self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
        self.wfile.flush()
        self.connection.shutdown(socket.SHUT_RDWR)
        self.close_connection = True

    def hang(self) -> None:
        """Answer nothing until the test is over."""
        self.server.over.wait(60)
        self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the base class calls it that
        pass


class Held:
    """A behaviour that answers nobody before `go` is set: nothing depends on how soon something else happens."""

    def __init__(self) -> None:
        self.go = threading.Event()

    def __call__(self, handler: Handler, number: int) -> None:
        self.go.wait(300)
        handler.answer(200)


class Destination(ThreadingHTTPServer):
    """`with Destination() as there:` — `there.url`, `there.received`, and `there.behaviour` to set at any time."""

    daemon_threads = True
    request_queue_size = 256

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.received: list[Received] = []
        self.over = threading.Event()
        self._lock = threading.Lock()
        self.behaviour: Behaviour = lambda handler, number: handler.answer(200)
        self.url = f"http://127.0.0.1:{self.server_address[1]}/hook"

    def note(self, received: Received) -> int:
        with self._lock:
            self.received.append(received)
            return len(self.received) - 1

    def posts(self) -> list[Received]:
        """What was delivered, without the HEAD of a check, which may come at any time."""
        return [one for one in list(self.received) if one.method == "POST"]

    def conversations(self) -> list[str]:
        """The conversations that came, in order, as `account:channel`."""
        found = [one.json()["data"]["conversation"] for one in self.posts()]
        return [f"{one['account']}:{one['id']}" for one in found]

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is part of what is tested."""

    def __enter__(self) -> Destination:
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        self.shutdown()
        self.server_close()
