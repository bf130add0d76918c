"""Whose a record is, and which chats become work, for a connector that is written in YAML."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from connectors.http.asking import Asking
from connectors.http.names import TaskNames
from connectors.http.requests.offering import OwnerList
from connectors.kit.record import Mapping as Words
from connectors.kit.record import RecordSettings
from connectors.kit.step import Receipt, Step
from connectors.kit.wire.cache import Cache
from connectors.kit.work.owner import Owners, OwnerSettings
from connectors.kit.work.task import WorkSettings, task_of
from core.conversation import Conversation
from core.errors import ConnectorRefused, RecordRefused
from core.templates.scope import Names

R = TypeVar("R")


@dataclass(frozen=True)
class Ownership:
    """For one delivery: who gets what is made, and what is to be done."""

    owners: Owners[Any] | None
    settings: RecordSettings
    step: Step
    words: Words
    task: TaskNames | None
    #: Who is asked before the owner that the settings name.
    first: Any

    @property
    def names_somebody(self) -> bool:
        own = self.settings
        return self.first is not None or (
            isinstance(own, OwnerSettings) and (own.owner is not None or own.owner_fallback is not None)
        )

    def give(self, make: Callable[[Any], R]) -> R:
        """`make(owner)`, as the settings say whose it is (connectors/kit/work/owner.py)."""
        if self.owners is None or not isinstance(self.settings, OwnerSettings):
            return make(None)
        return self.owners.give(self.step, self.words, self.settings, make, first=self.first)


def ownership_of(
    owners: Owners[Any] | None,
    settings: RecordSettings,
    words: Words,
    conversation: Conversation,
    receipt: Receipt,
    step: Step,
) -> Ownership:
    found = task_of(step, words, settings, conversation, receipt) if isinstance(settings, WorkSettings) else None
    if found is None:
        return Ownership(owners, settings, step, words, None, None)
    day = found.due.astimezone(ZoneInfo(settings.time_zone)).date().isoformat() if found.due else ""
    return Ownership(owners, settings, step, words, TaskNames(due=found.due, day=day), found.settings.owner)


def owners_of(users: OwnerList, asking: Asking, names: Names, cache: Cache) -> Owners[Any]:
    """How the users of a list are found."""

    def listed() -> Iterator[Any]:
        try:
            yield from asking.listed(users, names)
        except RecordRefused as refused:  # it is the same list for every chat
            raise ConnectorRefused(f"the list of users was refused: {refused}", status=refused.status) from refused

    return Owners(
        cache,
        by_email=lambda email: users.by_email(listed(), email),
        by_id=lambda named: users.by_id(listed(), named),
        kind=users.kind,
        imagined=1,
    )
