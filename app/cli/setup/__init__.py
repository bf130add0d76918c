"""The commands with which a relay is set up: configuration, connectors, alerts, the dashboard's password, the shell."""

from __future__ import annotations

from collections.abc import Sequence

import click

from app.cli.setup import admin, alerts, completion, config, connectors, init, secrets

COMMANDS: Sequence[click.Command] = (
    *init.COMMANDS,
    *connectors.COMMANDS,
    *secrets.COMMANDS,
    *config.COMMANDS,
    *alerts.COMMANDS,
    *completion.COMMANDS,
)
#: Shown beside the commands that run things.
ADMIN: Sequence[click.Command] = admin.COMMANDS
