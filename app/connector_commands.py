"""`relay connectors …` and `relay preview`: look before anything is sent."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NoReturn

import click

from app import show
from connectors import registry
from connectors.base import Connector, Finding, HttpConnector, Receipt, Step
from connectors.http import Sent
from core.delivery import Revision
from core.environment import environment
from core.errors import DeliveryError, NotFound, PayloadError, Skipped
from core.settings import Settings, load
from core.smartsupp import parse_conversation

#: Headers that say nothing about the record.
_PLAIN_HEADERS = {"user-agent", "accept-encoding", "accept", "connection", "content-length"}


@click.group()
def connectors() -> None:
    """See whether connectors can deliver, and set up what they need."""


@connectors.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON for scripts.")
def list_all(as_json: bool) -> None:
    """The connectors of the configuration, and the types that there are."""
    settings = _settings()
    found = [
        {"name": name, "type": item.type, "enabled": item.enabled, "label": registry.find(item.type).label}
        for name, item in settings.connectors.items()
    ]
    if as_json:
        show.print_json(found)
        return
    for row in found:
        click.echo(f"{row['name']}: {row['label']} ({row['type']}){'' if row['enabled'] else ', off'}")
    click.echo(f"\nTypes: {', '.join(sorted(registry.types()))}, and any class by its dotted path")


@connectors.command()
@click.argument("name", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print JSON for scripts.")
def check(name: str | None, as_json: bool) -> None:
    """Prove credentials, and that what the settings name exists there. Only reads; nothing is changed."""
    settings = _settings()
    names = [name] if name else list(settings.enabled)
    found = {one: list(_findings(_connector(settings, one))) for one in names}
    wrong = any(not finding.right for findings in found.values() for finding in findings)
    if as_json:
        show.print_json({one: [show.plain(finding) for finding in findings] for one, findings in found.items()})
    for one, findings in found.items() if not as_json else ():
        for finding in findings:
            click.echo(f"{one}: {'✓' if finding.right else '✗'} {finding.text}")
            if not finding.right and finding.remedy:
                click.echo(f"{' ' * len(one)}    {finding.remedy}")
        if not findings:
            click.echo(f"{one}: nothing to check")
    raise SystemExit(1 if wrong else 0)


@connectors.command()
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask.")
def setup(name: str, yes: bool) -> None:
    """Create at the destination what the connector needs and the vendor lets us create. Asks first."""
    connector = _connector(_settings(), name)
    with _said(connector):
        changes = list(connector.setup())
        for change in changes:
            if yes or click.confirm(f"{name}: {change.text}?"):
                change.make()
                click.echo(f"{name}: done: {change.text}")
    if not changes:
        click.echo(f"{name}: nothing to set up")


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--connector", "name", required=True, help="Its name in the configuration.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON for scripts.")
def preview(file: Path, name: str, as_json: bool) -> None:
    """Print the requests that a payload would cause, secrets masked. Nothing is sent."""
    connector = _connector(_settings(), name)
    if not isinstance(connector, HttpConnector):
        _fail(f"{name} sends no requests")
    body = file.read_bytes()
    try:
        conversation = parse_conversation(body)
    except PayloadError as error:
        _fail(f"{file}: {error}")
    now = round(datetime.now(UTC).timestamp() * 1000)
    revision = Revision(1, "preview", now, "", body)
    receipt = Receipt(f"{name}:{conversation.key}", revision, lambda: [revision])
    with _said(connector), connector.http.pretending(connector.imagine) as sent:
        try:
            connector.deliver(conversation, receipt, Step({}, _forget))
        except Skipped as skipped:
            click.echo(f"nothing would be sent: {skipped}")
    shown = [_shown(connector, one) for one in sent]
    if as_json:
        show.print_json(shown)
        return
    for one in shown:
        click.echo(one["request"])
        for header, value in one["headers"].items():
            click.echo(f"  {header}: {value}")
        if one["body"] is not None:
            show.print_json(one["body"])
        click.echo()


def _forget(step: str, value: Any) -> None:
    """What a preview makes up is worth remembering to nobody."""


def _settings() -> Settings:
    return load(environment(os.environ), registry.settings_model, os.environ)


def _connector(settings: Settings, name: str) -> Connector[Any]:
    if name not in settings.connectors:
        raise NotFound(f"there is no connector '{name}'; there are {', '.join(settings.connectors) or 'none'}")
    data_dir = environment(os.environ).data_dir
    return registry.find(settings.connectors[name].type)(name, settings.connectors[name], data_dir)


def _findings(connector: Connector[Any]) -> Iterator[Finding]:
    """What a check finds; an error of the vendor's is one finding more, and the last."""
    with connector.attempt():
        try:
            yield from connector.check()
        except DeliveryError as error:
            yield Finding(False, connector.mask(str(error)), "look at the credentials and the address in the config")


@contextmanager
def _said(connector: Connector[Any]) -> Iterator[None]:
    with connector.attempt():
        try:
            yield
        except DeliveryError as error:
            _fail(f"{connector.name}: {connector.mask(str(error))}")


def _shown(connector: Connector[Any], sent: Sent) -> dict[str, Any]:
    headers = {name: value for name, value in sent.headers.items() if name.lower() not in _PLAIN_HEADERS}
    if "Authorization" in headers:  # Basic hides a secret from the mask
        headers["Authorization"] = headers["Authorization"].split()[0] + " **********"
    text = connector.mask(show.as_json({"headers": headers, "body": sent.body}))
    return {"request": connector.mask(f"{sent.method} {sent.url}"), **json.loads(text)}


def _fail(text: str) -> NoReturn:
    click.echo(text, err=True)
    raise SystemExit(1)


COMMANDS: Sequence[click.Command] = (connectors, preview)
