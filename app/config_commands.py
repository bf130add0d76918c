"""`relay config …`: check and show the configuration."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

import click

from app import show
from app.options import as_json, needs, settings_of
from connectors.registry import types
from core.environment import Environment
from core.errors import ConfigError
from core.settings import masked, schema

json_anyway = click.option("--json", is_flag=True, expose_value=False, help="Changes nothing: it is JSON anyway.")


@click.group()
def config() -> None:
    """Check and show the configuration."""


@config.command("check")
@as_json
@needs(lambda env: env)
def check(env: Environment, as_json: bool) -> None:
    """Report every problem at once, with its place and what to type."""
    try:
        settings = settings_of(env)
    except ConfigError as error:
        if not as_json:
            raise
        found = [show.plain(problem) for problem in error.problems]
        show.print_json({"source": error.source, "right": False, "problems": found})
        raise SystemExit(2) from None
    if as_json:
        show.print_json({"source": settings.source, "right": True, "enabled": settings.enabled, "problems": []})
    else:
        click.echo(f"{settings.source}: right. Enabled: {', '.join(settings.enabled) or 'nothing'}")


@config.command("schema")
@json_anyway
def show_schema() -> None:
    """The JSON Schema of relay.yaml, for your editor."""
    show.print_json(schema({name: kind.settings_model for name, kind in types().items()}))


@config.command("show")
@json_anyway
@needs(lambda env: env)
def effective(env: Environment) -> None:
    """The effective configuration as JSON, secrets masked."""
    settings = settings_of(env)
    shown = {
        name: ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)
        for name, value in asdict(env).items()
        if name not in ("tokens", "redis_url", "encryption_keys", "metrics_token")
    }
    show.print_json({"source": settings.source, "environment": shown, **masked(settings)})


COMMANDS: Sequence[click.Command] = (config,)
