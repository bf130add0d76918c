"""Chats that a connector leaves out by its settings `only` and `min_visitor_messages`. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from core.config.sections.presets import Preset
from core.values.chat import Values

#: Each preset: whether a chat is one, and what the documentation says of it.
PRESETS: Mapping[Preset, tuple[Callable[[Values], bool], str]] = {
    "answered": (lambda chat: chat.answered, "An agent wrote; automatic messages do not count."),
    "unanswered": (lambda chat: not chat.answered, "No agent wrote, whatever Smartsupp calls the chat."),
    "missed": (lambda chat: chat.kind == "missed", "Smartsupp calls it missed."),
    "offline": (lambda chat: chat.kind == "offline", "It came from the form that visitors see when nobody is online."),
    "rated": (lambda chat: chat.csat != "", "The visitor rated it."),
    "rated_good": (lambda chat: chat.csat == "good", "The visitor rated it good."),
    "rated_normal": (lambda chat: chat.csat == "normal", "The visitor rated it normal."),
    "rated_bad": (lambda chat: chat.csat == "bad", "The visitor rated it bad."),
}


def left_out(chat: Values, only: Sequence[Preset] | None, min_visitor_messages: int) -> str:
    """Why a connector with these settings does not want a chat, or ""."""
    if only is not None and not any(PRESETS[one][0](chat) for one in only):
        what = ", ".join(name for name, (applies, _) in PRESETS.items() if applies(chat))
        return f"the chat is {what}, and only is [{', '.join(only)}]"
    if chat.visitor_messages < min_visitor_messages:
        wrote = "no message" if not chat.visitor_messages else _times(chat.visitor_messages)
        return f"the visitor wrote {wrote}, and min_visitor_messages is {min_visitor_messages}"
    return ""


def _times(messages: int) -> str:
    return "1 message" if messages == 1 else f"{messages} messages"
