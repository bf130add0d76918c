"""One line a trouble: what is the case, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from app.admin.connector_state import STATE_WORDS, ExplainedState, State, connector_state
from core.config.doubts import doubts, leads_to, route_remedy
from core.config.settings import Settings
from core.delivery import DeliveryStatus
from core.store import Client, Ledger, check_server
from core.store.causes import Causes
from core.store.connection.server import halves
from core.store.incidents import Incident
from core.store.ledger.lanes import Lane
from core.store.search.conversations import Search
from core.store.search.filter import Filter
from core.store.sources.queues import fetch_queues
from core.store.sources.stranded import StrandedOrders
from core.wording.sentence import say, say_all, say_n
from workers.alerts.detect import Look
from workers.alerts.messages import explained

#: What a worker did with a change of relay.yaml that has a mistake.
REJECTED = "rejected the changed configuration and still uses the previous version"

#: Worst first: what loses chats, what stops all of them, what stops some, what was given up, what is merely odd.
_ORDER = (
    "unsafe",
    "full",
    "refusing",
    "stopped",
    "rejected",
    "gone",
    "stranded",
    "silent",
    "paused",
    "source",
    "undelivered",
    "dead",
    "quarantined",
    "breaker",
    "spent",
    "backlog",
    "fetch",
    "filling",
    "held",
    "unrouted",
    "doubt",
    "off",
    "throttled",
    "past",
)
#: Chats are lost or not delivered until somebody acts.
_GRAVE = frozenset({"unsafe", "full", "refusing", "stopped", "rejected", "gone", "stranded"})
#: It may be meant so, or passes by itself: nobody is called for it.
_MINOR = frozenset({"unrouted", "doubt", "off", "throttled", "past"})

#: What an incident is about, where that is not its subject alone.
_ABOUT = {"full": "store", "filling": "store", **dict.fromkeys(("source", "stranded", "silent"), "source {}")}

NO_LANES: Mapping[str, Lane] = MappingProxyType({})
NOBODY_ELSE: Mapping[str, str] = MappingProxyType({})

#: What the state of a connector is called here.
_KINDS: Mapping[State, str] = {
    State.REJECTED: "paused",
    State.NOT_RESPONDING: "breaker",
    State.PAUSED: "held",
    State.THROTTLED: "throttled",
    State.USED_UP: "spent",
    State.MISSING: "gone",
    State.OFF: "off",
}


@dataclass(frozen=True)
class AttentionLine:
    """`kind` is that of an incident, or one that nobody is alerted of; `about` is a connector, or what else it is.
    `title` is short, `text` says it by itself; `commands` do at a terminal what `remedy` asks for. `count` is how many
    chats, deliveries or percent; `since` and `next_test` are ms, or None; `error` is what was said last."""

    kind: str
    about: str
    title: str
    text: str
    remedy: str = ""
    commands: Sequence[str] = ()
    count: int = 0
    since: int | None = None
    next_test: int | None = None
    error: str = ""

    @property
    def sentences(self) -> str:
        """All that is the case, for a face that has one line for it."""
        if self.kind == "rejected":
            return f"{self.text}: {self.error}"
        return f"{self.text} Last error: {self.error}." if self.error else self.text

    @property
    def is_grave(self) -> bool:
        return self.kind in _GRAVE

    @property
    def needs_somebody(self) -> bool:
        return self.kind not in _MINOR


class Attention:
    """Looks again and again. `disk`: a folder on the disk of the store, where that is here."""

    def __init__(self, client: Client, disk: Path | None = None) -> None:
        self._client, self._ledger, self._stranded = client, Ledger(client), StrandedOrders(client)
        self._look, self._search, self._causes = Look(client, disk), Search(client), Causes(client)

    def lines(
        self,
        settings: Settings | None,
        lanes: Mapping[str, Lane] = NO_LANES,
        refused: Mapping[str, str] = NOBODY_ELSE,
    ) -> list[AttentionLine]:
        """`settings` are None where they cannot be read; `lanes` those that the caller has asked for; `refused`: who
        refused the configuration, beside the workers, and why. Raises StoreUnavailable."""
        names = {*(settings.connectors if settings else ()), *self._ledger.connectors()}
        known = {name: lanes.get(name) or self._ledger.lane(name) for name in sorted(names)}
        found = [*self._fixed(settings, refused), *self._states(settings, known)]
        # Those of connectors' states are above, in the words of the state; those of sources below.
        states = frozenset({*_KINDS.values(), "stranded"})
        sources = {one.about: one for one in self._sources(settings)} if settings else {}
        told = (
            one
            for one in self._look.troubles(settings, known)
            if one.kind not in states and not (one.kind == "source" and f"source {one.subject}" in sources)
        )
        found += [*map(self._told, told), *sources.values()]
        if settings:
            found += [_past(name, number) for name, number in self._past(settings)]
        return sorted(found, key=_rank)

    def _fixed(self, settings: Settings | None, refused: Mapping[str, str]) -> Iterator[AttentionLine]:
        for text in check_server(self._client).wrong:
            what, remedy = halves(text)
            yield AttentionLine(
                "unsafe", "store", say("The store could lose chats"), say("%(what)s.", what=what), remedy
            )
        if not self._ledger.workers():
            text = say("No worker is running. Chats are accepted and kept, but not delivered.")
            commands = ("relay worker", "relay up")
            yield AttentionLine(
                "stopped", "workers", say("Nothing is delivered"), text, say("Start a worker, or everything."), commands
            )
        who = {**self._ledger.troubles(), **refused}
        # All of them refuse the same file, mostly for the same reason: said once.
        for text in dict.fromkeys(who.values()):
            names = ", ".join(name for name, said in who.items() if said == text)
            title = say("A change of relay.yaml was refused; the previous version is still used")
            remedy = say("Correct relay.yaml.")
            yield AttentionLine(
                "rejected",
                "workers",
                title,
                say("%(names)s rejected the changed configuration and still uses the previous version", names=names),
                remedy,
                ("relay config check",),
                error=text,
            )
        for one in doubts(settings) if settings else ():
            kind = "unrouted" if one.connector and one.remedy == route_remedy(one.connector) else "doubt"
            yield AttentionLine(kind, one.connector or "relay.yaml", one.text, one.text, one.remedy)

    def _states(self, settings: Settings | None, lanes: Mapping[str, Lane]) -> Iterator[AttentionLine]:
        for name, lane in lanes.items():
            now = connector_state(settings, name, lane)
            kind = _KINDS.get(now.state)
            if kind and (now.is_blocked or lane.waiting):
                yield _stated(kind, name, now, lane)

    def _told(self, incident: Incident) -> AttentionLine:
        title, text, remedy = explained(incident)
        about, error = _ABOUT.get(incident.kind, "{}").format(incident.subject), incident.error
        if incident.kind == "dead" and (found := self._causes.most_frequent([incident.subject], 1)).rows:
            # An alert does not quote the destination; those who look here may read it.
            first, error = found.rows[0], ""
            what = first.cause.text.rstrip(".") if first.cause else say("encrypted")
            several = say_n(
                "They have %(count)s cause. Most frequent (%(most)s): %(cause)s.",
                "They have %(count)s causes. Most frequent (%(most)s): %(cause)s.",
                found.number,
                most=first.count,
                cause=what,
            )
            text = say_all(text, several if found.number > 1 else say("Cause: %(cause)s.", cause=what))
        return AttentionLine(
            incident.kind, about, title, text, remedy, count=incident.count, since=incident.since, error=error
        )

    def _sources(self, settings: Settings) -> Iterator[AttentionLine]:
        """Accounts whose chats cannot be fetched now, or some of them."""
        for queue in fetch_queues(self._ledger, settings):
            about = f"source {queue.name}"
            if queue.failing and not queue.since:
                yield AttentionLine(
                    "fetch",
                    about,
                    queue.failed,
                    say("%(what)s.", what=queue.failed),
                    queue.remedy,
                    count=queue.failing,
                    error=queue.error,
                )
            elif queue.since:
                yield AttentionLine(
                    "source",
                    about,
                    say("Smartsupp's API gives no chats (%(subject)s)", subject=queue.name),
                    queue.sentence,
                    queue.remedy,
                    count=queue.waiting,
                    since=queue.since,
                    next_test=queue.next_test,
                )
        for left in self._stranded.queues(settings):
            yield AttentionLine(
                "stranded",
                f"source {left.name}",
                say("%(subject)s is not in relay.yaml any more", subject=left.name),
                left.sentence,
                left.remedy,
                left.commands,
                count=left.waiting,
            )

    def _past(self, settings: Settings) -> Iterator[tuple[str, int]]:
        """Connectors that were never given anything, though there are chats."""
        given = {*self._ledger.connectors()}
        fresh = [name for name in settings.enabled if name not in given and leads_to(settings, name)]
        number = self._search.extent(Filter()) if fresh else 0
        return ((name, number) for name in fresh if number)


def _rank(one: AttentionLine) -> int:
    """Whatever has no place yet comes before what may be meant so."""
    return _ORDER.index(one.kind if one.kind in _ORDER else "unrouted")


def _stated(kind: str, name: str, now: ExplainedState, lane: Lane) -> AttentionLine:
    waiting = lane.counts[DeliveryStatus.WAITING] + lane.counts[DeliveryStatus.RETRYING]
    return AttentionLine(
        kind,
        name,
        say("%(name)s: %(state)s", name=name, state=STATE_WORDS[now.state]),
        now.sentence,
        now.remedy,
        now.commands,
        count=waiting,
        since=now.since,
        next_test=now.next_test,
    )


def _past(name: str, number: int) -> AttentionLine:
    text = say_n(
        "%(count)s chat is stored, and none has gone to %(name)s yet. It gets the next one.",
        "%(count)s chats are stored, and none has gone to %(name)s yet. It gets the next one.",
        number,
        name=name,
    )
    commands = (f"relay replay --connector {name} --since 7d",)
    remedy = say("Deliver past chats, if you want them there.")
    return AttentionLine("past", name, say("%(name)s has no chats yet", name=name), text, remedy, commands, number)
