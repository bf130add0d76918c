"""`relay demo`, as a newcomer runs it."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
from pathlib import Path

import pytest
import requests
from click.testing import CliRunner

from app.cli.sections import group
from core.config.environment import environment
from core.errors import ConfigError
from core.store import Search, connected
from core.store.search.filter import Filter
from tests.support.stack import RELAY, free_port, until

PAST = 25


@pytest.mark.processes
def test_a_newcomer_sees_a_year_of_chats_and_new_ones_and_nothing_is_left(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with log.open("wb") as said:
        command = [RELAY, "demo", "--port", str(free_port()), "--past", str(PAST), "--per-minute", "600"]
        running = subprocess.Popen(command, cwd=tmp_path, stdout=said, stderr=subprocess.STDOUT)
    try:
        link = until(lambda: re.search(r"http://\S+/login/link/\S+", log.read_text()), what="the link")[0]
        assert "Log in" in requests.get(link, timeout=30).text
        folder = Path(until(lambda: re.search(r"Folder +(\S+)", log.read_text()), what="the folder")[1])
        env = environment({"RELAY_DATA_DIR": str(folder / "data")})
        search = Search(connected(env))
        until(lambda: search.count(Filter())[0] > PAST + 5, what="past and new chats")
        until(lambda: "the hook forgets it" in log.read_text(), what="a chat that the hook forgets")
        running.send_signal(signal.SIGINT)
        assert running.wait(timeout=90) == 0
    finally:
        running.kill()
        running.wait()
    assert "The demo is over" in log.read_text()
    assert not folder.exists()


def test_a_port_that_is_taken_is_said_before_anything_else() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        found = CliRunner().invoke(group, ["demo", "--past", "1", "--port", str(taken.getsockname()[1])])
    assert isinstance(found.exception, ConfigError)
    assert "another program uses it" in str(found.exception)
