"""What a valid configuration leaves undone: chats that it delivers nowhere, connectors that it never uses. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from core.config.mistakes.values import RENAMED
from core.config.settings import Settings
from core.wording.sentence import say, say_n


@dataclass(frozen=True)
class Doubt:
    """What is odd, about which connector if one, and what to type. It may be meant so: nothing is refused for it."""

    text: str
    remedy: str
    connector: str = ""


def doubts(settings: Settings) -> list[Doubt]:
    """Everything at once, the gravest first."""
    return [*_undone(settings), *map(_renamed, settings.renamed)]


def _renamed(section: str) -> Doubt:
    new = RENAMED[section]
    return Doubt(
        say("The section %(section)s is now called %(new)s; version 0.3 will not read it.", section=section, new=new),
        say("Rename it to %(new)s.", new=new),
    )


def _undone(settings: Settings) -> list[Doubt]:
    if not settings.connectors:
        return [
            Doubt(
                say("No connector is configured: chats are kept, but not delivered."), say("Add one under connectors.")
            )
        ]
    if not settings.enabled:
        text = say("Every connector is off: chats are kept, but not delivered.")
        return [Doubt(text, say("Set enabled: true for one, or remove enabled: false."))]
    if not settings.routes:
        text = say("The section routes is empty: chats are kept, but not delivered.")
        return [Doubt(text, say("Remove the section routes, and every chat goes to every enabled connector."))]
    found = [
        Doubt(say("No route leads to %(name)s: no chat goes there.", name=name), route_remedy(name), name)
        for name in unused(settings)
    ]
    for name in settings.enabled:
        found += [
            Doubt(say("%(name)s: %(text)s", name=name, text=text), remedy, name)
            for text, remedy in settings.connectors[name].doubts()
        ]
    for index, route in enumerate(settings.routes):
        if route.to and not any(settings.connectors[name].enabled for name in route.to):
            names = ", ".join(route.to)
            text = say_n(
                "%(route)s leads only to %(names)s, which is off.",
                "%(route)s leads only to %(names)s, which are off.",
                len(route.to),
                route=f"routes[{index}]",
                names=names,
            )
            found.append(Doubt(text, say("Enable %(names)s, or remove the route.", names=names)))
    return found


def unused(settings: Settings) -> list[str]:
    """Enabled connectors that no route leads to."""
    return [name for name in settings.enabled if not leads_to(settings, name)]


def leads_to(settings: Settings, connector: str) -> bool:
    return any(connector in route.to for route in settings.routes)


def route_remedy(connector: str) -> str:
    return say("Add %(name)s to a route (routes: - to: [%(name)s]), or remove the section routes.", name=connector)


def gone_remedy(connector: str) -> str:
    """What to do about deliveries that wait for a connector that is not configured."""
    return say(
        "If %(name)s has another name now, write formerly: [%(name)s] below that one; else put it back into"
        " relay.yaml, or"
        " discard what is queued: relay discard ID --reason …",
        name=connector,
    )
