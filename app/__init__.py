"""The receiver, the admin's pages and the command line."""

from __future__ import annotations

import os
from collections.abc import Mapping

from flask import Flask

from app import ops, receiver
from connectors.registry import settings_model
from core.environment import Environment, environment
from core.store import Ledger, Store, connect
from core.watch import Watched
from workers.celery import create, knocker


def create_app(env: Environment | None = None, variables: Mapping[str, str] = os.environ) -> Flask:
    """Wire the web application. Raises ConfigError."""
    env = env or environment(variables)
    client = connect(env.server_url, patient=True)
    watched = Watched(env, settings_model, variables)
    app = Flask(__name__, static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = receiver.LARGEST_BODY + 1
    app.json.sort_keys = False  # type: ignore[attr-defined]  # of Flask's default provider
    app.register_blueprint(receiver.blueprint(Store(client), watched, knocker(create(env))))
    app.register_blueprint(ops.blueprint(client, Ledger(client), watched))
    return app
