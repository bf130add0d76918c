"""`relay pause`, `resume`, `try`: stop, start and test the deliveries of a connector."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from app.cli.options import as_json, client_of, connector_names, ledger_of, needs, require_connector
from app.cli.output.records import print_json
from core.config.environment import Environment
from core.store import Control, connected

one_connector = click.argument("connector", shell_complete=connector_names)


@click.command()
@one_connector
@as_json
@needs(lambda env: env)
def resume(env: Environment, connector: str, as_json: bool) -> None:
    """Resume a connector that is paused or not responding.

    One whose credentials were rejected resumes automatically when its settings change.
    """
    require_connector(env, connector)
    opened = Control(client_of(env)).resume(connector)
    text = f"{connector}: resumed" if opened else f"{connector}: was not paused"
    _told({"connector": connector, "changed": opened}, text, as_json)


@click.command()
@one_connector
@click.option("--reason", default="paused manually", show_default=True, help="Visible to all users.")
@as_json
@needs(lambda env: env)
def pause(env: Environment, connector: str, reason: str, as_json: bool) -> None:
    """Pause a connector: its deliveries stay queued until it is resumed.

    Nothing is lost, and no delivery runs out of attempts.
    """
    require_connector(env, connector)
    Control(connected(env)).pause(connector, reason)
    _told({"connector": connector, "changed": True}, f"{connector}: paused", as_json)


@click.command("try")
@one_connector
@as_json
@needs(lambda env: env)
def try_one(env: Environment, connector: str, as_json: bool) -> None:
    """Send one test delivery to a connector that is paused or not responding.

    If it succeeds, the connector resumes, unless you paused it.
    """
    require_connector(env, connector)
    lane = ledger_of(env).lane(connector)
    closed = Control(client_of(env)).send_ahead(connector)
    if not closed:
        text = f"{connector}: is not paused"
    elif lane.due:
        text = f"{connector}: one test delivery is queued; see its result with: relay deliveries"
    elif lane.waiting:
        text = f"{connector}: nothing is due now; the next delivery that is due will be the test"
    else:
        text = f"{connector}: nothing is queued; the next delivery will be the test"
    _told({"connector": connector, "changed": closed, "waiting": lane.waiting, "due": lane.due}, text, as_json)


def _told(found: dict[str, Any], text: str, as_json: bool) -> None:
    print_json({**found, "text": text}) if as_json else click.echo(text)


COMMANDS: Sequence[click.Command] = (pause, resume, try_one)
