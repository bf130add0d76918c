from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.faults.account import KILLS, LONG, PROPERTY, Account, Kills, markdown
from tests.faults.page import PAGE, written
from tests.faults.rig import Rig
from tests.faults.rows import ROWS


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
    kills = next((Kills(**value) for name, value in found if name == KILLS), None)
    if not accounts and not kills:
        return
    terminalreporter.section("faults")
    for text in (markdown(accounts) if accounts else "", kills.markdown() if kills else ""):
        terminalreporter.write_line(text)
    if LONG and "failed" not in terminalreporter.stats and os.environ.get("RELAY_FAULTS_WRITE"):
        PAGE.write_text(written(PAGE.read_text(), accounts, kills, [row.name for row in ROWS]))
        terminalreporter.write_line(f"written into {PAGE}")
