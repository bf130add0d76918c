"""The state of a connector: the one definition, with a sentence and a remedy for each, that every face shows.

docs/glossary.md lists them. A circuit breaker that is open is not a pause: nobody has to do anything about it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from zoneinfo import ZoneInfo

from core.config.doubts import gone_remedy, leads_to, route_remedy
from core.config.settings import Settings
from core.store.ledger.lanes import ClosedGate, Lane
from core.wording.sentence import say, say_all, say_n

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


#: In the middle of a sentence, and by itself.
STATE_WORDS: Mapping[State, str] = {
    State.ON: say("on"),
    State.NO_ROUTE: say("no route"),
    State.PAUSED: say("paused by you"),
    State.REJECTED: say("credentials rejected"),
    State.NOT_RESPONDING: say("not responding"),
    State.THROTTLED: say("throttled"),
    State.USED_UP: say("daily limit reached"),
    State.OFF: say("off"),
    State.MISSING: say("not in relay.yaml"),
    State.RENAMED: say("renamed"),
    State.UNKNOWN: say("unknown"),
}
STATE_LABELS: Mapping[State, str] = {
    State.ON: say("On"),
    State.NO_ROUTE: say("No route"),
    State.PAUSED: say("Paused by you"),
    State.REJECTED: say("Credentials rejected"),
    State.NOT_RESPONDING: say("Not responding"),
    State.THROTTLED: say("Throttled"),
    State.USED_UP: say("Daily limit reached"),
    State.OFF: say("Off"),
    State.MISSING: say("Not in relay.yaml"),
    State.RENAMED: say("Renamed"),
    State.UNKNOWN: say("Unknown"),
}


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
        return STATE_LABELS[self.state]

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
        return ExplainedState(
            State.NO_ROUTE, say("No route leads to %(name)s: no chat goes there.", name=name), route_remedy(name)
        )
    if throttled := _throttled(settings, name, lane) if lane else None:
        return throttled
    if not settings:
        return ExplainedState(
            State.UNKNOWN, say("relay.yaml cannot be read."), say("Correct it."), ("relay config check",)
        )
    return ExplainedState(State.ON, say("Chats are delivered."))


def _without(settings: Settings, name: str, waiting: int) -> ExplainedState:
    """Nothing is delivered to what the configuration switches off, or does not name."""
    if name in settings.renames:
        text = say(
            "%(name)s is called %(new)s now; its remaining deliveries follow in a moment.",
            name=name,
            new=settings.renames[name],
        )
        remedy = say("Nothing to do. If this lasts, see whether workers are running.")
        return ExplainedState(State.RENAMED, text, remedy, ("relay doctor",))
    if name not in settings.connectors:
        queued = say_n("%(count)s delivery is queued for it.", "%(count)s deliveries are queued for it.", waiting)
        text = say("%(name)s is not in relay.yaml: nothing is delivered to it.", name=name)
        return ExplainedState(State.MISSING, say_all(text, queued if waiting else ""), gone_remedy(name))
    kept = say_n(
        "%(count)s delivery is kept until it is on again.",
        "%(count)s deliveries are kept until it is on again.",
        waiting,
    )
    text = say("Off in relay.yaml: nothing is delivered to %(name)s.", name=name)
    return ExplainedState(State.OFF, say_all(text, kept if waiting else ""), say("Set enabled: true to turn it on."))


def _used_up(settings: Settings | None, name: str, until: int) -> ExplainedState:
    known = settings.connectors.get(name) if settings else None
    moment = datetime.fromtimestamp(until / 1000, ZoneInfo(known.per_day_time_zone if known else "UTC"))
    when = f"{moment:%Y-%m-%d %H:%M} ({moment.tzinfo})"
    text = (
        say_n(
            "%(name)s has used up its %(count)s request of this day; what is queued is delivered from %(when)s on.",
            "%(name)s has used up its %(count)s requests of this day; what is queued is delivered from %(when)s on.",
            known.per_day,
            name=name,
            when=when,
        )
        if known and known.per_day
        else say(
            "%(name)s has used up its requests of this day; what is queued is delivered from %(when)s on.",
            name=name,
            when=when,
        )
    )
    remedy = say("Nothing to do. Raise per_day in relay.yaml if the destination allows more.")
    return ExplainedState(State.USED_UP, text, remedy)


def _throttled(settings: Settings | None, name: str, lane: Lane) -> ExplainedState | None:
    if lane.used_up:
        return _used_up(settings, name, lane.used_up)
    if lane.slowed > 1:
        text = say(
            "The destination answered 429 (too many requests), so the rate is divided by %(factor)s.",
            factor=f"{lane.slowed:.1f}",
        )
        remedy = say("Each success makes it faster again. If this lasts, set a lower rate in relay.yaml.")
        return ExplainedState(State.THROTTLED, text, remedy)
    if lane.narrowed:
        text = say_n(
            "The destination responds too late, so it gets at most %(count)s delivery at once.",
            "The destination responds too late, so it gets at most %(count)s deliveries at once.",
            lane.narrowed,
        )
        remedy = say("Each success brings more. If this lasts, set a lower concurrency in relay.yaml.")
        return ExplainedState(State.THROTTLED, text, remedy)
    if lane.limited and lane.oldest_due > _LATE:
        text = say("Its own limit (concurrency or rate in relay.yaml) is reached; the rest follows in turn.")
        return ExplainedState(State.THROTTLED, text, say("Raise the limit if the destination allows more."))
    return None


def _blocked(name: str, gate: ClosedGate) -> ExplainedState:
    reason = gate.reason.rstrip(".")
    resume, test = f"relay resume {name}", f"relay try {name}"
    if gate.by == "admin":
        text, remedy = say("Paused by you: %(reason)s.", reason=reason), say("Resume it to deliver what is queued.")
        return ExplainedState(State.PAUSED, text, remedy, (resume, test), gate.since)
    if gate.by == "breaker":
        text = say("The destination is not responding: %(reason)s.", reason=reason)
        remedy = say("It resumes automatically when a test delivery succeeds.")
        return ExplainedState(State.NOT_RESPONDING, text, remedy, (test,), gate.since, gate.until)
    text = say(
        "Paused, because the destination rejected the credentials, the permissions or the address: %(reason)s.",
        reason=reason,
    )
    remedy = say("Correct them in relay.yaml, and it resumes automatically. If they were right, resume it.")
    return ExplainedState(State.REJECTED, text, remedy, (f"relay connectors check {name}", resume, test), gate.since)
