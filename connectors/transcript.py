"""A conversation as text that people read. Pure."""

from __future__ import annotations

import re
from datetime import UTC, datetime, tzinfo

from core.conversation import Conversation, Message

#: Control characters, and the marks that turn the direction of the text around them; line breaks and tabs stay.
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")

#: System messages are codes. Only these two are documented; others are shown as they are.
_SYSTEM = {"agent.join": "{name} joined", "close.visitorClose": "{name} closed the chat"}

RATINGS = {5: "good", 3: "normal", 1: "bad"}


def plain(text: str) -> str:
    """Text without control characters."""
    return _CONTROL.sub("", text)


def single_line(text: str) -> str:
    return " ".join(plain(text).split())


def as_text(conversation: Conversation, zone: tzinfo = UTC) -> str:
    """The whole conversation: a head with what is known of the visitor, then one line a message."""
    return "\n".join([*_head(conversation, zone), "", *(_line(message, zone) for message in conversation.messages), ""])


def kind(conversation: Conversation) -> str:
    """Offline message, missed chat or chat."""
    if conversation.is_offline:
        return "offline message"
    return "missed chat" if conversation.is_missed else "chat"


def _head(conversation: Conversation, zone: tzinfo) -> list[str]:
    visitor = conversation.visitor
    rating = RATINGS.get(conversation.rating or 0, str(conversation.rating or ""))
    facts = {
        "Conversation": f"{conversation.id} (account {conversation.account}), {kind(conversation)}",
        "Began": _moment(conversation.begin_at, zone),
        "Ended": _moment(conversation.end_at, zone),
        "Visitor": f"{visitor.name} <{visitor.email}>" if visitor.email else visitor.name,
        "Note": visitor.note,
        "Group": visitor.group,
        "Place": ", ".join(filter(None, (visitor.city, visitor.country, visitor.country_code))),
        "Address": visitor.ip_address,
        "Browser": " · ".join(filter(None, (visitor.platform, visitor.user_agent))),
        "Came from": visitor.referer,
        "Rating": " · ".join(filter(None, (rating, conversation.rating_desc))),
    }
    lines = [f"{name}: {single_line(value)}" for name, value in facts.items() if value.strip()]
    lines += [single_line(f"{variable.label}: {variable.value}") for variable in visitor.variables.values()]
    return lines + [single_line(f"Page: {page.title} {page.url}") for page in conversation.paths]


def _moment(time: datetime | None, zone: tzinfo) -> str:
    return time.astimezone(zone).strftime("%Y-%m-%d %H:%M:%S %Z") if time else ""


def _line(message: Message, zone: tzinfo) -> str:
    clock = message.sent_at.astimezone(zone).strftime("%H:%M:%S") if message.sent_at else "--:--:--"
    name = single_line(message.name) or single_line(message.type) or single_line(message.sender)
    if message.type == "system":
        known = _SYSTEM.get(message.content, "{content}")
        return f"[{clock}] — " + known.format(name=name, content=single_line(message.content))
    if message.triggered_by:
        name = f"{name} (automatic: {single_line(message.triggered_by)})"
    # Further lines are set in, so that no visitor can write what looks like somebody else's line.
    text = "\n    ".join(plain(line) for line in message.content.splitlines())
    return f"[{clock}] {name}: {text}"
