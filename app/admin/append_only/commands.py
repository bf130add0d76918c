"""The commands of an increment, one after the other, up to where the file is no longer made of them."""

from __future__ import annotations

import mmap
import re
from collections.abc import Sequence
from dataclasses import dataclass

#: The longest line that stands before an argument or a command.
_HEAD = 32
_PIECE = 1 << 20
_NAME = re.compile(rb"[A-Z|]+")


@dataclass(frozen=True)
class Walk:
    """How far a file is made of whole writes: they are `writes` and end at byte `end`. What follows is no command at
    `at`, or one that is `cut` off by the end of the file, or by NULs up to there."""

    end: int
    writes: int
    at: int
    cut: bool


def walk(data: bytes | mmap.mmap, unknown: Sequence[str] = ()) -> Walk:
    """Go through the commands of an increment, up to one of those that Valkey said it does not know."""
    names = {name.upper().encode() for name in unknown}
    size = len(data)
    at = end = writes = 0
    grouped = False
    while at < size:
        if data[at] == 0x23:  # '#': a note, such as a time stamp
            following, name = data.find(b"\n", at) + 1, b""
        else:
            following, name = _command(data, at, size)
            if following > 0 and (name in names or not _NAME.fullmatch(name)):
                following = -1
        if following <= 0:
            return Walk(end, writes, at, cut=following == 0)
        at = following
        grouped = name == b"MULTI" or (grouped and name != b"EXEC")
        if not grouped:
            end, writes = at, writes + bool(name)
    return Walk(end, writes, size, cut=True)


def _command(data: bytes | mmap.mmap, at: int, size: int) -> tuple[int, bytes]:
    """Where the next one begins, and the name in capitals. 0: the file ends before; -1: this is none."""
    number, at = _number(data, at, 0x2A, size)  # '*'
    name = b""
    for position in range(number):
        length, at = _number(data, at, 0x24, size)  # '$'
        if at <= 0:
            return at, name
        after = at + length
        if after + 2 > size:
            return 0, name
        if data[after : after + 2] != b"\r\n":
            return _cut_or_wrong(data, after), name
        if position == 0:
            name = bytes(data[at:after]).upper()
        at = after + 2
    return at, name


def _number(data: bytes | mmap.mmap, at: int, sign: int, size: int) -> tuple[int, int]:
    """The number of a line that begins with `sign`, and where the next line begins (0 and -1 as above)."""
    if at >= size:
        return 0, 0
    if data[at] != sign:
        return 0, _cut_or_wrong(data, at)
    line = data.find(b"\r\n", at, at + _HEAD)
    digits = bytes(data[at + 1 : line if line >= 0 else at + _HEAD])
    if line >= 0 and digits.isdigit():
        return int(digits), line + 2
    return 0, 0 if line < 0 and at + _HEAD > size else _cut_or_wrong(data, at)


def _cut_or_wrong(data: bytes | mmap.mmap, at: int) -> int:
    """0 where nothing but NULs follows soon, as after a loss of power; else -1."""
    return 0 if b"\0" in data[at : at + _HEAD + 1] and only_nuls(data, at + _HEAD) else -1


def only_nuls(data: bytes | mmap.mmap, start: int) -> bool:
    """In pieces: what follows damage may be most of a large file."""
    pieces = (data[at : at + _PIECE] for at in range(start, len(data), _PIECE))
    return all(piece.count(0) == len(piece) for piece in pieces)
