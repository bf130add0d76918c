"""One delivery to a vendor whose records are work: the chat, its words, and what is to become of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from connectors.kit.record import Mapping
from connectors.kit.step import Receipt, Step
from connectors.kit.work.one_record import Before, OneRecordSettings, one_record
from connectors.kit.work.owner import OwnerSettings
from connectors.kit.work.task import Task, WorkSettings, task_of
from core.conversation import Conversation

R = TypeVar("R")
T = TypeVar("T")


class DeskSettings(OwnerSettings, OneRecordSettings, WorkSettings):
    """Settings of a vendor whose records belong to somebody, may be shared by a person's chats, and become work."""


@dataclass(frozen=True)
class Chat:
    """What one delivery is about. `task` is what is to be done about it, if anything is."""

    settings: DeskSettings
    conversation: Conversation
    receipt: Receipt
    step: Step
    words: Mapping
    task: Task | None

    @classmethod
    def of(cls, settings: DeskSettings, conversation: Conversation, receipt: Receipt, step: Step) -> Chat:
        words = Mapping(settings, conversation)
        return cls(settings, conversation, receipt, step, words, task_of(step, words, settings, conversation, receipt))

    @property
    def number(self) -> int:
        """Of the revision, as marks have it."""
        return self.receipt.number

    @property
    def visitor_key(self) -> str:
        """What tells a visitor without an address from others."""
        return f"smartsupp:{self.conversation.account}:visitor:{self.conversation.visitor.id or self.conversation.id}"

    @property
    def shares(self) -> bool:
        """Whether a person's chats share a record."""
        return self.settings.one_record == "per_person_open"

    @property
    def task_owner(self) -> Any:
        """Who gets the record before the settings' own owner does."""
        return self.task.settings.owner if self.task else None

    def recorded(
        self,
        name: str,
        person: Any,
        *,
        newest: Callable[[datetime], Before | None],
        add: Callable[[Before], R],
        create: Callable[[Before | None], R],
        find: Callable[[], R | None],
    ) -> R:
        """The step `name`: `one_record` for this chat, whose person at the vendor's is `person`, or nobody."""
        return one_record(
            self.step,
            name,
            self.settings,
            self.receipt,
            self.conversation,
            identity=f"person:{person}" if person else "",
            newest=newest,
            add=add,
            create=create,
            find=find,
        )


def open_first(recent: Iterable[T], is_open: Callable[[T], bool], before: Callable[[T, bool], Before]) -> Before | None:
    """Of records, the one that changed last first: the first that is open, else the first."""
    known = list(recent)
    found = next(filter(is_open, known), None)
    if found is not None:
        return before(found, True)
    return before(known[0], False) if known else None
