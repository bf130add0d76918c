"""The state of a connector: the one definition, with a sentence and a remedy for each, that every face shows.

docs/glossary.md lists them. A circuit breaker that is open is not a pause: nobody has to do anything about it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from zoneinfo import ZoneInfo

from core.config.doubts import gone_remedy, leads_to, route_remedy
from core.config.settings import Settings
from core.store.ledger import ClosedGate, Lane

#: Milliseconds for which what is due has waited when a limit of the connector's own is worth a word.
_LATE = 60_000


class State(StrEnum):
    """The value is what people read."""

    ON = "on"
    NO_ROUTE = "no route"
    PAUSED = "paused by you"
    REJECTED = "credentials rejected"
    NOT_RESPONDING = "not responding"
    THROTTLED = "throttled"
    USED_UP = "daily limit reached"
    OFF = "off"
    # Not states of a connector: a name that the configuration has no longer, and a configuration that cannot be read.
    MISSING = "not in relay.yaml"
    RENAMED = "renamed"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class ExplainedState:
    """`sentence` says what is the case, `remedy` what to do about it, `commands` how, at a terminal. `since` and
    `next_test` (of a circuit that is open) are in ms, or None."""

    state: State
    sentence: str
    remedy: str = ""
    commands: tuple[str, ...] = ()
    since: int | None = None
    next_test: int | None = None

    @property
    def label(self) -> str:
        return self.state[0].upper() + self.state[1:]

    @property
    def is_blocked(self) -> bool:
        """Whether what is queued waits until this is over."""
        return self.state in (State.PAUSED, State.REJECTED, State.NOT_RESPONDING, State.USED_UP)

    @property
    def is_normal(self) -> bool:
        return self.state is State.ON


def connector_state(settings: Settings | None, name: str, lane: Lane | None) -> ExplainedState:
    """`settings` are None where they cannot be read, `lane` where the store cannot be asked."""
    if settings and name not in settings.enabled:
        return _without(settings, name, lane.waiting if lane else 0)
    if lane and lane.gate:
        return _blocked(name, lane.gate)
    if settings and not leads_to(settings, name):
        return ExplainedState(State.NO_ROUTE, f"No route leads to {name}: no chat goes there.", route_remedy(name))
    if throttled := _throttled(settings, name, lane) if lane else None:
        return throttled
    if not settings:
        return ExplainedState(State.UNKNOWN, "relay.yaml cannot be read.", "Correct it.", ("relay config check",))
    return ExplainedState(State.ON, "Chats are delivered.")


def _without(settings: Settings, name: str, waiting: int) -> ExplainedState:
    """Nothing is delivered to what the configuration switches off, or does not name."""
    if name in settings.renames:
        text = f"{name} is called {settings.renames[name]} now; its remaining deliveries follow in a moment."
        remedy = "Nothing to do. If this lasts, see whether workers are running."
        return ExplainedState(State.RENAMED, text, remedy, ("relay doctor",))
    many = f"{waiting:,} {'delivery' if waiting == 1 else 'deliveries'}"
    if name not in settings.connectors:
        queued = f" {many} {'is' if waiting == 1 else 'are'} queued for it." if waiting else ""
        text = f"{name} is not in relay.yaml: nothing is delivered to it.{queued}"
        return ExplainedState(State.MISSING, text, gone_remedy(name))
    kept = f" {many} {'is' if waiting == 1 else 'are'} kept until it is on again." if waiting else ""
    text = f"Off in relay.yaml: nothing is delivered to {name}.{kept}"
    return ExplainedState(State.OFF, text, "Set enabled: true to turn it on.")


def _used_up(settings: Settings | None, name: str, until: int) -> ExplainedState:
    known = settings.connectors.get(name) if settings else None
    moment = datetime.fromtimestamp(until / 1000, ZoneInfo(known.per_day_time_zone if known else "UTC"))
    many = f"its {known.per_day:,} requests" if known and known.per_day else "its requests"
    when = f"{moment:%Y-%m-%d %H:%M} ({moment.tzinfo})"
    text = f"{name} has used up {many} of this day; what is queued is delivered from {when} on."
    remedy = "Nothing to do. Raise per_day in relay.yaml if the destination allows more."
    return ExplainedState(State.USED_UP, text, remedy)


def _throttled(settings: Settings | None, name: str, lane: Lane) -> ExplainedState | None:
    if lane.used_up:
        return _used_up(settings, name, lane.used_up)
    if lane.slowed > 1:
        text = f"The destination answered 429 (too many requests), so the rate is divided by {lane.slowed:.1f}."
        remedy = "Each success makes it faster again. If this lasts, set a lower rate in relay.yaml."
        return ExplainedState(State.THROTTLED, text, remedy)
    if lane.narrowed:
        text = f"The destination responds too late, so it gets at most {lane.narrowed:,} deliveries at once."
        remedy = "Each success brings more. If this lasts, set a lower concurrency in relay.yaml."
        return ExplainedState(State.THROTTLED, text, remedy)
    if lane.limited and lane.oldest_due > _LATE:
        text = "Its own limit (concurrency or rate in relay.yaml) is reached; the rest follows in turn."
        return ExplainedState(State.THROTTLED, text, "Raise the limit if the destination allows more.")
    return None


def _blocked(name: str, gate: ClosedGate) -> ExplainedState:
    reason = gate.reason.rstrip(".")
    resume, test = f"relay resume {name}", f"relay try {name}"
    if gate.by == "admin":
        text, remedy = f"Paused by you: {reason}.", "Resume it to deliver what is queued."
        return ExplainedState(State.PAUSED, text, remedy, (resume, test), gate.since)
    if gate.by == "breaker":
        text = f"The destination is not responding: {reason}."
        remedy = "It resumes automatically when a test delivery succeeds."
        return ExplainedState(State.NOT_RESPONDING, text, remedy, (test,), gate.since, gate.until)
    text = f"Paused, because the destination rejected the credentials, the permissions or the address: {reason}."
    remedy = "Correct them in relay.yaml, and it resumes automatically. If they were right, resume it."
    return ExplainedState(State.REJECTED, text, remedy, (f"relay connectors check {name}", resume, test), gate.since)
