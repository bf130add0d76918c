"""What a fault happens to: server, receiver, workers, desk and webhook, and somebody who restarts what falls."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from app.demo.shop import SHOP_ACCOUNT
from core.delivery import DeliveryStatus
from core.errors import StoreUnavailable
from core.store.protocol.keys import CELERY_PREFIX, key
from tests.e2e.test_pipeline import webhook
from tests.fakes.smartsupp import SECRET, SmartsuppFake
from tests.faults.desk import Desk
from tests.faults.load import VISITOR, Load
from tests.faults.machine import Machine, machine
from tests.faults.watch import LANES, Watch
from tests.support.destination import Destination, Handler
from tests.support.forked import Running, executed, forked
from tests.support.server import Server
from tests.support.stack import Stack, kill, until

ROOT = Path(__file__).parent.parent.parent
WORKERS = 3
#: Seconds that a killed server is away.
AWAY = 0.3
#: For the table every process is started as a supervisor starts it, and what it imports is part of how soon work goes
#: on. Else it is forked: each of some two hundred starts takes more than a second of a core.
START = executed if os.environ.get("RELAY_FAULTS_WRITE") else forked
HOUR, DAY = 3600, 86_400

ALL = 1_000_000
#: What is not done with.
OPEN = (DeliveryStatus.WAITING, DeliveryStatus.RETRYING)

#: Of the hook of a shop whose chats come by Smartsupp's API, too.
SHOP_TOKEN = "token-of-the-shop-0123456789"

Process = Running

# Time moved: everything that the store remembers of time is that much longer ago. Its scripts only compare, so for
# them it is as if the server's clock had moved. When time passes, whoever is at work goes on renewing his lease; when a
# clock jumps, he had no time to.
_MOVE = """
local by, jump = tonumber(ARGV[1]), ARGV[2] == 'jump'
for _, key in ipairs(redis.call('KEYS', 'relay:*')) do
  if key:match('^relay:lane:') or (jump and key == 'relay:workers') then
    local leases = key:gsub('lane:', 'leases:')
    for _, item in ipairs(redis.call('ZRANGE', key, 0, -1)) do
      if jump or redis.call('TYPE', leases).ok ~= 'hash' or redis.call('HEXISTS', leases, item) == 0 then
        redis.call('ZINCRBY', key, -by, item)
      end
    end
  elseif key:match('^relay:gate:') or key:match('^relay:pace:') then
    for _, name in ipairs({'since', 'until', 'at', 'slowed', 'hold', 'narrowed'}) do
      local at = redis.call('HGET', key, name)
      if at then redis.call('HSET', key, name, string.format('%.0f', at - by)) end
    end
  elseif jump and not key:match('^relay:celery:') then
    local left = redis.call('PTTL', key)
    if left > 0 then redis.call('PEXPIRE', key, math.max(left - by, 1)) end
  end
end
"""


class Rig:
    """Everything runs from `start` to `end`; between two rows `clear` empties it."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        self.server = Server(folder / "valkey").start()
        self.relay = Stack(folder, self.server, START)
        self.relay.environment["PYTHONPATH"] = str(ROOT)
        self.desk = Desk()
        self.hook = Destination()
        self.hook.behaviour = slowly
        self.configure()
        self.watch = Watch(self.server.url)
        self.receiver: Process | None = None
        self.workers: list[Process] = []
        #: Processes that ended without being told to.
        self.fallen = 0
        #: What people should know about the row that was done last.
        self.note = ""
        #: Chats of a shop (tests/faults/shop.py) that are missing, and that are there twice.
        self.astray: list[str] = []
        self.twice: list[str] = []
        self._over = threading.Event()
        self._guard = threading.RLock()
        self._supervisor = threading.Thread(target=self._supervise, daemon=True)

    def start(self) -> None:
        self.desk.__enter__()
        self.hook.__enter__()
        for _ in range(WORKERS):
            self.add_worker()
        self.receiver = self.run("web")
        self.until_answers()
        self.until_alive()
        self._remembers()
        self._supervisor.start()

    def end(self) -> None:
        self._over.set()
        if self._supervisor.is_alive():
            self._supervisor.join()
        self.watch.end()
        for process in self.relay.processes:
            for pid in family(process):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            process.wait(timeout=10)
        self.server.kill()
        self.desk.__exit__()
        self.hook.__exit__()

    def clear(self) -> None:
        """Nothing was ever accepted or delivered. Celery's own keys stay: those who are connected rely on them."""
        keys: Any = self.server.client.keys("relay:*")
        keys = [one for one in keys if not one.startswith(CELERY_PREFIX.encode())]
        if keys:
            self.server.client.delete(*keys)
        self.desk.clear()
        self.hook.received.clear()
        self.watch.took.clear()
        self.watch.interrupted = 0
        self.fallen = 0
        self.note = ""
        self.astray.clear()
        self.twice.clear()
        self.configure()
        self.until_alive()
        self._remembers()

    def _remembers(self) -> None:
        """The store has been there for hours: that it is new would be a reason to look before each create."""
        before = round(1000 * (time.time() - 2 * HOUR))
        until(lambda: self.server.client.hexists(key("epoch"), "server"), what="a beat")
        self.server.client.hset(key("epoch"), "memory", before)

    # What can be done to it.

    def configure(
        self, *, name: str = "desk", retention: float | None = None, shop: SmartsuppFake | None = None, **desk: Any
    ) -> None:
        """Write the config file, with the name of the desk and further settings of it. `retention` of what is settled,
        in seconds. With a `shop`, whose chats go to a desk of its own, wait until everybody works with it."""
        networks = ["127.0.0.0/8"]
        # A rate that nobody reaches, so that it is counted all the while.
        own = {
            "type": "tests.faults.connector.Desk",
            "url": self.desk.url,
            "key": self.desk.key,
            "timeout": 3,
            "rate": 200,
        }
        connectors = {name: {**own, "allow_networks": networks, **desk}, "hook": webhook(self.hook.url)}
        kept = {"retention": {"settled_days": retention / DAY}} if retention else {}
        if shop is None:
            self.relay.configure(json.dumps({"connectors": connectors, **kept}))
            return
        connectors["shop"] = {**own, "allow_networks": networks}
        api = {"token": shop.token, "base_url": shop.base_url, "rate": 40, "allow_networks": networks}
        source = {
            "account": SHOP_ACCOUNT,
            "hook": {"token": SHOP_TOKEN},
            "api": {**api, "reconcile_days": 0},
            "webhooks": {"secret": SECRET, "wait": "1s"},
            "enrich": {"within": "5s"},
        }
        routes = [
            {"to": [name, "hook"], "when": f"visitor.email == '{VISITOR}'"},
            {"to": ["shop"], "when": f"visitor.email != '{VISITOR}'"},
        ]
        self.relay.reconfigure(json.dumps({"source": source, "connectors": connectors, "routes": routes, **kept}))

    def run(self, command: str, at: Machine | None = None, **environment: str) -> Process:
        """Start `relay COMMAND` on a machine of its own, or with changes of its environment."""
        if at:
            environment["RELAY_REDIS_URL"] = at.url
        # Other code is imported anew.
        start = executed if "PYTHONPATH" in environment else None
        with self._guard:
            usual = self.relay.environment
            self.relay.environment = {**usual, **environment}
            try:
                return self.relay.run(command, at=at.at if at else (), start=start)
            finally:
                self.relay.environment = usual

    def add_worker(self, at: Machine | None = None, **environment: str) -> Process:
        with self._guard:
            self.workers.append(self.run("worker", at, **environment))
            return self.workers[-1]

    def stop_worker(self, process: Process) -> int:
        """SIGTERM, and wait for the end. Returns its exit code."""
        with self._guard:
            self.workers.remove(process)
        process.terminate()
        return process.wait(timeout=40)

    def kill_worker(self, process: Process | None = None) -> None:
        """SIGKILL, and another one at once."""
        with self._guard:
            victim = process or self.any_worker()
            self.workers.remove(victim)
            since = time.monotonic()
            kill(victim)
            self.watch.mark_work(since, self.watch.in_flight())
            self.add_worker()

    def kill_server(self, load: Load, worker: Process | None = None, *, receiver: bool = False) -> None:
        """SIGKILL, of a worker too if one is given, or of the receiver, and another one at once."""
        with self._guard:
            interrupted = self.watch.in_flight()
            since = time.monotonic()
            self.server.kill()
            if worker:
                self.workers.remove(worker)
                kill(worker)
            if receiver:
                self._kill_receiver()
            died = time.monotonic()
            if worker:
                self.add_worker()
            if receiver:
                self.receiver = self.run("web")
            time.sleep(AWAY)
            self.server.start()
            self.watch.mark_work(since, interrupted)
            self.mark_accepting(died, load)

    def copy_store(self) -> Path:
        """What is on the server's disk at this moment."""
        copy = self.relay.folder / "copy"
        shutil.rmtree(copy, ignore_errors=True)
        return shutil.copytree(self.server.folder / "appendonlydir", copy)

    def put_back(self, copy: Path) -> None:
        """The server that was killed starts with what is in the copy."""
        kept = self.server.folder / "appendonlydir"
        shutil.rmtree(kept)
        shutil.copytree(copy, kept)
        self.server.start()

    def kill_receiver(self, load: Load) -> None:
        """SIGKILL of all its processes, and another one at once."""
        with self._guard:
            self._kill_receiver()
            self.mark_accepting(time.monotonic(), load)
            self.receiver = self.run("web")

    def _kill_receiver(self) -> None:
        assert self.receiver
        for pid in family(self.receiver):
            os.kill(pid, signal.SIGKILL)
        self.receiver.wait(timeout=10)

    @contextmanager
    def another_receiver(self, **environment: str) -> Iterator[None]:
        """One with changes of its environment, in place of this one."""
        self._end_receiver()
        self._start_receiver(None, **environment)
        yield
        self._end_receiver()
        self._start_receiver()

    @contextmanager
    def receiver_elsewhere(self) -> Iterator[Machine]:
        """One on a machine of its own, in place of this one."""
        self._end_receiver()
        with machine(self.server, [], offers=[self.relay.port]) as far:
            self._start_receiver(far)
            yield far
            self._end_receiver()
        self._start_receiver()

    @contextmanager
    def worker_elsewhere(self) -> Iterator[tuple[Machine, Process]]:
        """One more, on a machine of its own; ended with SIGTERM."""
        with machine(self.server, [urlsplit(url).port or 80 for url in (self.desk.url, self.hook.url)]) as far:
            worker = self.add_worker(far)
            until(lambda: self.is_alive(worker), what="the worker on its own machine")
            yield far, worker
            assert self.stop_worker(worker) == 0

    def _end_receiver(self) -> None:
        with self._guard:
            assert self.receiver
            ending, self.receiver = self.receiver, None
        ending.terminate()
        ending.wait(timeout=20)

    def _start_receiver(self, at: Machine | None = None, **environment: str) -> None:
        with self._guard:
            self.receiver = self.run("web", at, **environment)
            self.until_answers()

    def mark_accepting(self, since: float, load: Load) -> None:
        """Senders were interrupted: wait for a post that is accepted."""
        self.watch.mark(since, lambda: load.accepted(since) > 0)

    def mark_all(self, load: Load) -> None:
        """What was wrong is right again: from now on, posts are accepted and what was begun goes on."""
        since = time.monotonic()
        self.watch.mark_work(since, self.watch.in_flight())
        self.mark_accepting(since, load)

    def jump(self, seconds: float) -> None:
        """The server's clock jumps, ahead or back."""
        self.server.client.eval(_MOVE, 0, round(seconds * 1000), "jump")

    def pass_time(self, seconds: float) -> None:
        """What waits for a time has waited that much longer."""
        self.server.client.eval(_MOVE, 0, round(seconds * 1000), "pass")

    @contextmanager
    def still(self) -> Iterator[None]:
        """Receiver and workers stand still meanwhile, so that the books do not change while they are read."""
        with self._guard:
            running = [one for one in (self.receiver, *self.workers) if one and one.poll() is None]
            stopped = [pid for one in running for pid in family(one)]
            try:
                for pid in stopped:
                    with suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGSTOP)
                until(lambda: all(map(is_stopped, stopped)), what="all standing still")
                # What they had sent lies at the server, which reads it in portions between two looks at the others: so
                # many that even the longest body is there.
                for _ in range(100):
                    self.server.client.ping()
                yield
            finally:
                for pid in stopped:
                    with suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGCONT)

    # What can be asked.

    def any_worker(self) -> Process:
        return random.choice([one for one in self.workers if self.is_alive(one)])

    def is_alive(self, process: Process) -> bool:
        """Whether a worker has said so."""
        return process.poll() is None and any(name.endswith(f":{process.pid}") for name in self.relay.ledger.workers())

    def silent(self, process: Process) -> float:
        """Seconds since a worker was heard of; up to a minute."""
        ages = [age for name, age in self.relay.ledger.workers().items() if name.endswith(f":{process.pid}")]
        return min(ages, default=60_000) / 1000

    def until_answers(self) -> None:
        """Wait for the receiver."""
        until(self.relay.answers, 90, what="the receiver")

    def until_alive(self, workers: int = WORKERS) -> None:
        """Wait until at least so many workers are alive."""

        def enough() -> bool:
            try:
                return sum(self.is_alive(one) for one in list(self.workers)) >= workers
            except StoreUnavailable:
                return False

        until(enough, 90, what=f"{workers} workers alive")

    def until_busy(self) -> None:
        """Wait until all workers have started, and there is work in flight."""
        self.until_alive()
        until(self.watch.in_flight, what="work in flight")

    def until_tried(self) -> None:
        """Wait until the desk was given every delivery that waits for it now, and what is not done is put off; or until
        its gate is closed, behind which nothing is tried."""
        ledger = self.relay.ledger
        left = {one.id for one in ledger.deliveries(connector="desk", limit=ALL) if one.status in OPEN}

        def tried() -> bool:
            soon = ledger.now() + 500
            for one in ledger.deliveries(connector="desk", limit=ALL):
                if one.status not in OPEN or (one.due and one.due > soon):
                    left.discard(one.id)
            return not left or ledger.lane("desk").gate is not None

        until(tried, 60, what="every delivery tried")

    def until_settled(self, step: float = 0.0) -> None:
        """Wait until nothing is due, in flight or put off; with a `step`, that many seconds pass in each second."""
        ledger = self.relay.ledger
        moved = time.monotonic()

        def settled() -> bool:
            nonlocal moved
            if step and time.monotonic() - moved >= 1:
                self.pass_time(step)
                moved = time.monotonic()
            return not any(_open(ledger.lane(lane)) for lane in LANES)

        until(settled, 90, what="everything settled")

    def _supervise(self) -> None:
        while not self._over.wait(0.1):
            with self._guard:
                for process in [one for one in self.workers if one.poll() is not None]:
                    self.fallen += 1
                    self.workers.remove(process)
                    self.add_worker()
                if self.receiver and self.receiver.poll() is not None:
                    self.fallen += 1
                    self.receiver = self.run("web")


def _open(lane: Any) -> int:
    return int(lane.waiting) + int(lane.in_flight)


def slowly(handler: Handler, number: int) -> None:
    time.sleep(random.uniform(0.02, 0.1))
    handler.answer(200)


def is_stopped(pid: int) -> bool:
    """Whether no thread of a process runs."""
    each_thread = ["-L"] if sys.platform.startswith("linux") else []
    command = [str(shutil.which("ps")), *each_thread, "-o", "stat=", "-p", str(pid)]
    states = subprocess.run(command, capture_output=True, text=True, check=False).stdout.split()
    return all(state[0] in "TZ" for state in states)


def family(process: Process) -> list[int]:
    """The pids of a process and of its children, the children first."""
    if process.poll() is not None:
        return []
    command = [str(shutil.which("ps")), "-A", "-o", "pid=,ppid="]
    listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    pairs = [tuple(map(int, line.split())) for line in listed.splitlines()]
    found = [process.pid]
    for parent in found:
        found += [pid for pid, its_parent in pairs if its_parent == parent]
    return found[::-1]
