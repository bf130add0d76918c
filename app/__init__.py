"""The receiver, the admin's pages and the command line."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flask import Flask

    from app.dashboard import Page
    from core.environment import Environment


def create_app(
    env: Environment | None = None, variables: Mapping[str, str] = os.environ, pages: Sequence[Page] | None = None
) -> Flask:
    """The web application. Raises ConfigError."""
    # Flask and the pages are half a second and 20 MB that workers and commands do not need.
    from app.application import wired  # noqa: PLC0415

    return wired(env, variables, pages)
