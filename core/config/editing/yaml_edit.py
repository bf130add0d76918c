"""A change of a YAML text that leaves everything else as it is: comments, order, quotes, indentation, line ends.

The text is spliced, not written anew: libraries that write it anew move comments and lose some (docs/adr/0019). Whether
the result means what was wanted is seen by reading it: what cannot be spliced is refused, and nothing else is changed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from core.config import yaml_file
from core.config.editing.places import Entry, Place, found, of_text
from core.config.editing.yaml_writer import block_lines, is_nested, on_one_line
from core.config.mistakes.model import KeyPath
from core.config.mistakes.syntax import syntax_mistake
from core.config.yaml_file import dotted
from core.errors import ConfigError, Problem

_INDENT = 2


@dataclass(frozen=True)
class Put:
    """Set the value at a path; what is missing on the way is made. The next number of a list appends to it."""

    path: KeyPath
    value: Any


@dataclass(frozen=True)
class Remove:
    """Take away the value at a path, with its key."""

    path: KeyPath


Edit = Put | Remove


def changed(text: str, source: str, *changes: Edit) -> str:
    """The text with the changes made. Raises ConfigError: it is no YAML, or cannot be changed by a program."""
    for change in changes:
        before = written_values(text, source)
        try:
            wanted = _applied(before, change)
            text = _spliced(text, change)
            right = written_values(text, source) == wanted
        except (ConfigError, yaml.YAMLError, LookupError, _Beyond):
            right = False
        if not right:
            why = "cannot be changed by a program as it is written there; change it by hand"
            raise ConfigError(source, [Problem(dotted(change.path), why)])
    return text


class _Beyond(Exception):
    """A way of writing that splicing does not know."""


def written_values(text: str, source: str) -> Any:
    """As they are written, references not filled in; of nothing but comments, {}. Raises ConfigError."""
    if not text.strip() or _is_empty(text, source):
        return {}
    return yaml_file.read(text, source).values


def _is_empty(text: str, source: str) -> bool:
    """Whether there is nothing but comments. Raises ConfigError for what is no YAML."""
    try:
        root = of_text(text)
    except yaml.YAMLError as error:
        line, sentence = syntax_mistake(error, text)
        raise ConfigError(source, [Problem("", sentence, line)]) from None
    except RecursionError:  # which whoever reads it says
        return False
    return root is None or root.start == root.end


def _applied(values: Any, change: Edit) -> Any:
    """The values that a change should make of these."""
    head, *rest = change.path
    if isinstance(values, list) and isinstance(head, int):
        items = list(values)
        if rest:
            items[head] = _applied(items[head], _below(change))
        elif isinstance(change, Remove):
            del items[head]
        else:
            items[head : head + 1] = [change.value]
        return items
    held = dict(values) if isinstance(values, Mapping) else {}
    if rest:
        held[head] = _applied(held.get(head), _below(change))
    elif isinstance(change, Remove):
        held.pop(head, None)
    else:
        held[head] = change.value
    return held


def _below(change: Edit) -> Edit:
    rest = change.path[1:]
    return Remove(rest) if isinstance(change, Remove) else Put(rest, change.value)


def _spliced(text: str, change: Edit) -> str:
    root = of_text(text)
    if isinstance(change, Remove):
        return _removed(text, root, change.path)
    return _put(text, root, change.path, change.value)


# --- setting -------------------------------------------------------------------


def _put(text: str, root: Place | None, path: KeyPath, value: Any) -> str:
    if root is None or root.start == root.end:  # nothing but comments
        return _appended(text, _nested(path, value))
    if (old := found(root, path)) is not None:
        return _replaced(text, root, path, old, value)
    depth = next((length for length in range(len(path) - 1, -1, -1) if _holds(found(root, path[:length]))), -1)
    if depth < 0:
        raise _Beyond
    parent = found(root, path[:depth]) or root
    if depth + 1 < len(path) and (empty := found(root, path[: depth + 1])) is not None:
        return _replaced(text, root, path[: depth + 1], empty, _nested(path[depth + 1 :], value))
    inner = _nested(path[depth + 1 :], value)
    if parent.is_flow and not parent.entries and depth and not any(one.is_flow for one in _around(root, path[:depth])):
        return _replaced(text, root, path[:depth], parent, _nested(path[depth : depth + 1], inner))
    if parent.is_flow:
        return _added_in_flow(text, parent, path[depth], inner)
    return _added_in_block(text, parent, path[depth], inner)


def _holds(place: Place | None) -> bool:
    return place is not None and place.kind != "scalar"


def _nested(path: KeyPath, value: Any) -> Any:
    for part in reversed(path):
        value = [value] if isinstance(part, int) else {part: value}
    return value


def _appended(text: str, values: Any) -> str:
    ends = "" if not text or text.endswith(("\n", "\r")) else _newline(text)
    return text + ends + block_lines(values, 0, _newline(text))


def _added_in_flow(text: str, parent: Place, key: str | int, value: Any) -> str:
    written = on_one_line(value) if isinstance(key, int) else f"{on_one_line(key)}: {on_one_line(value)}"
    last = max((entry.value.end for entry in parent.entries.values()), default=parent.start + 1)
    if parent.anchored and not parent.entries:
        raise _Beyond
    joint = ", " if parent.entries else ""
    return text[:last] + joint + written + text[last:]


def _added_in_block(text: str, parent: Place, key: str | int, value: Any) -> str:
    if not parent.entries:
        raise _Beyond
    column = _column(text, next(iter(parent.entries.values())).start)
    last = max(parent.entries.values(), key=lambda entry: entry.value.end)
    # What is written behind the last value on its line belongs to it.
    end = _line_end(text, max(last.value.end - 1, last.start))
    newline = _newline(text)
    if isinstance(key, int):
        # Of a list the dash stands before its items.
        dash = text.rfind("-", 0, next(iter(parent.entries.values())).start)
        column = _column(text, dash)
        written = (
            block_lines([value], column, newline)
            if is_nested(value)
            else f"{' ' * column}- {on_one_line(value)}{newline}"
        )
    else:
        written = block_lines({key: value}, column, newline)
        # Entries that are sections of their own stand apart where the others do.
        if _is_set_apart(text, parent):
            written = newline + written
    joint = "" if text[:end].endswith(("\n", "\r")) else newline
    return text[:end] + joint + written + text[end:]


def _is_set_apart(text: str, parent: Place) -> bool:
    """Whether blank lines stand between the entries of a block."""
    starts = sorted(entry.start for entry in parent.entries.values())
    return any(text[:start].rstrip(" ").endswith(("\n\n", "\r\n\r\n")) for start in starts[1:])


def _replaced(text: str, root: Place, path: KeyPath, old: Place, value: Any) -> str:
    if old.anchored:
        raise _Beyond
    in_flow = any(one.is_flow for one in _around(root, path))
    if in_flow or not is_nested(value):
        written = on_one_line(value)
        # A block under its key ends on a line of its own, and begins behind the colon.
        start = _behind_key(text, root, path) if old.kind != "scalar" and not old.is_flow else old.start
        gap = "" if text[:start].endswith((" ", "\n", "[", "{")) else " "
        return text[:start] + gap + written + text[old.end :]
    if not isinstance(path[-1], str):
        raise _Beyond
    start, newline = _behind_key(text, root, path), _newline(text)
    first, last = _line_end(text, start), _line_end(text, max(old.end - 1, start))
    # What stands behind the colon is a comment of the key, or follows the value that goes.
    comment = (text[old.end : first] if old.end <= first else text[start:first]).strip()
    head = f"{text[:start]} {comment}" if comment else text[:start]
    return head + newline + block_lines(value, _column(text, _entry(root, path).start) + _INDENT, newline) + text[last:]


def _around(root: Place, path: KeyPath) -> list[Place]:
    places = [found(root, path[:length]) for length in range(len(path))]
    return [one for one in places if one is not None]


def _entry(root: Place, path: KeyPath) -> Entry:
    return (found(root, path[:-1]) or root).entries[path[-1]]


def _behind_key(text: str, root: Place, path: KeyPath) -> int:
    """Where the colon behind the last key of a path ends."""
    entry = _entry(root, path)
    if isinstance(path[-1], int):
        return entry.value.start
    colon = text.find(":", entry.start + len(_key_text(text, entry)))
    if colon < 0:
        raise _Beyond
    return colon + 1


def _key_text(text: str, entry: Entry) -> str:
    quote = text[entry.start]
    if quote in "'\"":
        return text[entry.start : text.index(quote, entry.start + 1) + 1]
    return ""


# --- removing ------------------------------------------------------------------


def _removed(text: str, root: Place | None, path: KeyPath) -> str:
    parent, old = found(root, path[:-1]), found(root, path)
    if root is None or parent is None or old is None:
        return text
    entry = parent.entries[path[-1]]
    if len(parent.entries) == 1:
        empty: Any = [] if parent.kind == "list" else {}
        return _replaced(text, root, path[:-1], parent, empty) if len(path) > 1 else _cut(text, entry)
    if parent.is_flow:
        return _cut_in_flow(text, parent, path[-1])
    return _cut(text, entry)


def _cut(text: str, entry: Entry) -> str:
    """Without the lines of an entry of a block."""
    start = text.rfind("\n", 0, entry.start) + 1
    before = text[start : entry.start].strip()
    if before not in ("", "-") or (before == "-" and entry.start != entry.value.start):
        raise _Beyond  # the first key of an item: its dash would go, too
    end = _line_end(text, max(entry.value.end - 1, entry.start))
    # Where it stood apart from both neighbours, one blank line is enough.
    if text[:start].endswith(("\n\n", "\r\n\r\n")) and text[end:].startswith(("\n", "\r\n")):
        end = _line_end(text, end)
    return text[:start] + text[end:]


def _cut_in_flow(text: str, parent: Place, key: str | int) -> str:
    entries = sorted(parent.entries.items(), key=lambda one: one[1].start)
    position = [name for name, _ in entries].index(key)
    if position:
        start, end = entries[position - 1][1].value.end, entries[position][1].value.end
    else:
        start, end = entries[0][1].start, entries[1][1].start
    return text[:start] + text[end:]


# --- places ---------------------------------------------------------------------


def _column(text: str, index: int) -> int:
    return index - (text.rfind("\n", 0, index) + 1)


def _line_end(text: str, index: int) -> int:
    """Where the line that has this character ends, its line end included."""
    end = text.find("\n", index)
    return len(text) if end < 0 else end + 1


def _newline(text: str) -> str:
    return "\r\n" if "\r\n" in text else "\n"
