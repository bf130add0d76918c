"""(d) From POST to record when idle. (e) The same for a healthy connector while another one hangs."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence

from benchmarks.child import Child
from benchmarks.figures import Result, Rounds, ratio
from benchmarks.setting import Setting, hook, outside, post, until_idle, wait, workers
from tests.support.stack import Stack, until

#: Posts of (d) in each round.
SINGLE = 50
#: Seconds between two of them, at random: longer than a thread stays awake, and in no step with any timer.
_GAP = (0.25, 0.45)
#: Conversations a second of (e), and clients that are enough for them.
RATE, _CLIENTS = 20, 8


def idle(setting: Setting) -> Result:
    """One conversation at a time, with nothing else going on."""
    found = Rounds()
    count = 5 if setting.quick else SINGLE
    with outside() as world, setting.stack("d", one=hook(world, "/one")) as relay:
        relay.web()
        workers(relay, setting.workers)
        _singly(setting, world, relay, 3)  # the first ones load what is loaded late
        for number in range(setting.rounds):
            times = _singly(setting, world, relay, count)
            found.add("median", "ms", _share(times, 0.5))
            found.add("95 %", "ms", _share(times, 0.95))
            setting.say(f"d, round {number + 1}: median {_share(times, 0.5):.1f} ms")
    return Result(
        "From POST to record, one at a time",
        [found.figure("median", most=50), found.figure("95 %")],
        notes=[
            f"{count} posts a round, {setting.workers} workers; from the first byte sent to the destination's answer"
        ],
    )


def isolated(setting: Setting) -> Result:
    """The other connector's destination takes requests and answers none; its threads hang all the while."""
    found = Rounds()
    count = max(10, round(RATE * 2 * setting.seconds))
    with outside() as world, setting.stack("e", healthy=hook(world, "/healthy"), other=hook(world, "/other")) as relay:
        meter = setting.meter(relay, relay.web(), workers(relay, setting.workers))
        _steadily(setting, world, relay, RATE)
        for number in range(setting.rounds):
            for name, delay in (("well", 0.0), ("hanging", None)):
                world.ask("behave", path="/other", delay=delay)
                meter.spent()
                times = _steadily(setting, world, relay, count)
                found.add(f"other {name}, median", "ms", _share(times, 0.5))
                found.add(f"other {name}, 95 %", "ms", _share(times, 0.95))
                found.add_cpu(f"other {name}, ", meter.spent(), count)
                setting.say(f"e, round {number + 1}: other {name}, median {_share(times, 0.5):.1f} ms")
            _recover(world, relay)
    ratios = [
        ratio(what, found.figure(f"other hanging, {what}"), found.figure(f"other well, {what}"), most=1.2)
        for what in ("median", "95 %")
    ]
    return Result(
        f"From POST to record of a healthy connector beside another one, at {RATE} conversations a second",
        found.named("other hanging"),
        found.named("other well"),
        ratios,
        [f"{count} conversations each; the other one's threads, as many as it may have, hang until the end"],
    )


def _singly(setting: Setting, world: Child, relay: Stack, count: int) -> list[float]:
    times: list[float] = []
    for _ in range(count):
        time.sleep(random.uniform(*_GAP))  # noqa: S311  # dice that protect nothing
        world.ask("forget")
        post(world, relay, first=setting.numbers(1), count=1, clients=1)
        wait(world, relay, ["/one"], 1)
        times += _took(world, "/one")
    return sorted(times)


def _steadily(setting: Setting, world: Child, relay: Stack, count: int) -> list[float]:
    world.ask("forget")
    post(world, relay, first=setting.numbers(count), count=count, clients=_CLIENTS, rate=RATE)
    wait(world, relay, ["/healthy"], count)
    return _took(world, "/healthy")


def _recover(world: Child, relay: Stack) -> None:
    """The other one answers what it held back, and everything that waited for it arrives."""
    world.ask("behave", path="/other", delay=0.0)
    until(lambda: not relay.ledger.lane("other").gate, 60, "the other connector's breaker closed")
    until_idle(relay, "healthy", "other")


def _took(world: Child, path: str) -> list[float]:
    """ms from POST to record, shortest first."""
    return sorted(world.ask("took", path=path)["ms"])


def _share(times: Sequence[float], share: float) -> float:
    return times[min(len(times) - 1, int(len(times) * share))]
