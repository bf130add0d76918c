"""`relay admin …`: the dashboard's password."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

import click

from app import password
from app.options import as_json
from app.show import print_json
from app.up import local_url
from core.environment import environment
from core.store import Access, connected


@click.group()
def admin() -> None:
    """The dashboard's log-in."""


@admin.command("set-password")
@click.option("--generate", is_flag=True, help="Make one and print it.")
@as_json
def set_password(generate: bool, as_json: bool) -> None:
    """Set the dashboard's password, and log everybody out. Asks for it, or reads one line from a pipe."""
    env = environment(os.environ)
    chosen = password.generate() if generate else _asked()
    if trouble := password.trouble(chosen):
        raise click.UsageError(trouble)
    Access(connected(env)).set_password(password.hashed(chosen))
    page = f"{env.public_url or local_url(env)}/login"
    made = {"password": chosen} if generate else {}
    if as_json:
        print_json({"set": True, "login": page, **made})
        return
    for text in made.values():
        click.echo(text)
    click.echo(f"The password is set, and whoever was logged in no longer is: {page}", err=True)


def _asked() -> str:
    if sys.stdin.isatty():
        return str(click.prompt("New password", hide_input=True, confirmation_prompt="The same again", err=True))
    return sys.stdin.readline().rstrip("\r\n")


COMMANDS: Sequence[click.Command] = (admin,)
