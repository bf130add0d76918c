"""`relay`: the command line. Every listing takes --json; exit codes are 0 done, 1 not done, 2 wrong usage or config."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Mapping, Sequence
from itertools import chain
from pathlib import Path
from urllib.parse import urlsplit

import click
import requests

from app.admin import doctor_store, sample
from app.cli import (
    backup,
    doctor,
    erase,
    exports,
    imports,
    inspect,
    pause,
    replay,
    setup,
    source,
)
from app.cli.options import as_json, fail, ledger_of, needs, settings_anyway, settings_of
from app.cli.output.records import print_json
from app.hook_url import hook_url
from app.process import keep_to_ourselves
from app.supervisor.up import main as bring_up
from connectors.registry import settings_model
from core import log
from core.config.environment import Environment, environment
from core.config.reload import SUPERVISED, Watched
from core.config.settings import Settings
from core.config.sources import dotenv_file
from core.errors import ConfigError, Problem, RelayError, StoreUnavailable
from core.store import Ledger


def main() -> None:
    """The console script: an error that we raise is a sentence, not a traceback."""
    keep_to_ourselves()
    # A connector of your own may lie beside relay.yaml. Last, so that it hides nothing.
    sys.path.append(str(Path.cwd()))
    try:
        dotenv_file.adopt(os.environ)
        group(prog_name="relay")
    except ConfigError as error:
        fail(str(error), 2)
    except StoreUnavailable as error:
        fail(_away(error))
    except RelayError as error:
        fail(str(error))


def _away(error: StoreUnavailable) -> str:
    line = doctor_store.away(environment(os.environ), error)
    return f"The store {line.text}.\nWhat to do: {line.remedy}.\nFor details: relay doctor"


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


# --- running -----------------------------------------------------------------


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
@needs(lambda env: env)
def web(env: Environment) -> None:
    """Run the receiver and the dashboard."""
    from app.server.web import main as serve  # the server's code is only wanted here

    log.configure(os.environ.get("RELAY_LOG", "console"))
    watched = Watched(env, settings_model, os.environ, restarted=SUPERVISED in os.environ)
    if not watched.current().tokens:
        problem = Problem("SMARTSUPP_TOKEN", "is not set; create one with: openssl rand -hex 24")
        raise ConfigError("the environment", [problem])
    serve(env)


@click.command()
@needs(lambda env: env)
def worker(env: Environment) -> None:
    """Run a worker. As many as you like may run, on any machines."""
    from workers.main import main as work

    log.configure(os.environ.get("RELAY_LOG", "console"))
    work(env, os.environ)


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


# --- trying things out -------------------------------------------------------


@click.command()
@click.argument("files", nargs=-1, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--sample", "send_sample", is_flag=True, help="Send a sample chat; a new one each time.")
@click.option("--url", default=None, help="The full hook URL; default: the one of this installation.")
@as_json
@needs(lambda env: env)
def send(env: Environment, files: Sequence[Path], send_sample: bool, url: str | None, as_json: bool) -> None:
    """Post payloads to a running receiver, as Smartsupp does.

    \b
    Example: relay send --sample
    """
    if not files and not send_sample:
        raise click.UsageError("name a file, or pass --sample")
    settings = None if url else settings_anyway(env)
    target = url or hook_url(env, settings or Settings(source="", tokens=env.tokens, connectors={}, routes=()))
    bodies = [(str(file), file.read_bytes()) for file in files]
    if send_sample:
        bodies.append(("sample", sample.body()))
    answers = []
    for name, body in bodies:
        try:
            answer = requests.post(
                target, data=body, headers={"Content-Type": "application/json"}, timeout=30, allow_redirects=False
            )
        except requests.RequestException:
            fail(f"{name}: the receiver does not respond at {_without_token(target)}. Start it with: relay up")
        answers.append({"name": name, "status": answer.status_code, "answer": answer.text.strip()})
        if not as_json:
            click.echo(f"{name}: {answer.status_code} {answer.text.strip()}")
    if as_json:
        print_json(answers)
    raise SystemExit(any(one["status"] != 202 for one in answers))


def _without_token(url: str) -> str:
    """Scheme and host: the path holds the token."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


_SECTIONS: Mapping[str, Sequence[click.Command]] = {
    "Running": (up, web, worker, alive, welcome, *doctor.COMMANDS, *setup.ADMIN),
    "Inspecting": inspect.COMMANDS,
    "Fixing": (*replay.COMMANDS, *pause.COMMANDS),
    "Import and export": (
        send,
        *source.COMMANDS,
        *imports.COMMANDS,
        *exports.COMMANDS,
        *erase.COMMANDS,
        *backup.COMMANDS,
    ),
    "Setting up": setup.COMMANDS,
}

for _command in chain.from_iterable(_SECTIONS.values()):
    group.add_command(_command)
