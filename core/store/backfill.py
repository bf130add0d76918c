"""Fanning out again, by the routes of today: chats that were delivered nowhere, and past ones for a new connector."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from core.config.settings import Settings
from core.delivery import PayloadStatus
from core.errors import NotFound, PayloadError, StoreUnsafe
from core.ids import ConversationId
from core.routing import Routed, routed
from core.smartsupp.parser import parse_conversation
from core.store.connection.client import Client, errors
from core.store.ledger import Ledger
from core.store.ledger.conversations import StoredConversation
from core.store.protocol.base import Base
from core.store.protocol.keys import key
from core.store.renames import Renames
from core.store.search.conversations import Search
from core.store.search.filter import Filter

#: Ids that one step looks at: a few ms of the server's time.
_MANY = 500
#: Conversations whose bodies are read at once.
_READ = 100


@dataclass(frozen=True)
class Aim:
    """What a replay of conversations is for. Without a `connector`: the deliveries that there are, and for a
    conversation that was delivered nowhere, those that the routes name. With one: that connector gets what it never
    had; `repeat`: also what it had; `anyway`: whatever the routes say."""

    connector: str = ""
    repeat: bool = False
    anyway: bool = False


@dataclass(frozen=True)
class Plan:
    """Of one conversation: the connectors that get it, or why there is none; `repeat`: also those that have it."""

    conversation: ConversationId
    connectors: tuple[str, ...] = ()
    why: str = ""
    repeat: bool = False

    def as_json(self) -> str:
        """As lua/work/advance.lua reads it."""
        return json.dumps(
            {
                "conversation": self.conversation,
                "connectors": self.connectors,
                "why": self.why,
                "repeated": self.repeat,
            }
        )


@dataclass(frozen=True)
class BackfillSize:
    """How many conversations match, and how many of them get something; `whole` unless the time was over before."""

    matched: int
    due: int
    whole: bool


class Backfill(Base):
    """`settings` gives those of the moment. Every method raises StoreUnavailable."""

    def __init__(self, client: Client, settings: Callable[[], Settings]) -> None:
        super().__init__(client)
        self._settings = settings
        self._ledger, self._search, self._names = Ledger(client), Search(client), Renames(client)
        self._adopted: Settings | None = None

    def routes(self) -> str:
        """A digest of what decides where chats go: connectors, whether they are on, and routes."""
        settings = self._settings()
        on = {name: connector.enabled for name, connector in settings.connectors.items()}
        found = json.dumps([on, [(route.when, route.to) for route in settings.routes]])
        return hashlib.sha256(found.encode()).hexdigest()[:16]

    def knows(self, connector: str) -> bool:
        """Whether the configuration names it: what is for another one would wait for ever."""
        settings = self._current()
        return connector in settings.connectors or connector in settings.renames

    def gather(self, seconds: float = 5.0) -> bool:
        """Bring what is found by its connector under the names of the moment. False: it takes longer."""
        self._current()
        return self._names.move(seconds)

    def _current(self) -> Settings:
        settings = self._settings()
        if settings is not self._adopted:
            self._names.adopt(settings)
            self._adopted = settings
        return settings

    def plans(self, conversations: Sequence[ConversationId], aim: Aim) -> list[Plan]:
        """One for each of them that there is."""
        settings = self._current()
        return [_plan(settings, found, aim) for found in self._newest(conversations)]

    def one(self, conversation: ConversationId, aim: Aim) -> Plan:
        """Do it for one conversation. `connectors` of what is returned got it now. Raises NotFound."""
        found = self.plans([conversation], aim)
        if not found:
            raise NotFound(f"there is no conversation '{conversation}'")
        [plan] = found
        _, lanes = self._run(
            "give_to", conversation=conversation, why=plan.why, repeated=plan.repeat, connectors=plan.connectors
        )
        for lane in lanes:
            self._wake_up(lane.decode())
        return plan

    def count(self, wanted: Filter, aim: Aim, seconds: float) -> BackfillSize:
        """What a replay of the conversations that match would do now."""
        ends = time.monotonic() + seconds
        matched = due = 0
        for batch in self._search.batches(wanted, size=_READ):
            plans = self.plans([row.id for row in batch.rows], aim)
            matched += len(batch.rows)
            due += sum(bool(one.connectors) for one in plans)
            if batch.after and time.monotonic() >= ends:
                return BackfillSize(matched, due, False)
        return BackfillSize(matched, due, True)

    def recount(self) -> int:
        """Note what was delivered nowhere, for versions of this program that keep no list of it: everything from before
        an upgrade, or while two versions run. Returns how many entries changed."""
        changed = 0
        for kind, name in (("payload", key("payloads", PayloadStatus.UNROUTED)), ("conversation", key("undelivered"))):
            with errors():
                ids = [member for member, _ in self._redis.zscan_iter(name, count=_MANY)]
            for start in range(0, len(ids), _MANY):
                changed += self._run("recount", kind=kind, ids=ids[start : start + _MANY])
        return changed

    def _newest(self, conversations: Sequence[ConversationId]) -> Iterator[StoredConversation]:
        """A body that cannot be opened here is left out, and hides no other."""
        try:
            yield from self._ledger.newest(conversations)
        except StoreUnsafe:
            if len(conversations) == 1:
                return
            for one in conversations:
                yield from self._newest([one])


def _plan(settings: Settings, found: StoredConversation, aim: Aim) -> Plan:
    renames = settings.renames
    had = tuple(renames.get(one.connector, one.connector) for one in found.deliveries)
    if aim.connector:
        if aim.connector in had and not aim.repeat:
            return Plan(found.id)
        if aim.anyway:
            return Plan(found.id, (aim.connector,), repeat=aim.repeat)
        wanted = _routed(settings, found)
        names = (aim.connector,) if wanted and aim.connector in wanted.connectors else ()
        return Plan(found.id, names, repeat=aim.repeat)
    if had:
        return Plan(found.id, tuple(name for name in had if name in settings.connectors), repeat=True)
    wanted = _routed(settings, found)
    return Plan(found.id, wanted.connectors, wanted.why or "") if wanted else Plan(found.id)


def _routed(settings: Settings, found: StoredConversation) -> Routed | None:
    """None: its newest body cannot be read."""
    [newest] = found.payloads
    try:
        return routed(settings, parse_conversation(newest.body, newest.account))
    except PayloadError:
        return None
