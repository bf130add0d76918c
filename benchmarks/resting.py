"""(f) The memory of everything that `relay up` runs, idle and with many deliveries waiting."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from benchmarks import machine
from benchmarks.backlog import fill
from benchmarks.bodies import size
from benchmarks.child import Child
from benchmarks.figures import Figure, Missing, Result
from benchmarks.setting import Setting, hook, outside, still
from core.config.environment import environment
from core.store import Control, connect
from core.store.connection.client import Client
from tests.e2e.test_pipeline import config
from tests.e2e.test_up import Up
from tests.support.stack import until

WAITING = 100_000
#: Seconds until what was started has come to rest.
_REST = 8.0


#: What the processes are called here, and by what they are known.
_NAMES = {"server": "valkey-server", "receiver": "relay web", "worker": "relay worker"}


def resting(setting: Setting) -> Result:
    """One round: memory is no matter of luck. Needs /proc."""
    if not machine.has_proc():
        raise Missing("memory is read from /proc, which this system does not have")
    count = 1_000 if setting.quick else WAITING
    first = setting.numbers(count)
    body = sum(size(number) for number in range(first, first + count)) / count
    rest = 1.0 if setting.quick else _REST
    with outside() as world, up(setting, world) as (relay, client):
        until(lambda: len(relay.children()) == len(_NAMES), 60, "server, receiver and worker")
        # Until they have taken all that they take by themselves, the worker its connections for one.
        time.sleep(rest)
        idle, empty = taken(relay), _used(client)
        setting.say(f"f: idle {sum(idle.values()) / 1e6:.0f} MB")
        Control(client).pause("one", "benchmark")
        with still(machine.family(relay.children()[_NAMES["worker"]])):
            fill(client, "one", first, count)
        time.sleep(rest)
        full, each = taken(relay), (_used(client) - empty) / count
        waiting = relay.ledger().lane("one").waiting
        if waiting != count:
            raise SystemExit(f"{waiting} deliveries wait, not {count}")
    return Result(
        f"Memory of `relay up`, idle and with {count:,} waiting deliveries",
        [
            Figure("idle", "MB", (sum(idle.values()) / 1e6,), most=150),
            *(Figure(f"idle, {name}", "MB", (size / 1e6,)) for name, size in idle.items()),
            Figure("with all waiting", "MB", (sum(full.values()) / 1e6,)),
            *(Figure(f"with all waiting, {name}", "MB", (size / 1e6,)) for name, size in full.items()),
            Figure("each waiting", "bytes", (each,)),
            Figure("each waiting, beside the body", "bytes", (each - body,), most=1_500),
        ],
        notes=[
            "MB: 10⁶ bytes of proportional set size, all processes of `relay up`; one round",
            f"each waiting: what used_memory of the server grew by; a body has {body:.0f} bytes on average",
        ],
    )


@contextmanager
def up(setting: Setting, world: Child) -> Iterator[tuple[Up, Client]]:
    """`relay up`, as a newcomer runs it, with a webhook connector."""
    folder = setting.folder / "f"
    folder.mkdir()
    (folder / "relay.yaml").write_text(config(one=hook(world, "/one")))
    relay = Up(folder)
    try:
        relay.start()
        relay.ready()
        yield relay, connect(environment({**relay.environment, "RELAY_DATA_DIR": str(folder / "var")}).server_url)
    finally:
        _end(relay)


def _end(relay: Up) -> None:
    """As Ctrl-C does; if that is not enough, every process of it by its id."""
    if not relay.process:
        return
    pids = machine.family(relay.process.pid)
    relay.interrupt()
    try:
        relay.process.wait(timeout=30)
    except subprocess.TimeoutExpired:
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        relay.process.wait(timeout=10)


def taken(relay: Up) -> dict[str, int]:
    """Bytes, by what the process is; its children count with it."""
    if not relay.process:
        return {}
    children = relay.children()
    found = {name: machine.memory(machine.family(children[word])) for name, word in _NAMES.items()}
    return {**found, "supervisor": machine.memory(machine.family(relay.process.pid)) - sum(found.values())}


def _used(client: Any) -> int:
    return int(client.info("memory")["used_memory"])
