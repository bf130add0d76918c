"""(k) Deliveries a second to a destination that speaks TLS, whose certificate is verified, beside one that does not."""

from __future__ import annotations

from benchmarks.child import Child
from benchmarks.delivering import AHEAD
from benchmarks.figures import Figure, Result, Rounds, ratio
from benchmarks.machine import Meter
from benchmarks.setting import Setting, hook, outside, post, secure_hook, until_idle, wait, workers
from tests.support.certificates import Authority
from tests.support.stack import Stack


def secure(setting: Setting) -> Result:
    """An authority of our own, which the worker trusts by REQUESTS_CA_BUNDLE, as one does with a company's."""
    found = Rounds()
    authority = Authority(setting.folder / "authority")
    with (
        outside(*authority.issue("destination", "127.0.0.1")) as world,
        setting.stack("k-plain", one=hook(world, "/one")) as plain,
        setting.stack("k-secure", one=secure_hook(world, "/one")) as over_tls,
    ):
        meters = {}
        for relay in (plain, over_tls):
            relay.environment["REQUESTS_CA_BUNDLE"] = str(authority.file)
            meters[relay] = setting.meter(relay, relay.web(), workers(relay, 1))
        sides = (("plain", plain), ("over TLS", over_tls))
        for number in range(setting.rounds + 1):
            measured = found if number else Rounds()  # the first one warms up
            seconds = setting.seconds if number else min(setting.seconds, 1.0)
            for name, relay in sides if number % 2 else sides[::-1]:
                _deliver(setting, world, relay, meters[relay], name, seconds, measured)
    what = "over TLS", "plain"
    return Result(
        "Deliveries a second over TLS, 1 worker",
        found.named("over TLS"),
        found.named("plain"),
        [ratio("deliveries", *map(found.figure, what)), *_cost(found)],
        [f"from the first POST to the last record; never more than {AHEAD} conversations ahead"],
    )


def _cost(found: Rounds) -> list[Figure]:
    """What TLS costs in CPU, where that could be measured."""
    return [
        ratio(f"CPU, {name}", found.figure(f"over TLS, {name}"), found.figure(f"plain, {name}"))
        for name in ("worker", "all")
        if found.named(f"plain, {name}")
    ]


def _deliver(
    setting: Setting, world: Child, relay: Stack, meter: Meter, name: str, seconds: float, found: Rounds
) -> None:
    world.ask("forget")
    meter.spent()
    sent = post(world, relay, first=setting.numbers(10**6), seconds=seconds, ahead=AHEAD, paths=["/one"])
    count = sent["posts"]
    told = wait(world, relay, ["/one"], count)
    until_idle(relay, "one")
    rate = count / (float(told["last"]) - float(told["sent"]))
    found.add(name, "/s", rate)
    found.add_cpu(f"{name}, ", meter.spent(), count)
    setting.say(f"k: {name} {rate:.0f}/s")
