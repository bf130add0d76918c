"""What every benchmark is given: how long, how often, how many workers, and real servers, receivers and workers."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks import bodies
from benchmarks.child import ROOT, Child
from benchmarks.machine import Meter
from core.config.environment import environment
from core.store.protocol.constants import BEAT_MS
from tests.e2e.test_pipeline import config, webhook
from tests.support.forked import Running
from tests.support.stack import TOKEN, Stack, stack, undisturbed, until
from workers.celery import create, waker

#: Connections that post at once.
CLIENTS = 32
#: Seconds that something may take that has long been over when all is well.
PATIENCE = 120


@dataclass
class Setting:
    """`seconds` is what a measurement is to take, about; `quick` makes everything as small as it can be."""

    folder: Path
    console: Console
    seconds: float
    rounds: int
    workers: int
    quick: bool
    depths: Sequence[int]
    conversations: int = 0
    _next: int = bodies.FIRST

    def say(self, text: str) -> None:
        self.console.print(f"[dim]{text}[/]", highlight=False)

    def numbers(self, count: int) -> int:
        """The first of so many conversations that nobody has posted yet."""
        first, self._next = self._next, self._next + count
        return first

    def meter(self, relay: Stack, receiver: Running | None, running: Sequence[Running]) -> Meter:
        """Of all that works on a conversation here, but for what is outside."""
        processes = {"worker" if len(running) == 1 else "workers": [one.pid for one in running]}
        if receiver:
            processes["receiver"] = [receiver.pid]
        return Meter(**processes, server=[relay.server.pid])

    @contextmanager
    def stack(self, name: str, **connectors: Any) -> Iterator[Stack]:
        """A fresh durable server, nothing else yet; whatever is started in it ends with it."""
        with stack(self.folder / name) as made:
            made.environment = {**clean(made.environment), "PYTHONPATH": str(ROOT), "RELAY_LOG": "json"}
            made.configure(config(**connectors))
            yield made


def clean(variables: Mapping[str, str]) -> dict[str, str]:
    """Without what a developer's shell may say of Relay; `relay` is to run as it does out of the box."""
    ours = ("RELAY_REDIS_URL", "RELAY_DATA_DIR", "RELAY_PORT", "RELAY_CONFIG")
    return {name: value for name, value in variables.items() if not name.startswith("RELAY_") or name in ours}


@contextmanager
def outside(*certificate: Path) -> Iterator[Child]:
    """Smartsupp and the destinations (outside.py); over TLS as well with the files of a certificate and its key."""
    with Child("benchmarks.outside", *map(str, certificate)) as child:
        yield child


def hook(outside: Child, path: str, **more: Any) -> dict[str, Any]:
    """The settings of a webhook connector that delivers there."""
    return webhook(address(outside, path), **more)


def address(outside: Child, path: str) -> str:
    return f"http://127.0.0.1:{outside.hello['port']}{path}"


def secure_hook(outside: Child, path: str) -> dict[str, Any]:
    """The same over TLS, where the outside has a certificate."""
    return webhook(f"https://127.0.0.1:{outside.hello['secure']}{path}")


def post(outside: Child, relay: Stack, **wanted: Any) -> dict[str, Any]:
    """Let Smartsupp post. Raises SystemExit when anything was answered with other than 202: that is no measurement."""
    answer = outside.ask("post", **{"path": f"/smartsupp/{TOKEN}", "port": relay.port, "clients": CLIENTS, **wanted})
    if set(answer["answers"]) - {"202"}:
        raise SystemExit(f"the receiver answered {answer['answers']}\n{relay.logs()[-2000:]}")
    return answer


def wait(outside: Child, relay: Stack | None, paths: list[str], count: int) -> dict[str, Any]:
    """Until so many conversations have come to each path. Raises SystemExit when they do not."""
    answer = outside.ask("wait", paths=paths, count=count, seconds=PATIENCE)
    if answer["late"]:
        said = relay.logs()[-2000:] if relay else ""
        raise SystemExit(f"only {answer['came']} of {count} conversations came within {PATIENCE} s\n{said}")
    return answer


def bare(relay: Stack) -> None:
    """Start the ceiling of accepting in place of `relay web`."""
    with (relay.folder / "bare.log").open("wb") as log:
        command = [sys.executable, "-m", "benchmarks.bare"]
        with undisturbed():
            relay.processes.append(subprocess.Popen(command, env=relay.environment, cwd=ROOT, stdout=log, stderr=log))
    until(relay.answers, what="the bare server")


def workers(relay: Stack, count: int) -> list[Running]:
    """Start so many workers, all at once, and wait until they are alive."""
    started = [relay.run("worker") for _ in range(count)]
    pids = {str(one.pid) for one in started}
    until(lambda: pids <= {name.rpartition(":")[2] for name in relay.ledger.workers()}, 60, "the workers")
    return started


def end(processes: Sequence[Running]) -> None:
    for one in processes:
        one.terminate()
    for one in processes:
        one.wait(timeout=60)


def wake_up(relay: Stack, lane: str) -> None:
    """Tell the workers of work in a lane, as receiver and workers do."""
    waker(create(environment({**os.environ, **relay.environment})))(lane)


@contextmanager
def still(pids: Iterable[int]) -> Iterator[None]:
    """These processes, which hold nothing, stand still meanwhile."""
    stopped = list(pids)
    for pid in stopped:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in stopped:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


def until_idle(relay: Stack, *lanes: str) -> None:
    """Until nothing waits or is worked on there."""

    def idle() -> bool:
        found = [relay.ledger.lane(lane) for lane in ("inbox", *lanes)]
        return not any(one.waiting or one.in_flight for one in found)

    until(idle, PATIENCE, "an empty lane")


def adopted() -> None:
    """Wait until every worker has seen that the configuration changed: it looks at each beat."""
    time.sleep(2 * BEAT_MS / 1000 + 0.5)
