"""What a recipe can do, read from its steps, so that its row in the documentation is never a promise of its own."""

from __future__ import annotations

from connectors.http.document import HttpDocument, Repeatable, StepOf
from connectors.kit.capabilities import Capabilities

_LOOKED_FOR = "looked for after a lost answer"
_REPEATED: dict[Repeatable | None, str] = {
    None: _LOOKED_FOR,
    "idempotent": "made by its key, so a repeat changes nothing",
    "idempotency_key": "an idempotency key",
    "again": "not: a lost answer makes a second one",
    "never": "a person decides after a lost answer",
}


def capabilities_of(document: HttpDocument) -> Capabilities:
    files = "attached, in a text of their own" if document.attachments else "none"
    return Capabilities(_person(document), _revision(document), _idempotent(document), files)


def _person(document: HttpDocument) -> str:
    for name, step in document.steps.items():
        if step.identity:
            made = f"`{name}`: by email, else created"
            return f"{made}; without an email, one with a made-up address" if document.needs_person else made
    made = "by email, in the record's own request"
    if document.needs_person:
        return f"{made}; without an email, a made-up address"
    return made if "person.email" in document.model_dump_json() else "in the text"


def _revision(document: HttpDocument) -> str:
    for name, step in document.steps.items():
        if step.each and step.mode != "nothing":
            return f"what is new, as `{name}`" if step.mode == "append" else f"`{name}` is written over"
    over = [f"`{name}`" for name, step in document.steps.items() if step.mode == "overwrite"]
    return f"{' and '.join(over)} written over" if over else "left as it is"


def _idempotent(document: HttpDocument) -> str:
    ways: dict[str, list[str]] = {}
    for name, step in document.steps.items():
        if step.create and not step.identity:
            ways.setdefault(_way(step), []).append(f"`{name}`")
    return "; ".join(f"{' and '.join(names)}: {way}" for way, names in ways.items())


def _way(step: StepOf) -> str:
    if step.find and step.find.lags:
        return "looked for in an index, when it must show it"
    return "looked for first" if step.find and step.look == "always" else _REPEATED[step.repeatable]
