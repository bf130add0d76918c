"""(g) How fast a backlog drains to a fast destination, whether it is small or large."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack

from benchmarks.backlog import fill
from benchmarks.child import Child
from benchmarks.figures import Figure, Result, Rounds, ratio
from benchmarks.setting import PATIENCE, Setting, end, hook, outside, still, wait, wake_up, workers
from core.store import Control, connect
from tests.support.stack import Stack, until

#: Drains in each measurement: one of 900 deliveries is short.
_TIMES = 3


def depth(setting: Setting) -> Result:
    """The same number of deliveries at each depth, while at least a tenth of the smallest goes on waiting."""
    found = Rounds()
    depths = [one // 10 for one in setting.depths] if setting.quick else sorted(setting.depths)
    count = depths[0] * 9 // 10
    with ExitStack() as opened:
        world = opened.enter_context(outside())
        stacks = {one: opened.enter_context(setting.stack(f"g{one}", one=hook(world, "/one"))) for one in depths}
        for deep, relay in stacks.items():
            Control(connect(relay.server.url)).pause("one", "benchmark")
            setting.say(f"g: making {deep:,} waiting deliveries")
        for number in range(setting.rounds):
            # Whichever is first finds another machine than whichever is last: take turns.
            for deep in depths if number % 2 == 0 else depths[::-1]:
                rate = _drained(setting, world, stacks[deep], deep, count, found)
                setting.say(f"g, round {number + 1}: {deep:,} waiting, {rate:.0f} deliveries/s")
    return Result(
        "Deliveries a second out of a backlog",
        found.named(""),
        ratios=_flat([found.figure(_named(one)) for one in depths]),
        notes=[
            f"from the first record to the {count}th, {_TIMES} times a round; {setting.workers} workers, no receiver"
        ],
    )


def _flat(figures: Sequence[Figure]) -> list[Figure]:
    """Each deeper one to the shallowest, round by round."""
    shallow, *deeper = figures
    return [ratio(f"{one.name} to {shallow.name}", one, shallow, least=0.85) for one in deeper]


def _named(deep: int) -> str:
    return f"{deep:,} waiting"


def _drained(setting: Setting, world: Child, relay: Stack, deep: int, count: int, found: Rounds) -> float:
    _top_up(setting, relay, deep)
    running = workers(relay, setting.workers)
    meter = setting.meter(relay, None, running)
    spent: dict[str, float] = {}
    seconds, delivered = 0.0, 0
    for turn in range(_TIMES + 1):
        with still(one.pid for one in running):
            _top_up(setting, relay, deep)
        world.ask("forget")
        meter.spent()
        Control(connect(relay.server.url)).resume("one")
        wake_up(relay, "one")
        told = wait(world, relay, ["/one"], count)
        Control(connect(relay.server.url)).pause("one", "benchmark")
        until(lambda: not relay.ledger.lane("one").in_flight, PATIENCE, "nothing in flight")
        if turn:  # what is loaded and connected during the first is no part of it
            seconds += float(told["last"]) - float(told["first"])
            spent = {name: spent.get(name, 0.0) + more for name, more in meter.spent().items()}
            delivered += deep - relay.ledger.lane("one").waiting  # some more than were waited for
    end(running)
    rate = _TIMES * count / seconds
    found.add(_named(deep), "/s", rate)
    found.add_cpu(f"{_named(deep)}, ", spent, delivered)
    return rate


def _top_up(setting: Setting, relay: Stack, deep: int) -> None:
    missing = deep - relay.ledger.lane("one").waiting
    fill(connect(relay.server.url), "one", setting.numbers(missing), missing)
