"""An admin at a browser without JavaScript."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from flask import Flask
from werkzeug.security import generate_password_hash
from werkzeug.test import TestResponse

from app import create_app
from app.admin import password
from app.dashboard import PAGES, PageRoutes
from core.store import Access, connect
from tests.support.server import Server
from tests.support.stack import TOKEN

PASSWORD = "a password for tests"


def token_in(page: str) -> str:
    """The token of the first form on a page."""
    found = re.search(r'name="csrf_token" value="([^"]+)"', page)
    assert found, page
    return found[1]


@cache
def _hashed() -> str:
    """As the product does it, but in no time: there each log-in takes a tenth of a second, on purpose."""
    made = generate_password_hash(PASSWORD, "scrypt:256:1:1")
    assert password.matches(made, PASSWORD)
    return made


class Admin:
    """Keeps cookies, and sends forms with the token that the page has given."""

    def __init__(self, app: Flask, **environ: str) -> None:
        self.app = app
        self.client = app.test_client()
        self.client.environ_base.update(environ)

    def get(self, path: str, **options: Any) -> TestResponse:
        return self.client.get(path, **options)

    def log_in(self, given: str = PASSWORD, **fields: str) -> TestResponse:
        token = token_in(self.client.get("/login").text)
        return self.client.post("/login", data={"password": given, "csrf_token": token, **fields})

    def submit(self, path: str, /, **fields: Any) -> TestResponse:
        """POST a form. Every page has a token in it, a missing one too."""
        token = token_in(self.client.get("/no-such-page").text)
        return self.client.post(path, data={"csrf_token": token, **fields})


def web_app(server: Server, folder: Path, pages: Sequence[PageRoutes] = PAGES, **variables: str) -> Flask:
    """The real app on a server, with PASSWORD set; further arguments are environment variables, or `config`."""
    config = folder / "relay.yaml"
    config.write_text(variables.pop("config", "connectors: {archive: {type: archive}}"))
    Access(connect(server.url)).set_first_password(_hashed())
    environment = {"RELAY_REDIS_URL": server.url, "RELAY_DATA_DIR": str(folder), "SMARTSUPP_TOKEN": TOKEN}
    return create_app(variables={**environment, "RELAY_CONFIG": str(config), **variables}, pages=pages)


def admin(server: Server, folder: Path, pages: Sequence[PageRoutes] = PAGES, **variables: str) -> Admin:
    """Logged in."""
    made = Admin(web_app(server, folder, pages, **variables))
    assert made.log_in().status_code == 303
    return made
