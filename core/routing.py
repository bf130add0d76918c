"""Which connectors a conversation goes to, and why to none. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from core.config.settings import Settings
from core.conversation import Conversation
from core.delivery import Nowhere
from core.templates.language import LanguageError
from core.values.chat import Values
from core.wording.sentence import say

#: Why a chat was not delivered anywhere, for people.
_REASONS: Mapping[str, str] = {
    Nowhere.NO_ROUTE: say("No route matched"),
    Nowhere.OFF: say("Every connector is off"),
    Nowhere.NO_CONNECTOR: say("No connector is configured"),
    Nowhere.MEANT: say("Excluded by a route with to: []"),
}


def reason(why: str) -> str:
    """A Nowhere in words; "" is of a version that did not say."""
    return _REASONS.get(why, say("No route matched"))


class Routed(NamedTuple):
    """The connectors, in the order of the routes; the conditions that could not be evaluated; and, where there is no
    connector, why."""

    connectors: tuple[str, ...]
    troubles: tuple[str, ...] = ()
    why: Nowhere | None = None


def routed(settings: Settings, conversation: Conversation) -> Routed:
    """A condition that fails on this conversation (a comparison with a rating that was not given) counts as false."""
    wanted: dict[str, None] = {}
    troubles = []
    matched = meant = False
    values = Values(conversation, settings.values)
    for index, (when, to) in enumerate(settings.conditions()):
        try:
            if when(values):
                matched = matched or bool(to)
                meant = meant or not to
                wanted.update(dict.fromkeys(to))
        except LanguageError as error:
            troubles.append(f"routes[{index}].when: {error}")
    names = tuple(name for name in wanted if settings.connectors[name].enabled)
    return Routed(names, tuple(troubles), None if names else _why(settings, matched=matched, meant=meant))


def _why(settings: Settings, *, matched: bool, meant: bool) -> Nowhere:
    if meant and not matched:
        return Nowhere.MEANT
    if matched or not settings.enabled:
        return Nowhere.OFF if settings.connectors else Nowhere.NO_CONNECTOR
    return Nowhere.NO_ROUTE
