"""Whether the server can begin: configuration, store, port."""

from __future__ import annotations

import os

import structlog

from app.process import HANDING_OVER, must_be_free, tie_to_parent
from connectors.registry import settings_model
from core.config.environment import environment
from core.config.reload import Watched
from core.errors import ConfigError, Problem, StoreUnavailable, StoreUnsafe
from core.log import configure
from core.store import check_server, connected
from core.supervised import SUPERVISED

log = structlog.get_logger(__name__)


def ready(parent: int) -> tuple[str, int]:
    """Where to listen. A server that is away only means 503 for now. Raises ConfigError, StoreUnsafe."""
    tie_to_parent(parent)
    env = environment(os.environ)
    configure(os.environ.get("RELAY_LOG", "console"))
    watched = Watched(env, settings_model, os.environ, restarted=SUPERVISED in os.environ)
    if not watched.current().tokens:
        problem = Problem("SMARTSUPP_TOKEN", "is not set; create one with: openssl rand -hex 24")
        raise ConfigError("the environment", [problem])
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
    return env.host, env.port
