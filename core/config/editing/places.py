"""Where each value of a YAML text stands, in characters: PyYAML's events know, its values do not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

from core.config.mistakes.model import KeyPath

Key = str | int


@dataclass
class Place:
    """One value. `text[start:end]` is all of it and nothing behind it; of a value that is not written, both are where
    it would be. `entries` is what is in a mapping or a list."""

    start: int
    end: int
    kind: str
    is_flow: bool = False
    entries: dict[Key, Entry] = field(default_factory=dict)
    #: What begins with an anchor may be meant elsewhere, too.
    anchored: bool = False


@dataclass
class Entry:
    """An entry of a collection: where its key begins (of a list, its value), and its value."""

    start: int
    value: Place


def of_text(text: str) -> Place | None:
    """The root, or None where there is nothing. Raises yaml.YAMLError for what is no YAML."""
    events = (
        event
        for event in yaml.parse(text, Loader=yaml.SafeLoader)
        if not isinstance(
            event, yaml.StreamStartEvent | yaml.StreamEndEvent | yaml.DocumentStartEvent | yaml.DocumentEndEvent
        )
    )
    first = next(events, None)
    return _place(text, first, events) if first else None


def found(root: Place | None, path: KeyPath) -> Place | None:
    """The value at a path."""
    for part in path:
        entry = root.entries.get(part) if root else None
        root = entry.value if entry else None
    return root


def _place(text: str, event: yaml.Event, events: Iterator[yaml.Event]) -> Place:
    start = _index(event.start_mark)
    if isinstance(event, yaml.MappingStartEvent):
        return _mapping(text, event, events)
    if isinstance(event, yaml.SequenceStartEvent):
        place = Place(start, start, "list", bool(event.flow_style), anchored=bool(event.anchor))
        for one in events:
            if isinstance(one, yaml.SequenceEndEvent):
                return _ended(place, one)
            item = _place(text, one, events)
            place.entries[len(place.entries)] = Entry(item.start, item)
    end = _index(event.end_mark)
    # A block scalar ends where the next thing begins: blank lines and comments are not its own.
    block = isinstance(event, yaml.ScalarEvent) and event.style in ("|", ">")
    end = len(text[:end].rstrip()) if block else end
    return Place(start, max(start, end), "scalar", anchored=bool(getattr(event, "anchor", None)))


def _mapping(text: str, event: yaml.MappingStartEvent, events: Iterator[yaml.Event]) -> Place:
    start = _index(event.start_mark)
    place = Place(start, start, "mapping", bool(event.flow_style), anchored=bool(event.anchor))
    for one in events:
        if isinstance(one, yaml.MappingEndEvent):
            return _ended(place, one)
        key = _place(text, one, events)
        value = _place(text, next(events), events)
        name = one.value if isinstance(one, yaml.ScalarEvent) else text[key.start : key.end]
        place.entries.setdefault(name, Entry(key.start, value))
    raise AssertionError("a mapping ends")  # PyYAML has made its events


def _ended(place: Place, event: yaml.Event) -> Place:
    if place.is_flow:
        place.end = _index(event.end_mark)
    elif place.entries:
        place.end = max(entry.value.end for entry in place.entries.values())
    return place


def _index(mark: Any) -> int:
    """In characters. Every event of a text has a mark, which the types do not say."""
    return int(mark.index)
