"""A whole chat without what must not leave: every text in it that a visitor, an agent or the shop's page has filled."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from core.config.sections.redact import Redact
from core.conversation import ChatFile, Conversation, InternalNote, Message, Page, Variable, Visitor
from core.redaction.text import (
    RedactedKind,
    RedactedMark,
    english,
    finds_cards_alone,
    may_have_card,
    names_password,
    redacted,
)

#: Places that are named for one kind; a chat full of numbers says how many more there are.
_PLACES = 10


@dataclass(frozen=True)
class Redacted:
    """`found` has the places of each kind: the kind and where, never the value."""

    conversation: Conversation
    found: Mapping[RedactedKind, tuple[str, ...]]

    def __str__(self) -> str:
        """A sentence for people, or ""."""
        kinds = "; ".join(f"{kind} in {_listed(places)}" for kind, places in self.found.items())
        return f"Redacted before it was sent: {kinds}." if kinds else ""


def unredacted(conversation: Conversation) -> Conversation:
    """The chat before anything was taken out of it."""
    return conversation._written or conversation  # noqa: SLF001  # no template and no connector shall name it


def redacted_chat(conversation: Conversation, settings: Redact, mark: RedactedMark = english) -> Redacted:
    """The chat itself where there is nothing to take out. Ids, addresses of mailboxes and technical fields stay."""
    if finds_cards_alone(settings) and not may_have_card("\n\n\n\n".join(_texts(conversation))):
        return Redacted(conversation, {})
    look = _Look(settings, mark)
    visitor = conversation.visitor
    messages = tuple(look.message(number, one) for number, one in enumerate(conversation.messages, 1))
    paths = tuple(look.page(number, one) for number, one in enumerate(conversation.paths, 1))
    rating = look.text(conversation.rating_desc, "the rating")
    notes = tuple(look.note(number, one) for number, one in enumerate(conversation.internal_notes, 1))
    tags = tuple(look.text(one, f"tag {number}") for number, one in enumerate(conversation.tags, 1))
    seen = look.visitor(visitor)
    if not look.found:
        return Redacted(conversation, {})
    changed: dict[str, object] = {"messages": messages, "paths": paths, "rating_desc": rating, "visitor": seen}
    changed |= {"internal_notes": notes, "tags": tags}
    clean = conversation.model_copy(update=changed)
    clean._written = unredacted(conversation)  # noqa: SLF001  # as above
    return Redacted(clean, {kind: tuple(look.found[kind]) for kind in RedactedKind if kind in look.found})


def _texts(conversation: Conversation) -> Iterator[str]:
    """All that `_Look` looks at."""
    for message in conversation.messages:
        yield message.content
        yield message.name
        for file in message.files:
            yield file.name
    for page in conversation.paths:
        yield page.url
        yield page.title
    for note in conversation.internal_notes:
        yield note.content
    visitor = conversation.visitor
    yield from (visitor.name, visitor.note, visitor.group, visitor.city, visitor.country, visitor.referer)
    for variable in visitor.variables.values():
        yield variable.label
        yield _written(variable.value)
    yield conversation.rating_desc
    yield from conversation.tags


def _written(value: str | float | bool | None) -> str:
    """A variable's value as people read it; "" for what is no text and no number."""
    if value is None or isinstance(value, bool):
        return ""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


class _Look:
    def __init__(self, settings: Redact, mark: RedactedMark) -> None:
        self._settings = settings
        self._mark = mark
        self.found: dict[RedactedKind, dict[str, None]] = {}

    def text(self, text: str, place: str, *, address: bool = False) -> str:
        clean, kinds = redacted(text, self._settings, address=address, mark=self._mark)
        for kind in kinds:
            self.found.setdefault(kind, {})[place] = None
        return clean

    def message(self, number: int, one: Message) -> Message:
        content = self.text(one.content, f"message {number}")
        name = self.text(one.name, f"the name at message {number}")
        files = tuple(self.file(number, file) for file in one.files)
        changed = (content, name, files) != (one.content, one.name, one.files)
        return one.model_copy(update={"content": content, "name": name, "files": files}) if changed else one

    def file(self, number: int, one: ChatFile) -> ChatFile:
        name = self.text(one.name, f"the name of a file at message {number}")
        return one.model_copy(update={"name": name}) if name != one.name else one

    def note(self, number: int, one: InternalNote) -> InternalNote:
        content = self.text(one.content, f"internal note {number}")
        return one.model_copy(update={"content": content}) if content != one.content else one

    def page(self, number: int, one: Page) -> Page:
        url = self.text(one.url, f"the address of page {number}", address=True)
        title = self.text(one.title, f"the title of page {number}")
        return one.model_copy(update={"url": url, "title": title}) if (url, title) != (one.url, one.title) else one

    def visitor(self, one: Visitor) -> Visitor:
        update: dict[str, object] = {
            field: self.text(getattr(one, field), f"the visitor's {field}")
            for field in ("name", "note", "group", "city", "country")
        }
        update["referer"] = self.text(one.referer, "the referer", address=True)
        update["variables"] = {
            name: self.variable(number, name, variable)
            for number, (name, variable) in enumerate(one.variables.items(), 1)
        }
        return one.model_copy(update=update)

    def variable(self, number: int, name: str, one: Variable) -> Variable:
        """A variable's name may be the visitor's own text, so that it is not named here. `password` says what it holds
        by its name alone."""
        place = f"variable {number}"
        label = self.text(one.label, place)
        value = one.value
        if written := _written(value):
            clean = self.text(written, place)
            if self._settings.passwords and any(map(names_password, (name, one.label))):
                clean = self._mark(RedactedKind.PASSWORD)
                self.found.setdefault(RedactedKind.PASSWORD, {})[place] = None
            value = value if clean == written else clean
        changed = label != one.label or value is not one.value
        return one.model_copy(update={"label": label, "value": value}) if changed else one


def _listed(places: tuple[str, ...]) -> str:
    shown, more = places[:_PLACES], len(places) - _PLACES
    return ", ".join(shown) + (f" and {more} more" if more > 0 else "")
