"""The routes as a form has them: what a change of them does to relay.yaml, and what it would do to the last chats."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from core.config.editing.door import Door, Draft
from core.config.editing.yaml_edit import Edit, Put, Remove
from core.config.settings import Settings
from core.conversation import Conversation
from core.errors import ConfigError, Problem
from core.routing import routed
from core.templates.language import LanguageError
from core.values.chat import Values


@dataclass(frozen=True)
class RouteRow:
    """One route: its condition as relay.yaml has it, or "" for every chat; and where these chats go, which may be
    nowhere on purpose."""

    when: str
    to: tuple[str, ...]


@dataclass(frozen=True)
class RouteTrial:
    """Of `looked` chats: how many each route matches (None: its condition failed on all that it was asked about), and
    where they go now and would go then. `nowhere` are two such numbers, too."""

    looked: int
    matched: tuple[int, ...]
    failed: tuple[int, ...]
    connectors: Mapping[str, tuple[int, int]]
    nowhere: tuple[int, int]


def written_routes(values: Mapping[str, Any]) -> list[RouteRow] | None:
    """Those of relay.yaml; None where it has no section: every chat goes everywhere. Raises ConfigError for what is
    none."""
    routes = values.get("routes")
    if routes is None:
        return None
    found = [_row(index, one) for index, one in enumerate(routes if isinstance(routes, list) else ())]
    if not isinstance(routes, list):
        raise ConfigError("relay.yaml", [Problem("routes", "is not a list of routes; correct it by hand")])
    return found


def rerouted(door: Door, rows: Sequence[RouteRow | None], added: Sequence[RouteRow]) -> Draft:
    """`rows` are the routes of the file in their order, None where one is to go; `added` come behind them. Raises
    ConfigError."""
    old = written_routes(door.values()) or []
    if len(rows) != len(old):
        raise ConfigError("relay.yaml", [Problem("routes", "has other routes by now; look at them again")])
    edits: list[Edit] = []
    for index, (before, after) in enumerate(zip(old, rows, strict=True)):
        if after is None:
            continue
        if after.to != before.to:
            edits.append(Put(("routes", index, "to"), [*after.to]))
        # A condition on several lines comes back from a form on one.
        if after.when != " ".join(before.when.split()):
            # To take the key away is not possible where it stands behind the dash.
            edits.append(Put(("routes", index, "when"), after.when or "true"))
    gone = [index for index, row in enumerate(rows) if row is None]
    new = [_written(one) for one in added]
    if len(gone) == len(rows):
        # An empty section would deliver nothing at all.
        edits = [Put(("routes",), new)] if new else [Remove(("routes",))] if old else []
    else:
        edits += [Put(("routes", len(old) + number), one) for number, one in enumerate(new)]
        edits += [Remove(("routes", index)) for index in reversed(gone)]
    return door.draft("Change the routes", *edits)


def tried(now: Settings, then: Settings, chats: Iterable[Conversation]) -> RouteTrial:
    """What becomes of each of these chats by the routes of both."""
    matched, failed = [0] * len(then.routes), [0] * len(then.routes)
    before: Counter[str] = Counter()
    after: Counter[str] = Counter()
    looked, lost_now, lost_then = 0, 0, 0
    for chat in chats:
        looked += 1
        values = Values(chat, then.values)
        for index, route in enumerate(then.routes):
            try:
                matched[index] += bool(route.applies(values))
            except LanguageError:
                failed[index] += 1
        here, there = routed(now, chat).connectors, routed(then, chat).connectors
        before.update(here)
        after.update(there)
        lost_now += not here
        lost_then += not there
    names = dict.fromkeys((*then.connectors, *now.connectors))
    return RouteTrial(
        looked,
        tuple(matched),
        tuple(failed),
        {name: (before[name], after[name]) for name in names},
        (lost_now, lost_then),
    )


def _row(index: int, route: Any) -> RouteRow:
    to = route.get("to") if isinstance(route, dict) else None
    if not isinstance(to, list):
        raise ConfigError("relay.yaml", [Problem(f"routes[{index}]", "is not a route; correct it by hand")])
    when = str(route.get("when", "")).strip()
    return RouteRow("" if when in ("true", "True") else when, tuple(map(str, to)))


def _written(row: RouteRow) -> dict[str, Any]:
    return {**({"when": row.when} if row.when else {}), "to": [*row.to]}
