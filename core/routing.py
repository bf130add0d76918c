"""Which connectors a conversation goes to. Pure."""

from __future__ import annotations

from core.conversation import Conversation
from core.language import LanguageError
from core.settings import Settings


def routed(settings: Settings, conversation: Conversation) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Which connectors a conversation goes to, in the order of the routes, and what could not be worked out.

    A condition that fails on this conversation (a comparison with a rating that was not given) counts as false.
    """
    wanted: dict[str, None] = {}
    troubles = []
    for index, (when, to) in enumerate(settings.conditions()):
        try:
            if when(conversation):
                wanted.update(dict.fromkeys(to))
        except LanguageError as error:
            troubles.append(f"routes[{index}].when: {error}")
    return tuple(name for name in wanted if settings.connectors[name].enabled), tuple(troubles)
