"""`relay …` in this process, on a real server, without a worker; and as a person at a terminal."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from app.cli.sections import group
from core.errors import RelayError
from tests.support.forked import finished
from tests.support.server import Server
from tests.support.stack import TOKEN, until

CONFIG = "connectors: {archive: {type: archive}, crm: {type: archive, folder: crm, enabled: false}}"


class CommandLine:
    def __init__(self, folder: Path, server: Server) -> None:
        self.folder = folder
        self.config = folder / "relay.yaml"
        self.environment = {
            "RELAY_REDIS_URL": server.url,
            "RELAY_DATA_DIR": str(folder),
            "RELAY_CONFIG": str(self.config),
            "SMARTSUPP_TOKEN": TOKEN,
        }
        self.config.write_text(CONFIG)

    def result(self, *arguments: str, code: int = 0, given: bytes = b"") -> Result:
        found = CliRunner().invoke(group, arguments, env=self.environment, input=given)
        if isinstance(found.exception, RelayError):  # which app.cli.main says in a sentence
            assert code == 1, found.exception
            return found
        assert found.exit_code == code, (found.output, found.stderr, found.exception)
        return found

    def run(self, *arguments: str, code: int = 0, given: bytes = b"") -> str:
        """What is printed, on both sides."""
        found = self.result(*arguments, code=code, given=given)
        return found.output + (f"{found.exception}\n" if isinstance(found.exception, RelayError) else "")

    def json(self, *arguments: str, code: int = 0, given: bytes = b"") -> Any:
        """What is printed to the output alone."""
        return json.loads(self.result(*arguments, "--json", code=code, given=given).stdout)

    def at_a_terminal(self, *arguments: str, says: str, code: int = 0) -> str:
        """Run it as a person who answers a question."""
        mine, theirs = pty.openpty()
        try:
            os.write(mine, says.encode())
            return "".join(self.process(*arguments, code=code, terminal=Path(os.ttyname(theirs))))
        finally:
            os.close(mine)
            os.close(theirs)

    def process(
        self, *arguments: str, code: int = 0, terminal: Path | None = None, variables: Mapping[str, str] = {}
    ) -> tuple[str, str]:
        """Run it in a process of its own. Returns the output and what stood beside it."""
        environment = {**os.environ, **self.environment, **variables}
        done, *said = finished(arguments, environment, self.folder, terminal)
        assert done == code, said
        return said[0], said[1]


def _listen() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def interrupted(command: list[str], environment: dict[str, str], when: Callable[[], bool]) -> tuple[int, str, str]:
    """Press Ctrl-C when it is time. Returns the exit code, the output and what stood beside it."""
    process = subprocess.Popen(
        [sys.executable, "-m", "app.cli", *command],
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # Where the tests run in the background of a shell, they ignore Ctrl-C, and so would what they start.
        preexec_fn=_listen,  # noqa: PLW1509  # it touches nothing that threads share
    )
    until(when, what="the time to press Ctrl-C")
    process.send_signal(signal.SIGINT)
    out, beside = process.communicate(timeout=60)
    return process.returncode, out, beside
