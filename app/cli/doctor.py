"""`relay doctor`: what is wrong here, and what to do about it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict

import click
from tenacity import retry, retry_if_exception_type, stop_after_delay, wait_fixed

from app.admin import doctor, doctor_store
from app.admin.append_only.faults import Mend, files, look
from app.admin.append_only.repair import repair, would_lose
from app.admin.append_only.rest import rest
from app.admin.doctor import Diagnosis, Level
from app.cli.options import agreed, as_json, ask, fail, needs
from app.cli.output.records import print_json
from app.supervisor import embedded
from connectors.kit.transcript import single_line
from core.config.environment import Environment
from core.config.mistakes.files import file_mistake
from core.errors import NotFound

#: Ids that are printed.
_SHOWN = 100
_MARKS = {Level.RIGHT: ("✓", "green"), Level.DOUBT: ("!", "yellow"), Level.WRONG: ("✗", "red")}


@click.command("doctor")
@click.option("--check", is_flag=True, help="Also check every connector at its destination. Nothing is changed.")
@as_json
def examine(check: bool, as_json: bool) -> None:
    """Find problems of this installation, and what to do about them.

    Checks versions, configuration, data folder, connectors, store, workers and queues. Also works when the store does
    not respond or the configuration is broken.

    Exit code 0: no problem (✗) was found; a warning (!) may be intended.
    """
    found = []
    for line in _lines(os.environ, check):
        found.append(line)
        if not as_json:
            _print(line)
    right = all(line.verdict is not Level.WRONG for line in found)
    if as_json:
        print_json({"right": right, "findings": [asdict(line) for line in found]})
    raise SystemExit(not right)


def _lines(variables: Mapping[str, str], check: bool) -> Iterator[Diagnosis]:
    yield from doctor.versions()
    env, wrong = doctor.surroundings(variables)
    yield from wrong
    if env is None:
        return
    settings, lines = doctor.configuration(env, variables)
    yield from lines
    yield from doctor.token(env, settings)
    yield from doctor.data_folder(env)
    if settings:
        yield from doctor.connector_findings(env, settings, check=check)
    yield from doctor_store.server(env, settings)


def _print(line: Diagnosis) -> None:
    mark, colour = _MARKS[line.verdict]
    click.echo(f"{click.style(mark, fg=colour)} {line.about}: {single_line(line.text)}")
    if line.verdict is not Level.RIGHT and line.remedy:
        click.echo(f"    {single_line(line.remedy)}")


@click.command("repair")
@agreed
@as_json
@needs(lambda env: env)
def mend(env: Environment, yes: bool, as_json: bool) -> None:
    """Repair files of the embedded store that Valkey cannot load.

    For use after a power failure or on a damaged disk. Shows what is damaged and what would be lost, asks, copies the
    files, cuts them after the last complete write or rewrites their manifest, and lists what was lost. `relay up` may
    run meanwhile: it starts the store as soon as it can be loaded.

    Exit code 1: only a backup helps.
    """
    if not env.embedded:
        raise NotFound("the store is not the embedded one; repair it with valkey-check-aof or redis-check-aof")
    descriptor = _locked(env)
    try:
        fault = look(env, thorough=True)
        if fault is None:
            print_json({"repaired": False}) if as_json else click.echo("The store's files are intact.")
            return
        click.echo(f"The store: {fault.text}.", err=True)
        if fault.mend is Mend.NONE:
            click.echo(f"{rest(files(env))}.", err=True)
            fail(f"What to do: {fault.remedy}.")
        lost, later = would_lose(fault, files(env))
        also = f", with all of {', '.join(later)}" if later else ""
        ask(f"Repair it? {lost:,} bytes are lost{also}; a copy is kept.", yes)
        made = repair(env)
    except OSError as error:
        place = error.filename or files(env)
        fail(f"{place}: {file_mistake(error)}. Nothing was lost; free disk space or correct the rights.")
    finally:
        os.close(descriptor)
    ids = sorted(made.lost_ids)
    if as_json:
        told = {"copy": str(made.copy), "done": made.done, "bytes": made.lost_bytes, "commands": made.lost_commands}
        print_json({"repaired": True, **told, "ids": ids})
        return
    for text in made.done:
        click.echo(f"{text}.")
    click.echo(f"Lost: {made.lost_bytes:,} bytes with {made.lost_commands:,} commands, about {len(ids):,} records:")
    for one in ids[:_SHOWN]:
        click.echo(f"  {one}")
    if len(ids) > _SHOWN:
        click.echo(f"  and {len(ids) - _SHOWN:,} more")
    click.echo(f"Copy of the old files: {made.copy}. It holds personal data; delete it when everything works.")


_patiently = retry(
    retry=retry_if_exception_type(BlockingIOError), wait=wait_fixed(0.1), stop=stop_after_delay(5), reraise=True
)


def _locked(env: Environment) -> int:
    """The data folder, taken from a server that starts and ends again and again."""
    try:
        return _patiently(embedded.lock)(env)
    except BlockingIOError:
        fail("the store is running, so there is nothing to repair; if you want to check anyway, stop the relay first")
    except OSError as error:
        fail(f"cannot write to {env.data_dir}: {file_mistake(error)}")


COMMANDS: Sequence[click.Command] = (examine, mend)
