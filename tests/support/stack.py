"""The real thing: `relay web` and `relay worker` as processes, on a real server."""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from itertools import count, islice
from pathlib import Path
from typing import Any

import requests

from core.store import Ledger, Store, connect
from core.store.protocol.keys import key
from tests.support.forked import RELAY, Running, Start, executed
from tests.support.server import Server

__all__ = ["RELAY", "SOON_LOGGED", "SOON_RELOADED", "TOKEN", "Stack", "chat", "free_port", "kill", "stack", "until"]

TOKEN = "token-for-tests-0123456789"
#: Constants of a Stack whose processes take a changed configuration soon.
SOON_RELOADED: Mapping[str, object] = {
    "core.config.reload._PERIOD": 0.1,
    "core.config.reload.STILL": 0.2,
    "core.config.reload.REMOVAL_STILL": 0.5,
}
#: Of one that soon logs what it refused, and whom it cut off.
SOON_LOGGED: Mapping[str, object] = {"app.receiver.rejections._PERIOD": 0.2}


# Below those that the system gives to whoever asks for any. Each of the processes that share the tests has a part of
# its own and goes round in it: what was handed out is not handed out again before somebody listens there.
_PORTS = 2_800
_FIRST = 10_000 + int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % 8 * _PORTS
_numbers = count(random.randrange(_PORTS))


def free_port() -> int:
    """A port of loopback at which nobody listens."""
    for number in islice(_numbers, _PORTS):
        port = _FIRST + number % _PORTS
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise AssertionError("all ports are taken")


def until(true: Callable[[], Any], seconds: float = 90.0, what: str = "it") -> Any:
    """Wait for something that will come true; the limit only ends a test that has failed."""
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        if found := true():
            return found
        time.sleep(0.05)
    raise AssertionError(f"{what} did not come true within {seconds} s")


def chat(number: int | str = 1, **changes: Any) -> bytes:
    """The body of a small conversation."""
    payload: dict[str, Any] = {
        "accountId": 1,
        "channel": {"id": number, "isChat": True},
        "visitor": {"id": 7, "name": "Ann", "email": "ann@example.com"},
        "messages": [{"type": "visitor", "from": "visitor:mx1", "content": "Hello", "sentAt": 1427470439703}],
    }
    return json.dumps({**payload, **changes}).encode()


_HURRY = """
local time = redis.call('TIME')
for _, item in ipairs(redis.call('ZRANGEBYSCORE', ARGV[1], time[1] * 1000, '+inf')) do
  if redis.call('HEXISTS', ARGV[2], item) == 0 then redis.call('ZADD', ARGV[1], time[1] * 1000, item) end
end
"""


class Stack:
    """Processes and what they share. Everything that was started is ended with the test. `start` is `forked` where
    it does not matter how a process came to be."""

    def __init__(self, folder: Path, server: Server, start: Start = executed) -> None:
        self._start = start
        self.folder = folder
        self.server = server
        self.config = folder / "relay.yaml"
        self.data = folder / "var"
        self.port = free_port()
        self.processes: list[Running] = []
        self._logs: list[tuple[Running, Path]] = []
        self._commands = count()
        #: Of what is forked, see there.
        self.constants: dict[str, object] = {}
        self.store = Store(connect(server.url, patient=True))
        self.ledger = Ledger(connect(server.url, patient=True))
        self.environment = {
            **os.environ,
            "RELAY_REDIS_URL": server.url,
            "RELAY_DATA_DIR": str(self.data),
            "RELAY_PORT": str(self.port),
            "RELAY_CONFIG": str(self.config),
            "SMARTSUPP_TOKEN": TOKEN,
        }
        self.configure("connectors: {archive: {type: archive}}")

    @property
    def hook(self) -> str:
        return f"http://127.0.0.1:{self.port}/smartsupp/{TOKEN}"

    def configure(self, text: str) -> None:
        """Write the config file anew, whole or not at all."""
        draft = self.config.with_suffix(".new")
        draft.write_text(text)
        draft.replace(self.config)

    def reconfigure(self, text: str) -> None:
        """Write a config file that is another one, and wait until each process that runs has adopted it."""
        running = [log for process, log in self._logs if process.poll() is None]

        def adopted(log: Path) -> int:
            return log.read_text(errors="replace").count("configuration changed")

        before = {log: adopted(log) for log in running}
        self.configure(text)
        until(lambda: all(adopted(log) > before[log] for log in running), what="the new file everywhere")

    def run(self, *command: str, at: Sequence[str] = (), start: Start | None = None) -> Running:
        """Start `relay COMMAND`, with something before it that says where, or in another way than the others."""
        log = self.folder / f"{command[0]}-{len(self.processes)}.log"
        start = executed if at else start or self._start
        with undisturbed():
            process = start([*at, RELAY, *command], self.environment, self.folder, {1: log, 2: log}, self.constants)
            self.processes.append(process)
            self._logs.append((process, log))
        return process

    def web(self) -> Running:
        process = self.run("web")
        until(self.answers, what="the receiver")
        return process

    def worker(self) -> Running:
        """Start a worker and wait until it says that it is alive."""
        process = self.run("worker")
        until(lambda: any(name.endswith(f":{process.pid}") for name in self.ledger.workers()), what="the worker")
        return process

    def answers(self) -> bool:
        try:
            return requests.get(f"http://127.0.0.1:{self.port}/healthz", timeout=5).ok
        except (requests.ConnectionError, requests.Timeout):  # it listens before it has loaded everything
            return False

    def post(self, body: bytes, **options: Any) -> requests.Response:
        return self.post_to(self.hook, body, **options)

    def post_to(self, url: str, body: bytes, **options: Any) -> requests.Response:
        return requests.post(url, data=body, timeout=30, **options)

    def cli(self, *command: str, code: int = 0) -> str:
        """Run a command to its end; returns what it printed."""
        number = next(self._commands)
        said = {1: self.folder / f"command-{number}.out", 2: self.folder / f"command-{number}.err"}
        done = self._start([RELAY, *command], self.environment, self.folder, said, {}).wait(timeout=60)
        out, beside = (file.read_text() for file in said.values())
        assert done == code, f"{command}: {done}\n{out}\n{beside}"
        return out + beside

    def hurry(self, lane: str) -> None:
        """What waits for a time in a lane waits no longer."""
        self.server.client.eval(_HURRY, 0, key("lane", lane), key("leases", lane))

    def logs(self) -> str:
        return "\n".join(file.read_text(errors="replace") for file in sorted(self.folder.glob("*.log")))

    def end(self) -> None:
        for process in self.processes:
            if process.poll() is None:
                process.terminate()
        for process in self.processes:
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(timeout=10)


@contextmanager
def undisturbed() -> Iterator[None]:
    """A signal that comes while a process is started waits until that is known: else nobody would end it."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []
    before = {one: signal.signal(one, lambda number, _: came.append(number)) for one in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)
        for number in came:
            signal.raise_signal(number)


def kill(process: Running) -> None:
    process.send_signal(signal.SIGKILL)
    process.wait(timeout=10)


@contextmanager
def stack(folder: Path, start: Start = executed) -> Iterator[Stack]:
    folder.mkdir(parents=True, exist_ok=True)
    server = Server(folder / "valkey").start()
    made = Stack(folder, server, start)
    try:
        yield made
    finally:
        made.end()
        server.stop()
