"""`relay export`: chats for other programs."""

from __future__ import annotations

import os
import secrets
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import click

from app.admin.transfer.exporter import ExportedChat, as_csv, as_jsonl, exported
from app.cli import bulk
from app.cli.options import fail, filtered, ledger_of, needs, require_connector
from core.config.environment import Environment
from core.config.mistakes.files import file_mistake
from core.store import Filter, Search, connected

#: Seconds that counting may take; without a count the bar has no end.
_COUNTING = 2.0
_BOM = b"\xef\xbb\xbf"


@click.command()
@click.option("--format", "kind", type=click.Choice(["jsonl", "csv"]), default="jsonl", show_default=True)
@click.option(
    "-o", "--output", metavar="FILE", type=click.Path(dir_okay=False, path_type=Path), help="The file to write."
)
@click.option("--bom", is_flag=True, help="Start a CSV with a byte order mark, which Excel needs to read UTF-8.")
@filtered()
@needs(lambda env: env)
def export(env: Environment, kind: str, output: Path | None, bom: bool, wanted: Filter) -> None:
    """Export chats for other programs, newest first.

    jsonl: one line each, with the whole chat and its deliveries. csv: one row each, without the messages; a cell that a
    spreadsheet would read as a formula starts with an apostrophe.

    \b
    Examples:
      relay export --since 30d -o chats.jsonl
      relay export --format csv --bom --missed -o missed.csv
      relay export --status dead | jq -r .conversation.visitor.email
    """
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
