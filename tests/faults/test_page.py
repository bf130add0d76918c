"""The page of the faults is what was found, and a run of some rows leaves the others."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from tests.faults.account import Account, Kills
from tests.faults.page import PAGE, written
from tests.faults.rows import ROWS

ORDER = ("a", "a worker (killed)", "c", "d")
PLACE = "before\n<!-- table -->\n<!-- end of table -->\nbetween\n<!-- kills -->\n<!-- end of kills -->\nafter\n"


def account(fault: str, posts: int, note: str = "") -> Account:
    counts: dict[str, Any] = dict.fromkeys((one.name for one in fields(Account)), 0)
    return Account(**{**counts, "fault": fault, "posts": posts, "resumed": None, "note": note})


def rows(page: str) -> list[list[str]]:
    lines = [line for line in page.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def test_rows_that_were_not_run_stay_and_all_are_in_order() -> None:
    page = written(PLACE, [account("d", 1), account("a worker (killed)", 2), account("b", 3)], None, ("b", *ORDER))
    page = written(page, [account("a", 4), account("a worker (killed)", 5, "a note")], None, ORDER)
    assert [row[0] for row in rows(page)] == ["a", "a worker (killed) (a note)", "d"]
    assert [row[2] for row in rows(page)] == ["4", "5", "1"]
    again = written(page, [account("a worker (killed)", 6)], None, ORDER)
    assert [row[2] for row in rows(again)] == ["4", "6", "1"]
    assert again.startswith("before\n")
    assert again.endswith("<!-- end of kills -->\nafter\n")


def test_kills_have_a_table_of_their_own() -> None:
    counts: dict[str, Any] = dict.fromkeys((one.name for one in fields(Kills)), 1)
    kills = Kills(**{**counts, "kills": {"a worker": 3, "the receiver": 2}, "gap": 2.25, "back": 3.5})
    page = written(PLACE, [], kills, ORDER)
    assert ["killed (SIGKILL)", "5"] in rows(page)
    assert ["longest without an accepted post", "2.2 s"] in rows(page)
    assert written(page, [], kills, ORDER) == page


def test_every_fault_stands_on_the_page() -> None:
    text = PAGE.read_text()
    assert [row.name for row in ROWS if f"| {row.name}" not in text] == []
    assert "| killed (SIGKILL)" in text
