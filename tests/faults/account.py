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


@dataclass(frozen=True)
class Kills:
    """The kill run over the public face. `kills` by kind of process; `gap` is the longest time in which no post was
    accepted, `back` the longest until a process that was killed was there again, in seconds; `given_up` are deliveries
    that three processes died of, and which were then delivered by `relay replay`."""

    kills: dict[str, int]
    posts: int
    accepted: int
    kept: int
    delivered: int
    dead: int
    quarantined: int
    given_up: int
    lost: int
    duplicates: int
    disordered: int
    gap: float
    back: float
    repeats: int

    def markdown(self) -> str:
        rows = [
            ("killed (SIGKILL)", sum(self.kills.values())),
            *((f"· {kind}", number) for kind, number in sorted(self.kills.items())),
            ("posts", self.posts),
            ("2xx", self.accepted),
            ("kept", self.kept),
            ("delivered", self.delivered),
            ("dead", self.dead),
            ("quarantined", self.quarantined),
            ("dead letters of three of the kills, replayed", self.given_up),
            ("lost", self.lost),
            ("duplicates", self.duplicates),
            ("out of order", self.disordered),
            ("repeats at the webhook", self.repeats),
            ("longest without an accepted post", f"{self.gap:.1f} s"),
            ("longest until a killed process was back", f"{self.back:.1f} s"),
        ]
        return table(("kills over the public face", "number"), [(name, str(number)) for name, number in rows])


def markdown(accounts: Sequence[Account]) -> str:
    return table(HEAD, [one.cells() for one in accounts])


def table(head: Sequence[str], cells: Sequence[Sequence[str]]) -> str:
    rows = [head, *cells]
    widths = [max(len(row[column]) for row in rows) for column in range(len(head))]

    def line(cells: Sequence[str]) -> str:
        padded = [
            cell.ljust(width) if number == 0 else cell.rjust(width)
            for number, (cell, width) in enumerate(zip(cells, widths, strict=True))
        ]
        return f"| {' | '.join(padded)} |"

    rule = [("-" * width if number == 0 else "-" * (width - 1) + ":") for number, width in enumerate(widths)]
    return "\n".join([line(head), f"| {' | '.join(rule)} |", *map(line, cells)])


#: Under this name the account of a row travels with its test's report, from one process of pytest to another.
PROPERTY = "account"
KILLS = "kills"
LONG = os.environ.get("RELAY_FAULTS") == "long"
