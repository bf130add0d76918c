"""How tables and facts look. Texts of strangers are printed as text, without control codes."""

from __future__ import annotations

import sys
from datetime import UTC, datetime

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from app.formatting import duration
from connectors.kit.transcript import single_line


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
        new_console().print(table)
    else:
        click.echo(nothing)


def print_facts(console: Console, **facts: str) -> None:
    for name, value in facts.items():
        if value:
            console.print(f"{name:13}{one_line(value)}", highlight=False)


def one_line(text: str) -> str:
    return escape(single_line(text))


def local_time(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def span_or_dot(ms: int) -> str:
    """A length of time in its largest unit, or a dot for none."""
    return duration(ms) if ms else "·"
