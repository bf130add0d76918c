"""A chat that nobody answered becomes work: for whom, and by when."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field

from connectors.kit.record import Mapping, RecordSettings
from connectors.kit.step import Receipt, Step
from connectors.kit.work.owner import Owner
from core.config.business_hours import due_after
from core.config.environment import Strict
from core.config.types.duration import parse_duration
from core.config.types.templated import Templated
from core.conversation import Conversation


def _due(text: str) -> str:
    """A length of time, or a moment."""
    try:
        parse_duration(text)
    except ValueError:
        try:
            datetime.fromisoformat(text)
        except ValueError:
            raise ValueError("write how long after the chat, such as 4h, or a moment: 2026-12-01 10:00") from None
    return text


#: What a template is to come out as, too.
Due = Annotated[str, AfterValidator(_due)]


class TaskSettings(Strict):
    """Which chats become work, for whom, and by when."""

    kinds: tuple[Literal["missed", "offline", "chat"], ...] = Field(
        default=("missed", "offline"), min_length=1, description="Kinds of chats that become work."
    )
    owner: Owner | None = Field(default=None, description="Whose it is, as owner of the connector; null: that one.")
    due: Templated[Due] | None = Field(
        default="4h", description="By when: 4h after the chat, in business hours if there are any, or a moment."
    )


class WorkSettings(RecordSettings):
    """Settings of a connector whose vendor has tasks, or records with a deadline."""

    task: TaskSettings | None = Field(
        default=None, description="Makes work of chats that nobody answered: kinds, owner and due; null: never."
    )


class Task:
    """What is to be done about one chat. `due` is in UTC, or None."""

    def __init__(self, settings: TaskSettings, due: datetime | None) -> None:
        self.settings, self.due = settings, due

    def due_not_before(self, moment: datetime) -> datetime | None:
        """For a vendor that takes no time that is over."""
        return max(self.due, moment) if self.due else None


def task_of(
    step: Step, words: Mapping, settings: WorkSettings, conversation: Conversation, receipt: Receipt
) -> Task | None:
    """What a chat is to become, or None. What is past is nobody's work any more."""
    wanted = settings.task
    if wanted is None or conversation.kind not in wanted.kinds or receipt.is_past(conversation):
        return None
    trouble, said = "", None
    try:
        said = words.filled(wanted.due)
    except ValueError:
        trouble = "task.due: its template says neither how long nor when. The work has no deadline."
    step.note("task.due", trouble)
    return Task(wanted, _moment(said, settings, conversation, receipt) if said else None)


def _moment(said: str, settings: WorkSettings, conversation: Conversation, receipt: Receipt) -> datetime:
    try:
        length = parse_duration(said)
    except ValueError:
        found = datetime.fromisoformat(said)
        return (found if found.tzinfo else found.replace(tzinfo=ZoneInfo(settings.time_zone))).astimezone(UTC)
    _, ends = conversation.span()
    begins = datetime.fromtimestamp(ends / 1000, UTC) if ends else receipt.revision.received_at
    return due_after(begins, length, settings.business_hours).astimezone(UTC)
