"""`relay export`: chats for other programs, and all that is kept of a visitor for them."""

from __future__ import annotations

import os
import secrets
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

import click
from click.core import ParameterSource

from app.admin.erasing import erasure
from app.admin.transfer import visitor_data
from app.admin.transfer.exporter import ExportedChat, as_csv, as_jsonl, exported
from app.admin.transfer.visitor_index import index_text
from app.cli import bulk
from app.cli.options import fail, filtered, ledger_of, needs, require_connector, settings_of
from connectors.kit.transcript import single_line
from core.config.environment import Environment
from core.config.mistakes.files import file_mistake
from core.errors import NotFound
from core.store import Eraser, Filter, Search, connected

#: Seconds that counting may take; without a count the bar has no end.
_COUNTING = 2.0
_BOM = b"\xef\xbb\xbf"


@click.command()
@click.option("--format", "kind", type=click.Choice(["jsonl", "csv"]), default="jsonl", show_default=True)
@click.option(
    "-o", "--output", metavar="FILE", type=click.Path(dir_okay=False, path_type=Path), help="The file to write."
)
@click.option("--bom", is_flag=True, help="Start a CSV with a byte order mark, which Excel needs to read UTF-8.")
@click.option("--visitor", metavar="WHO", help="All that is stored of a visitor, by email, phone number or id.")
@click.option(
    "--also", metavar="ID", multiple=True, help="With --visitor: a chat of another that mentions them; repeatable."
)
@filtered()
@needs(lambda env: env)
def export(
    env: Environment,
    kind: str,
    output: Path | None,
    bom: bool,
    visitor: str | None,
    also: Sequence[str],
    wanted: Filter,
) -> None:
    """Export chats for other programs, newest first, or all that is stored of one visitor, for them.

    jsonl: one line each, with the whole chat and its deliveries. csv: one row each, without the messages; a cell that a
    spreadsheet would read as a formula starts with an apostrophe.

    --visitor writes a ZIP with everything that `relay erase` would erase, and an index in plain words, to a new file
    that only you can read.

    \b
    Examples:
      relay export --since 30d -o chats.jsonl
      relay export --format csv --bom --missed -o missed.csv
      relay export --status dead | jq -r .conversation.visitor.email
      relay export --visitor ann@example.com -o ann.zip
    """
    if visitor is not None:
        _of_visitor(env, visitor.strip(), also, output, wanted)
        return
    if also:
        raise click.UsageError("--also goes with --visitor")
    if bom and kind != "csv":
        raise click.UsageError("--bom goes with --format csv")
    if wanted.connector:
        require_connector(env, wanted.connector)
    client, ledger = connected(env), ledger_of(env)
    search = Search(client)
    total, exact = search.count(wanted, _COUNTING)
    written = 0
    with _opened(output) as out, bulk.bar(total if exact else None, "Exporting") as shown:

        def counted() -> Iterator[ExportedChat]:
            nonlocal written
            for row in exported(search, ledger, wanted):
                yield row
                written += 1
                shown.update(1 if not exact or written <= total else 0)

        if bom:
            out.write(_BOM)
        lines = as_csv(counted(), ledger.connectors()) if kind == "csv" else as_jsonl(counted())
        for line in lines:
            # Half of an emoji, which JSON may hold, is no character.
            out.write(line.encode("utf-8", "replace"))
    click.echo(f"{written:,} chat{'' if written == 1 else 's'}{f' in {output}' if output else ''}", err=True)


def _of_visitor(env: Environment, who: str, also: Sequence[str], output: Path | None, wanted: Filter) -> None:
    if not who:
        raise click.UsageError("--visitor needs an email address, a phone number, or Smartsupp's id of the visitor")
    given = {
        name
        for name in ("kind", "bom")
        if click.get_current_context().get_parameter_source(name) is ParameterSource.COMMANDLINE
    }
    if wanted != Filter() or given:
        raise click.UsageError("--visitor exports all that is stored of them: it goes with --also and -o alone")
    if output is None:
        raise click.UsageError("--visitor writes a ZIP file: name it with -o FILE")
    settings, client = settings_of(env), connected(env)
    keepers = erasure.keepers(settings, env.data_dir)
    traces = erasure.find_traces(who, Eraser(client), keepers)
    if unknown := sorted(set(also) - set(traces.named)):
        raise NotFound(f"{unknown[0]} is not a chat of another visitor that mentions {who}")
    chosen = traces.taking(also)
    for one in chosen.named:
        click.echo(f"Of another visitor, but mentioning this one; --also exports it as well: {one}", err=True)
    if not chosen:
        missing = f"; {chosen.closed:,} encrypted payloads could not be searched" if chosen.closed else ""
        fail(f"No data found for {single_line(who)}{missing}. Nothing was written.")
    with _new(output) as out:
        data = visitor_data.write_data(out, who, chosen, client, keepers, datetime.now(UTC))
    click.echo(index_text(data), nl=False, err=True)
    click.echo(f"Written to {output}.", err=True)
    raise SystemExit(not data.complete)


@contextmanager
def _new(file: Path) -> Iterator[BinaryIO]:
    """A file that was not there: only the user's to read, whole or not at all."""
    draft = file.with_name(f".{file.name}.{secrets.token_hex(4)}")
    try:
        # The name is taken first, so that nobody's file is written over, whoever else writes at this moment.
        os.close(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError:
        fail(f"{file} exists; name another file, or move it away")
    except OSError as error:
        fail(f"cannot write {file}: {file_mistake(error)}")
    try:
        with os.fdopen(os.open(draft, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600), "w+b") as out:
            yield out
        draft.replace(file)
    except BaseException as error:
        for one in (draft, file):
            one.unlink(missing_ok=True)
        if isinstance(error, OSError):
            fail(f"cannot write {file}: {file_mistake(error)}")
        raise


@contextmanager
def _opened(file: Path | None) -> Iterator[BinaryIO]:
    """Where to write. A file is only the user's to read, and appears whole or not at all."""
    if file is None:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    draft = file.with_name(f".{file.name}.{secrets.token_hex(4)}")
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
            yield out
        draft.replace(file)
    except OSError as error:
        fail(f"cannot write {file}: {file_mistake(error)}")
    finally:
        draft.unlink(missing_ok=True)


COMMANDS: Sequence[click.Command] = (export,)
