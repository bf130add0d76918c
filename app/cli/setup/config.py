"""`relay config …`: check and show the configuration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import click

from app.cli.options import as_json, ledger_of, needs, settings_of
from app.cli.output.records import jsonable, print_json
from connectors.kit.transcript import single_line
from connectors.registry import types
from core.config.doubts import doubts
from core.config.environment import Environment
from core.config.json_schema import schema
from core.config.settings import masked
from core.errors import ConfigError, StoreUnavailable

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
    found, refused = doubts(settings), _refused(env)
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
    if refused:
        click.echo("If a variable is set here but not there, set it there and restart the relay.", err=True)


def _refused(env: Environment) -> Mapping[str, str]:
    """What running workers have against the file; they may lack what is set here. Nothing where none can be asked."""
    try:
        return ledger_of(env).troubles()
    except StoreUnavailable:
        return {}


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
