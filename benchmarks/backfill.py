"""A year of chats fetched by a backfill, while hook and webhooks bring many of them too, and processes are killed.

`python -m benchmarks.backfill --chats 100000` says how fast that is and what it takes, and counts at the end: each chat
is one conversation here and one record at the destination, after one comparison with Smartsupp.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from rich.console import Console

from app.demo.shop import SHOP_ACCOUNT, ms
from benchmarks import machine
from benchmarks.__main__ import short, stop
from benchmarks.child import ROOT, Child
from benchmarks.setting import clean
from core.delivery import PayloadStatus
from core.store.protocol.keys import key
from core.store.sources.catch_ups import CatchUp, CatchUps
from core.store.sources.orders import source_lane
from tests.fakes.smartsupp import SECRET
from tests.faults.rig import family
from tests.support.destination import Destination, Handler, Received
from tests.support.forked import Running
from tests.support.stack import TOKEN, Stack, kill, stack, until

WORKERS, _DAY = 2, timedelta(days=1)
#: Seconds between two looks at it; and every how manyth kill is the receiver's.
_LOOK, _RECEIVER = 0.5, 6


class Records(Destination):
    """A help desk that makes a record whenever it is asked to, so that a double one can be counted."""

    def __init__(self) -> None:
        super().__init__()
        #: The records of each conversation.
        self.of: defaultdict[str, list[int]] = defaultdict(list)
        self._made = 0
        self._request = threading.local()
        self.behaviour = self._serve

    def note(self, received: Received) -> int:
        self._request.now = received  # all of them would take more memory than Relay
        return 0

    def _serve(self, handler: Handler, _: int) -> None:
        request: Received = self._request.now
        path = urlsplit(request.path)
        answer: Any = {"id": 0}
        with self._lock:
            if request.method == "GET":
                answer = [{"id": one} for one in self.of.get(parse_qs(path.query)["key"][0], ())]
            elif request.method == "POST":
                self._made += 1
                self.of[request.json()["key"]].append(self._made)
                answer = {"id": self._made}
        handler.answer(200, json.dumps(answer).encode())


class Run:
    """One relay, its Smartsupp and its destination."""

    def __init__(self, relay: Stack, shop: Child, desk: Records, console: Console) -> None:
        self.relay, self.desk, self._shop, self._console = relay, desk, shop, console
        self._dice = random.Random(3)  # noqa: S311  # dice that protect nothing
        self.catch_ups = CatchUps(relay.server.client)
        self.receiver = relay.run("web")
        until(relay.answers, what="the receiver")
        self.workers = [relay.worker() for _ in range(WORKERS)]
        self.kills = {"workers": 0, "receiver": 0}
        #: Most bytes that were seen: all workers, the store, the receiver.
        self.most: defaultdict[str, int] = defaultdict(int)

    def start(self, kind: Any) -> CatchUp:
        now = datetime.now(UTC)
        since, until_ = ms(now - 366 * _DAY), ms(now - _DAY)
        return self.catch_ups.start(kind, "main", SHOP_ACCOUNT, since, until_, by="a benchmark")

    def kill(self) -> None:
        """SIGKILL of a worker, or of the receiver with all its processes, and another one at once. The lease that a
        dead worker has on the backfill is ended: half a minute of waiting would tell nobody anything."""
        if sum(self.kills.values()) % _RECEIVER == _RECEIVER - 1:
            self.kills["receiver"] += 1
            for pid in family(self.receiver):
                os.kill(pid, signal.SIGKILL)
            self.receiver.wait(timeout=20)
            self.receiver = self.relay.run("web")
            return
        self.kills["workers"] += 1
        victim: Running = self.workers.pop(self._dice.randrange(len(self.workers)))
        kill(victim)
        self.relay.server.client.delete(key("catching-up"))
        self.workers.append(self.relay.run("worker"))

    def measure(self) -> None:
        for name, pids in (
            ("workers", [one for worker in self.workers for one in machine.family(worker.pid)]),
            ("store", [self.relay.server.pid]),
            ("receiver", machine.family(self.receiver.pid)),
        ):
            self.most[name] = max(self.most[name], machine.memory(pids))

    def is_idle(self) -> bool:
        """Nothing is to be read, fetched or delivered."""
        lanes = [self.relay.ledger.lane(name) for name in ("inbox", "desk", source_lane("main"))]
        return not any(one.waiting or one.in_flight for one in lanes)

    def go_on(self, over: Callable[[], bool], what: str, every: float = 0.0, seconds: float = 7_200) -> float:
        """Until it is over, with a kill every so many seconds. Returns how long that took."""
        begun = said = killed = time.monotonic()
        while not over():
            now = time.monotonic()
            if now - begun > seconds:
                raise SystemExit(f"{what} is not over after {seconds} s\n{self.relay.logs()[-3000:]}")
            if every and now - killed >= every:
                killed = now
                self.kill()
            if now - said >= 20:
                said = now
                self.measure()
                self._say(f"{now - begun:.0f} s, {what}: {len(self.desk.of)} records, {sum(self.kills.values())} kills")
            time.sleep(_LOOK)
        self.measure()
        return time.monotonic() - begun

    def over(self, catch_up: CatchUp) -> bool:
        return self.catch_ups.get(catch_up.id).finished is not None

    def counted(self) -> tuple[list[str], list[str]]:
        """What is missing, and what is double, here or at the destination."""
        missing, double = [], []
        redis = self.relay.server.client
        for pair in self._shop.hello["ids"]:
            ids = [f"{SHOP_ACCOUNT}:{one}" for one in pair]
            records = sum(len(self.desk.of.get(one, ())) for one in ids)
            kept = sum(redis.exists(key("revisions", one)) for one in ids)
            if not records or not kept:
                missing.append(f"{ids}: {records} records, {kept} conversations")
            elif records > 1 or kept > 1:
                double.append(f"{ids}: {records} records, {kept} conversations")
        return missing, double

    def _say(self, text: str) -> None:
        self._console.print(f"[dim]{text}[/]", highlight=False)


def config(shop: Child, desk: Records, rate: float) -> str:
    networks = ["127.0.0.0/8"]
    api = {
        "token": shop.hello["token"],
        "base_url": shop.hello["base_url"],
        "rate": rate,
        "allow_networks": networks,
        "reconcile_days": 0,
    }
    source = {
        "account": SHOP_ACCOUNT,
        "hook": {"token": TOKEN},
        "api": api,
        "webhooks": {"secret": SECRET, "wait": "1s"},
    }
    own = {"type": "tests.faults.connector.Desk", "url": desk.url.removesuffix("/hook"), "key": "key-of-the-records"}
    return json.dumps({"source": source, "connectors": {"desk": {**own, "allow_networks": networks}}})


def measured(wanted: argparse.Namespace, folder: Path, console: Console) -> bool:
    with ExitStack() as ends:
        relay = ends.enter_context(stack(folder))
        desk = Records()
        ends.enter_context(desk)
        shop = ends.enter_context(Child("benchmarks.shop", str(wanted.chats), str(wanted.hooked)))
        relay.environment = {**clean(relay.environment), "PYTHONPATH": str(ROOT), "RELAY_LOG": "json"}
        relay.configure(config(shop, desk, wanted.api_rate))
        run = Run(relay, shop, desk, console)
        backfill = run.start("backfill")
        listed = run.go_on(lambda: run.catch_ups.get(backfill.id).stage == "fetching" or run.over(backfill), "listing")
        shop.ask("add")
        hook, webhooks = f"/smartsupp/{TOKEN}", "/smartsupp/webhooks/main"
        posted = shop.ask("post", hook=hook, webhooks=webhooks, port=relay.port, rate=wanted.post_rate)
        answers: dict[str, Any] = {}

        def all_posted() -> bool:
            answers.update(shop.ask("look"))
            return bool(answers["over"])

        took = run.go_on(lambda: all_posted() and run.over(backfill) and run.is_idle(), "backfill", wanted.every)
        first = run.catch_ups.get(backfill.id)
        before, _ = run.counted()
        comparison = run.start("reconcile")
        compared = run.go_on(lambda: run.over(comparison) and run.is_idle(), "comparison", wanted.every)
        second = run.catch_ups.get(comparison.id)
        missing, double = run.counted()
        refused = relay.ledger.payloads(PayloadStatus.QUARANTINED, limit=100)
        say = partial(_print, console)
        say("chats", f"{wanted.chats}; listed in {listed:.0f} s")
        say("posts", f"{posted['posts']} sent, {posted['lost']} of the hook's lost; {answers['answers']}")
        counts = f"{first.fetched} fetched, {first.known} known, {first.failed} failed"
        say("backfill", f"{counts}; {took:.0f} s")
        say("rate", f"{short(wanted.chats / took)} chats a second, delivered")
        say("missing before the comparison", len(before))
        say("comparison", f"{second.fetched} fetched, {second.known} known; {compared:.0f} s")
        say("kills", run.kills)
        say("memory, MB", {name: round(most / 1e6) for name, most in run.most.items()})
        say("missing", f"{len(missing)} {missing[:3]}")
        say("double", f"{len(double)} {double[:3]}")
        say("quarantined", len(refused))
        return not (missing or double or refused)


def _print(console: Console, name: str, value: object) -> None:
    console.print(f"{name}: {value}", highlight=False, markup=False)


def main() -> int:
    options = argparse.ArgumentParser("python -m benchmarks.backfill", description=__doc__)
    options.add_argument("--chats", type=int, default=2_000)
    options.add_argument("--hooked", type=float, default=0.9, help="share of them that the hook posts")
    options.add_argument("--every", type=float, default=8.0, help="seconds from one kill to the next; 0: none")
    options.add_argument("--post-rate", type=float, default=120.0, help="posts a second")
    options.add_argument("--api-rate", type=float, default=100.0, help="requests a second that the API allows")
    options.add_argument("--folder", type=Path, help="where the server keeps its data; on a disk")
    wanted = options.parse_args()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    place = wanted.folder or ROOT / "var"
    place.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="backfill-", dir=place, ignore_cleanup_errors=True) as folder:
        return 0 if measured(wanted, Path(folder), Console()) else 1


if __name__ == "__main__":
    sys.exit(main())
