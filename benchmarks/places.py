"""(j) One worker and a destination that takes 300 ms: what 64 and 256 places give."""

from __future__ import annotations

from dataclasses import replace

from benchmarks.figures import Figure, Result, Rounds, ratio
from benchmarks.scaling import SLOW, drained
from benchmarks.setting import Setting, hook, outside
from core.config.environment import environment

PLACES = (64, 256)
#: Deliveries a second with 256 places that are wanted of one worker where the cores are not full before.
_WANTED = 600


def places(setting: Setting) -> Result:
    """A backlog that takes all of them about as long, if nothing but the places limited it."""
    found = Rounds()
    usual = environment({}).concurrency
    with outside() as world, setting.stack("j", slow=hook(world, "/slow")) as relay:
        world.ask("behave", path="/slow", delay=SLOW)
        for number in range(setting.rounds):
            for many in (usual, *PLACES):
                relay.environment["RELAY_CONCURRENCY"] = str(many)
                count = round(2 * many / SLOW * setting.seconds)
                rate = drained(setting, world, relay, 1, count, found, _named(many))
                found.add(f"{_named(many)}, of what they allow", "%", 100 * rate * SLOW / many)
                setting.say(f"j, round {number + 1}: {_named(many)}, {rate:.0f} deliveries/s")
    rates = [found.figure(_named(many)) for many in (usual, *PLACES)]
    return Result(
        f"Deliveries a second of one worker to a destination that takes {SLOW * 1000:.0f} ms",
        [_wanted(one) for one in found.named("")],
        ratios=[ratio(f"{one.name} to {rates[0].name}", one, rates[0]) for one in rates[1:]],
        notes=[
            f"{usual} places are the default; so many allow {usual / SLOW:.0f} deliveries a second, "
            f"{PLACES[0]} allow {PLACES[0] / SLOW:.0f} and {PLACES[1]} allow {PLACES[1] / SLOW:.0f}"
        ],
    )


def _named(many: int) -> str:
    return f"{many} places"


def _wanted(figure: Figure) -> Figure:
    return replace(figure, least=_WANTED) if figure.name == _named(PLACES[-1]) else figure
