"""`relay web`: the web server (docs/adr/0003)."""

from __future__ import annotations

import multiprocessing
import os
import threading

import structlog
from granian import Granian
from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.log import LogLevels

from app import create_app
from app.buffered import Buffered
from app.child import tie_to_parent
from app.listening import must_be_free
from connectors.registry import settings_model
from core.environment import Environment, environment
from core.errors import StoreUnavailable, StoreUnsafe
from core.garbage import loaded
from core.log import configure
from core.store import check, connected
from core.watch import Watched
from workers import telemetry
from workers.notices import Teller

log = structlog.get_logger(__name__)

#: Requests that are worked on at once; measured in docs/adr/0003.
THREADS = 8
#: Connections at once; further ones wait to be accepted. Each may hold a body of 1 MiB, an admin's of 4.
CONNECTIONS = 256
#: Seconds in which the receiver before this one, which was told to stop or was killed, lets go of its port.
HANDING_OVER = 5.0


def application() -> Buffered:
    """What each server process loads."""
    # Killed, Granian's own process would leave it behind, to answer beside the next one under settings of yesterday.
    parent = multiprocessing.parent_process()
    tie_to_parent(parent.pid if parent else None)
    configure(os.environ.get("RELAY_LOG", "console"))
    env = environment(os.environ)
    app = create_app(env)
    telemetry.start("receiver", os.environ, app)
    # Beside the workers': that none of them is there is a trouble, too.
    settings = Watched(env, settings_model, os.environ)
    app.refusals.start()
    Teller(connected(env), settings.current, env.public_url, threading.Event()).start()
    loaded()
    return Buffered(app, THREADS, app.longest_body, app.refusals.note)


def main(env: Environment) -> None:
    """Serve until a signal says stop. A server that is away only means 503 for now. Raises ConfigError, StoreUnsafe."""
    try:
        verdict = check(connected(env, patient=True))
    except StoreUnavailable as error:
        log.warning("redis does not answer yet; until it does, every body is answered with 503", error=str(error))
    else:
        for doubt in verdict.doubts:
            log.warning("redis", doubt=doubt)
        if verdict.wrong:
            raise StoreUnsafe("; ".join(verdict.wrong))
    must_be_free(env, HANDING_OVER)
    Granian(
        "app.web:application",
        factory=True,
        interface=Interfaces.ASGI,
        # Where it may also be HTTP/2, a connection that says nothing is never closed.
        http=HTTPModes.http1,
        address=env.host,
        port=env.port,
        workers=1,
        backpressure=CONNECTIONS,
        websockets=False,
        respawn_failed_workers=True,
        # Accepting ends at once, what was begun is answered.
        workers_kill_timeout=10,
        http1_settings=HTTP1Settings(header_read_timeout=10_000),
        # No access log: the path holds the token.
        log_access=False,
        # Its warnings are about the number of threads, which was measured (docs/adr/0003).
        log_level=LogLevels.error,
    ).serve()
