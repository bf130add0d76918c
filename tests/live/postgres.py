"""A PostgreSQL on loopback, of the Debian package (install.sh), with a folder of its own and no password."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

from tests.support.stack import free_port, until

USER = "relay"


def _programs() -> Path | None:
    """Of the newest version; they are not by PATH."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda one: int(one.parts[-3]))
    return found[-1].parent if found else None


def installed() -> bool:
    return _programs() is not None


class Postgres:
    """`with Postgres() as server:` — `server.port`, with an empty database `postgres`."""

    def __init__(self) -> None:
        self.port = free_port()
        # Not in pytest's folder, into which no other user may look.
        self._folder = Path(tempfile.mkdtemp(prefix="relay-postgres-"))
        # It refuses to be run by root.
        self._as: dict[str, Any] = {"cwd": self._folder}
        if os.geteuid() == 0:
            shutil.chown(self._folder, "postgres", "postgres")
            self._as |= {"user": "postgres", "group": "postgres", "extra_groups": []}

    def __enter__(self) -> Postgres:
        programs = _programs()
        assert programs
        data, log = self._folder / "data", self._folder / "log"
        shape = ["--username", USER, "--auth", "trust", "--encoding", "UTF8", "--locale", "C.UTF-8", "--no-sync"]
        made = [str(programs / "initdb"), "--pgdata", str(data), *shape]
        done = subprocess.run(made, capture_output=True, text=True, timeout=120, check=False, **self._as)
        assert done.returncode == 0, done.stdout + done.stderr
        # What it loses when the machine stops, nobody misses.
        given = ["-p", str(self.port), "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-F"]
        with log.open("ab") as into:
            self._process = subprocess.Popen(
                [str(programs / "postgres"), "-D", str(data), *given], stdout=into, stderr=into, **self._as
            )

        def answers() -> bool:
            assert self._process.poll() is None, log.read_text()
            with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=5):
                return True
            return False

        until(answers, 120, "PostgreSQL's answer")
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(timeout=30)
        shutil.rmtree(self._folder)
