"""`relay web`: the WSGI server (docs/adr/0003)."""

from __future__ import annotations

import os

import structlog
from flask import Flask
from granian import Granian
from granian.constants import Interfaces
from granian.http import HTTP1Settings
from granian.log import LogLevels

from app import create_app
from core.environment import Environment
from core.errors import StoreUnavailable, StoreUnsafe
from core.log import configure
from core.store import check, connect

log = structlog.get_logger(__name__)


def application() -> Flask:
    """What each server process loads."""
    configure(os.environ.get("RELAY_LOG", "console"))
    return create_app()


def main(env: Environment) -> None:
    """Serve until a signal says stop. Raises StoreUnsafe. A server that is away only means 503 for now."""
    try:
        verdict = check(connect(env.server_url, patient=True))
    except StoreUnavailable as error:
        log.warning("redis does not answer yet; until it does, every body is answered with 503", error=str(error))
    else:
        for doubt in verdict.doubts:
            log.warning("redis", doubt=doubt)
        if verdict.wrong:
            raise StoreUnsafe("; ".join(verdict.wrong))
    Granian(
        "app.web:application",
        factory=True,
        interface=Interfaces.WSGI,
        address=env.host,
        port=env.port,
        workers=1,
        blocking_threads=8,
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
