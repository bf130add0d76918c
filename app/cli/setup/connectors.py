"""`relay connectors …` and `relay preview`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from app.admin.checks import connector, findings
from app.admin.connector_state import State, connector_state
from app.admin.doctor import Level
from app.admin.preview import preview_body
from app.cli.options import (
    agreed,
    as_json,
    connector_names,
    fail,
    ledger_of,
    needs,
    needs_somebody,
    settings_of,
    warn_of_lacking,
)
from app.cli.output.records import jsonable, print_json
from app.cli.setup import changes
from app.cli.setup.login import login
from app.cli.setup.new import new
from connectors import registry
from connectors.kit.connector import Connector, Finding
from connectors.kit.transcript import single_line
from core.config.doubts import route_remedy, unused
from core.config.environment import Environment
from core.config.settings import Settings
from core.errors import DeliveryError, PayloadError, StoreUnavailable
from core.store.ledger.lanes import Lane


@click.group()
def connectors() -> None:
    """List, add, change, check and set up connectors."""


@connectors.command("list")
@as_json
@needs(lambda env: env)
def list_all(env: Environment, as_json: bool) -> None:
    """List connectors with their states, and the types."""
    settings = settings_of(env)
    found = [
        {
            "name": name,
            "type": item.type,
            "enabled": item.enabled,
            "label": registry.find(item.type).label,
            **jsonable(connector_state(settings, name, lane)),
        }
        for (name, item), lane in zip(settings.connectors.items(), _lanes(env, settings), strict=True)
    ]
    if as_json:
        print_json(found)
        return
    for row in found:
        click.echo(f"{row['name']}: {row['label']} ({row['type']}), {row['state']}")
        if row["state"] != State.ON:
            click.echo(f"    {single_line(row['sentence'])} {row['remedy']}")
    click.echo(f"\nTypes: {', '.join(registry.known_types())}, and any class by its dotted path")


def _lanes(env: Environment, settings: Settings) -> list[Lane | None]:
    """Of each connector; where the store does not answer, its state is that of the file."""
    try:
        ledger = ledger_of(env)
        return [ledger.lane(name) for name in settings.connectors]
    except StoreUnavailable as error:
        click.echo(f"The store does not respond, so the states are those of relay.yaml: {error}", err=True)
        return [None for _ in settings.connectors]


@connectors.command()
@click.argument("name", required=False, shell_complete=connector_names)
@as_json
@needs(lambda env: env)
def check(env: Environment, name: str | None, as_json: bool) -> None:
    """Test credentials, and what the settings name.

    Everything that the settings name must exist at the destination. Nothing is changed.
    """
    settings = settings_of(env)
    names = [name] if name else list(settings.enabled)
    found = {one: list(findings(connector(settings, one, env))) for one in names}
    wrong = any(not finding.right for seen in found.values() for finding in seen)
    rows = {one: [*map(_row, seen), *_doubts(settings, one)] for one, seen in found.items()}
    if as_json:
        print_json(rows)
        raise SystemExit(1 if wrong else 0)
    for one, lines in rows.items():
        if not found[one]:
            click.echo(f"{one}: nothing to check")
        for line in lines:
            click.echo(f"{one}: {_MARKS[line['verdict']]} {line['text']}")
            if line["verdict"] != Level.RIGHT and line["remedy"]:
                click.echo(f"{' ' * len(one)}    {line['remedy']}")
    warn_of_lacking(env)
    raise SystemExit(1 if wrong else 0)


_MARKS = {Level.RIGHT: "✓", Level.DOUBT: "!", Level.WRONG: "✗"}


def _row(finding: Finding) -> dict[str, Any]:
    return {**jsonable(finding), "verdict": Level.RIGHT if finding.right else Level.WRONG}


def _doubts(settings: Settings, name: str) -> list[dict[str, Any]]:
    """What the destination cannot know: nothing is wrong there, and yet no chat goes to it."""
    if name not in unused(settings):
        return []
    text = "No route leads to it: no chat goes there"
    return [{"right": True, "text": text, "remedy": route_remedy(name), "verdict": Level.DOUBT}]


@connectors.command()
@click.argument("name", shell_complete=connector_names)
@agreed
@as_json
@needs(lambda env: env)
def setup(env: Environment, name: str, yes: bool, as_json: bool) -> None:
    """Create what is missing at the destination, such as fields.

    Asks first.
    """
    chosen = connector(settings_of(env), name, env)
    found = []
    with _said(chosen):
        for change in list(chosen.setup()):
            question = f"{name}: {change.text}?"
            if not yes:
                needs_somebody(question)
            made = yes or click.confirm(question, err=True)
            if made:
                change.make()
            if made and not as_json:
                click.echo(f"{name}: done: {change.text}")
            found.append({"change": change.text, "made": made})
    if as_json:
        print_json(found)
    elif not found:
        click.echo(f"{name}: nothing to set up")
    warn_of_lacking(env)


for _command in (changes.add, changes.change, changes.remove, login, new):
    connectors.add_command(_command)


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--connector", "name", required=True, shell_complete=connector_names, help="The connector's name in relay.yaml."
)
@as_json
@needs(lambda env: env)
def preview(env: Environment, file: Path, name: str, as_json: bool) -> None:
    """Print the requests that a payload would cause.

    Nothing is sent. Also prints what templates can name of it. Secrets are masked.
    """
    try:
        found = preview_body(connector(settings_of(env), name, env), file.read_bytes())
    except PayloadError as error:
        fail(f"{file}: {error}")
    if found.skipped:
        click.echo(f"nothing would be sent: {found.skipped}", err=True)
    for note in found.notes:
        click.echo(note, err=True)
    shown = jsonable(found)
    if as_json:
        print_json(shown)
        return
    for value, text in shown["values"].items():
        if text not in (None, ""):
            click.echo(f"{value}: {single_line(str(text))}")
    click.echo()
    for one in shown["requests"]:
        click.echo(one["request"])
        for header, value in one["headers"].items():
            click.echo(f"  {header}: {value}")
        if one["body"] is not None:
            print_json(one["body"])
        click.echo()


@contextmanager
def _said(tried: Connector[Any]) -> Iterator[None]:
    with tried.attempt():
        try:
            yield
        except DeliveryError as error:
            fail(f"{tried.name}: {tried.mask(str(error))}")


COMMANDS: Sequence[click.Command] = (connectors, preview)
