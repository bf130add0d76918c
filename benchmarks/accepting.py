"""(a) Durable accepts a second and how long they take at 32 clients, against a bare Flask view that does one LPUSH."""

from __future__ import annotations

from benchmarks.figures import Result, Rounds, ratio
from benchmarks.machine import Processor
from benchmarks.setting import CLIENTS, Setting, bare, outside, post


def accepting(setting: Setting) -> Result:
    """Nobody works meanwhile. Every body is another one."""
    found = Rounds()
    with outside() as world, setting.stack("a") as relay, setting.stack("a-bare") as ceiling:
        relay.web()
        bare(ceiling)
        for there in (relay, ceiling):  # what is loaded at the first requests is no part of it
            post(world, there, first=setting.numbers(10**6), seconds=min(1.0, setting.seconds))
        for number in range(setting.rounds):
            # Whichever is first finds another machine than whichever is second: take turns.
            both = (("relay", relay), ("bare", ceiling))
            for name, there in both if number % 2 == 0 else both[::-1]:
                world.ask("forget")
                processor = Processor()
                told = post(world, there, first=setting.numbers(10**6), seconds=setting.seconds)
                found.add(f"{name} accepts", "/s", told["posts"] / told["seconds"])
                found.add(f"{name} median", "ms", told["median"])
                found.add(f"{name} p99", "ms", told["p99"])
                found.add(f"{name} sender", "% of a core", 100 * told["cpu"])
                busy = processor.busy()
                if busy is not None:
                    found.add(f"{name} machine busy", "%", 100 * busy)
                setting.say(
                    f"a, round {number + 1}: {name} {told['posts'] / told['seconds']:.0f}/s, p99 {told['p99']:.0f} ms"
                )
    return Result(
        f"Accepts at {CLIENTS} clients, on disk before the answer",
        found.named("relay "),
        found.named("bare "),
        [
            ratio("accepts", found.figure("relay accepts"), found.figure("bare accepts"), least=0.8),
            ratio("p99", found.figure("relay p99"), found.figure("bare p99"), most=2.0),
        ],
    )
