"""`relay config …`: check and show the configuration."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import islice

import click

from app.cli.options import (
    agreed,
    as_json,
    door_of,
    limited,
    needs,
    settings_of,
    troubles_of,
    warn_of_lacking,
)
from app.cli.output.records import jsonable, print_json
from app.cli.setup.changes import dry_run, even_in_git, save
from connectors.kit.transcript import single_line
from connectors.registry import types
from core.config.doubts import doubts
from core.config.environment import Environment
from core.config.json_schema import schema
from core.config.settings import masked
from core.errors import ConfigError, NotFound

json_anyway = click.option("--json", is_flag=True, expose_value=False, help="No effect: the output is always JSON.")


@click.group()
def config() -> None:
    """Check and show the configuration."""


@config.command("check")
@as_json
@needs(lambda env: env)
def check(env: Environment, as_json: bool) -> None:
    """Report all mistakes at once, with their lines and what to type."""
    try:
        settings = settings_of(env)
    except ConfigError as error:
        if not as_json:
            raise
        problems = [jsonable(problem) for problem in error.problems]
        print_json({"source": error.source, "right": False, "problems": problems})
        raise SystemExit(2) from None
    found, refused = doubts(settings), troubles_of(env)
    if as_json:
        told = {
            "source": settings.source,
            "right": True,
            "enabled": settings.enabled,
            "problems": [],
            "doubts": [jsonable(one) for one in found],
        }
        print_json({**told, **({"refused": refused} if refused else {})})
        return
    click.echo(f"{settings.source}: OK. Enabled: {', '.join(settings.enabled) or 'nothing'}")
    for one in found:
        click.echo(f"! {one.text}\n    {one.remedy}")
    for worker, why in refused.items():
        click.echo(f"But the running {worker} rejected it: {single_line(why)}", err=True)
    warn_of_lacking(env)


@config.command("history")
@limited
@as_json
@needs(lambda env: env)
def history(env: Environment, limit: int, as_json: bool) -> None:
    """List what the dashboard and the command line have changed in relay.yaml: when, by whom, and what."""
    found = list(islice(door_of(env).versions(), limit))
    if as_json:
        print_json([{"number": one.number, "at": one.at, "by": one.by, "what": one.what} for one in found])
        return
    for one in found:
        when = datetime.fromtimestamp(one.at / 1000, UTC).astimezone().strftime("%Y-%m-%d %H:%M")
        click.echo(f"{one.number}: {when} {one.what}{f' (by {one.by})' if one.by else ''}")
    if not found:
        click.echo("Nothing was changed from the dashboard or the command line yet.")


@config.command("undo")
@click.argument("number", type=int, required=False)
@dry_run
@even_in_git
@agreed
@as_json
@needs(lambda env: env)
def undo(env: Environment, number: int | None, dry_run: bool, even_in_git: bool, yes: bool, as_json: bool) -> None:
    """Bring relay.yaml back to what it was before the last change, or before the change of that NUMBER.

    Shows the difference, and asks. Secrets stay as they are.
    """
    door = door_of(env)
    if number is None:
        newest = next(door.versions(), None)
        if newest is None:
            raise NotFound("nothing was changed from the dashboard or the command line yet")
        number = newest.number
    before = number
    options = {"dry_run": dry_run, "even_in_git": even_in_git, "yes": yes, "as_json": as_json}
    save(env, lambda: door.restored(before), **options)


@config.command("schema")
@json_anyway
def show_schema() -> None:
    """Print the JSON Schema of relay.yaml, for your editor."""
    print_json(schema({name: kind.settings_model for name, kind in types().items()}))


@config.command("show")
@json_anyway
@needs(lambda env: env)
def effective(env: Environment) -> None:
    """Print the effective configuration as JSON, with secrets masked."""
    settings = settings_of(env)
    # A secret hides itself: str() of it is asterisks, or nothing.
    shown = {
        name: ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)
        for name, value in vars(env).items()
        if name != "tokens"  # with those of the file, below
    }
    print_json({"source": settings.source, "environment": shown, **masked(settings)})


COMMANDS: Sequence[click.Command] = (config,)
