from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.faults.account import LONG, PROPERTY, Account, markdown
from tests.faults.rig import Rig

PAGE = Path(__file__).parent.parent.parent / "docs" / "reliability.md"
BEGIN, END = "<!-- table -->", "<!-- end of table -->"


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
    found = [value for one in reports for name, value in one.user_properties if name == PROPERTY and one.when == "call"]
    accounts = [Account(**one) for one in found]
    if not accounts:
        return
    terminalreporter.section("faults")
    terminalreporter.write_line(markdown(accounts))
    if LONG and "failed" not in terminalreporter.stats and os.environ.get("RELAY_FAULTS_WRITE"):
        head, _, rest = PAGE.read_text().partition(BEGIN)
        tail = rest.partition(END)[2]
        when = f"{datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} cores"
        PAGE.write_text(f"{head}{BEGIN}\n{when}\n\n{markdown(accounts)}\n{END}{tail}")
        terminalreporter.write_line(f"written into {PAGE}")
