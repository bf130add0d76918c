"""A transcript as the bubbles of a chat. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from connectors.kit.transcript import Voice, plain, shortened, single_line
from core.conversation import Conversation, Message
from core.wording.sentence import say

#: Characters that a bubble shows, and all of a page together; the download has the rest.
_LONGEST, _ROOM = 20_000, 200_000
#: Files of a message that are named.
_FILES = 10
#: What Smartsupp's documented system messages mean; of others the code is shown.
_CODES = ("agent.join", "close.visitorClose")


@dataclass(frozen=True)
class Bubble:
    """`at` is in ms, or None. `why` is the rule that sent an automatic message, or "". `files` are names."""

    side: Literal["visitor", "agent", "system"]
    name: str
    text: str
    at: int | None
    why: str = ""
    files: tuple[str, ...] = ()


def bubbles(conversation: Conversation) -> list[Bubble]:
    found, room = [], _ROOM
    for one in _bubbles(conversation):
        room -= len(one.text)
        found.append(one)
        if room < 0:
            break
    return found


def _bubbles(conversation: Conversation) -> Iterator[Bubble]:
    for message in conversation.messages:
        at = round(message.sent_at.timestamp() * 1000) if message.sent_at else None
        name = shortened(_speaker(message, conversation))
        if message.type == "system":
            yield Bubble("system", "", _short(_system(message, name)), at)
        else:
            side: Literal["visitor", "agent"] = "agent" if message.type == "agent" else "visitor"
            files = tuple(shortened(single_line(file.name) or say("a file")) for file in message.files[:_FILES])
            yield Bubble(side, name, _short(plain(message.content)), at, single_line(message.triggered_by), files)


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}… (download the payload to read the rest)"


def _speaker(message: Message, conversation: Conversation) -> str:
    """Smartsupp leaves the name out of what a visitor wrote before giving one."""
    of_visitor = conversation.visitor.name if message.type == "visitor" else ""
    named = single_line(message.name) or single_line(of_visitor)
    return named or single_line(message.type).capitalize() or single_line(message.sender)


def _system(message: Message, name: str) -> str:
    return Voice().say(message.content, name=name) if message.content in _CODES else single_line(message.content)
