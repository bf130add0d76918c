"""`relay connectors login`: a person logs in at the vendor once; the relay keeps the tokens and renews them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any
from urllib.parse import urlsplit

import click

from app.admin.checks import connector
from app.cli.options import connector_names, fail, needs, settings_of
from app.process import no_port
from connectors.kit.auth.login import begin
from connectors.kit.connector import Connector
from core.config.environment import Environment
from core.errors import DeliveryError

#: Where the browser of this machine is sent. The vendor wants to know the address beforehand.
PORT = 8765
#: Seconds that somebody may take to log in.
_PATIENCE = 600

_THANKS = b"<!doctype html><title>Relay</title><p>You can close this page and go back to the terminal.</p>"


@click.command()
@click.argument("name", shell_complete=connector_names)
@click.option("--paste", is_flag=True, help="For a browser on another machine: paste the address that it ends at.")
@click.option("--port", default=PORT, show_default=True, help="Port on this machine that the browser returns to.")
@click.option("--redirect", default="", help="Redirect URL of the OAuth client, if it is not http://127.0.0.1:PORT/.")
@needs(lambda env: env)
def login(env: Environment, name: str, paste: bool, port: int, redirect: str) -> None:
    """Log in to a destination that requires it (OAuth).

    Relay renews the tokens afterwards.
    """
    tried = connector(settings_of(env), name, env)
    with _said(tried):
        begun = begin(tried, redirect or f"http://127.0.0.1:{port}/")
    if paste:
        _show(begun.url)
        click.echo("Then paste the address that the browser ends at; the error that it shows there is expected.")
        came = click.prompt("Address", hide_input=True)
    else:
        try:
            here = _Listener(port)
        except OSError as error:
            fail(f"{no_port('127.0.0.1', port, error)}; choose another with --port, or use --paste")
        _show(begun.url)
        came = here.wait(_PATIENCE)
    if not came:
        fail("nobody logged in; start again, or use --paste")
    with _said(tried), tried.attempt():
        begun.finish(came)
    click.echo(f"{name}: logged in. Resume it if it is paused: relay resume {name}")


def _show(url: str) -> None:
    click.echo(f"Open this page and log in:\n\n  {url}\n")


@contextmanager
def _said(tried: Connector[Any]) -> Iterator[None]:
    try:
        yield
    except DeliveryError as error:
        fail(f"{tried.name}: {tried.mask(str(error))}")


class _Listener(HTTPServer):
    """Waits at 127.0.0.1 for the one request that brings the code. Raises OSError."""

    def __init__(self, port: int) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.came = ""

    def wait(self, seconds: float) -> str:
        """The path and query of that request, or "" when it does not come."""
        timer = threading.Timer(seconds, self.shutdown)
        timer.daemon = True
        timer.start()
        try:
            self.serve_forever(poll_interval=0.1)
        finally:
            timer.cancel()
            self.server_close()
        return self.came


class _Handler(BaseHTTPRequestHandler):
    server: _Listener

    def do_GET(self) -> None:  # http.server wants it so
        query = urlsplit(self.path).query
        ours = "code=" in query or "error=" in query
        self.send_response(200 if ours else 404)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        # The code stands in the address; nothing that the page might load shall be told.
        self.send_header("Referrer-Policy", "no-referrer")
        self.end_headers()
        self.wfile.write(_THANKS if ours else b"")
        if ours:
            self.server.came = self.path
            threading.Thread(target=self.server.shutdown, daemon=True).start()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the base class calls it that
        """The code is nobody's to read."""
