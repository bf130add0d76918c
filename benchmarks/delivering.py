"""(b) Deliveries a second from POST to a destination on loopback, against bare posts by `requests`."""

from __future__ import annotations

import time
from contextlib import ExitStack

from benchmarks.child import Child
from benchmarks.figures import Result, Rounds, ratio
from benchmarks.machine import Meter, Processor
from benchmarks.setting import Setting, address, adopted, hook, outside, post, until_idle, wait, workers
from core.config.environment import environment
from tests.e2e.test_pipeline import config
from tests.support.stack import Stack

#: Conversations that are posted before they have come: enough that no worker is without work.
AHEAD = 200
_PATHS = ["/one", "/two"]


def delivering(setting: Setting) -> Result:
    """Receiver, workers, server, sender and destination share the cores. It accepts as long as it delivers."""
    found = Rounds()
    threads = environment({}).concurrency
    with ExitStack() as opened:
        world = opened.enter_context(outside())
        relay = opened.enter_context(setting.stack("b"))
        alone = opened.enter_context(Child("benchmarks.posters", str(threads * setting.workers)))
        posters = [opened.enter_context(Child("benchmarks.posters", str(threads))) for _ in range(setting.workers)]
        meter = setting.meter(relay, relay.web(), workers(relay, setting.workers))
        for number in range(setting.rounds + 1):
            measured = found if number else Rounds()  # the first one warms up
            seconds = setting.seconds if number else min(setting.seconds, 1.0)
            for connectors in (1, 2):
                _relay(setting, world, relay, meter, connectors, seconds, measured)
            for name, processes in (("bare", posters), ("bare, one process", [alone])):
                measured.add(name, "/s", _bare(setting, world, processes, seconds))
            said = (f"{one.name} {one.median:.0f}/s" for one in measured.named("") if one.unit == "/s")
            setting.say(f"b, round {number}: {', '.join(said)}")
    one, two = found.figure("1 connector", least=500), found.figure("2 connectors")
    bare = found.figure("bare")
    return Result(
        f"Deliveries a second while accepting, {setting.workers} workers of {threads} threads",
        [one, two, *found.named("1 connector, "), *found.named("2 connectors, ")],
        [bare, found.figure("bare, one process")],
        [
            ratio("1 connector to bare", one, bare, least=0.5),
            ratio("1 connector to bare in one process", one, found.figure("bare, one process")),
            ratio("2 connectors to 1", two, one, least=0.8),
        ],
        [
            f"from the first POST to the last record; never more than {AHEAD} conversations ahead",
            f"bare: as many processes and threads as the workers have ({setting.workers} × {threads}); "
            f"one process: all {setting.workers * threads} threads in one",
        ],
    )


def _relay(
    setting: Setting, world: Child, relay: Stack, meter: Meter, connectors: int, seconds: float, found: Rounds
) -> None:
    paths = _PATHS[:connectors]
    name = "1 connector" if connectors == 1 else f"{connectors} connectors"
    relay.configure(config(**{path[1:]: hook(world, path) for path in paths}))
    adopted()
    world.ask("forget")
    meter.spent()
    processor = Processor()
    sent = post(world, relay, first=setting.numbers(10**6), seconds=seconds, ahead=AHEAD, paths=paths)
    count = sent["posts"]
    told = wait(world, relay, paths, count)
    busy = processor.busy()
    took = told["last"] - told["sent"]
    found.add(name, "/s", count * connectors / took)
    found.add(f"{name}, accepting", "% of the time", 100 * sent["seconds"] / took)
    found.add(f"{name}, sender and destination", "% of a core", 100 * told["cpu"])
    if busy is not None:
        found.add(f"{name}, machine busy", "%", 100 * busy)
    found.add(f"{name}, repeats", "", told["requests"] - count * connectors)
    until_idle(relay, *(path[1:] for path in paths))
    found.add_cpu(f"{name}, ", meter.spent(), count)


def _bare(setting: Setting, world: Child, posters: list[Child], seconds: float) -> float:
    world.ask("forget")
    since = time.monotonic()
    for one in posters:
        one.tell("post", url=address(world, "/bare"), first=setting.numbers(10**6), seconds=seconds)
    count = sum(int(one.answer()["posts"]) for one in posters)
    told = wait(world, None, ["/bare"], count)
    return count / (float(told["last"]) - since)
