"""What a row comes to, and the table of all rows."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

HEAD = (
    "fault",
    "rounds",
    "posts",
    "2xx",
    "kept",
    "delivered",
    "dead",
    "quarantined",
    "waiting halfway",
    "interrupted",
    "lost",
    "duplicates",
    "out of order",
    "longest until it resumed",
    "repeats at the webhook",
)


@dataclass(frozen=True)
class Account:
    """One row of the table. `kept` are the bodies in the store's books: those of the senders that were told 2xx, and
    those whose answer was lost on its way. `resumed` is in seconds, or None where nothing was interrupted."""

    fault: str
    rounds: int
    posts: int
    accepted: int
    kept: int
    delivered: int
    dead: int
    quarantined: int
    halfway: int
    interrupted: int
    lost: int
    duplicates: int
    disordered: int
    resumed: float | None
    repeats: int
    note: str = ""

    def cells(self) -> list[str]:
        resumed = "·" if self.resumed is None else f"{self.resumed:.1f} s"
        counts = (self.posts, self.accepted, self.kept, self.delivered, self.dead, self.quarantined, self.halfway)
        faults = (self.interrupted, self.lost, self.duplicates, self.disordered)
        name = f"{self.fault} ({self.note})" if self.note else self.fault
        return [name, str(self.rounds), *map(str, (*counts, *faults)), resumed, str(self.repeats)]


def markdown(accounts: Sequence[Account]) -> str:
    rows = [HEAD, *(one.cells() for one in accounts)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEAD))]

    def line(cells: Sequence[str]) -> str:
        padded = [
            cell.ljust(width) if number == 0 else cell.rjust(width)
            for number, (cell, width) in enumerate(zip(cells, widths, strict=True))
        ]
        return f"| {' | '.join(padded)} |"

    rule = [("-" * width if number == 0 else "-" * (width - 1) + ":") for number, width in enumerate(widths)]
    return "\n".join([line(HEAD), f"| {' | '.join(rule)} |", *map(line, rows[1:])])


#: Under this name the account of a row travels with its test's report, from one process of pytest to another.
PROPERTY = "account"
LONG = os.environ.get("RELAY_FAULTS") == "long"
