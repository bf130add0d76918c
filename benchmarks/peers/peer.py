"""What does the same job as Relay: how it is installed, started, and spoken to."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import requests

from tests.support.stack import free_port, until

SECRET = "secret-of-the-peers-0123456789"  # noqa: S105  # signs what nobody keeps
#: Node comes from npm as well: what a system has is too old for some of them.
_NODE = "node@24.21.0"
#: Seconds in which one has to come up; the first start of some makes a database.
_PATIENCE = 90


@dataclass
class Started:
    """A peer that runs: where it takes a chat, its processes by name, and how to wait until it has nothing to do."""

    port: int
    path: str = "/hook"
    pids: dict[str, int] = field(default_factory=dict)
    rest: Callable[[], None] = lambda: None


@dataclass(frozen=True)
class Place:
    """What a peer is given: its own folder of this run, the folder where it was installed, and the destination."""

    folder: Path
    installed: Path
    target: str


@dataclass(frozen=True)
class Peer:
    """`keeps` says what is on disk when it answers, and what a kill costs. `run` starts it and ends it again."""

    name: str
    keeps: str
    run: Callable[[Place, Programs], Iterator[Started]]
    npm: Sequence[str] = ()
    pip: Sequence[str] = ()

    def install(self, folder: Path) -> None:
        """Once, into a folder of its own. Raises LookupError where the machine lacks what installs it, SystemExit where
        that fails."""
        wanted = "\n".join((*((_NODE, *self.npm) if self.npm else ()), *self.pip))
        mark = folder / "installed"
        if not wanted or (mark.exists() and mark.read_text() == wanted):
            return
        folder.mkdir(parents=True, exist_ok=True)
        if self.npm:
            if not shutil.which("npm"):
                raise LookupError("npm is not installed")
            run("npm", "install", "--no-audit", "--no-fund", "--prefix", folder, _NODE, *self.npm)
        if self.pip:
            run(sys.executable, "-m", "venv", folder)
            pip = (folder / "bin" / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
            run(*pip, *self.pip)
        mark.write_text(wanted)


class Programs:
    """The processes of one peer, each with a log in its folder. They end with it, and so does what they started."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._running: list[subprocess.Popen[bytes]] = []

    def start(self, name: str, command: Sequence[str | Path], **variables: str) -> int:
        """Returns the process id."""
        with (self._folder / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                [os.fspath(part) for part in command],
                env=environment(**variables),
                cwd=self._folder,
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
        self._running.append(process)
        return process.pid

    def said(self) -> str:
        """The end of each log."""
        return "\n".join(f"{log.name}: {log.read_text(errors='replace')[-1500:]}" for log in self._folder.glob("*.log"))

    def end(self) -> None:
        """The last one first, as one leans on those before it."""
        for process in reversed(self._running):
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def environment(**variables: str) -> dict[str, str]:
    """Without what a shell may say of Relay, and without telemetry, which would meet no network and wait for it."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith(("RELAY_", "SMARTSUPP_"))}
    return {**ours, "DO_NOT_TRACK": "1", "PEER_SECRET": SECRET, **variables}


def run(*command: str | Path, cwd: Path | None = None, variables: Mapping[str, str] | None = None) -> None:
    """Raises SystemExit with what the command said."""
    words = [str(part) for part in command]
    found = subprocess.run(words, cwd=cwd, env=environment(**(variables or {})), capture_output=True, check=False)
    if found.returncode:
        said = (found.stdout + found.stderr).decode(errors="replace")[-2000:]
        raise SystemExit(f"{' '.join(words)}:\n{said}")


def answers(url: str, status: int | None = None) -> None:
    """Wait until somebody answers there, with that status where one is named."""

    def there() -> bool:
        with suppress(requests.RequestException):
            found = requests.get(url, timeout=5)
            return status is None or found.status_code == status
        return False

    until(there, _PATIENCE, url)


def started(peer: Peer, place: Place) -> Iterator[Started]:
    """The peer, until the block ends."""
    place.folder.mkdir(parents=True)
    programs = Programs(place.folder)
    try:
        yield from peer.run(place, programs)
    except AssertionError as late:
        raise SystemExit(f"{peer.name}: {late}\n{programs.said()}") from None
    finally:
        programs.end()


def ports(count: int) -> list[int]:
    return [free_port() for _ in range(count)]
