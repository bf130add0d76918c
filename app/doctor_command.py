"""`relay doctor`: what is wrong here, and what to do about it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict

import click

from app import doctor, doctor_store, show
from app.doctor import Line, Verdict
from app.options import as_json
from connectors.transcript import single_line

_MARKS = {Verdict.RIGHT: ("✓", "green"), Verdict.DOUBT: ("!", "yellow"), Verdict.WRONG: ("✗", "red")}


@click.command("doctor")
@click.option("--check", is_flag=True, help="Ask every connector's destination, too. Only reads.")
@as_json
def examine(check: bool, as_json: bool) -> None:
    """Find what is wrong here, and what to do about it.

    Looks at versions, configuration, data folder, connectors, server, workers, and what waits. Works as well when the
    server is away or the configuration is broken.

    Exit code 0: nothing is wrong (✗); what is doubtful (!) may be meant so.
    """
    found = []
    for line in _lines(os.environ, check):
        found.append(line)
        if not as_json:
            _print(line)
    right = all(line.verdict is not Verdict.WRONG for line in found)
    if as_json:
        show.print_json({"right": right, "findings": [asdict(line) for line in found]})
    raise SystemExit(not right)


def _lines(variables: Mapping[str, str], check: bool) -> Iterator[Line]:
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
        yield from doctor.connectors(env, settings, check=check)
    yield from doctor_store.server(env, settings)


def _print(line: Line) -> None:
    mark, colour = _MARKS[line.verdict]
    click.echo(f"{click.style(mark, fg=colour)} {line.about}: {single_line(line.text)}")
    if line.verdict is not Verdict.RIGHT and line.remedy:
        click.echo(f"    {single_line(line.remedy)}")


COMMANDS: Sequence[click.Command] = (examine,)
