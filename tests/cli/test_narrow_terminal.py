"""A terminal of 80 columns: no figure, name or state is cut, and a command can be copied."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from app.cli.output import overview, story, tables
from core.delivery import Outcome
from core.store import Store, connect
from tests.support.command_line import CommandLine
from tests.support.made import chats, control
from tests.support.server import Server

LONG = "pipedrive-of-the-wholesale-department-in-brno-and-bratislava"
ERROR = f"HTTP 400 Bad Request: {'the subject is too long, ' * 20}"


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """What a terminal of 80 columns is sent."""
    out = io.StringIO()

    def console() -> Console:
        return Console(width=80, file=out, force_terminal=True, color_system=None)

    for module in (tables, overview, story):
        monkeypatch.setattr(module, "new_console", console)
    return out


@pytest.fixture
def cli(server: Server, tmp_path: Path) -> CommandLine:
    found = CommandLine(tmp_path, server)
    found.config.write_text(f"connectors: {{crm: {{type: archive}}, {LONG}: {{type: archive, folder: long}}}}")
    store = Store(connect(server.url))
    outcomes: dict[str, Any] = {"crm": Outcome.REFUSED, LONG: None}
    chats(store, 12, **outcomes)
    control(store).pause(LONG, ERROR)
    return found


def test_the_status_shows_every_figure_and_state(cli: CommandLine, shown: io.StringIO) -> None:
    cli.run("status")
    text = shown.getvalue()
    assert "…" not in text
    rows = re.findall(r"^(Connector|State|queued|dead) +(.*?) *$", text, re.MULTILINE)
    assert rows == [
        *(("Connector", "crm"), ("State", "on"), ("dead", "12")),
        *(("Connector", LONG), ("State", "paused by you"), ("queued", "12")),
    ]
    assert f"(relay resume {LONG} · relay try {LONG})\n" in text


@pytest.mark.parametrize("command", ["deliveries", "dead list", f"deliveries --connector {LONG}"])
def test_a_list_shows_every_id_and_status(command: str, cli: CommandLine, shown: io.StringIO) -> None:
    cli.run(*command.split())
    text = shown.getvalue()
    assert "…" not in text
    connector = LONG if LONG in command else "crm"
    assert {f"{connector}:1:{number}" for number in range(1, 13)} <= set(text.split())
    assert "connector paused" in text or LONG not in command


def test_a_pipe_is_given_the_table_however_wide_it_is(cli: CommandLine) -> None:
    head, *rows = cli.run("deliveries", "--connector", LONG).splitlines()
    assert head.split()[:2] == ["Delivery", "Status"]
    assert {row.split()[0] for row in rows if row.startswith(LONG)} == {f"{LONG}:1:{number}" for number in range(1, 13)}
