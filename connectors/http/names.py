"""What templates may name besides the conversation, and what it stands for while one is delivered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from pydantic import BaseModel, ConfigDict, SecretStr, create_model

from connectors.http.declared import names_taken
from connectors.http.document import StepOf
from connectors.kit.record import Mapping as Words
from connectors.kit.record import Person
from connectors.kit.step import Receipt
from connectors.kit.text.parts import Part
from core.conversation import Conversation
from core.templates.scope import CHAT

#: Characters of a subject, unless the template takes fewer: {{ subject[:80] }}.
SUBJECT = 255


class PersonNames(BaseModel):
    """The visitor, where there is an email that can be used. `given` is the name that was given, or empty, and `first`
    and `last` are what stands before its first space and after it."""

    model_config = ConfigDict(title="person")

    name: str
    email: str
    given: str
    first: str
    last: str


class PartNames(BaseModel):
    """A part of the transcript: from 1, its text in the destination's format, and the mark that ends it."""

    model_config = ConfigDict(title="part")

    number: int
    text: str
    mark: str


class TaskNames(BaseModel):
    """What is to be done about a chat that became work: by when, in UTC, and the day of that where the shop is, as
    2026-12-01. Without a deadline, both are empty."""

    model_config = ConfigDict(title="task")

    due: datetime | None
    day: str


#: What every template of a chat may name. None: of any type.
ALWAYS: Mapping[str, Any] = {
    "title": str,
    "name": str,
    "key": str,
    "subject": str,
    "tags": tuple[str, ...],
    "fields": dict[str, str],
    "field_list": None,
    "tag_list": None,
    "person": PersonNames,
    "began": datetime,
    "task": TaskNames,
    "revision": int,
}


def of_step(name: str, step: StepOf) -> type[BaseModel]:
    """The type of `steps.NAME`: what the step takes."""
    request = step.create or step.find
    return _model(f"steps.{name}", tuple((one, Any) for one in (sorted(names_taken(request)) if request else ())))


def of_steps(steps: Mapping[str, type[BaseModel]]) -> type[BaseModel]:
    """The type of `steps`: those that are done by then, or left out."""
    return _model("steps", tuple((name, one | None) for name, one in steps.items()))


def of_settings(name: str, fields: Mapping[str, Any]) -> type[BaseModel]:
    """The type of `settings` or `secrets`."""
    return _model(name, tuple(fields.items()))


# To make one takes as long as to send a request, and a recipe has the same ones for each of its connectors.
@lru_cache(maxsize=1024)
def _model(name: str, fields: tuple[tuple[str, Any], ...]) -> type[BaseModel]:
    values: dict[str, Any] = {field: (kind, None) for field, kind in fields}
    return create_model(name, **values)


def plain_value(value: Any) -> Any:
    """A setting as a template has it: a secret is its text, and an address has no slash at its end."""
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, str | int | float | bool) or value is None:
        return value
    return str(value).rstrip("/")


def of_chat(
    words: Words,
    conversation: Conversation,
    receipt: Receipt,
    *,
    needs_person: bool = False,
    task: TaskNames | None = None,
) -> dict[str, Any]:
    """What they stand for. Raises Skipped, RecordRefused."""
    person = words.person
    if person and words.left_out:
        person = replace(person, email=words.placeholder) if needs_person else None
    fields = words.fields()
    return {
        CHAT: words.values,
        "title": words.voice.say(conversation.kind),
        "name": words.name,
        "key": words.key,
        "subject": words.subject(SUBJECT),
        "tags": tuple(words.tags()),
        "fields": fields,
        "field_list": [{"id": int(name) if name.isdecimal() else name, "value": text} for name, text in fields.items()],
        "tag_list": [{"name": tag} for tag in words.tags()],
        "person": _person(person),
        "began": (conversation.begin_at or receipt.revision.received_at).astimezone(UTC),
        "revision": receipt.number,
        "task": task,
    }


def _person(person: Person | None) -> PersonNames | None:
    if person is None:
        return None
    first, _, last = person.given.partition(" ")
    return PersonNames(name=person.name, email=person.email, given=person.given, first=first, last=last)


def of_part(part: Part) -> PartNames:
    return PartNames(number=part.number, text=part.body, mark=part.mark)
