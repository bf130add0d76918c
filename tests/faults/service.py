"""`relay up` as a service: somebody starts it again when it ends, as systemd does, and knows each of its processes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from core.config.environment import environment
from core.store import Ledger, connect
from tests.support.stack import RELAY, TOKEN, free_port

ROOT = Path(__file__).parent.parent.parent
PROCFILE = "web: relay web\nworker: relay worker\nother: relay worker\n"
#: Seconds that systemd waits before it starts a service again (RestartSec).
PAUSE = 0.1

SUPERVISOR, STORE, RECEIVER, CHILD, WORKER, APART = (
    "the supervisor",
    "the store's server",
    "the receiver",
    "the receiver's child",
    "a worker",
    "a worker's isolated child",
)
#: What the command line of each has in it. Others only begin, or have nothing to do with a chat.
_WORDS = (
    ("app.supervisor.supervisord", SUPERVISOR),
    ("valkey-server", STORE),
    ("relay web", RECEIVER),
    ("relay worker", WORKER),
    ("workers.isolation_child", APART),
)
#: What runs all the time, and how many of each.
STANDING = {SUPERVISOR: 1, STORE: 1, RECEIVER: 1, CHILD: 1, WORKER: 2}


class Service:
    """`with Service(folder, connectors) as service:` runs until its end."""

    def __init__(self, folder: Path, connectors: dict[str, Any]) -> None:
        folder.mkdir(parents=True)
        self.folder = folder
        (folder / "Procfile").write_text(PROCFILE)
        (folder / "relay.yaml").write_text(json.dumps({"connectors": connectors}))
        port = free_port()
        own = {name: value for name, value in os.environ.items() if not name.startswith(("RELAY_", "SMARTSUPP_"))}
        self.environment = {**own, "PYTHONPATH": str(ROOT), "RELAY_PORT": str(port), "SMARTSUPP_TOKEN": TOKEN}
        self.hook = f"http://127.0.0.1:{port}/smartsupp/{TOKEN}"
        env = environment({**self.environment, "RELAY_DATA_DIR": str(folder / "var")})
        self.client = connect(env.server_url, patient=True)
        self.ledger = Ledger(self.client)
        #: How often it ended without being killed.
        self.fallen = 0
        self._killed: set[int] = set()
        self._process: subprocess.Popen[bytes] | None = None
        self._over = threading.Event()
        self._systemd = threading.Thread(target=self._keep_up, daemon=True)

    def __enter__(self) -> Service:
        self._systemd.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._systemd.join()
        for pids in self.processes(every=True).values():
            for pid in pids:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)

    def command(self, *words: str) -> None:
        subprocess.run([RELAY, *words], cwd=self.folder, env=self.environment, timeout=60, check=True)

    def log(self) -> str:
        return (self.folder / "log").read_text(errors="replace")

    def kill(self, pid: int) -> None:
        self._killed.add(pid)
        os.kill(pid, signal.SIGKILL)

    def processes(self, *, every: bool = False) -> dict[str, list[int]]:
        """Those that live, by kind: all that work in its folder, as also those do whose parent was killed."""
        kinds: dict[int, str] = {}
        parents: dict[int, int] = {}
        for place in Path("/proc").glob("[0-9]*"):
            try:
                if not (place / "cwd").readlink().is_relative_to(self.folder):
                    continue
                command = (place / "cmdline").read_bytes().decode(errors="replace").replace("\0", " ")
                parents[int(place.name)] = int((place / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:  # it has ended
                continue
            kinds[int(place.name)] = next((kind for word, kind in _WORDS if word in command), "another")
        found: dict[str, list[int]] = {}
        for pid, kind in kinds.items():
            # It is a fork, and has the command line of its parent.
            own = CHILD if kind == kinds.get(parents[pid]) == RECEIVER else kind
            if every or own != "another":
                found.setdefault(own, []).append(pid)
        return found

    def stands(self) -> bool:
        """Whether every process is there, no more and no fewer, and the workers have been heard of."""
        found = self.processes()
        if any(len(found.get(kind, ())) != number for kind, number in STANDING.items()):
            return False
        heard = {name.rpartition(":")[2] for name in self.ledger.workers()}
        return heard >= {str(pid) for pid in found[WORKER]}

    def _keep_up(self) -> None:
        while not self._over.is_set():
            with (self.folder / "log").open("ab") as log:
                self._process = subprocess.Popen(
                    [RELAY, "up"], cwd=self.folder, env=self.environment, stdout=log, stderr=log, start_new_session=True
                )
            while self._process.poll() is None and not self._over.wait(0.02):
                pass
            if self._over.is_set():
                self._process.terminate()
                with suppress(subprocess.TimeoutExpired):
                    self._process.wait(timeout=60)
                return
            self.fallen += self._process.pid not in self._killed
            time.sleep(PAUSE)
