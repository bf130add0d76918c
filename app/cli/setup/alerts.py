"""`relay alerts test`: whether alerts arrive."""

from __future__ import annotations

import secrets
import time
from collections.abc import Sequence

import click

from app.cli.options import as_json, fail, needs, renamed, settings_of
from app.cli.output.records import print_json
from core.config.alerts import CHANNELS
from core.config.environment import Environment
from workers.alerts.channels import NotSent, channels
from workers.alerts.messages import test_message


@click.group()
def alerts() -> None:
    """Test alerts."""


@alerts.command("test")
@as_json
@needs(lambda env: env)
def test(env: Environment, as_json: bool) -> None:
    """Send a test alert through every channel, and print the answers."""
    found = channels(settings_of(env).alerts)
    if not found:
        named = f"{', '.join(CHANNELS[:-1])} or {CHANNELS[-1]}"
        fail(f"no alerts are configured; add {named} under alerts in relay.yaml", 2)
    message = test_message(secrets.token_hex(16), round(time.time() * 1000), env.public_url)
    answers = []
    for name, channel in found.items():
        try:
            said, sent = channel.send(message), True
        except NotSent as error:
            said, sent = str(error), False
        answers.append({"channel": name, "sent": sent, "answer": said})
        if not as_json:
            click.echo(f"{name}: {'✓' if sent else '✗'} {said}")
    if as_json:
        print_json(answers)
    raise SystemExit(0 if all(one["sent"] for one in answers) else 1)


COMMANDS: Sequence[click.Command] = (alerts, renamed(alerts, "notices"))
