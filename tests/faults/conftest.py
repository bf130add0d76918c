from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.faults.account import KILLS, LONG, PROPERTY, Account, Kills, markdown
from tests.faults.rig import Rig

PAGE = Path(__file__).parent.parent.parent / "docs" / "reliability.md"


class Rigs:
    """One rig for all rows, and a new one after a row that failed."""

    def __init__(self, factory: pytest.TempPathFactory) -> None:
        self._factory = factory
        self._rig: Rig | None = None

    def ready(self) -> Rig:
        if self._rig is None:
            self._rig = Rig(self._factory.mktemp("faults") / "relay")
            self._rig.start()
        return self._rig

    def discard(self) -> None:
        if self._rig:
            self._rig.end()
        self._rig = None


@pytest.fixture(scope="package")
def rigs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rigs]:
    made = Rigs(tmp_path_factory)
    yield made
    made.discard()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    reports = [one for name in ("passed", "failed") for one in terminalreporter.stats.get(name, [])]
    found = [pair for one in reports if one.when == "call" for pair in one.user_properties]
    accounts = [Account(**value) for name, value in found if name == PROPERTY]
    tables = {"table": markdown(accounts)} if accounts else {}
    tables |= {name: Kills(**value).markdown() for name, value in found if name == KILLS}
    if not tables:
        return
    terminalreporter.section("faults")
    for table in tables.values():
        terminalreporter.write_line(table)
    if LONG and "failed" not in terminalreporter.stats and os.environ.get("RELAY_FAULTS_WRITE"):
        for name, table in tables.items():
            write(name, table)
        terminalreporter.write_line(f"written into {PAGE}")


def write(name: str, table: str) -> None:
    """Put a table between its marks on the page."""
    begin, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
    head, begun, rest = PAGE.read_text().partition(begin)
    _, ended, tail = rest.partition(end)
    assert begun, f"{PAGE} has no {begin}"
    assert ended, f"{PAGE} has no {end}"
    when = f"{datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} cores"
    PAGE.write_text(f"{head}{begin}\n{when}\n\n{table}\n{end}{tail}")
