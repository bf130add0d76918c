"""`relay`: the command line. Every listing takes --json; exit codes are 0 done, 1 not done, 2 wrong usage or config."""

from __future__ import annotations

import json
import os
import socket
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import wraps
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import click
import requests

from app import connector_commands, sample, show
from app.up import hook_url
from app.up import main as bring_up
from connectors.registry import settings_model, types
from core import log
from core.delivery import DeliveryStatus, PayloadStatus
from core.environment import Environment, environment
from core.errors import ConfigError, NotFound, RelayError, StoreUnavailable
from core.settings import Settings, load, masked, schema
from core.store import INBOX, Ledger, Store, connect
from workers.celery import create, knocker

F = TypeVar("F", bound=Callable[..., Any])

as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON for scripts.")
limited = click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 100_000), help="Rows at most.")


def main() -> None:
    """The console script: what goes wrong on purpose is said in a sentence, not in a traceback."""
    # A connector of your own may lie beside relay.yaml. Last, so that it hides nothing.
    sys.path.append(str(Path.cwd()))
    try:
        group(prog_name="relay")
    except ConfigError as error:
        fail(str(error), 2)
    except StoreUnavailable as error:
        fail(
            f"Redis does not answer: {error}\nIs the relay running, and RELAY_DATA_DIR or RELAY_REDIS_URL set as there?"
        )
    except RelayError as error:
        fail(str(error))


def fail(text: str, code: int = 1) -> NoReturn:
    click.echo(text, err=True)
    raise SystemExit(code)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="smartsupp-relay", prog_name="relay")
def group() -> None:
    """Bring every Smartsupp chat into your CRM and help desk."""


def needs(build: Callable[[Environment], Any]) -> Callable[[F], F]:
    """Give a command what `build` makes of the environment as its first argument."""

    def decorate(command: F) -> F:
        @wraps(command)
        def call(*args: Any, **kwargs: Any) -> Any:
            return command(build(environment(os.environ)), *args, **kwargs)

        return call  # type: ignore[return-value]  # click sees the same parameters but the first

    return decorate


def _settings(env: Environment) -> Settings:
    return load(env, settings_model, os.environ)


def _ledger(env: Environment) -> Ledger:
    return Ledger(connect(env.server_url))


# --- running -----------------------------------------------------------------


@group.command()
@click.option("--procfile", type=click.Path(path_type=Path), default=None, help="Another Procfile.")
def up(procfile: Path | None) -> None:
    """Run everything here: the Procfile's processes, and a server unless RELAY_REDIS_URL is set."""
    bring_up(procfile or _procfile())


def _procfile() -> Path:
    here = Path("Procfile")
    return here if here.exists() else Path(__file__).parent.parent / "Procfile"


@group.command()
@needs(lambda env: env)
def web(env: Environment) -> None:
    """Run the receiver."""
    from app.web import main as serve  # the server's code is only wanted here

    log.configure(os.environ.get("RELAY_LOG", "console"))
    if not _settings(env).tokens:
        raise ConfigError("the environment", [_no_token()])
    serve(env)


def _no_token() -> Any:
    from core.errors import Problem

    return Problem("SMARTSUPP_TOKEN", "is not set; make one with: openssl rand -hex 24")


@group.command()
@needs(lambda env: env)
def worker(env: Environment) -> None:
    """Run a worker. As many as you like may run, on any machines."""
    from workers.main import main as work

    log.configure(os.environ.get("RELAY_LOG", "console"))
    work(env, os.environ)


@group.command()
@needs(_ledger)
def alive(ledger: Ledger) -> None:
    """For health checks: whether a worker of this machine was heard of in the last 15 seconds."""
    here = socket.gethostname() + ":"
    if not any(name.startswith(here) and age < 15_000 for name, age in ledger.workers().items()):
        fail("no worker of this machine is alive")
    click.echo("alive")


@group.command(hidden=True)
@needs(lambda env: env)
def welcome(env: Environment) -> None:
    """What `relay up` says once everything answers."""
    from app.welcome import main as greet

    greet(env, _settings(env))


# --- trying things out -------------------------------------------------------


@group.command()
@click.argument("files", nargs=-1, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--sample", "send_sample", is_flag=True, help="Send a made-up conversation; a new one each time.")
@click.option("--url", default=None, help="The whole hook URL; by default the one of this installation.")
@needs(lambda env: env)
def send(env: Environment, files: Sequence[Path], send_sample: bool, url: str | None) -> None:
    """Post payloads to a running receiver, as Smartsupp does."""
    if not files and not send_sample:
        raise click.UsageError("name a file, or --sample")
    target = url or hook_url(env, _settings(env))
    bodies = [(str(file), file.read_bytes()) for file in files]
    if send_sample:
        bodies.append(("sample", sample.body()))
    failed = False
    for name, body in bodies:
        try:
            answer = requests.post(
                target, data=body, headers={"Content-Type": "application/json"}, timeout=30, allow_redirects=False
            )
        except requests.RequestException as error:
            fail(f"{name}: no answer ({type(error).__name__}). Is the receiver running? Start it with: relay up")
        click.echo(f"{name}: {answer.status_code} {answer.text.strip()}")
        failed = failed or answer.status_code != 202
    sys.exit(1 if failed else 0)


# --- looking -----------------------------------------------------------------


@group.command()
@as_json
@needs(lambda env: env)
def status(env: Environment, as_json: bool) -> None:
    """What came in, what went out, what waits, and what is wrong."""
    ledger, settings = _ledger(env), _settings(env)
    found = show.overview(ledger, settings)
    show.print_json(found) if as_json else show.print_overview(found)


@group.command()
@click.option("--status", "wanted", type=click.Choice([str(one) for one in DeliveryStatus]), help="Only those.")
@click.option("--connector", help="Only those.")
@limited
@as_json
@needs(_ledger)
def deliveries(ledger: Ledger, wanted: str | None, connector: str | None, limit: int, as_json: bool) -> None:
    """The deliveries that changed last."""
    found = ledger.deliveries(DeliveryStatus(wanted) if wanted else None, connector, limit)
    if as_json:
        show.print_json([show.plain(delivery) for delivery in found])
    else:
        show.print_deliveries(found, ledger.now())


@group.command()
@click.option(
    "--status",
    "wanted",
    type=click.Choice([str(one) for one in PayloadStatus]),
    default="quarantined",
    show_default=True,
    help="Which.",
)
@limited
@as_json
@needs(_ledger)
def payloads(ledger: Ledger, wanted: str, limit: int, as_json: bool) -> None:
    """Bodies as they came, newest first: the quarantined, the set aside, and the rest."""
    found = ledger.payloads(PayloadStatus(wanted), limit)
    if as_json:
        show.print_json([show.plain(payload) for payload in found])
    else:
        show.print_payloads(found)


@group.command("show")
@click.argument("identity", metavar="ID")
@as_json
@needs(_ledger)
def show_one(ledger: Ledger, identity: str, as_json: bool) -> None:
    """The story of a payload, a conversation (account:channel) or a delivery (connector:account:channel)."""
    found: Any
    match identity.count(":"):
        case 0:
            found = ledger.payload(identity)
        case 1:
            found = ledger.conversation(identity)
        case _:
            found = ledger.delivery(identity)
    if as_json:
        show.print_json(show.plain(found))
    else:
        show.print_story(found, ledger.now())


# --- putting right -----------------------------------------------------------


@group.command()
@click.argument("identity", metavar="ID")
@needs(lambda env: env)
def replay(env: Environment, identity: str) -> None:
    """Deliver again: a delivery, every delivery of a conversation, or a body that was quarantined or set aside."""
    store, knock = Store(connect(env.server_url)), knocker(create(env))
    targets = [identity]
    if identity.count(":") == 1:
        targets = [delivery.id for delivery in _ledger(env).conversation(identity).deliveries]
    if not targets:
        raise NotFound(f"conversation {identity} has no deliveries; replay its payload instead")
    for target in targets:
        lane, wanted = store.replay(target)
        if wanted:
            knock(lane)
        click.echo(f"{target}: due now" + ("" if lane == INBOX else f" for {lane}"))


@group.command()
@click.argument("connector")
@needs(lambda env: env)
def resume(env: Environment, connector: str) -> None:
    """Go on with a connector that was paused. (One whose settings change goes on by itself.)"""
    _known(env, connector)
    opened, wanted = Store(connect(env.server_url)).resume(connector)
    if wanted:
        knocker(create(env))(connector)
    click.echo(f"{connector}: resumed" if opened else f"{connector}: was not paused")


@group.command()
@click.argument("connector")
@click.option("--reason", default="paused by hand", show_default=True, help="Shown to whoever wonders.")
@needs(lambda env: env)
def pause(env: Environment, connector: str, reason: str) -> None:
    """Hold a connector's deliveries back until it is resumed; none is lost and none ages."""
    _known(env, connector)
    Store(connect(env.server_url)).pause(connector, reason)
    click.echo(f"{connector}: paused")


def _known(env: Environment, connector: str) -> None:
    names = sorted({*_settings(env).connectors, *_ledger(env).connectors()})
    if connector not in names:
        raise NotFound(f"there is no connector '{connector}'; there are {', '.join(names) or 'none'}")


# --- configuration -----------------------------------------------------------


@group.group()
def config() -> None:
    """Check and show the configuration."""


@config.command("check")
@needs(_settings)
def config_check(settings: Settings) -> None:
    """Report every problem at once, with its place and what to type."""
    click.echo(f"{settings.source}: right. Enabled: {', '.join(settings.enabled) or 'nothing'}")


@config.command("schema")
def config_schema() -> None:
    """The JSON Schema of relay.yaml, for your editor."""
    show.print_json(schema({name: kind.settings_model for name, kind in types().items()}))


@config.command("show")
@needs(lambda env: env)
def config_show(env: Environment) -> None:
    """The effective configuration, secrets masked."""
    settings = _settings(env)
    shown = {name: str(value) for name, value in asdict(env).items() if name not in ("tokens", "redis_url")}
    click.echo(json.dumps({"source": settings.source, "environment": shown, **masked(settings)}, indent=2))


for extra in connector_commands.COMMANDS:
    group.add_command(extra)


if __name__ == "__main__":
    main()
