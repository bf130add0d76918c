"""What a valid configuration leaves undone: chats that it delivers nowhere, connectors that it never uses. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from core.config.mistakes.values import RENAMED
from core.config.settings import Settings


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
    return Doubt(f"The section {section} is now called {new}; version 0.3 will not read it.", f"Rename it to {new}.")


def _undone(settings: Settings) -> list[Doubt]:
    if not settings.connectors:
        return [Doubt("No connector is configured: chats are kept, but not delivered.", "Add one under connectors.")]
    if not settings.enabled:
        text = "Every connector is off: chats are kept, but not delivered."
        return [Doubt(text, "Set enabled: true for one, or remove enabled: false.")]
    if not settings.routes:
        text = "The section routes is empty: chats are kept, but not delivered."
        return [Doubt(text, "Remove the section routes, and every chat goes to every enabled connector.")]
    found = [
        Doubt(f"No route leads to {name}: no chat goes there.", route_remedy(name), name) for name in unused(settings)
    ]
    for name in settings.enabled:
        found += [Doubt(f"{name}: {text}", remedy, name) for text, remedy in settings.connectors[name].doubts()]
    for index, route in enumerate(settings.routes):
        if route.to and not any(settings.connectors[name].enabled for name in route.to):
            names = ", ".join(route.to)
            verb = "is" if len(route.to) == 1 else "are"
            text = f"routes[{index}] leads only to {names}, which {verb} off."
            found.append(Doubt(text, f"Enable {names}, or remove the route."))
    return found


def unused(settings: Settings) -> list[str]:
    """Enabled connectors that no route leads to."""
    return [name for name in settings.enabled if not leads_to(settings, name)]


def leads_to(settings: Settings, connector: str) -> bool:
    return any(connector in route.to for route in settings.routes)


def route_remedy(connector: str) -> str:
    return f"Add {connector} to a route (routes: - to: [{connector}]), or remove the section routes."


def gone_remedy(connector: str) -> str:
    """What to do about deliveries that wait for a connector that is not configured."""
    renamed = f"If {connector} has another name now, write formerly: [{connector}] below that one"
    return f"{renamed}; else put it back into relay.yaml, or discard what is queued: relay discard ID --reason …"
