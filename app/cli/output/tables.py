"""How tables and facts look. Texts of strangers are printed as text, without control codes."""

from __future__ import annotations

import sys
from datetime import UTC, datetime

import click
from rich.cells import cell_len
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from app.formatting import duration
from connectors.kit.transcript import single_line

#: Columns of a terminal that a reason or the like needs at least beside the rest of its row.
_LAST = 20


def new_console() -> Console:
    """As wide as the terminal; wide enough for anything where the output goes into a file or a pipe."""
    return Console() if sys.stdout.isatty() else Console(width=200)


def new_table(*columns: str) -> Table:
    """Only the last column may wrap: the others are what people copy."""
    table = Table(box=None, pad_edge=False)
    for column in columns:
        last = column == columns[-1]
        table.add_column(column, no_wrap=not last, overflow="fold" if last else "ellipsis")
    return table


def print_table(table: Table, nothing: str) -> None:
    if table.rows:
        print_rows(new_console(), table)
    else:
        click.echo(nothing)


def print_rows(console: Console, table: Table) -> None:
    """As a table where there is room for it; else each row as lines of heading and value. Nothing is cut. A file or a
    pipe has room for anything."""
    room = _room(table)
    if room <= console.width or not console.is_terminal:
        console.print(table, highlight=False, width=max(console.width, room))
        return
    names = [str(column.header) for column in table.columns]
    wide = max(map(len, names)) + 2
    for number, row in enumerate(zip(*(column.cells for column in table.columns), strict=True)):
        if number:
            console.print()
        for name, cell in zip(names, row, strict=True):
            if cell not in ("", "·"):
                print_line(console, f"{escape(name):{wide}}{cell}")


def _room(table: Table) -> int:
    """Columns of a terminal that it takes; a long last cell continues in the next line."""
    widths = [
        max(cell_len(Text.from_markup(str(cell)).plain) for cell in (column.header, *column.cells))
        for column in table.columns
    ]
    return sum(widths[:-1]) + min(widths[-1], _LAST) + len(widths) - 1


def print_line(console: Console, markup: str) -> None:
    """The terminal breaks it: a command in it stays one that can be copied."""
    console.print(markup, highlight=False, soft_wrap=True)


def print_facts(console: Console, **facts: str) -> None:
    for name, value in facts.items():
        if value:
            print_line(console, f"{name:13}{one_line(value)}")


def one_line(text: str) -> str:
    return escape(single_line(text))


def local_time(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def span_or_dot(ms: int) -> str:
    """A length of time in its largest unit, or a dot for none."""
    return duration(ms) if ms else "·"
