"""`relay connectors add`, `set` and `remove`: relay.yaml, changed through the same door as in the dashboard."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import click

from app.admin.setting_up import changes
from app.admin.setting_up.fields import FieldKind, SettingField, field_value, fields
from app.cli.options import (
    agreed,
    as_json,
    ask,
    connector_names,
    door_of,
    fail,
    ledger_of,
    needs,
    secret_typed,
    whoever,
)
from app.cli.output.records import jsonable, print_json
from connectors import registry
from core.config.doubts import doubts
from core.config.editing.door import CannotWrite, Draft, EditedMeanwhile
from core.config.environment import Environment
from core.config.sources.references import is_reference
from core.errors import StoreUnavailable

dry_run = click.option("--dry-run", is_flag=True, help="Show the difference, and change nothing.")
even_in_git = click.option("--even-in-git", is_flag=True, help="Also write a relay.yaml that Git manages.")

#: In place of a value: its setting is taken away.
_GONE = object()

#: Makes the draft of a change, of the file as it is then.
Make = Callable[[], Draft]


def type_names(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    return [name for name in registry.known_types() if name.startswith(incomplete)]


@click.command()
@click.argument("name")
@click.option("--type", "kind", default=None, shell_complete=type_names, help="The type; default: NAME.")
@click.option("--set", "given", multiple=True, metavar="KEY=VALUE", help="A setting; repeat it for others.")
@click.option("--secret", "asked", multiple=True, metavar="KEY", help="Ask for this secret, too, or read a line.")
@click.option("--when", default="", help="Only chats for which this expression is true.")
@click.option("--no-route", is_flag=True, help="Do not lead any chat there yet.")
@dry_run
@even_in_git
@agreed
@as_json
@needs(lambda env: env)
def add(
    env: Environment,
    name: str,
    kind: str | None,
    given: tuple[str, ...],
    asked: tuple[str, ...],
    when: str,
    no_route: bool,
    dry_run: bool,
    even_in_git: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Add a connector to relay.yaml.

    Asks for the secrets that it needs, or reads one line for each from a pipe; they are kept outside of relay.yaml.
    Shows the difference, and asks before it is saved.

    \b
    Example: relay connectors add helpdesk --type zendesk --set subdomain=acme --set client_id=relay
    """
    if when and no_route:
        raise click.UsageError("--when and --no-route do not go together")
    kind = kind or name
    try:
        known = {one.name: one for one in fields(registry.settings_model(kind))}
    except LookupError as error:
        raise click.UsageError(f"{error.args[0]}; name it with --type") from None
    typed = dict(_setting(known, one) for one in given)
    values = {"type": kind, **{key: value for key, value in typed.items() if value is not _GONE}}
    secrets = dict(_secrets(known, values, asked))
    chats = changes.AS_IT_IS if no_route else changes.SOME if when else changes.EVERY
    wanted = changes.WantedChange(name, values, secrets, chats, when)
    options = {"dry_run": dry_run, "even_in_git": even_in_git, "yes": yes, "as_json": as_json}
    save(env, lambda: changes.added(door_of(env), wanted, whoever()), **options)
    if not dry_run and not as_json:
        click.echo(f"Next: relay connectors check {name}, then relay connectors setup {name}", err=True)


@click.command("set")
@click.argument("name", shell_complete=connector_names)
@click.argument("given", nargs=-1, metavar="[KEY=VALUE]...")
@click.option("--secret", "asked", multiple=True, metavar="KEY", help="Ask for this secret, or read a line.")
@dry_run
@even_in_git
@agreed
@as_json
@needs(lambda env: env)
def change(
    env: Environment,
    name: str,
    given: tuple[str, ...],
    asked: tuple[str, ...],
    dry_run: bool,
    even_in_git: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Change settings of a connector in relay.yaml.

    KEY= (with nothing after it) takes a setting away, and its default applies. Secrets are asked for with --secret, or
    read line by line from a pipe. Shows the difference, and asks before it is saved.

    \b
    Example: relay connectors set hubspot rate=5 pipeline=0 --secret token
    """
    if not given and not asked:
        raise click.UsageError("name what to change: KEY=VALUE, or --secret KEY")
    old = changes.existing_connector(door_of(env).values(), name)
    try:
        model = registry.settings_model(str(old.get("type")))
    except LookupError as error:
        fail(f"{env.config}: connectors.{name}.type: {error.args[0]}")
    known = {one.name: one for one in fields(model)}
    values = dict(old)
    values.update(_setting(known, one, "") for one in given)
    values = {key: value for key, value in values.items() if value is not _GONE}
    secrets = dict(_secrets(known, {key: value for key, value in values.items() if key not in asked}, asked))
    wanted = changes.WantedChange(name, {key: value for key, value in values.items() if key not in secrets}, secrets)
    options = {"dry_run": dry_run, "even_in_git": even_in_git, "yes": yes, "as_json": as_json}
    save(env, lambda: changes.altered(door_of(env), wanted, whoever()), **options)


@click.command()
@click.argument("name", shell_complete=connector_names)
@dry_run
@even_in_git
@agreed
@as_json
@needs(lambda env: env)
def remove(env: Environment, name: str, dry_run: bool, even_in_git: bool, yes: bool, as_json: bool) -> None:
    """Remove a connector and its routes from relay.yaml.

    What was delivered stays at the destination; what is queued waits until you discard it, or add the connector again.
    """
    if waiting := _waiting(env, name):
        many = "1 delivery is" if waiting == 1 else f"{waiting:,} deliveries are"
        click.echo(f"{many} queued for {name} and will wait until it is there again.", err=True)
    options = {"dry_run": dry_run, "even_in_git": even_in_git, "yes": yes, "as_json": as_json}
    save(env, lambda: changes.removed(door_of(env), name), **options)


def _setting(known: dict[str, SettingField], text: str, option: str = "--set ") -> tuple[str, Any]:
    """Of KEY=VALUE. A value that is empty is _GONE."""
    key, equals, value = text.partition("=")
    if not equals or key not in known:
        names = ", ".join(known)
        raise click.UsageError(f"{option}{key}: write KEY=VALUE, with KEY one of: {names}")
    field = known[key]
    if not value:
        return key, _GONE
    if field.kind is FieldKind.SECRET:
        if not is_reference(value):
            why = "a secret would stay in the history of this shell. Leave it out, and it is asked for"
            raise click.UsageError(f"{option}{key}: {why}; or write ${{NAME}} or ${{file:/path}}")
        return key, value
    try:
        # On a command line entries have commas between them.
        listed = field.kind in (FieldKind.LIST, FieldKind.TABLE)
        lines = "\n".join(part.strip() for part in value.split(",")) if listed else value
        return key, field_value(field, lines)
    except ValueError as error:
        raise click.UsageError(f"{option}{key}: {error}") from None


def _secrets(
    known: dict[str, SettingField], values: dict[str, Any], asked: tuple[str, ...]
) -> Iterator[tuple[str, str]]:
    """Those that are needed, or named, and not given."""
    for key in asked:
        if key not in known or known[key].kind is not FieldKind.SECRET:
            names = ", ".join(one.name for one in known.values() if one.kind is FieldKind.SECRET)
            raise click.UsageError(f"--secret {key}: its secrets are {names or 'none'}")
    for field in known.values():
        if field.kind is FieldKind.SECRET and field.name not in values and (field.required or field.name in asked):
            yield field.name, secret_typed(field.name)


def save(env: Environment, make: Make, *, dry_run: bool, even_in_git: bool, yes: bool, as_json: bool) -> None:
    """Show a change, ask, and save it."""
    draft = make()
    found = doubts(draft.settings)
    told = {
        "file": str(env.config),
        "change": draft.what,
        "difference": draft.difference,
        "doubts": [jsonable(one) for one in found],
    }
    if dry_run:
        if as_json:
            print_json({**told, "saved": False})
        else:
            click.echo(draft.difference or _unseen(draft), nl=not draft.difference)
        return
    door = door_of(env)
    if draft.difference and (obstacle := door.obstacle(even_in_git=even_in_git)):
        _not_written(draft, obstacle, told, as_json)
    if not as_json:
        click.echo(draft.difference or _unseen(draft), nl=not draft.difference, err=True)
        for one in found:
            click.echo(f"! {one.text}\n    {one.remedy}", err=True)
    ask(f"Save this to {env.config}?", yes)
    try:
        door.save(draft, whoever(), even_in_git=even_in_git)
    except EditedMeanwhile:
        click.echo(make().difference, nl=False, err=True)
        fail(f"{env.config} was changed meanwhile, so nothing was saved. The difference is now as above: run it again.")
    except CannotWrite as error:
        _not_written(draft, str(error), told, as_json)
    if as_json:
        print_json({**told, "saved": True})
        return
    click.echo("Saved. A running relay takes it within seconds; relay config undo takes it back.")


def _unseen(draft: Draft) -> str:
    """What a change does that is not in the file."""
    return f"Only secrets change: {', '.join(draft.secrets)}." if draft.secrets else "Nothing changes."


def _not_written(draft: Draft, why: str, told: dict[str, Any], as_json: bool) -> None:
    """The difference goes to standard output: it is what is left to be used."""
    if as_json:
        print_json({**told, "saved": False, "why": why})
    else:
        click.echo(draft.difference, nl=False)
    secrets = ", ".join(draft.secrets)
    also = f" First set what it names, with relay secrets set: {secrets}." if secrets else ""
    fail(f"Nothing was saved: {why}. Make the change above there by hand.{also}")


def _waiting(env: Environment, name: str) -> int:
    try:
        return ledger_of(env).lane(name).waiting
    except StoreUnavailable:
        return 0
