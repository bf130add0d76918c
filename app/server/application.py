"""The web application, wired. Only those who serve it load this."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import structlog
from flask import Flask, Response, request

from app import dashboard
from app.dashboard.frame.context import Site
from app.dashboard.frame.login import LARGE_FORM, LoginGuard, signed_in
from app.monitoring import health, metrics
from app.monitoring.admission import Admission
from app.proxies import Proxies
from app.receiver import hook, strays
from app.receiver.gathering import Gathering
from app.receiver.posted import Sources
from app.receiver.rejections import Refusals
from connectors.registry import settings_model
from core.config.editing import door
from core.config.environment import Environment, environment
from core.config.reload import Watched
from core.errors import StoreUnavailable
from core.smartsupp.limits import LARGEST_BODY
from core.store import Access, Control, Ledger, RateLimit, Store, connected
from workers.celery import create, in_background, waker

log = structlog.get_logger(__name__)

#: What posts to the hook may wait for at once, beside the one journey in which their bodies go to the store.
THREADS = 8
_YEAR = 365 * 24 * 3600


class Relay(Flask):
    """Flask, and what the server around it asks (app/server/asgi.py)."""

    door: LoginGuard
    refusals: Refusals
    watched: Watched
    proxies: Proxies
    gathering: Gathering

    def wsgi_app(self, environ: dict[str, Any], start_response: Any) -> Any:
        environ["PATH_INFO"] = hook.canonical(environ["PATH_INFO"])
        return super().wsgi_app(environ, start_response)

    def longest_body(self, environ: Mapping[str, Any]) -> int:
        """Bytes that are read of a request's body. Only an admin's form may be longer than what anybody can post."""
        with self.request_context(dict(environ)):
            try:
                return LARGE_FORM if self.door.recognise() else int(self.config["MAX_CONTENT_LENGTH"])
            except StoreUnavailable:
                return int(self.config["MAX_CONTENT_LENGTH"])

    # Flask's own note of an error would name the address, and the hook's address holds the token.
    def log_exception(self, exc_info: Any) -> None:
        log.error("unhandled error in a page", endpoint=request.endpoint, method=request.method, exc_info=exc_info)


def wired(
    env: Environment | None = None,
    variables: Mapping[str, str] = os.environ,
    pages: Sequence[dashboard.PageRoutes] | None = None,
    *,
    restarted: bool = False,
) -> Relay:
    """The application; its own `pages` where a test has some. `restarted`: see Watched. Raises ConfigError."""
    env = env or environment(variables)
    wake_up = waker(create(env))
    client = connected(env, patient=True, wake_up=wake_up)
    app = Relay("app", static_folder=None)
    app.watched = watched = Watched(env, settings_model, variables, restarted=restarted)
    # Or werkzeug leads a path with a slash too many elsewhere, by the Host header, before any page can say a word.
    app.url_map.merge_slashes = False
    app.config["MAX_CONTENT_LENGTH"] = LARGEST_BODY + 1
    app.json.sort_keys = False  # type: ignore[attr-defined]  # of Flask's default provider
    store, ledger = Store(client), Ledger(client)
    rate_limit = RateLimit(client)
    app.proxies = Proxies(env.trusted_proxies)
    journeys = Store(connected(env, patient=True, wake_up=in_background(wake_up)))
    app.gathering = Gathering(store, journeys, THREADS)
    app.refusals = Refusals(client, app.proxies)
    sources = Sources(app.proxies, env.allowed_sources, rate_limit)
    app.register_blueprint(hook.blueprint(store, watched, sources, app.refusals, app.gathering))
    admission = Admission(env.metrics_token.get_secret_value(), env.public_url)
    app.register_blueprint(health.blueprint(client, ledger, watched, admission))
    app.register_blueprint(metrics.blueprint(client, ledger, watched, admission))
    config_door = door.Door(env, settings_model, variables)
    site = Site(env, watched, store, Control(client), ledger, Access(client), rate_limit, client, config_door)
    app.door = dashboard.register(app, site, dashboard.PAGES if pages is None else pages)
    strays.answer_strays(app, app.refusals, lambda: signed_in() is not None)
    if env.public_url.startswith("https://"):
        app.after_request(_only_tls)
    return app


def _only_tls(response: Response) -> Response:
    response.headers["Strict-Transport-Security"] = f"max-age={_YEAR}"
    return response
