"""The receiver and the dashboard, called as their server calls them, on a store that is the same before each request.

A request is bytes: a line `WHO METHOD TARGET`, and then the body. WHO is `in` for an admin who is signed in and `out`
for a browser that is not, whose forms have their token; anything else is somebody without cookies. `{body}`, `{bad}`
and `{job}` in it stand for ids that are in the store.
"""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import unquote_to_bytes

from werkzeug.test import run_wsgi_app

from app.admin import password
from app.server.application import wired
from connectors import registry
from core.delivery import DeliveryStatus, Outcome, PayloadStatus
from core.store import Access, Filter, Jobs, Store, connect
from tests.support import hostile, made
from tests.support.admin import PASSWORD, Admin, token_in
from tests.support.server import Server
from tests.support.stack import TOKEN, chat

#: The address of the server, for processes that are started here.
SERVER = "RELAY_FUZZ_SERVER"

CONNECTORS = {
    "archive": {"type": "archive"},
    # An address that is refused before anybody is asked.
    "crm": {"type": "webhook", "url": "http://127.0.0.1:9/", "secret": "whsec_" + "MDEy" * 8},
}
#: What pages read of queries and forms.
FIELDS = (
    *("q", "said", "connector", "status", "account", "missed", "offline", "rating", "from", "to", "after", "on"),
    *("conversation", "revision", "action", "as_of", "reason", "done", "back", "next", "body", "visitor", "also", "v"),
    *("span", "password", "csrf_token"),
)
_METHOD = re.compile(r"[A-Z]{1,20}")


class Site:
    """`ids` are those that a request may have in braces."""

    def __init__(self, url: str, folder: Path) -> None:
        self._redis: Any = connect(url)
        self._redis.flushall()
        self.ids = _filled(Store(self._redis), Jobs(self._redis, made.configured))
        Access(self._redis).set_first_password(password.hashed(PASSWORD))
        config = folder / "relay.yaml"
        config.write_text(json.dumps({"connectors": CONNECTORS}))
        variables = {"RELAY_REDIS_URL": url, "RELAY_DATA_DIR": str(folder), "SMARTSUPP_TOKEN": TOKEN}
        self.app = wired(variables={**variables, "RELAY_CONFIG": str(config)})
        self.app.config["PROPAGATE_EXCEPTIONS"] = True
        # The gallery's page loads every connector, which takes a second, once: no fault of the input that asks first.
        registry.types()
        admin = Admin(self.app)
        assert admin.log_in().status_code == 303
        self._browsers = {b"in": _browser(admin, "/"), b"out": _browser(Admin(self.app), "/login")}
        names = self._redis.keys("*")
        self._kept = [(name, self._redis.dump(name), max(0, self._redis.pttl(name))) for name in names]

    def answer(self, data: bytes) -> int:
        """The status that a request is answered with. Raises what a view raises."""
        self._restore()
        for name, identity in self.ids.items():
            data = data.replace(b"{%s}" % name.encode(), identity.encode())
        line, _, body = data.partition(b"\n")
        who, method, target, *_ = [*line.split(b" ", 2), b"", b"", b""]
        verb = method.decode("latin-1")
        # The server itself refuses other bytes; quoted, they come through.
        target = re.sub(rb"[^!-~]", lambda byte: b"%%%02X" % byte[0][0], target)
        path, _, query = target.partition(b"?")
        cookies, token = self._browsers.get(who, ("", ""))
        if token and b"csrf_token=" not in body and not target.startswith(b"/smartsupp/"):
            body += f"&csrf_token={token}".encode()
        environ = {
            "REQUEST_METHOD": verb if _METHOD.fullmatch(verb) else "GET",
            "SCRIPT_NAME": "",
            "PATH_INFO": "/" + unquote_to_bytes(path).decode("latin-1").removeprefix("/"),
            "QUERY_STRING": query.decode("latin-1"),
            "SERVER_NAME": "relay",
            "SERVER_PORT": "80",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "REMOTE_ADDR": "127.0.0.1",
            "HTTP_HOST": "relay",
            "CONTENT_TYPE": "application/x-www-form-urlencoded",
            "CONTENT_LENGTH": str(len(body)),
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.input": BytesIO(body),
            "wsgi.errors": BytesIO(),
            "wsgi.multithread": True,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
            "HTTP_COOKIE": cookies,
        }
        _, status, _ = run_wsgi_app(self.app.wsgi_app, environ, buffered=True)
        return int(status.split()[0])

    def _restore(self) -> None:
        pipe = self._redis.pipeline()
        pipe.flushall()
        for name, value, left in self._kept:
            pipe.restore(name, left, value)
        pipe.execute()


def _browser(admin: Admin, page: str) -> tuple[str, str]:
    """Its cookies as a header, and the token of its forms."""
    admin.get(page)
    again = admin.get(page)
    return str(again.request.environ["HTTP_COOKIE"]), token_in(again.text)


def _filled(store: Store, jobs: Jobs) -> dict[str, str]:
    made.chats(store, 2, crm=Outcome.DELIVERED, archive=Outcome.DELIVERED)
    made.conversation(store, chat(3), crm=Outcome.REFUSED, archive=None)
    made.conversation(store, chat(4), crm=Outcome.RETRY)
    made.conversation(store, json.dumps(hostile.payload()).encode(), crm=Outcome.REFUSED)
    bad = store.accept(b'{"no": "conversation \xff').id
    store.divert(bad, PayloadStatus.QUARANTINED, "not valid JSON")
    job = jobs.start("replay", Filter(status=DeliveryStatus.DEAD), reason="", by="admin")
    store.accept(chat(5))
    return {"body": store.accept(chat(3)).id, "bad": bad, "job": job.id}


@contextmanager
def served() -> Iterator[None]:
    """A server for `site`, of this process and of those that it starts."""
    with tempfile.TemporaryDirectory() as folder:
        # Nothing here is to outlast the process.
        server = Server(Path(folder), "--appendfsync", "no").start()
        os.environ[SERVER] = server.url
        try:
            yield
        finally:
            del os.environ[SERVER]
            server.kill()
            site.cache_clear()


@cache
def site() -> Site:
    return Site(os.environ[SERVER], Path(tempfile.mkdtemp()))


def seeds() -> Iterator[bytes]:
    """A request for each address and method."""
    for rule in site().app.url_map.iter_rules():
        path = rule.rule.replace("quarantine/<identity>", "quarantine/{bad}").replace("jobs/<identity>", "jobs/{job}")
        for name, value in (("identity", "1:3"), ("payload", "{body}"), ("connector", "crm"), ("token", TOKEN)):
            path = path.replace(f"<{name}>", value)
        path = path.replace("<name>", "crm").replace("<path:name>", "app.css")
        for method in sorted((rule.methods or set()) & {"GET", "POST"}):
            form = b"action=replay&reason=x&visitor=ann%40example.com&body=%7B%7D&password=p&done=1&as_of=1"
            body = chat(9) if rule.endpoint.startswith("receiver") else form if method == "POST" else b""
            yield b"in %s %s\n%s" % (method.encode(), path.encode(), body)
    yield b"in GET /conversations?q=ann&status=dead&connector=crm&from=2024-01-01&to=2024-02-01&rating=good"
    yield b"in GET /conversations?said=1&q=hello&after=1700000000000~1%3A3&on=1&offline=1"
    yield b"in GET /conversations/bulk?action=discard&status=dead&q=ann"
    yield b"in GET /quarantine?status=received&after=1700000000000~x"
    yield b"in GET /connectors/crm/preview?conversation=1%3A3"
    yield b"in GET /?span=week"
    yield b"out GET /login?next=%2F%2Felsewhere"
    yield b"out POST /login\npassword=a+password+for+tests&next=%2Fquarantine"
    yield b"nobody POST /login\npassword=x"
    yield b"out GET /conversations/1%3A3"
