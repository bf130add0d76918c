"""`relay COMMAND` in a process that is forked from one which has imported everything.

To import what a command needs takes longer than most of what tests do with it: 1.6 seconds of a core, hundreds of
times. What is left out is the interpreter's start and the console script; `executed` has both.
"""

from __future__ import annotations

import atexit
import importlib
import multiprocessing
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from multiprocessing import connection
from pathlib import Path
from typing import Protocol

RELAY = str(Path(sys.executable).with_name("relay"))
#: What the commands import, at once or when they run.
_PRELOADED = [
    "tests.support.forked",
    "app.cli.sections",
    "app.server.beginning",
    "app.server.main",
    "app.server.serving",
    "app.server.web",
    "app.server.application",
    "workers.main",
    "celery.apps.worker",
    "celery.concurrency.thread",
    "celery.worker.worker",
    "kombu.transport.redis",
    "babel.numbers",
    "prometheus_client.exposition",
]

_forkserver = multiprocessing.get_context("forkserver")
_forkserver.set_forkserver_preload(_PRELOADED)


class Running(Protocol):
    """What tests do to a process, whichever way it was started."""

    pid: int

    @property
    def returncode(self) -> int | None: ...
    def poll(self) -> int | None: ...
    def wait(self, timeout: float | None = None) -> int: ...
    def terminate(self) -> None: ...
    def kill(self) -> None: ...
    def send_signal(self, sig: int) -> None: ...


class Start(Protocol):
    """Starts a command. `files`: by the number of a standard stream, what it reads or writes at its end."""

    def __call__(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        folder: Path,
        files: Mapping[int, Path],
        constants: Mapping[str, object],
    ) -> Running: ...


def executed(
    command: Sequence[str],
    environment: Mapping[str, str],
    folder: Path,
    files: Mapping[int, Path],
    constants: Mapping[str, object],
) -> Running:
    """As a supervisor starts it."""
    assert not constants, "they are this process's own"
    with files[1].open("ab") as log, files[2].open("ab") as beside:
        return subprocess.Popen(command, env=environment, cwd=folder, stdout=log, stderr=beside)


def forked(
    command: Sequence[str],
    environment: Mapping[str, str],
    folder: Path,
    files: Mapping[int, Path],
    constants: Mapping[str, object],
) -> Running:
    """The same of `relay`, without its start. `constants` of its modules, as `app.server.asgi.LATE`, have other values
    there: a test of what happens after 20 seconds need not wait for them."""
    arguments = (list(command), dict(environment), folder, dict(files), dict(constants))
    process = _forkserver.Process(target=_become, args=arguments)
    process.start()
    return _Forked(process)


def finished(
    arguments: Sequence[str], environment: Mapping[str, str], folder: Path, terminal: Path | None = None
) -> tuple[int, str, str]:
    """Run `relay …` to its end. Returns the exit code, the output, and what stood beside it."""
    with tempfile.TemporaryDirectory() as place:
        files = {1: Path(place) / "output", 2: Path(place) / "beside"}
        process = forked([RELAY, *arguments], environment, folder, {0: terminal, **files} if terminal else files, {})
        try:
            code = process.wait(timeout=90)
        finally:
            process.kill()
        return code, files[1].read_text(), files[2].read_text()


class _Forked:
    def __init__(self, process: multiprocessing.context.ForkServerProcess) -> None:
        assert process.pid
        self.pid = process.pid
        self._process = process

    @property
    def returncode(self) -> int | None:
        return self._process.exitcode

    def poll(self) -> int | None:
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        # Its end, not a time: whoever waits is woken.
        if not connection.wait([self._process.sentinel], timeout):
            raise subprocess.TimeoutExpired(self._process.name, timeout or 0)
        self._process.join()
        code = self._process.exitcode
        assert code is not None
        return code

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def send_signal(self, sig: int) -> None:
        if self.poll() is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, sig)


def _become(
    command: list[str],
    environment: dict[str, str],
    folder: Path,
    files: dict[int, Path],
    constants: dict[str, object],
) -> None:
    """What an interpreter does before the console script's first line, as far as it makes a difference."""
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = command
    sys.path[:0] = [place for place in environment.get("PYTHONPATH", "").split(os.pathsep) if place]
    for number, file in files.items():
        opened = os.open(file, os.O_CREAT | os.O_APPEND | os.O_NOCTTY | (os.O_WRONLY if number else os.O_RDONLY), 0o666)
        os.dup2(opened, number)
        os.close(opened)
    if 0 in files:
        sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115  # as long as the process
    sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115  # as long as the process
    sys.stderr = open(2, "w", encoding="utf-8", errors="backslashreplace", buffering=1, closefd=False)  # noqa: SIM115
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for place, value in constants.items():
        module, _, name = place.rpartition(".")
        home = importlib.import_module(module)
        assert isinstance(getattr(home, name), type(value)), place
        setattr(home, name, value)
    # What it starts itself it starts as it would without us.
    multiprocessing.set_start_method(None, force=True)

    from app.cli import main  # noqa: PLC0415  # imported before the fork, and by nobody who does not ask for a process

    try:
        main()
    finally:
        atexit._run_exitfuncs()
