"""Erasing a visitor: everything in the store and in archives, with a receipt of what went and of what is elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from tenacity import Retrying, retry_if_exception_type, wait_fixed

from app.admin.erasing.destinations import PersonThere, what_failed
from connectors import registry
from connectors.kit.connector import Connector
from core.config.mistakes.files import file_mistake
from core.config.settings import Settings
from core.conversation import Visitor
from core.delivery import made
from core.errors import InUse, NotFound, Unreadable
from core.ids import ConversationId, PayloadId
from core.store import Client, Eraser, Ledger, StoredState
from core.store.erase import Made, Rewrite
from core.store.search.visitors import Traces, Wanted, Whose, comparable

#: Seconds that attempts which are going on are waited for; one may take 60.
_PATIENCE = 75.0


@dataclass(frozen=True)
class Elsewhere:
    """A record at a destination, which only its owner can erase. One without a `url` may be a part of one: what an
    attempt had made before it failed."""

    connector: str
    record: str
    url: str


@dataclass(frozen=True)
class Failed:
    """A conversation whose files a connector could not remove, and why. It is kept, so that it can be erased again."""

    conversation: str
    connector: str
    error: str


@dataclass(frozen=True)
class ErasureReceipt:
    """What was erased. `in_use` are conversations and bodies that were worked on all the time: erase again.

    `remembered` is how many names went by which connectors knew the visitor's person at their vendor.
    `known_as` are other addresses and ids that the visitor had in it, under which there may be more.
    `named` are those of others in which the email still stands, `closed` is how many bodies could not be looked into,
    and `rewrite` says when the server's own file forgets.
    """

    conversations: tuple[ConversationId, ...]
    payloads: tuple[PayloadId, ...]
    revisions: int
    deliveries: int
    attempts: int
    files: tuple[str, ...]
    elsewhere: tuple[Elsewhere, ...]
    in_use: tuple[str, ...] = ()
    failed: tuple[Failed, ...] = ()
    named: tuple[str, ...] = ()
    known_as: tuple[str, ...] = ()
    closed: int = 0
    rewrite: Rewrite | None = None
    remembered: int = 0
    persons: tuple[PersonThere, ...] = ()

    @property
    def complete(self) -> bool:
        """Whether there is nothing left to do again."""
        return not (self.in_use or self.failed or self.closed or any(one.error for one in self.persons))


def keepers(settings: Settings, data_dir: Path, client: Client | None = None) -> dict[str, Connector[Any]]:
    """Every connector of the configuration, those that are switched off too: their files are still there. Those that
    are to be asked something need the `client` of the store, which has their tokens."""
    state = (partial(StoredState, client),) if client else ()
    return {name: registry.make(settings, name, data_dir, *state) for name in settings.connectors}


def find_traces(visitor: str, eraser: Eraser, connectors: Mapping[str, Connector[Any]]) -> Traces:
    """Where a visitor is found: in the store, and in files, which stay when the store has removed what its time was
    over. Raises StoreUnavailable, Unreadable."""
    wanted, parts = Wanted(visitor), dict[ConversationId, Whose]()
    for name, connector in connectors.items():
        try:
            for copy in connector.copies(wanted.may_be_in):
                part = wanted.part(copy.body, copy.conversation.account, whole=True)
                if part and parts.get(copy.conversation) != "own":
                    parts[copy.conversation] = part
        except OSError as error:
            raise Unreadable(f"the files of {name} cannot be read: {file_mistake(error)}; nothing was done") from error
    return eraser.traces(visitor).joined(parts)


def erase(
    visitor: str,
    traces: Traces,
    eraser: Eraser,
    ledger: Ledger,
    connectors: Mapping[str, Connector[Any]],
    patience: float = _PATIENCE,
) -> ErasureReceipt:
    """Erase what `look` found, and what came in since. `connectors` are `keepers`; `patience` is how
    many seconds to wait for attempts that are going on.

    Raises StoreUnavailable; then ask again, what is gone is gone.
    """
    work = _Work(eraser, ledger, connectors, time.monotonic() + patience)
    found = traces
    named = set(traces.named)
    while work.take(found):
        found = eraser.traces(visitor, since=found.at)
        named |= set(found.named)
    eraser.forget(work.names | {visitor})
    remembered = eraser.persons(work.spellings | {visitor})
    rewrite = eraser.rewrite() if work.gone or work.bodies or remembered else None
    return ErasureReceipt(
        tuple(work.gone),
        tuple(work.bodies),
        work.revisions,
        work.deliveries,
        work.attempts,
        tuple(work.files),
        tuple(work.elsewhere),
        tuple(work.in_use),
        tuple(work.failed),
        tuple(sorted(named - set(work.gone) - set(work.bodies))),
        tuple(sorted(one for one in work.spellings if comparable(one) != comparable(visitor))),
        traces.closed,
        rewrite,
        remembered,
    )


class _Work:
    """One erasing as it goes on. It ends at `ends` (monotonic seconds), however much keeps coming in."""

    def __init__(self, eraser: Eraser, ledger: Ledger, connectors: Mapping[str, Connector[Any]], ends: float) -> None:
        self._eraser, self._ledger, self._connectors = eraser, ledger, connectors
        self._over: Callable[[], bool] = lambda: time.monotonic() >= ends
        self._waiting = Retrying(
            retry=retry_if_exception_type(InUse),
            stop=lambda _: self._over(),
            wait=wait_fixed(0.25),
            reraise=True,
        )
        self._seen: set[str] = set()
        self.gone: list[ConversationId] = []
        self.bodies: list[PayloadId] = []
        self.revisions = self.deliveries = self.attempts = 0
        self.files: dict[str, None] = {}
        self.elsewhere: list[Elsewhere] = []
        self.in_use: list[str] = []
        self.failed: list[Failed] = []
        self.names: set[str] = set()
        self.spellings: set[str] = set()

    def take(self, found: Traces) -> bool:
        """Erase what was found and not seen before. False: there was nothing, or the time is over."""
        new = [one for one in (*found.conversations, *found.payloads) if one not in self._seen]
        for one in new:
            self._seen.add(one)
            try:
                self._waiting(self._erased, one)
            except InUse:
                self.in_use.append(one)
        return bool(new) and not self._over()

    def _erased(self, one: ConversationId | PayloadId) -> None:
        if isinstance(one, ConversationId):
            self._conversation(one)
        else:
            self._body(one)

    def _body(self, identity: PayloadId) -> None:
        try:
            conversation = self._ledger.payload(identity).conversation
        except NotFound:
            return
        if conversation:  # it was read meanwhile
            self._conversation(conversation)
        elif self._eraser.payload(identity):
            self.bodies.append(identity)

    def _conversation(self, identity: ConversationId) -> None:
        for one in self._eraser.visitors(identity):
            spellings, name = called(one)
            self.spellings |= spellings
            self.names |= spellings | name
        # Files first: what fails here can be found again. And once more, for what was written meanwhile; by then
        # nobody writes any more.
        before = len(self.files)
        if not self._without_files(identity):
            return
        erased = self._eraser.conversation(identity)
        if erased is None:
            if len(self.files) > before:  # the store had removed it long ago
                self.gone.append(identity)
            return
        self._without_files(identity)
        self.gone.append(identity)
        self.revisions += erased.revisions
        self.deliveries += len(erased.deliveries)
        self.attempts += erased.attempts
        self.elsewhere += elsewhere(erased.deliveries, self._connectors)

    def _without_files(self, conversation: ConversationId) -> bool:
        for name, connector in self._connectors.items():
            try:
                self.files.update(dict.fromkeys(connector.erase(conversation)))
            except Exception as error:  # noqa: BLE001  # a disk, or a third party's connector, fails as it likes
                self.failed.append(Failed(conversation, name, connector.mask(what_failed(error))))
                return False
        return True


def called(visitor: Visitor) -> tuple[set[str], set[str]]:
    """What a visitor is found by, and the name, which others may have too."""
    return {visitor.email.strip(), visitor.id.strip()} - {""}, {visitor.name.strip()} - {""}


def elsewhere(deliveries: Iterable[Made], connectors: Mapping[str, Connector[Any]]) -> Iterator[Elsewhere]:
    """Records at destinations that are not ours."""
    for one in deliveries:
        if one.connector in connectors and connectors[one.connector].keeps_files:
            continue
        if one.reference:
            yield Elsewhere(one.connector, one.reference.id, one.reference.url)
        elif steps := made(one.steps):
            yield Elsewhere(one.connector, _unfinished(steps), "")


def _unfinished(steps: Mapping[str, Any]) -> str:
    """What was done before an attempt failed: `contact 55, ticket (possibly)`."""
    done = [f"{name} {value}" for name, value in steps.items() if not name.endswith("?")]
    perhaps = [name.removesuffix("?") for name in steps if name.endswith("?") and name.removesuffix("?") not in steps]
    return ", ".join([*done, *(f"{name} (possibly)" for name in perhaps)])
