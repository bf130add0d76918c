"""All commands of `relay`, by what one wants. Every listing takes --json; exit codes are 0 done, 1 not done, 2 wrong
usage or configuration."""

from __future__ import annotations

import socket
from collections.abc import Mapping, Sequence
from itertools import chain
from pathlib import Path

import click

from app.cli import backup, doctor, erase, exports, imports, inspect, pause, replay, running, sending, setup
from app.cli.options import as_json, fail, ledger_of, needs, settings_of
from app.cli.output.records import print_json
from app.cli.smartsupp import demo, source
from app.supervisor.up import main as bring_up
from core.config.environment import Environment
from core.store import Ledger


class _Sections(click.Group):
    """Commands by what one wants, not by the alphabet."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002  # click's own
        width = max(len(name) for name in self.commands)
        for title, commands in _SECTIONS.items():
            shown = [one for one in commands if not one.hidden]
            rows = [(f"{one.name:{width}}", one.get_short_help_str(formatter.width - width - 6)) for one in shown]
            with formatter.section(title):
                formatter.write_dl(rows)


@click.group(cls=_Sections, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="smartsupp-relay", prog_name="relay")
def group() -> None:
    """Bring every Smartsupp chat into your CRM and help desk.

    Every listing takes --json. Exit codes: 0 done, 1 not done, 2 wrong usage or configuration.
    """


@click.command()
@click.option(
    "--procfile",
    type=click.Path(path_type=Path),
    default=None,
    help="Use this Procfile instead of the one here.",
)
@click.option("--show-secrets", is_flag=True, help="Print the token and the first password even to a file or a log.")
def up(procfile: Path | None, show_secrets: bool) -> None:
    """Run everything here: store, receiver, worker.

    Starts the processes of the Procfile in this folder, or a receiver and a worker if there is none, and a store
    unless RELAY_REDIS_URL is set. At a terminal it prints the hook URL with its token and the dashboard's first
    password.
    """
    bring_up(procfile, show_secrets=show_secrets)


@click.command()
@as_json
@needs(ledger_of)
def alive(ledger: Ledger, as_json: bool) -> None:
    """Check whether a worker on this machine is alive.

    It is if it was seen in the last 15 seconds. For health checks.
    """
    here = socket.gethostname() + ":"
    found = [name for name, age in ledger.workers().items() if name.startswith(here) and age < 15_000]
    if as_json:
        print_json({"alive": bool(found), "workers": found})
        raise SystemExit(not found)
    if not found:
        fail("no worker is alive on this machine; start one with: relay worker")
    click.echo("alive")


@click.command(hidden=True)
@needs(lambda env: env)
def welcome(env: Environment) -> None:
    """Print what `relay up` shows once everything responds."""
    from app.supervisor.welcome import main as greet

    greet(env, settings_of(env))


_SECTIONS: Mapping[str, Sequence[click.Command]] = {
    "Running": (up, *demo.COMMANDS, *running.COMMANDS, alive, welcome, *doctor.COMMANDS, *setup.ADMIN),
    "Inspecting": inspect.COMMANDS,
    "Fixing": (*replay.COMMANDS, *pause.COMMANDS),
    "Import and export": (
        *(*sending.COMMANDS, *source.COMMANDS, *imports.COMMANDS, *exports.COMMANDS),
        *(*erase.COMMANDS, *backup.COMMANDS),
    ),
    "Setting up": setup.COMMANDS,
}

for _command in chain.from_iterable(_SECTIONS.values()):
    group.add_command(_command)
