"""`relay admin …`: the dashboard's password, and a link that logs in once."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

import click
from tenacity import retry, retry_if_exception_type, stop_after_delay, wait_fixed

from app.admin import password
from app.cli.options import as_json
from app.cli.output.records import print_json
from app.hook_url import local_url
from core.config.environment import environment
from core.errors import StoreLoading
from core.store import Access, connected

#: Minutes for which a link is good.
_LINK_LIFE = 10


@click.group()
def admin() -> None:
    """Manage the login of the dashboard."""


@admin.command("set-password")
@click.option("--generate", is_flag=True, help="Generate a password and print it.")
@as_json
def set_password(generate: bool, as_json: bool) -> None:
    """Set the dashboard's password, and log everybody out. Asks for it, or reads one line from a pipe."""
    env = environment(os.environ)
    chosen = password.generate() if generate else _asked()
    if problem := password.problem(chosen):
        raise click.UsageError(problem)
    _when_loaded(Access(connected(env)).set_password)(password.hashed(chosen))
    page = f"{env.public_url or local_url(env)}/login"
    made = {"password": chosen} if generate else {}
    if as_json:
        print_json({"set": True, "login": page, **made})
        return
    for text in made.values():
        click.echo(text)
    click.echo(f"The password is set, and everybody was logged out. Log in: {page}", err=True)


#: A store that has just been started reads all that is kept; scripts that set up a machine come in the middle of it.
_when_loaded = retry(
    retry=retry_if_exception_type(StoreLoading), wait=wait_fixed(0.5), stop=stop_after_delay(600), reraise=True
)


@admin.command("login-link")
@as_json
def login_link(as_json: bool) -> None:
    """Print a link that logs one browser in, once, within ten minutes."""
    env = environment(os.environ)
    token = _when_loaded(Access(connected(env)).make_login_link)(_LINK_LIFE * 60_000)
    link = f"{env.public_url or local_url(env)}/login/link/{token}"
    if as_json:
        print_json({"link": link, "minutes": _LINK_LIFE})
        return
    click.echo(link)
    click.echo(f"Open it within {_LINK_LIFE} minutes. It works once.", err=True)


def _asked() -> str:
    if sys.stdin.isatty():
        return str(click.prompt("New password", hide_input=True, confirmation_prompt="Repeat the password", err=True))
    return sys.stdin.readline().rstrip("\r\n")


COMMANDS: Sequence[click.Command] = (admin,)
