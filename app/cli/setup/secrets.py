"""`relay secrets …`: what relay.yaml names as ${secret:NAME}. No command prints a value."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import TypeVar

import click

from app.cli.options import agreed, as_json, ask, fail, needs, secret_typed, whoever
from app.cli.output.records import jsonable, print_json
from core.config.environment import Environment, environment
from core.config.mistakes.files import file_mistake
from core.config.sources.references import secrets_in, to_secret
from core.config.sources.secret_store import BadSecret, SecretStore
from core.errors import ConfigError, NotFound

T = TypeVar("T")


def secret_names(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    """For shell completion."""
    try:
        found = SecretStore(environment(os.environ)).list()
    except (ConfigError, BadSecret, OSError):
        return []
    return [one.name for one in found if one.name.startswith(incomplete)]


@click.group()
def secrets() -> None:
    """Keep secrets outside of relay.yaml.

    The file names them as ${secret:NAME}.
    """


@secrets.command("set")
@click.argument("name", shell_complete=secret_names)
@as_json
@needs(lambda env: env)
def set_one(env: Environment, name: str, as_json: bool) -> None:
    """Set or replace a secret.

    Asks for it, or reads one line from a pipe. A running relay takes it within seconds.
    """
    _tried(env, lambda store: store.set({name: secret_typed(name)}, whoever()))
    used = name in _used(env)
    if as_json:
        print_json({"name": name, "set": True, "used": used})
        return
    then = "relay.yaml uses it." if used else f"Write {to_secret(name)} into relay.yaml to use it."
    click.echo(f"{name} is set. {then}")


@secrets.command("list")
@as_json
@needs(lambda env: env)
def list_all(env: Environment, as_json: bool) -> None:
    """List the names of the secrets, when and by whom each was set, and whether relay.yaml uses it."""
    found, used = _tried(env, lambda store: store.list()), _used(env)
    lacking = sorted(used - {one.name for one in found})
    if as_json:
        there = [{**jsonable(one), "used": one.name in used, "set": True} for one in found]
        print_json([*there, *({"name": name, "used": True, "set": False} for name in lacking)])
        return
    for one in found:
        when = datetime.fromtimestamp(one.set_at / 1000, UTC).astimezone().strftime("%Y-%m-%d %H:%M")
        unused = "" if one.name in used else "; relay.yaml does not use it"
        click.echo(f"{one.name}: set {when}{f' by {one.by}' if one.by else ''}{unused}")
    for name in lacking:
        click.echo(f"{name}: not set, though relay.yaml names it; set it with: relay secrets set {name}")
    if not found and not used:
        click.echo("No secret is kept here. Set one with: relay secrets set NAME")


@secrets.command("remove")
@click.argument("name", shell_complete=secret_names)
@agreed
@as_json
@needs(lambda env: env)
def remove(env: Environment, name: str, yes: bool, as_json: bool) -> None:
    """Remove a secret. Asks first where relay.yaml uses it."""
    if name not in {one.name for one in _tried(env, lambda store: store.list())}:
        raise NotFound(f"there is no secret '{name}'; relay secrets list has the names")
    if name in _used(env):
        ask(f"relay.yaml uses {name}: without it, the next change of the file is refused. Remove it?", yes)
    _tried(env, lambda store: store.remove(name))
    if as_json:
        print_json({"name": name, "removed": True})
        return
    click.echo(f"{name} is removed.")


def _tried(env: Environment, act: Callable[[SecretStore], T]) -> T:
    store = SecretStore(env)
    try:
        return act(store)
    except OSError as error:
        fail(f"cannot use {error.filename or store.file}: {file_mistake(error)}")


def _used(env: Environment) -> set[str]:
    try:
        return secrets_in(env.config.read_text(encoding="utf-8", errors="replace"))
    except OSError:
        return set()


COMMANDS: Sequence[click.Command] = (secrets,)
