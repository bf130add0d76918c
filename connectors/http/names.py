"""What templates may name besides the conversation, and what it stands for while one is delivered."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from pydantic import BaseModel, SecretStr, create_model

from connectors.http.document import Document, taken
from connectors.kit.record import Mapping as Words
from connectors.kit.record import Person
from connectors.kit.step import Receipt
from connectors.kit.text.parts import Part
from connectors.kit.transcript import kind
from core.conversation import Conversation

#: Characters of a subject, unless the template takes fewer: {{ subject[:80] }}.
SUBJECT = 255


class PersonNames(BaseModel):
    """The visitor, where there is an email that can be used. `given` is empty where no name was given."""

    name: str
    email: str
    given: str


class PartNames(BaseModel):
    """A part of the transcript: from 1, its text in the destination's format, and the mark that ends it."""

    number: int
    text: str
    mark: str


#: What every template of a chat may name. None: of any type.
ALWAYS: Mapping[str, Any] = {
    "kind": str,
    "title": str,
    "name": str,
    "key": str,
    "subject": str,
    "tags": tuple[str, ...],
    "fields": dict[str, str],
    "field_list": None,
    "person": PersonNames,
    "began": datetime,
    "revision": int,
}


def of_steps(document: Document, before: str = "") -> Any:
    """The type of `steps` for the step `before`: each that comes earlier, with what it takes; all without it."""
    found: dict[str, Any] = {}
    for name, step in document.steps.items():
        if name == before:
            break
        request = step.create or step.find
        values: dict[str, Any] = dict.fromkeys(taken(request) if request else (), (Any, None))
        found[name] = (create_model(f"steps.{name}", **values) | None, None)
    return create_model("steps", **found)


def of_settings(name: str, fields: Mapping[str, Any]) -> Any:
    """The type of `settings` or `secrets`."""
    values: dict[str, Any] = {field: (kind, None) for field, kind in fields.items()}
    return create_model(name, **values)


def plain(value: Any) -> Any:
    """A setting as a template has it: a secret is its text, and an address has no slash at its end."""
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, str | int | float | bool) or value is None:
        return value
    return str(value).rstrip("/")


def of_chat(words: Words, conversation: Conversation, receipt: Receipt) -> dict[str, Any]:
    """What they stand for. Raises Skipped, RecordRefused."""
    person = None if words.left_out else words.person
    fields = words.fields()
    return {
        "conversation": conversation,
        "visitor": conversation.visitor,
        "kind": kind(conversation),
        "title": words.voice.say(kind(conversation)),
        "name": words.name,
        "key": words.key,
        "subject": words.subject(SUBJECT),
        "tags": tuple(words.tags()),
        "fields": fields,
        "field_list": [{"id": int(name) if name.isdecimal() else name, "value": text} for name, text in fields.items()],
        "person": _person(person),
        "began": (conversation.begin_at or receipt.revision.received_at).astimezone(UTC),
        "revision": receipt.number,
    }


def _person(person: Person | None) -> PersonNames | None:
    return PersonNames(name=person.name, email=person.email, given=person.given) if person else None


def of_part(part: Part) -> PartNames:
    return PartNames(number=part.number, text=part.body, mark=part.mark)
