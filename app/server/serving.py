"""The application as a server's process runs it, with what runs beside it."""

from __future__ import annotations

import os
import threading

from app import create_app
from app.server.asgi import Buffered
from app.server.connections import Connections
from app.server.main import places
from core.config.environment import environment
from core.gc_tuning import loaded
from core.log import configure
from core.store import connected
from workers import telemetry
from workers.alerts.notifier import Notifier


def serving() -> Buffered:
    configure(os.environ.get("RELAY_LOG", "console"))
    env = environment(os.environ)
    # The main process has found the configuration right, and starts this one again when it is killed.
    app = create_app(env, restarted=True)
    telemetry.start("receiver", os.environ, app)
    app.watched.follow()
    app.refusals.start()
    connections = Connections(env.port, places(), app.proxies, app.refusals.cut)
    connections.start()
    # Beside the workers': that no worker is running is an incident too.
    Notifier(connected(env), app.watched.current, env.public_url, threading.Event(), env.disk).start()
    loaded()
    app.gathering.start()
    return Buffered(app, app.gathering, app.longest_body, app.refusals.note, connections)
