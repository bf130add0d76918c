"""How connectors are: what the configuration says of them, what waits for them, what became of the rest."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

from flask import url_for

from app.admin.connector_state import STATE_LABELS, ExplainedState, State, connector_state
from app.dashboard.frame.context import Site
from connectors import registry
from core.config.settings import Settings
from core.delivery import DeliveryStatus
from core.errors import NotFound
from core.store.ledger.lanes import ClosedGate, Lane
from core.store.statistics import Figures, Statistics
from core.wording.sentence import say


@dataclass(frozen=True)
class ConnectorView:
    """One connector. `label` and `type` are "" when the configuration does not name it any more; `now` is its state;
    `figures` are those of a span. What is `blocked` is also among what is queued or retried: those are the lists where
    it is found."""

    name: str
    label: str
    type: str
    enabled: bool
    now: ExplainedState
    lane: Lane
    figures: Figures

    @property
    def known(self) -> bool:
        return bool(self.type)

    @property
    def gate(self) -> ClosedGate | None:
        return self.lane.gate

    @property
    def waiting(self) -> int:
        return self._count(DeliveryStatus.WAITING)

    @property
    def retrying(self) -> int:
        return self._count(DeliveryStatus.RETRYING)

    @property
    def blocked(self) -> int:
        return self.waiting + self.retrying if self.now.is_blocked else 0

    @property
    def dead(self) -> int:
        return self._count(DeliveryStatus.DEAD)

    def _count(self, status: DeliveryStatus) -> int:
        return self.lane.counts[status]


def states(site: Site, found: Statistics | None = None) -> list[ConnectorView]:
    """Every connector: those of the configuration in its order, then those that were given something in the past."""
    settings = site.watched.current()
    others = [name for name in site.ledger.connectors() if name not in settings.connectors]
    return [_state(site, settings, name, found) for name in (*settings.connectors, *others)]


def state(site: Site, name: str) -> ConnectorView:
    """One of them. Raises NotFound."""
    settings = site.watched.current()
    if name not in settings.connectors and name not in site.ledger.connectors():
        raise NotFound(say("There is no connector '%(name)s'.", name=name))
    return _state(site, settings, name, None)


def _state(site: Site, settings: Settings, name: str, found: Statistics | None) -> ConnectorView:
    known, lane = settings.connectors.get(name), site.ledger.lane(name)
    return ConnectorView(
        name=name,
        label=_label(known.type) if known else "",
        type=known.type if known else "",
        enabled=bool(known and known.enabled),
        now=connector_state(settings, name, lane),
        lane=lane,
        figures=found.connectors.get(name, Figures()) if found else Figures(),
    )


def state_word(state: str) -> str:
    """Of a state that was; one that a newer version knows has its own name."""
    return STATE_LABELS[State(state)] if state in list(State) else state


def conversations_url(**wanted: Any) -> str:
    """The address of the conversations that match: connector=…, status=…."""
    return url_for("dashboard.conversations", **wanted)


@cache
def _label(kind: str) -> str:
    # Looked up once: to find a connector of somebody else's, the registry reads all installed packages.
    return registry.find(kind).label
