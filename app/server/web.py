"""`relay web`: the web server (docs/adr/0003)."""

from __future__ import annotations

import multiprocessing
import os
import resource
import threading

import structlog
from granian import Granian
from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.log import LogLevels

from app import create_app
from app.process import FINISHING, HANDING_OVER, must_be_free, tie_to_parent, watch_parent
from app.server.asgi import Buffered
from app.server.connections import Connections
from core.config.environment import Environment, environment
from core.errors import StoreUnavailable, StoreUnsafe
from core.gc_tuning import loaded
from core.log import configure
from core.store import check_server, connected
from workers import telemetry
from workers.alerts.notifier import Notifier

log = structlog.get_logger(__name__)

#: Connections at once; further ones wait to be accepted. Each may hold a body of 1 MiB, an admin's of 4.
CONNECTIONS = 256
#: Files that are open beside them: the program's, and connections to the store.
FILES = 40


def application() -> Buffered:
    """What each server process loads."""
    # Killed, Granian's own process would leave it behind, to answer beside the next one under settings of yesterday.
    parent = multiprocessing.parent_process()
    tie_to_parent(parent.pid if parent else None)
    if parent and parent.pid:
        watch_parent(parent.pid)
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


def places() -> int:
    """Connections that the server may take: CONNECTIONS, or what the limit on open files leaves."""
    allowed, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return CONNECTIONS if allowed < 0 else max(8, min(CONNECTIONS, allowed - FILES))


def main(env: Environment) -> None:
    """Serve until a signal says stop. A server that is away only means 503 for now. Raises ConfigError, StoreUnsafe."""
    try:
        verdict = check_server(connected(env, patient=True))
    except StoreUnavailable as error:
        log.warning("store unavailable; until it responds, every chat is answered with 503", error=str(error))
    else:
        for doubt in verdict.doubts:
            log.warning("store settings", problem=doubt)
        if verdict.wrong:
            raise StoreUnsafe("; ".join(verdict.wrong))
    must_be_free(env, HANDING_OVER)
    Granian(
        "app.server.web:application",
        factory=True,
        interface=Interfaces.ASGI,
        # Where it may also be HTTP/2, a connection that says nothing is never closed.
        http=HTTPModes.http1,
        address=env.host,
        port=env.port,
        workers=1,
        backpressure=places(),
        websockets=False,
        respawn_failed_workers=True,
        # Accepting ends at once, what was begun is answered.
        workers_kill_timeout=FINISHING,
        http1_settings=HTTP1Settings(header_read_timeout=10_000),
        # No access log: the path holds the token.
        log_access=False,
        # Its warnings are about the number of threads, which was measured (docs/adr/0003).
        log_level=LogLevels.error,
    ).serve()
