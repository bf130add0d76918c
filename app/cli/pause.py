"""`relay pause`, `resume`, `try`: a connector's gate."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from app.cli import output
from app.cli.options import as_json, client_of, connector_names, known, ledger_of, needs
from core.config.environment import Environment
from core.store import Control, connected

one_connector = click.argument("connector", shell_complete=connector_names)


@click.command()
@one_connector
@as_json
@needs(lambda env: env)
def resume(env: Environment, connector: str, as_json: bool) -> None:
    """Go on with a connector that was paused. (One whose settings change goes on by itself.)"""
    known(env, connector)
    opened = Control(client_of(env)).resume(connector)
    text = f"{connector}: resumed" if opened else f"{connector}: was not paused"
    _told({"connector": connector, "changed": opened}, text, as_json)


@click.command()
@one_connector
@click.option("--reason", default="paused by hand", show_default=True, help="Shown to whoever wonders.")
@as_json
@needs(lambda env: env)
def pause(env: Environment, connector: str, reason: str, as_json: bool) -> None:
    """Hold a connector's deliveries back until it is resumed.

    None is lost and none ages.
    """
    known(env, connector)
    Control(connected(env)).pause(connector, reason)
    _told({"connector": connector, "changed": True}, f"{connector}: paused", as_json)


@click.command("try")
@one_connector
@as_json
@needs(lambda env: env)
def try_one(env: Environment, connector: str, as_json: bool) -> None:
    """Let one delivery through a paused connector. If it arrives, one that paused by itself goes on."""
    known(env, connector)
    lane = ledger_of(env).lane(connector)
    closed = Control(client_of(env)).send_ahead(connector)
    if not closed:
        text = f"{connector}: is not paused"
    elif lane.due:
        text = f"{connector}: one delivery is on its way; see what became of it with: relay deliveries"
    elif lane.waiting:
        text = f"{connector}: nothing is due now; the first that is goes ahead"
    else:
        text = f"{connector}: nothing waits for it; the next that comes goes ahead"
    _told({"connector": connector, "changed": closed, "waiting": lane.waiting, "due": lane.due}, text, as_json)


def _told(found: dict[str, Any], text: str, as_json: bool) -> None:
    output.print_json(found) if as_json else click.echo(text)


COMMANDS: Sequence[click.Command] = (pause, resume, try_one)
