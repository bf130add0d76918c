"""`relay web` and `relay worker`. They run for long: they load only what they need, each when it needs it."""

from __future__ import annotations

import os
from collections.abc import Sequence

import click


@click.command()
def web() -> None:
    """Run the receiver and the dashboard."""
    from app.server.main import main as serve

    serve()


@click.command()
def worker() -> None:
    """Run a worker. As many as you like may run, on any machines."""
    from core import log
    from core.config.environment import environment
    from workers.main import main as work

    env = environment(os.environ)
    log.configure(os.environ.get("RELAY_LOG", "console"))
    work(env, os.environ)


COMMANDS: Sequence[click.Command] = (web, worker)
