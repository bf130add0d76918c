"""A vendor on loopback: a real HTTP server with a memory, written from the vendor's documentation.

A fake keeps what it is given and refuses what the vendor would refuse. It can lose a reply after acting on the
request, which is what networks do.
"""

from __future__ import annotations

import json
import re
import socket
import threading
from base64 import b64encode
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit

from werkzeug.formparser import parse_form_data

#: Where files of chats lie.
_STORAGE = "/chat-files/"


@dataclass(frozen=True)
class Request:
    """What came. `body` is JSON where it is any, else bytes; `raw` is always bytes."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: Any
    raw: bytes = b""

    def form(self) -> tuple[dict[str, str], list[tuple[str, str, str, bytes]]]:
        """Of a multipart body the fields, and the files: field, name, media type, content."""
        environ = {
            "REQUEST_METHOD": "POST",
            "CONTENT_TYPE": self.headers.get("content-type", ""),
            "CONTENT_LENGTH": str(len(self.raw)),
            "wsgi.input": BytesIO(self.raw),
        }
        _, fields, files = parse_form_data(environ, silent=False)
        sent = [(name, one.filename or "", one.mimetype, one.read()) for name, one in files.items(multi=True)]
        return dict(fields.items()), sent


@dataclass
class Answer:
    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)


class Refuse(Exception):
    """Raised by a route: the vendor's error."""

    def __init__(self, status: int, body: Any = None, **headers: str) -> None:
        self.answer = Answer(status, body, {name.replace("_", "-"): value for name, value in headers.items()})


Handler = Callable[..., Any]


class Fake(ThreadingHTTPServer):
    """`routes` maps (method, pattern of the path) to a method that gets the Request and the pattern's groups, and
    returns the JSON of a 200, or an Answer."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.requests: list[Request] = []
        self.routes: list[tuple[str, re.Pattern[str], Handler]] = []
        #: Answers to give instead of acting, oldest first.
        self.instead: list[Answer] = []
        #: How many more requests are acted upon before one whose reply is lost; None for never.
        self.lose_reply_after: int | None = None
        #: Seconds between an answer's making and its sending, in which other requests are served.
        self.pause = 0.0
        self.hanging = False
        #: It answers 503 to all but those who want files of chats.
        self.down = False
        #: Files of chats, as Smartsupp's storage has them, by the end of their address.
        self.chat_files: dict[str, Answer] = {}
        #: Who wanted them; they are no requests to the vendor.
        self.fetched: list[Request] = []
        #: What is answered to a request that has these bytes in it, plain or as base64.
        self.refuses: dict[bytes, Answer] = {}
        self.over = threading.Event()
        self._lock = threading.RLock()
        self._ids = 1000

    # --- what a contract asks of a fake ---------------------------------------

    def people(self) -> list[Any]:
        """Every person there is. A vendor without any says `has_people = False` in its tests."""
        return []

    def records(self) -> list[Any]:
        """Every ticket, lead, deal or chain of notes that stands for a conversation."""
        raise NotImplementedError

    def texts(self) -> list[str]:
        """Every body of HTML or text in the records, in order."""
        raise NotImplementedError

    def attached(self) -> list[tuple[str, bytes]]:
        """The files in the records, each with its name, for a vendor that takes any."""
        return []

    def address_of(self, path: str) -> str:
        """Where a file of a chat is fetched."""
        return f"{self.url}{_STORAGE}{path}?signature=1"

    def writes(self) -> list[Request]:
        """The requests that could change something."""
        return [one for one in self.requests if one.method not in ("GET", "HEAD", "OPTIONS")]

    # --- for the fakes ---------------------------------------------------------

    def route(self, method: str, pattern: str, answer: Handler) -> None:
        self.routes.append((method, re.compile(pattern + r"\Z"), answer))

    def new_id(self) -> int:
        self._ids += 1
        return self._ids

    # --- the server ------------------------------------------------------------

    def hangs(self, request: Request) -> bool:
        """Whether a request is never answered."""
        return self.hanging

    def respond(self, request: Request) -> tuple[Answer, bool]:
        """The answer, and whether it gets lost on its way."""
        with self._lock:
            stored = request.path.startswith(_STORAGE)
            (self.fetched if stored else self.requests).append(request)
            if self.instead and not stored:
                return self.instead.pop(0), False
            answer = self._stored(request) or self._refused(request) or self._act(request)
            lost = self.lose_reply_after == 0
            if self.lose_reply_after is not None:
                self.lose_reply_after = None if lost else self.lose_reply_after - 1
            return answer, lost

    def _stored(self, request: Request) -> Answer | None:
        if not request.path.startswith(_STORAGE):
            return Answer(503, {"message": "away"}) if self.down else None
        assert "authorization" not in request.headers, "the vendor's credentials are for nobody else"
        return self.chat_files.get(request.path.removeprefix(_STORAGE)) or Answer(404, {"message": "no such file"})

    def _refused(self, request: Request) -> Answer | None:
        said = (
            answer
            for content, answer in self.refuses.items()
            if content in request.raw or b64encode(content) in request.raw
        )
        return next(said, None)

    def _act(self, request: Request) -> Answer:
        for method, pattern, route in self.routes:
            match = pattern.match(request.path)
            if match and method == request.method:
                try:
                    found = route(request, *match.groups())
                except Refuse as refused:
                    return refused.answer
                return found if isinstance(found, Answer) else Answer(200, found)
        return Answer(404, {"error": f"the fake does not know {request.method} {request.path}"})

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is part of what is tested."""

    def __enter__(self) -> Self:
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        # Somebody knocks, so that it ends now and not at its next look: thousands of tests have a fake of their own.
        ending = threading.Thread(target=self.shutdown)
        ending.start()
        while ending.is_alive():
            with suppress(OSError):
                socket.create_connection((str(self.server_address[0]), self.server_address[1]), 1).close()
            ending.join(0.002)
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Head and body in one write, at once: else the body waits 40 ms for the other side to acknowledge the head.
    wbufsize = -1
    disable_nagle_algorithm = True
    server: Fake

    def _serve(self) -> None:
        raw = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        try:
            body = json.loads(raw) if raw else None
        except ValueError:
            body = raw
        parts = urlsplit(self.path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = Request(self.command, parts.path, dict(parse_qsl(parts.query)), headers, body, raw)
        if self.server.hangs(request):
            self.server.over.wait(30)
            self.close_connection = True
            return
        answer, lost = self.server.respond(request)
        self.server.over.wait(self.server.pause)
        if lost:
            self.connection.shutdown(socket.SHUT_RDWR)
            self.close_connection = True
            return
        # Text is no JSON, nor is a file; a vendor that is down answers with a page.
        said = answer.body if isinstance(answer.body, str | bytes) else json.dumps(answer.body)
        text = b"" if answer.body is None else said if isinstance(said, bytes) else said.encode()
        self.send_response(answer.status)
        for name, value in {"Content-Type": "application/json", **answer.headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _serve

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the base class calls it that
        pass
