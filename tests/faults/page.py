"""The tables of docs/reliability.md. A run of some rows writes these and leaves the others as they are."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from tests.faults.account import HEAD, Account, Kills, table

PAGE = Path(__file__).parent.parent.parent / "docs" / "reliability.md"


def written(page: str, accounts: Sequence[Account], kills: Kills | None, order: Sequence[str]) -> str:
    """The page with what was found. `order` is that of the faults; what is not in it has been given up."""
    if accounts:
        before, after = _around(page, "table")
        rows = {_fault(cells, order): cells for cells in _cells(page, "table")}
        rows |= {one.fault: [*one.cells(), _today()] for one in accounts}
        found = [rows[name] for name in order if name in rows]
        page = f"{before}\n{table((*HEAD, 'run'), found)}\n{after}"
    if kills:
        before, after = _around(page, "kills")
        page = f"{before}\n{kills.markdown()}\n\n{_today()}, {os.cpu_count()} cores\n{after}"
    return page


def _today() -> str:
    return f"{datetime.now(UTC):%Y-%m-%d}"


def _around(page: str, name: str) -> tuple[str, str]:
    """What stands before and after a table, its marks included."""
    begin, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
    head, begun, rest = page.partition(begin)
    _, ended, tail = rest.partition(end)
    assert begun, f"the page has no {begin}"
    assert ended, f"the page has no {end}"
    return head + begin, end + tail


def _cells(page: str, name: str) -> list[list[str]]:
    before, after = _around(page, name)
    text = page[len(before) : len(page) - len(after)]
    lines = [line for line in text.splitlines() if line.startswith("|")][2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def _fault(cells: Sequence[str], order: Sequence[str]) -> str:
    """The name of a row's fault; a note may follow it."""
    named = [name for name in order if re.fullmatch(re.escape(name) + r"( \(.*\))?", cells[0])]
    return max(named, key=len, default=cells[0])
