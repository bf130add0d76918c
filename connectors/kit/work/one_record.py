"""Whether each chat gets a record of its own, or one is continued that a person has already."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, TypeVar

from pydantic import Field

from connectors.kit.record import RecordSettings
from connectors.kit.step import Receipt, Step
from core.config.types.duration import Duration
from core.conversation import Conversation

R = TypeVar("R")


class OneRecordSettings(RecordSettings):
    """Settings of a connector that can add a chat to a record from before."""

    one_record: Literal["per_chat", "per_person_open"] = Field(
        default="per_chat",
        description="per_chat: a record for each chat; per_person_open: added to one of the person's that is open.",
    )
    within: Duration = Field(
        default=timedelta(days=14),
        description="With per_person_open: a record that nobody touched for so long is left alone.",
    )


@dataclass(frozen=True)
class Before:
    """A record of the person's. `open`: the chat can be added to it; else a new one follows it. `url` is its page,
    `known` what the vendor says of it."""

    id: int | str
    open: bool
    url: str = ""
    known: Mapping[str, Any] = field(default_factory=dict, repr=False)


def one_record(
    step: Step,
    name: str,
    settings: OneRecordSettings,
    receipt: Receipt,
    conversation: Conversation,
    *,
    identity: str,
    newest: Callable[[datetime], Before | None],
    add: Callable[[Before], R],
    create: Callable[[Before | None], R],
    find: Callable[[], R | None],
) -> R:
    """The step `name`: `add(before)` to what is open, or `create(before)`, which follows what is not, or nothing.

    `newest` gives the record of the person that was touched last, and not before a moment. One chat of an `identity` at
    a time looks and creates, so that two at once make one record. `find` is that of `Step.once`. What is past is
    added to nothing.
    """
    alone = settings.one_record == "per_person_open" and not step.knows(name) and not receipt.is_past(conversation)

    def make() -> R:
        before = newest(_now(conversation, receipt) - settings.within) if alone else None
        return add(before) if before is not None and before.open else create(before)

    with step.holding(identity) if alone else nullcontext():
        return step.once(name, make, find=find, revision=receipt.number)


def _now(conversation: Conversation, receipt: Receipt) -> datetime:
    """When the chat was: a delivery that waited for days finds what it would have found."""
    _, ends = conversation.span()
    return datetime.fromtimestamp(ends / 1000, UTC) if ends else receipt.revision.received_at
