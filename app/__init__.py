"""The receiver, the admin's pages and the command line."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from app.dashboard import PageRoutes
    from app.server.application import Relay
    from core.config.environment import Environment


def create_app(
    env: Environment | None = None,
    variables: Mapping[str, str] = os.environ,
    pages: Sequence[PageRoutes] | None = None,
    *,
    restarted: bool = False,
) -> Relay:
    """The web application. Raises ConfigError."""
    # Workers and commands need neither Flask nor the pages, which take longer to load than all the rest.
    from app.server.application import wired  # noqa: PLC0415

    return wired(env, variables, pages, restarted=restarted)
