"""What the commands share: what they are given, their options, and how they fail."""

from __future__ import annotations

import getpass
import os
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from copy import copy
from functools import wraps
from typing import Any, NoReturn, TypeVar

import click

from app.admin.setting_up.running import lacking, lacks
from app.cli.times import TimeOption
from connectors.registry import settings_model
from core.config.editing.door import Door
from core.config.environment import Environment, environment
from core.config.loader import load
from core.config.settings import Settings
from core.delivery import STATUS_NAMES, UNDELIVERED, DeliveryStatus
from core.errors import ConfigError, NotFound, StoreUnavailable
from core.store import Client, Filter, Ledger, connected
from workers.celery import create, waker

F = TypeVar("F", bound=Callable[..., Any])

as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON (for scripts).")
limited = click.option(
    "--limit", default=50, show_default=True, type=click.IntRange(1, 100_000), help="Most rows to show."
)
agreed = click.option("--yes", is_flag=True, help="Do not ask for confirmation (for scripts).")


def fail(text: str, code: int = 1) -> NoReturn:
    click.echo(text, err=True)
    raise SystemExit(code)


def needs(build: Callable[[Environment], Any]) -> Callable[[F], F]:
    """Give a command what `build` makes of the environment as its first argument."""

    def decorate(command: F) -> F:
        @wraps(command)
        def call(*args: Any, **kwargs: Any) -> Any:
            return command(build(environment(os.environ)), *args, **kwargs)

        return call  # type: ignore[return-value]  # click sees the same parameters but the first

    return decorate


def renamed(command: click.Command, old: str) -> click.Command:
    """A command by the name that it had in version 0.1: hidden, and it says so. Goes with 0.3."""
    kept = copy(command)
    kept.name, kept.hidden = old, True
    kept.deprecated = f"It is now called {command.name}."
    return kept


def settings_of(env: Environment) -> Settings:
    """Raises ConfigError."""
    return load(env, settings_model, os.environ)


def settings_anyway(env: Environment) -> Settings | None:
    """The settings; None, and a line on standard error, while the file is broken: a running relay works under those of
    before, and whoever looks at it or pauses a connector must not be kept from it."""
    try:
        return settings_of(env)
    except ConfigError as error:
        click.echo(
            f"{error.source} has mistakes (run: relay config check); a running relay still uses the previous version",
            err=True,
        )
        return None


def client_of(env: Environment, *, patient: bool = False) -> Client:
    """For commands that make something due: the workers hear of it."""
    return connected(env, patient=patient, wake_up=waker(create(env)))


def ledger_of(env: Environment) -> Ledger:
    return Ledger(connected(env))


def troubles_of(env: Environment) -> Mapping[str, str]:
    """What running workers have against relay.yaml, by worker; they may lack what is set here. Nothing where none can
    be asked."""
    try:
        return ledger_of(env).troubles()
    except StoreUnavailable:
        return {}


def warn_of_lacking(env: Environment) -> None:
    """Whoever has set a variable in this terminal sees that all is right, and the running relay refuses the file."""
    if said := lacks(env, lacking(troubles_of(env).values(), os.environ)):
        click.echo(said, err=True)


def door_of(env: Environment) -> Door:
    """To change relay.yaml."""
    return Door(env, settings_model, os.environ)


def require_connector(env: Environment, connector: str) -> None:
    """Raises NotFound unless the connector is in the configuration, or was."""
    settings = settings_anyway(env)
    names = sorted({*(settings.connectors if settings else _written(env)), *ledger_of(env).connectors()})
    if connector not in names:
        raise NotFound(f"there is no connector '{connector}'; available: {', '.join(names) or 'none'}")


def _written(env: Environment) -> Sequence[str]:
    """What may be a connector's name in a file that cannot be read: whatever has a colon after it."""
    try:
        text = env.config.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ()
    return re.findall(r"^\s+['\"]?([a-z0-9][a-z0-9_-]{0,62})['\"]?\s*:", text, re.MULTILINE)


def whoever() -> str:
    """Who types, for the records."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container's user need not have a name
        return "admin"


def at_a_terminal() -> bool:
    """Whether somebody can be asked."""
    return sys.stdin.isatty()


def needs_somebody(question: str) -> None:
    """End the command where nobody can confirm."""
    if not at_a_terminal():
        fail(f"{question} Not a terminal: pass --yes to confirm.", 2)


def secret_typed(name: str) -> str:
    """What somebody types, unseen, or the next line of a pipe."""
    if at_a_terminal():
        return str(click.prompt(name, hide_input=True, err=True)).strip()
    return sys.stdin.readline().strip()


def ask(question: str, yes: bool) -> None:
    """Go on only when somebody says yes."""
    if yes:
        return
    needs_somebody(question)
    if not click.confirm(question, err=True):
        fail("cancelled; nothing was changed")


def connector_names(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    """For shell completion. Whatever is wrong here is said when a command runs, not when Tab is pressed."""
    try:
        names = settings_of(environment(os.environ)).connectors
    except ConfigError:
        return []
    return [name for name in names if name.startswith(incomplete)]


connector_option = click.option(
    "--connector", metavar="NAME", shell_complete=connector_names, help="Only this connector."
)


class StatusChoice(click.Choice[str]):
    """A delivery's status, also as version 0.1 spelled it: `waiting`. That goes with 0.3."""

    def __init__(self) -> None:
        super().__init__(STATUS_NAMES)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        return super().convert("queued" if value == DeliveryStatus.WAITING else value, param, ctx)


_FILTERS: dict[str, Callable[[F], F]] = {
    "connector": connector_option,
    "status": click.option(
        "--status",
        type=StatusChoice(),
        help="Only deliveries with this status; undelivered: chats that were not delivered anywhere.",
    ),
    "cause": click.option(
        "--cause", metavar="CAUSE", default="", help="Only dead letters with this cause, as relay causes lists it."
    ),
    "since": click.option(
        "--since",
        type=TimeOption(),
        help="From this time on: 30min, 2h, 3d, 1w ago, or a date and time (2026-10-02T09:30).",
    ),
    "until": click.option("--until", type=TimeOption(), help="Before this time; a date means its midnight."),
    "text": click.option("--text", default="", help="Text in the visitor's name, email or id."),
    "said": click.option("--said", is_flag=True, help="Search message text as well."),
    "account": click.option("--account", default="", help="Only chats of this account."),
    "missed": click.option("--missed", is_flag=True, help="Only missed chats."),
    "offline": click.option("--offline", is_flag=True, help="Only offline messages."),
    "rating": click.option("--rating", type=click.Choice(["5", "3", "1", "none"]), help="5 good, 3 normal, 1 bad."),
}


def filtered(*without: str) -> Callable[[F], F]:
    """Options for a Filter, which the command gets as `wanted`."""
    names = [name for name in _FILTERS if name not in without]

    def decorate(command: F) -> F:
        @wraps(command)
        def call(*args: Any, **kwargs: Any) -> Any:
            given = {name: kwargs.pop(name) for name in names}
            if given.get("said") and not given["text"]:
                raise click.UsageError("--said goes with --text")
            status = given.pop("status", None)
            lost = status == UNDELIVERED
            if lost and given.get("connector"):
                raise click.UsageError("a chat that was not delivered anywhere has no --connector")
            if given.get("cause"):
                if status not in (None, DeliveryStatus.DEAD):
                    raise click.UsageError("only dead letters have a --cause")
                status = DeliveryStatus.DEAD.spelled
            chosen = {name: value for name, value in given.items() if value is not None}
            wanted = Filter(
                **chosen, status=DeliveryStatus.named(status) if status and not lost else None, undelivered=lost
            )
            return command(*args, wanted=wanted, **kwargs)

        made: Any = call
        for name in reversed(names):
            made = _FILTERS[name](made)
        return made  # type: ignore[no-any-return]  # a command with options more

    return decorate
