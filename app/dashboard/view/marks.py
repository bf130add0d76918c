"""The deliveries of one chat, in a row of a list: what needs somebody by name and first, the rest as numbers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from core.delivery import Delivery

#: Statuses as pages show them, worst first; any other comes last.
_ORDER = ("dead", "blocked", "retrying", "in-flight", "waiting", "discarded", "skipped", "delivered")
#: Of these people look for the name.
_FAILING = frozenset(_ORDER[:3])
#: So few are all named; of more, so many of those that fail.
_FEW = 4
_NAMED = 3


@dataclass(frozen=True)
class Unnamed:
    """Connectors that are not named one by one. `more`: others of the same status are."""

    status: str
    connectors: Sequence[str]
    more: bool


@dataclass(frozen=True)
class Gathered:
    """`named` are pairs of connector and status."""

    named: Sequence[tuple[str, str]]
    counted: Sequence[Unnamed]


def shown_status(delivery: Delivery) -> str:
    """With the two states that are no status of their own."""
    if delivery.in_flight:
        return "in-flight"
    return "blocked" if delivery.blocked else str(delivery.status)


def gathered(deliveries: Iterable[tuple[str, str]]) -> Gathered:
    """`deliveries` are pairs of connector and status."""
    pairs = worst_first(deliveries)
    if len(pairs) <= _FEW:
        return Gathered(pairs, ())
    named = [pair for pair in pairs if pair[1] in _FAILING][:_NAMED]
    rest = pairs[len(named) :]
    statuses = dict.fromkeys(status for _, status in rest)
    shown = {status for _, status in named}
    return Gathered(
        named,
        [Unnamed(status, [name for name, its in rest if its == status], more=status in shown) for status in statuses],
    )


def worst_first(deliveries: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    def place(pair: tuple[str, str]) -> int:
        return _ORDER.index(pair[1]) if pair[1] in _ORDER else len(_ORDER)

    return sorted(((name, str(status)) for name, status in deliveries), key=place)
