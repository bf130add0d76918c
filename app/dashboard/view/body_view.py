"""A body as a person can read and correct it, and the place in it that an error speaks of. Pure."""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from core.smartsupp.json_reader import Wild

#: Bytes of a body that is not text, which a page shows.
_DUMPED = 4_096
#: Marks of JSON beyond which a body is not set out line by line, and characters that are shown of it then.
_MARKS, _CUT = 30_000, 100_000
#: Lines before and after the one that is wrong, and characters of a line.
_AROUND, _WIDTH = 3, 120

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]|[^\s{}\[\],:"]+', re.DOTALL)
_STEERING = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")
#: As json.loads says it, which is how it stands in stores of versions before 0.2, and as the parser does.
_PLACE = re.compile(r"(?: at |\()line ([0-9]{1,9}), column ([0-9]{1,9})\)?$")


@dataclass(frozen=True)
class _Line:
    """`path` is that of the value that begins here (`messages[3].sentAt`), or "" where none does."""

    path: str
    text: str


@dataclass(frozen=True)
class Excerpt:
    """The place that is wrong, between what stands around it."""

    before: str
    wrong: str
    after: str


@dataclass(frozen=True)
class ShownBody:
    """A body as text: JSON set in line by line, every value as it was spelled; other text as it is; bytes as a dump.

    `editable`: a form can carry it there and back. `cut`: this is the beginning of a body that is too much for a page.
    """

    kind: Literal["JSON", "text", "bytes"]
    text: str
    editable: bool
    cut: bool = False


def shown_body(body: bytes) -> ShownBody:
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return ShownBody("bytes", _dump(body), editable=False)
    if _STEERING.search(text):
        return ShownBody("bytes", _dump(body), editable=False)
    if _is_vast(text):
        return ShownBody(
            "JSON" if text.lstrip("\ufeff \t\r\n")[:1] in ("{", "[") else "text", text[:_CUT], False, cut=True
        )
    lines = _indented(text)
    return ShownBody("JSON", _joined(lines), editable=True) if lines else ShownBody("text", text, editable=True)


def excerpt(body: bytes, error: str) -> Excerpt | None:
    """What an error of core/smartsupp/parser.py is about, or None where that is nothing that stands in the body."""
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return None
    if place := _PLACE.search(error):
        return _at(text, int(place[1]), int(place[2]))
    lines = [] if _is_vast(text) else _indented(text) or []
    # The longest one: a path may hold what looks like the end of another.
    found = [index for index, line in enumerate(lines) if line.path and error.startswith(f"{line.path}: ")]
    if not found:
        return None
    index = max(found, key=lambda one: len(lines[one].path))
    start = max(0, index - _AROUND)
    around = textwrap.dedent("\n".join(_cut(line.text) for line in lines[start : index + 1 + _AROUND])).split("\n")
    wrong = around[index - start]
    text = wrong.lstrip()
    return Excerpt(
        "".join(f"{one}\n" for one in around[: index - start]) + wrong.removesuffix(text),
        text,
        "".join(f"\n{one}" for one in around[index - start + 1 :]),
    )


def _is_vast(text: str) -> bool:
    return sum(text.count(mark) for mark in ",:[{") > _MARKS


def _joined(lines: list[_Line]) -> str:
    return "\n".join(line.text for line in lines)


def _cut(text: str) -> str:
    """On one line, whatever stands in a string."""
    short = text if len(text) <= _WIDTH else f"{text[:_WIDTH]}…"
    return short.replace("\n", "⏎").replace("\r", "⏎")


def _at(text: str, line: int, column: int) -> Excerpt:
    """A place as json.loads names it: both count from 1, and lines end with a line feed."""
    start = sum(len(one) + 1 for one in text.split("\n")[: line - 1])
    place = start + column - 1
    before, after = text[max(0, place - _WIDTH) : place], text[place + 1 : place + 1 + _WIDTH]
    return Excerpt(
        ("…" if place > _WIDTH else "") + before,
        text[place : place + 1] or "⟂",
        after + ("…" if place + 1 + _WIDTH < len(text) else ""),
    )


def _indented(text: str) -> list[_Line] | None:
    """JSON, a line for each value, nothing changed but the space between; None where it is no object or list."""
    try:
        if not isinstance(json.loads(text.removeprefix("\ufeff"), strict=False), dict | list):
            return None
    except (ValueError, RecursionError):
        return None
    return [*_lines(_TOKEN.findall(text.removeprefix("\ufeff")))]


@dataclass
class _Level:
    """An object or a list that is open: its path, and for a list the number of the item that comes."""

    path: str
    item: int | None

    def names(self, piece: str) -> str:
        if self.item is not None:
            return f"{self.path}[{self.item}]"
        key = json.loads(piece, strict=False) if "\\" in piece else piece[1:-1]
        return Wild({}, self.path).where(key)


def _lines(pieces: list[str]) -> Iterator[_Line]:
    open_: list[_Level] = []
    path = line = ""
    for piece, following in zip(pieces, [*pieces[1:], ""], strict=True):
        if piece in ("}", "]") and not line.endswith(("{", "[")):
            yield _Line(path, "  " * len(open_) + line)
            open_.pop()
            path, line = "", piece
        elif piece == ",":
            yield _Line(path, "  " * len(open_) + line + ",")
            path = line = ""
            level = open_[-1]
            level.item = None if level.item is None else level.item + 1
        else:
            if not line and open_:
                path = open_[-1].names(piece)
            line += f"{piece} " if piece == ":" else piece
            if piece in ("{", "[") and following not in ("}", "]"):
                yield _Line(path, "  " * len(open_) + line)
                open_.append(_Level(path, 0 if piece == "[" else None))
                path = line = ""
    yield _Line(path, line)


def _dump(body: bytes) -> str:
    """The beginning, sixteen bytes a line: where, in hexadecimal, as text."""
    rows = []
    for start in range(0, min(len(body), _DUMPED), 16):
        part = body[start : start + 16]
        plain = "".join(chr(byte) if 32 <= byte < 127 else "·" for byte in part)
        rows.append(f"{start:06x}  {part.hex(' '):<47}  {plain}")
    return "\n".join([*rows, *(["…"] if len(body) > _DUMPED else [])])
