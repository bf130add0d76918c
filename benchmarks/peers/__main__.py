"""Relay and its peers at the same job, in turns: `python -m benchmarks.peers`. A table, and JSON with `--out`."""

from __future__ import annotations

import argparse
import json
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks import machine
from benchmarks.__main__ import keys, short, stop
from benchmarks.child import ROOT, Child
from benchmarks.figures import Figure, Result, Rounds, ratio
from benchmarks.peers.known import PEERS
from benchmarks.peers.peer import Peer, Place, Started, started
from benchmarks.setting import PATIENCE, Setting, hook, outside, until_idle, workers
from tests.support.stack import TOKEN

#: Conversations that are posted before they have come.
AHEAD = 200
CLIENTS = 8
#: Seconds until what was started has come to rest, for its memory.
_REST = 8.0


def main() -> int:
    wanted = _options().parse_args()
    names = [peer.name for peer in PEERS]
    if unknown := set(wanted.only) - set(names):
        raise SystemExit(f"there is no peer {', '.join(sorted(unknown))}; there are: {', '.join(names)}")
    if not machine.has_proc():
        raise SystemExit("CPU time and memory are read from /proc, which this system does not have")
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    console = Console()
    report: dict[str, Any] = {"machine": machine.described()}
    results: dict[str, Result] = {}
    kept = ROOT / "var" / "peers"
    kept.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="bench-", dir=kept, ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o711)  # PostgreSQL is another user
        seconds, rounds = (0.5, 1) if wanted.quick else (wanted.seconds, wanted.rounds)
        setting = Setting(Path(folder), console, seconds, rounds, workers=1, quick=wanted.quick, depths=())
        for peer in PEERS:
            if wanted.only and peer.name not in wanted.only:
                continue
            try:
                peer.install(kept / peer.name)
                result = beside(setting, peer, kept / peer.name)
            except LookupError as lack:
                console.print(f"{peer.name} not measured: {lack}", highlight=False)
                report[peer.name] = {"missing": str(lack)}
                continue
            results[peer.name] = result
            report[peer.name] = result.as_dict()
    console.print(_table(results))
    for name, result in results.items():
        console.print(f"  {name}: {'; '.join(result.notes)}", highlight=False)
    if wanted.out:
        wanted.out.write_text(json.dumps(report, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return 0


def beside(setting: Setting, peer: Peer, installed: Path) -> Result:
    """Both run all the while; one at a time has work. Raises LookupError where the machine lacks what it needs."""
    found = Rounds()
    with ExitStack() as opened:
        world = opened.enter_context(outside())
        place = Place(setting.folder / peer.name, installed, f"http://127.0.0.1:{world.hello['port']}/peer")
        sides: Mapping[str, Started] = {
            "relay": opened.enter_context(_relay(setting, world, peer.name)),
            peer.name: opened.enter_context(contextmanager(started)(peer, place)),
        }
        time.sleep(0 if setting.quick else _REST)
        for name, side in sides.items():
            found.add(f"{name}, idle", "MB", machine.memory(_all(side)) / 1e6)
        for number in range(setting.rounds + 1):
            measured = found if number else Rounds()  # the first one warms up
            for name in sides if number % 2 else [*sides][::-1]:
                path = "/relay" if name == "relay" else "/peer"
                _measure(setting, world, name, sides[name], path, measured, setting.seconds if number else 1.0)
        for name, side in sides.items():
            found.add(f"{name}, afterwards", "MB", machine.memory(_all(side)) / 1e6)

    def compared(what: str) -> Figure:
        return ratio(what, found.figure(f"relay, {what}"), found.figure(f"{peer.name}, {what}"))

    return Result(
        f"Relay beside {peer.name}",
        found.named("relay, "),
        found.named(f"{peer.name}, "),
        [compared(what) for what in ("delivered", "accepting", "p99", "all processes", "idle", "afterwards")],
        [peer.keeps],
    )


@contextmanager
def _relay(setting: Setting, world: Child, beside: str) -> Iterator[Started]:
    with setting.stack(f"relay-beside-{beside}", relay=hook(world, "/relay")) as relay:
        receiver = relay.web()
        [worker] = workers(relay, 1)
        pids = {"receiver": receiver.pid, "worker": worker.pid, "server": relay.server.pid}
        yield Started(relay.port, f"/smartsupp/{TOKEN}", pids, lambda: until_idle(relay, "relay"))


def _measure(
    setting: Setting, world: Child, name: str, side: Started, path: str, found: Rounds, seconds: float
) -> None:
    world.ask("forget")
    before = _cpu(side)
    load = {"clients": CLIENTS, "seconds": seconds, "ahead": AHEAD, "paths": [path], "first": setting.numbers(10**6)}
    sent = world.ask("post", path=side.path, port=side.port, **load)
    if {int(status) // 100 for status in sent["answers"]} != {2}:
        raise SystemExit(f"{name} answered {sent['answers']}")
    count = sent["posts"]
    told = world.ask("wait", paths=[path], count=count, seconds=PATIENCE)
    if told["late"]:
        raise SystemExit(f"{name}: only {told['came']} of {count} conversations came within {PATIENCE} s")
    side.rest()
    spent = {process: after - before[process] for process, after in _cpu(side).items()}
    found.add(f"{name}, delivered", "/s", count / (told["last"] - told["sent"]))
    found.add(f"{name}, accepting", "/s", count / sent["seconds"])
    found.add(f"{name}, p99", "ms", sent["p99"])
    for process, cpu in {**spent, "all processes": sum(spent.values())}.items():
        found.add(f"{name}, {process}", "ms of CPU a conversation", 1000 * cpu / count)
    setting.say(f"{name}: {count / (told['last'] - told['sent']):.0f}/s, {1000 * sum(spent.values()) / count:.2f} ms")


def _table(results: Mapping[str, Result]) -> Table:
    """Of each round's two sides the ratio; medians of the rounds, and the lowest and the highest ratio."""
    title = f"One destination, {CLIENTS} clients, at most {AHEAD} conversations ahead of what has come"
    found = Table(
        "", "Unit", "Relay", "Beside it", "Relay to it", "Lowest", "Highest", title=title, title_justify="left"
    )
    for name, result in results.items():
        ours = {one.name.removeprefix("relay, "): one for one in result.figures}
        theirs = {one.name.removeprefix(f"{name}, "): one for one in result.ceiling}
        for one in result.ratios:
            both = [short(ours[one.name].median), short(theirs[one.name].median)]
            spread = map(short, (one.median, min(one.rounds), max(one.rounds)))
            found.add_row(f"{name}: {one.name}", ours[one.name].unit.replace("a conversation", "each"), *both, *spread)
    return found


def _cpu(side: Started) -> dict[str, float]:
    return {name: machine.cpu(machine.family(pid)) for name, pid in side.pids.items()}


def _all(side: Started) -> list[int]:
    return [one for pid in side.pids.values() for one in machine.family(pid)]


def _options() -> argparse.ArgumentParser:
    options = argparse.ArgumentParser("python -m benchmarks.peers", description=__doc__)
    options.add_argument("--only", type=keys, default=[], help=f"which of {', '.join(peer.name for peer in PEERS)}")
    options.add_argument("--seconds", type=float, default=6.0, help="what one measurement is to take, about")
    options.add_argument("--rounds", type=int, default=5, help="how often each is measured")
    options.add_argument(
        "--quick", action="store_true", help="as little as shows that it runs; the figures mean nothing"
    )
    options.add_argument("--out", type=Path, help="where the JSON goes")
    return options


if __name__ == "__main__":
    sys.exit(main())
