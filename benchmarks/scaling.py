"""(c) A destination that takes 300 ms, with 1, 2 and 4 workers: how close to linear."""

from __future__ import annotations

from benchmarks.backlog import fill
from benchmarks.child import Child
from benchmarks.figures import Result, Rounds, ratio
from benchmarks.machine import Processor
from benchmarks.setting import Setting, end, hook, outside, until_idle, wait, wake_up, workers
from core.store import Control, connect
from tests.support.stack import Stack

#: Seconds that the destination takes.
SLOW = 0.3
WORKERS = (1, 2, 4)
#: About what one worker delivers in a second: it has 16 threads, one of which stays free for the inbox.
_GUESS = 50


def scaling(setting: Setting) -> Result:
    """A backlog that takes as long each time, delivered from the moment that the connector is resumed."""
    found = Rounds()
    with outside() as world, setting.stack("c", slow=hook(world, "/slow")) as relay:
        world.ask("behave", path="/slow", delay=SLOW)
        for number in range(setting.rounds):
            for many in WORKERS:
                name = "1 worker" if many == 1 else f"{many} workers"
                count = round(2 * _GUESS * many * setting.seconds)
                rate = drained(setting, world, relay, many, count, found, name)
                setting.say(f"c, round {number + 1}: {name}, {rate:.0f} deliveries/s")
    one, two, four = (found.figure("1 worker"), found.figure("2 workers"), found.figure("4 workers"))
    return Result(
        f"Deliveries a second to a destination that takes {SLOW * 1000:.0f} ms",
        found.named(""),
        ratios=[ratio("2 workers to 1", two, one), ratio("4 workers to 1", four, one, least=3.5)],
        notes=["from wake-up to last answer; a backlog for each worker that takes it twice the time of a measurement"],
    )


def drained(setting: Setting, world: Child, relay: Stack, many: int, count: int, found: Rounds, name: str) -> float:
    """Deliveries a second of so many workers out of a backlog, added to what was found with all that belongs to it."""
    Control(connect(relay.server.url)).pause("slow", "benchmark")
    fill(connect(relay.server.url), "slow", setting.numbers(count), count)
    running = workers(relay, many)
    world.ask("forget")
    processor, meter = Processor(), setting.meter(relay, None, running)
    Control(connect(relay.server.url)).resume("slow")
    wake_up(relay, "slow")
    told = wait(world, relay, ["/slow"], count)
    busy = processor.busy()
    until_idle(relay, "slow")
    spent = meter.spent()
    end(running)
    rate = count / (float(told["last"]) + SLOW - float(told["first"]))
    found.add(name, "/s", rate)
    if busy is not None:
        found.add(f"{name}, machine idle", "%", 100 * (1 - busy))
    found.add_cpu(f"{name}, ", spent, count)
    return rate
