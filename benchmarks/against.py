"""One commit against another, in one run: `python -m benchmarks --against REV`.

The other commit's source lies in a folder of its own and runs with the packages that are installed here. Both have
their own server, receiver and worker all the while; one at a time has work, and they take turns. Beside the rate
stands what a conversation costs each process in CPU time, which is what a machine can tell that does something else
besides.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks import machine
from benchmarks.child import ROOT, Child
from benchmarks.figures import Missing, Result, Rounds, ratio
from benchmarks.setting import Setting, hook, post, secure_hook, until_idle, wait, workers
from tests.support.certificates import Authority
from tests.support.stack import Stack

#: Seconds that a slow destination takes.
SLOW = 0.3
#: Conversations that are posted before they have come, for each place of a worker.
AHEAD = 12


@dataclass(frozen=True)
class Job:
    """`places`: of the one worker. `delay`: seconds that the destinations take. Without connectors no worker runs."""

    title: str
    connectors: int = 1
    tls: bool = False
    places: int = 16
    delay: float = 0.0


JOBS: Mapping[str, Job] = {
    "accept": Job("accepting alone", connectors=0),
    "one": Job("one connector"),
    "two": Job("two connectors", connectors=2),
    "tls": Job("one connector over TLS", tls=True),
    "slow64": Job("a destination that takes 300 ms, 64 places", places=64, delay=SLOW),
    "slow256": Job("a destination that takes 300 ms, 256 places", places=256, delay=SLOW),
}


@dataclass
class Side:
    """One of the two."""

    name: str
    relay: Stack
    meter: machine.Meter


def against(setting: Setting, revision: str, job: Job) -> Result:
    """Raises Missing without /proc, SystemExit for a revision that git does not know."""
    if not machine.has_proc():
        raise Missing("CPU time is read from /proc, which this system does not have")
    found = Rounds()
    with ExitStack() as opened:
        authority = Authority(setting.folder / "authority")
        files = authority.issue("destination", "127.0.0.1")
        world = opened.enter_context(Child("benchmarks.outside", *map(str, files)))
        there = opened.enter_context(checked_out(revision, setting.folder))
        sides = [
            opened.enter_context(_side(setting, name, root, world, job, authority.file))
            for name, root in (("this", ROOT), (revision, there))
        ]
        for path in _paths(job):
            world.ask("behave", path=path, delay=job.delay)
        for number in range(setting.rounds + 1):
            measured = found if number else Rounds()  # the first one warms up
            for side in sides if number % 2 else sides[::-1]:
                _measure(setting, world, side, job, measured, setting.seconds if number else 1.0)
    what = "delivered" if job.connectors else "accepted"
    here, old = found.figure(f"this, {what}"), found.figure(f"{revision}, {what}")
    spent = [
        ratio(f"CPU, {name}", found.figure(f"this, {name}"), found.figure(f"{revision}, {name}"))
        for name in ("receiver", "server", *(["worker"] if job.connectors else []), "all")
    ]
    title = f"{job.title}: this tree against {revision}"
    return Result(title, found.named("this"), found.named(revision), [ratio(what, here, old), *spent])


@contextmanager
def checked_out(revision: str, folder: Path) -> Iterator[Path]:
    """The source of a commit, in a folder that goes afterwards."""
    there = folder / "other"
    made = _git("worktree", "add", "--detach", "--quiet", str(there), revision)
    if made.returncode:
        raise SystemExit(f"git: {made.stderr.strip()}")
    try:
        yield there
    finally:
        _git("worktree", "remove", "--force", str(there))


def _git(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["git", *command], cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S607  # wherever the system has it


@contextmanager
def _side(setting: Setting, name: str, root: Path, world: Child, job: Job, authority: Path) -> Iterator[Side]:
    made = secure_hook if job.tls else hook
    connectors = {path[1:]: made(world, path) for path in _paths(job)}
    with setting.stack(f"{job.title}-{name}".replace(" ", "-"), **connectors) as relay:
        relay.environment |= {
            "PYTHONPATH": os.fspath(root),
            "REQUESTS_CA_BUNDLE": str(authority),
            "RELAY_CONCURRENCY": str(job.places),
        }
        receiver = relay.web()
        pids = {"receiver": [receiver.pid], "server": [relay.server.pid]}
        if job.connectors:
            [worker] = workers(relay, 1)
            pids["worker"] = [worker.pid]
        yield Side(name, relay, machine.Meter(**pids))


def _measure(setting: Setting, world: Child, side: Side, job: Job, found: Rounds, seconds: float) -> None:
    paths = _paths(job)
    world.ask("forget")
    side.meter.spent()
    ahead = {"ahead": AHEAD * job.places, "paths": paths} if paths else {}
    sent = post(world, side.relay, first=setting.numbers(10**6), seconds=seconds, **ahead)
    count = sent["posts"]
    if paths:
        told = wait(world, side.relay, paths, count)
        until_idle(side.relay, *(path[1:] for path in paths))
        rate = count * job.connectors / (told["last"] - told["sent"])
        found.add(f"{side.name}, delivered", "/s", rate)
        found.add(f"{side.name}, repeats", "", told["requests"] - count * job.connectors)
    else:
        rate = count / sent["seconds"]
        found.add(f"{side.name}, accepted", "/s", rate)
        found.add(f"{side.name}, p99", "ms", sent["p99"])
    spent = side.meter.spent()
    found.add_cpu(f"{side.name}, ", spent, count)
    setting.say(f"{job.title}, {side.name}: {rate:.0f}/s, {1000 * spent['all'] / count:.2f} ms")


def _paths(job: Job) -> list[str]:
    return ["/one", "/two"][: job.connectors]
