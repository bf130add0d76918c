"""Settings that say for each chat where its record goes: groups, priorities, queues.

A template that comes out as nothing that can be is left out, so that the vendor decides as if the setting were not
there, and the chat's page says so. No chat is lost to it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from connectors.kit.record import Mapping as Words
from connectors.kit.record import RecordSettings
from connectors.kit.step import Step
from core.config.types.templated import TemplateOf

#: Settings of many connectors that name a user there, and fields of a person.
OWNER_SETTINGS, PERSON_SETTINGS = ("owner", "owner_fallback"), ("person", "new_person", "marketing")

#: Whether the destination has what a template named, such as a group. Raises DeliveryError.
Exists = Callable[[Any], bool]


def chosen(
    step: Step,
    words: Words,
    settings: RecordSettings,
    *names: str,
    exists: Mapping[str, Exists] | None = None,
) -> dict[str, Any]:
    """What these settings are for this chat, without those that are nothing. What `exists` has a look for is looked up
    where a template named it: a constant is the admin's, whom `check` tells, and the vendor's answer to it is about
    every record."""
    looks = exists or {}
    found: dict[str, Any] = {}
    for name in names:
        setting = getattr(settings, name)
        value, trouble = None, ""
        try:
            value = words.filled(setting)
        except ValueError as error:
            trouble = str(error)
        if isinstance(setting, TemplateOf) and value is not None and name in looks and not looks[name](value):
            value, trouble = None, "its template named what the destination does not have, or has switched off"
        step.note(name, f"{name}: {trouble}. The record was made without it." if trouble else "")
        if value is not None:
            found[name] = value
    return found


def constants(setting: Any) -> tuple[Any, ...]:
    """What `check` can look for: the constant, or all that the template is sure to come out as for some chat."""
    if isinstance(setting, TemplateOf):
        return setting.known
    return () if setting is None else (setting,)
