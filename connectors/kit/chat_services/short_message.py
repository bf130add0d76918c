"""Short messages: that there is a chat to look after, where people talk. For connectors of chat services.

The settings here are those of every connector that sends messages; a service's own add to them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal

from pydantic import Field

from connectors.kit.record import Mapping, RecordSettings
from connectors.kit.step import Step
from connectors.kit.text.parts import Layout, Part, append
from connectors.kit.wire.outcome import LostAnswer, forgotten_where_untaken, unknown_outcome
from core.config.sections.presets import Preset
from core.config.settings import HtmlTemplate
from core.templates.language import mentions

#: What to do when the chat continues: leave the message as it is, or send another one.
WhenContinued = Literal["nothing", "append"]
_STEP = "message"


class MessageSettings(RecordSettings):
    """Settings of every connector that sends messages."""

    only: tuple[Preset, ...] | None = Field(
        default=("missed", "offline", "rated_bad"),
        min_length=1,
        description="It takes only chats of one of these kinds; null: all.",
    )
    body: HtmlTemplate = Field(
        default="{{ summary }}",
        description="HTML of the message; every value is escaped. With {{ transcript }} the whole chat is sent.",
    )
    repeatable: LostAnswer = Field(
        default="again",
        description="When the answer to a message gets lost, nobody knows whether it was sent. again: send it again; "
        "never: a person decides.",
    )


def messages(settings: MessageSettings, layout: Layout, words: Mapping, revision: int) -> list[Part]:
    """What is to be sent of a chat: one short text, or the whole where the template names the transcript."""
    if mentions(settings.body, "transcript"):
        return layout.parts(words, revision)
    return layout.short(words, revision)


def is_told(step: Step, revision: int, on_revision: str) -> bool:
    """Whether an earlier revision was sent, or has begun to be, and this one is to be left out."""
    earlier = (name for name in step.done if name.startswith(f"{_STEP} "))
    return on_revision == "nothing" and any(not name.startswith(f"{_STEP} {revision}.") for name in earlier)


def send_once(step: Step, parts: Sequence[Part], repeatable: LostAnswer, send: Callable[[Part], Any]) -> None:
    """Send each part, to where nothing can be looked for."""

    def name(part: Part) -> str:
        return f"{_STEP} {part.revision}.{part.number}"  # as `append` names it

    def write(part: Part) -> Any:
        with forgotten_where_untaken(step, name(part)):
            return send(part) or True

    text = "nobody knows whether this message was sent; if it is there, discard this delivery; if not, replay it"
    append(step, _STEP, parts, write=write, look=lambda part: unknown_outcome(step, name(part), repeatable, text))
