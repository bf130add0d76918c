"""The web application, wired. Only those who serve it load this."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import structlog
from flask import Flask, request

from app import dashboard, metrics, ops, receiver
from app.dashboard.access import LARGE_FORM, Door
from app.dashboard.site import Site
from app.proxies import Proxies
from app.refusals import Refusals
from app.sources import Sources
from connectors.registry import settings_model
from core.environment import Environment, environment
from core.errors import StoreUnavailable
from core.store import Access, Ledger, Store, connected
from core.watch import Watched
from workers.celery import create, knocker

log = structlog.get_logger(__name__)


class Relay(Flask):
    """Flask, and what the server around it asks (app/buffered.py)."""

    door: Door
    refusals: Refusals

    def longest_body(self, environ: Mapping[str, Any]) -> int:
        """Bytes that are read of a request's body. Only an admin's form may be longer than what anybody can post."""
        with self.request_context(dict(environ)):
            try:
                return LARGE_FORM if self.door.recognise() else int(self.config["MAX_CONTENT_LENGTH"])
            except StoreUnavailable:
                return int(self.config["MAX_CONTENT_LENGTH"])

    # Flask's own note of an error would name the address, and the hook's address holds the token.
    def log_exception(self, exc_info: Any) -> None:
        log.error("bug in a page", endpoint=request.endpoint, method=request.method, exc_info=exc_info)


def wired(
    env: Environment | None = None,
    variables: Mapping[str, str] = os.environ,
    pages: Sequence[dashboard.Page] | None = None,
) -> Relay:
    """The application; its own `pages` where a test has some. Raises ConfigError."""
    env = env or environment(variables)
    client = connected(env, patient=True)
    watched = Watched(env, settings_model, variables)
    app = Relay("app", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = receiver.LARGEST_BODY + 1
    app.json.sort_keys = False  # type: ignore[attr-defined]  # of Flask's default provider
    store, ledger, knock = Store(client), Ledger(client), knocker(create(env))
    access = Access(client)
    proxies = Proxies(env.trusted_proxies)
    app.refusals = Refusals(client, proxies)
    sources = Sources(proxies, env.allowed_sources, access)
    app.register_blueprint(receiver.blueprint(store, watched, knock, sources, app.refusals))
    app.register_blueprint(ops.blueprint(client, ledger, watched, env.metrics_token))
    app.register_blueprint(metrics.blueprint(client, ledger, watched, env.metrics_token))
    site = Site(env, watched, store, ledger, access, client, knock)
    app.door = dashboard.register(app, site, dashboard.PAGES if pages is None else pages)
    return app
