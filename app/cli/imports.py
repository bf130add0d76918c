"""`relay import`: payloads that were saved earlier."""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import click

from app.admin.transfer.importer import Ends, Imported, Piece, input_files, judge, pieces, take, together
from app.cli import bulk
from app.cli.options import as_json, client_of, fail, needs
from app.cli.output.records import print_json
from connectors.kit.transcript import single_line
from core.config.environment import Environment
from core.config.mistakes.files import file_mistake
from core.errors import StoreError
from core.store import Store

#: Problems that are listed one by one; the rest are counted.
_LISTED = 1000


def _account(_ctx: click.Context, _param: click.Parameter, value: str) -> str:
    if value and not re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9_.-]{0,63}", value):
        raise click.BadParameter("expected Smartsupp's account id")
    return value


@click.command("import")
@click.argument(
    "paths",
    metavar="FILE|DIR...",
    nargs=-1,
    required=True,
    type=click.Path(exists=True, allow_dash=True, path_type=Path),
)
@click.option("--account", default="", callback=_account, help="Smartsupp's account id, if your token has one.")
@click.option(
    "--skip", default=0, type=click.IntRange(0), help="Skip so many; an import that stops early says how many."
)
@click.option("--dry-run", is_flag=True, help="Only read the files; nothing is stored, and no store is needed.")
@as_json
@needs(lambda env: env)
def import_bodies(
    env: Environment, paths: Sequence[Path], account: str, skip: int, dry_run: bool, as_json: bool
) -> None:
    """Import payloads that were saved earlier, and deliver them.

    A file may hold one payload, one per line (.jsonl), or several one after the other, as a script that appends leaves
    them; a folder means all its files, and - is standard input. What is already stored is skipped, so the command can
    be repeated. A payload without a chat is quarantined and reported with its file and line; the exit code is 1 then,
    or if anything was refused.

    \b
    Examples:
      relay import data.json
      relay import --dry-run saved/
      zcat 2025.jsonl.gz | relay import -
    """
    found, ends, ended = _Counts(skip), Ends(), ""
    troubles: list[dict[str, str]] = []
    store = Store(client_of(env, patient=True))
    try:
        read = _read(paths)
        for piece in islice(read, skip):
            judge(piece, account, ends)  # what was taken by the run before may be newer than what comes now
            found.looked += 1
        for several in together(read):
            if dry_run:
                taken = [judge(piece, account, ends) for piece in several]
            else:
                taken = take(store, several, account, ends)
            for piece, one in zip(several, taken, strict=True):
                found.add(one)
                if one.why:
                    _note(troubles, piece, one, quiet=as_json)
    except KeyboardInterrupt:
        ended = "interrupted"
    except StoreError as error:
        ended = f"the store is unavailable: {error}"
    except OSError as error:
        ended = f"cannot read {error.filename or 'the input'}: {file_mistake(error)}"
    if as_json:
        print_json({**found.told(), "ended": ended or "complete", "dry_run": dry_run, "troubles": troubles})
    else:
        click.echo(found.sentence(dry_run))
    if ended:
        fail(f"{ended}. Everything imported so far is stored. Continue with: --skip {found.looked}")
    raise SystemExit(1 if found.bad else 0)


def _note(troubles: list[dict[str, str]], piece: Piece, taken: Imported, *, quiet: bool) -> None:
    troubles.append({"place": piece.place, "what": taken.what, "why": taken.why, "id": taken.id})
    if not quiet and len(troubles) <= _LISTED:
        click.echo(_line(piece, taken), err=True)
    del troubles[_LISTED:]


class _Counts:
    def __init__(self, skip: int) -> None:
        self.skip = skip
        self.looked = 0
        self._by = Counter[str]()

    def add(self, taken: Imported) -> None:
        self.looked += 1
        self._by[taken.what] += 1

    @property
    def bad(self) -> int:
        return self._by["quarantined"] + self._by["refused"]

    def told(self) -> dict[str, Any]:
        kinds = ("new", "duplicate", "older", "set-aside", "quarantined", "refused")
        return {
            "looked_at": self.looked,
            "skipped": min(self.skip, self.looked),
            **{one: self._by[one] for one in kinds},
        }

    def sentence(self, dry_run: bool) -> str:
        words = {
            "new": "chats" if dry_run else "new",
            "duplicate": "already stored",
            "older": "older than the stored revision",
            "set-aside": "statistics reports",
            "quarantined": "without a chat" if dry_run else "quarantined (see: relay payloads)",
            "refused": "refused",
        }
        parts = [f"{self._by[kind]:,} {text}" for kind, text in words.items() if self._by[kind]]
        return f"{self.looked:,} processed: {', '.join(parts) or 'nothing new'}"


def _read(paths: Sequence[Path]) -> Iterator[Piece]:
    """Every piece, with a bar over the bytes."""
    chosen = input_files(one for one in paths if str(one) != "-")
    sizes = [one.stat().st_size for one in chosen]
    with bulk.bar(sum(sizes) or None, "Reading") as shown:
        before = 0
        for file, size in zip(chosen, sizes, strict=True):
            with file.open("rb") as stream:
                for piece in pieces(stream, str(file)):
                    shown.update(min(before + piece.through, sum(sizes)) - shown.pos)
                    yield piece
            before += size
    if len(chosen) < len(paths) and any(str(one) == "-" for one in paths):
        yield from pieces(sys.stdin.buffer, "-")


def _line(piece: Piece, taken: Imported) -> str:
    kept = f" (payload {taken.id})" if taken.id else ""
    return single_line(f"{piece.place}: {taken.what}: {taken.why}{kept}")


COMMANDS: Sequence[click.Command] = (import_bodies,)
