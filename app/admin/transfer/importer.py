"""Bodies that were saved earlier, in whatever way: found in files, and given to the store as if they came today."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, Literal

from app.admin.transfer.import_sources import Reads, Unwrapped, smartsupp_body
from core.conversation import Conversation
from core.delivery import PayloadStatus
from core.errors import PayloadError, StoreUnavailable
from core.smartsupp.limits import LARGEST_BODY
from core.smartsupp.parser import StatisticsReport, parse, parse_conversation
from core.store import Received, Store
from core.store.accept import JOURNEY_BODIES, JOURNEY_BYTES

_PART = 64 * 1024
#: What stands between bodies: nothing, line ends, commas and brackets of a list, byte order and record marks.
_GAP = re.compile(rb"(?:[\s,\[\]\x1e]|\xef\xbb\xbf)*")
_STARTS = re.compile(rb'\{\s*["}]')
#: After a broken body: a line that starts with one, or what Smartsupp's bodies start with.
_STARTS_AFRESH = re.compile(rb'(?<=\n)\{|\{\s*"accountId"')
_DECODER = json.JSONDecoder(strict=False)
#: A whole string, or what opens and closes; a quotation mark alone begins a string that does not end yet.
_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*+"|[{}\[\]"]', re.DOTALL)
#: Bytes that are kept back in a search, for a match that begins at the end of what was read.
_OVERLAP = 64
#: Conversations whose ends are remembered: some 20 MB.
_REMEMBERED = 100_000


@dataclass(frozen=True)
class Piece:
    """What a file holds at `place` (`data.json:17`, the line): a body, or `trouble`, why there is none.

    `through` is how many bytes of the file were looked at.
    """

    place: str
    body: bytes
    through: int
    trouble: str = ""


def together(pieces: Iterable[Piece]) -> Iterator[list[Piece]]:
    """Several at a time, in their order."""
    found: list[Piece] = []
    size = 0
    for piece in pieces:
        if found and (len(found) >= JOURNEY_BODIES or size + len(piece.body) > JOURNEY_BYTES):
            yield found
            found, size = [], 0
        found.append(piece)
        size += len(piece.body)
    if found:
        yield found


What = Literal["new", "duplicate", "older", "set-aside", "quarantined", "refused"]


@dataclass(frozen=True)
class Imported:
    """What became of a piece; `id` is the payload's, where there is one, and `why` the reason, where it needs one."""

    what: What
    id: str = ""
    why: str = ""


def input_files(paths: Iterable[Path]) -> list[Path]:
    """The files, and those in the folders, in the order of their names; hidden ones are left out."""
    found = []
    for path in paths:
        if path.is_dir():
            inside = (one for one in path.rglob("*") if one.is_file())
            shown = (one for one in inside if not any(part.startswith(".") for part in one.relative_to(path).parts))
            found += [one for one in sorted(shown) if not _is_transcript(one)]
        else:
            found.append(path)
    return found


def _is_transcript(file: Path) -> bool:
    """Of an archive's pair: the one that is for people to read."""
    return file.suffix == ".txt" and file.with_suffix(".json").exists()


def pieces(stream: BinaryIO, name: str) -> Iterator[Piece]:
    """The bodies in a file: one, one a line, or one after the other with or without anything between them.

    One that is broken ends where the next begins. Of a file of any size only a little is held at a time.
    """
    source = Unwrapped(stream)
    if source.packed:
        yield Piece(name, b"", 0, f"compressed: decompress it first, as in: zcat {name} | relay import -")
        return
    there = _Window(source)
    while there.skip_gap():
        line = there.line
        if not _STARTS.match(there.held):
            there.skip_to(_STARTS)
            yield Piece(f"{name}:{line}", b"", there.through, "not a JSON object")
            continue
        end = there.value_ends()
        if not end:
            end = there.braces_end()
            # Perhaps it was cut off, and what was taken for its end belongs to another.
            afresh = _STARTS_AFRESH.search(there.held, 1, end or len(there.held))
            end = afresh.start() if afresh else end
        if end and end <= LARGEST_BODY:
            body, trouble = smartsupp_body(there.take(end))
            yield Piece(f"{name}:{line}", body, there.through, trouble)
        elif len(there.held) <= LARGEST_BODY:  # the file is over
            yield Piece(f"{name}:{line}", there.take(len(there.held)).rstrip(), there.through)
        else:
            there.take(end or 1)
            if not end:
                there.skip_to(_STARTS_AFRESH)
            yield Piece(f"{name}:{line}", b"", there.through, f"larger than {LARGEST_BODY:,} bytes")


class Ends:
    """When the conversations that were looked at ended, by the latest of their bodies. The store knows that only of
    what workers have read, and they may be far behind; of those that are forgotten here they have had the time."""

    def __init__(self) -> None:
        self._ends: dict[str, datetime] = {}

    def passed(self, found: Conversation) -> bool:
        """Whether a body that ended later was looked at before; this one is remembered, too."""
        if not found.end_at:
            return False
        before = self._ends.pop(found.key, found.end_at)
        self._ends[found.key] = max(before, found.end_at)
        if len(self._ends) > _REMEMBERED:
            del self._ends[next(iter(self._ends))]
        return found.end_at < before


def take(store: Store, pieces: Sequence[Piece], account: str, ends: Ends) -> list[Imported]:
    """Give pieces to the store, in one journey those that it is to keep. Raises StoreUnavailable, and then nobody
    knows which of them are kept; whoever gives them again finds those known."""
    read = [None if piece.trouble else _read(piece, account) for piece in pieces]
    past = [bool(one and one[0] and ends.passed(one[0])) for one in read]
    known = store.known({one[0].key for one, old in zip(read, past, strict=True) if one and one[0] and not old})
    taken: list[Imported] = []
    keeps: list[int] = []
    for number, (piece, one, old) in enumerate(zip(pieces, read, past, strict=True)):
        if one is None:
            taken.append(Imported("refused", why=piece.trouble))
            continue
        found, status, why = one
        if old or (found and found.key in known and _is_older(store, found)):
            taken.append(Imported("older"))
            continue
        keeps.append(number)
        taken.append(_taken(status, "", why))
    accepted = store.accept_each([Received(pieces[number].body, account, "application/json") for number in keeps])
    for number, kept in zip(keeps, accepted, strict=True):
        if isinstance(kept, StoreUnavailable):
            raise kept
        if kept.known:
            taken[number] = Imported("duplicate", kept.id)
            continue
        taken[number] = replace(taken[number], id=kept.id)
        _, status, why = read[number] or (None, None, "")
        if status:
            store.divert(kept.id, status, f"{why} (imported from {pieces[number].place})" if why else "")
    return taken


def judge(piece: Piece, account: str, ends: Ends) -> Imported:
    """What would become of a piece in a store that was empty before the first."""
    if piece.trouble:
        return Imported("refused", why=piece.trouble)
    found, status, why = _read(piece, account)
    if found and ends.passed(found):
        return Imported("older")
    return _taken(status, "", why)


def _taken(status: PayloadStatus | None, identity: str, why: str) -> Imported:
    if status is PayloadStatus.QUARANTINED:
        return Imported("quarantined", identity, why)
    return Imported("set-aside" if status else "new", identity)


def _read(piece: Piece, account: str) -> tuple[Conversation | None, PayloadStatus | None, str]:
    """The conversation; or the status for a body without one, and why."""
    try:
        found = parse(piece.body, account)
    except PayloadError as problem:
        return None, PayloadStatus.QUARANTINED, str(problem)
    if isinstance(found, StatisticsReport):
        return None, PayloadStatus.SET_ASIDE, ""
    return found, None, ""


def _is_older(store: Store, found: Conversation) -> bool:
    """Whether the store has a revision that ended later: this one would take back what was delivered since."""
    kept = store.revisions(found.key)
    if not kept or not found.end_at:
        return False
    try:
        newest = parse_conversation(kept[-1].body, kept[-1].account)
    except PayloadError:
        return False
    return newest.end_at is not None and found.end_at < newest.end_at


class _Window:
    """The part of a file that is looked at; `line` is the number of its first."""

    def __init__(self, stream: Reads) -> None:
        self._stream = stream
        self._read = 0
        self.held = b""
        self.line = 1

    @property
    def through(self) -> int:
        return self._read - len(self.held)

    def take(self, length: int) -> bytes:
        taken, self.held = self.held[:length], self.held[length:]
        self.line += taken.count(b"\n")
        return taken

    def skip_gap(self) -> bool:
        """Go to what comes next. False: nothing does."""
        while True:
            gap = _GAP.match(self.held)
            self.take(gap.end() if gap else 0)
            # Enough to see how it starts.
            if len(self.held) >= _OVERLAP or not self._more():
                return bool(self.held)

    def skip_to(self, wanted: re.Pattern[bytes]) -> None:
        """Go to the next match after the first byte, or to the end."""
        while True:
            if found := wanted.search(self.held, 1):
                self.take(found.start())
                return
            self.take(max(0, len(self.held) - _OVERLAP))
            if not self._more():
                self.take(len(self.held))
                return

    def value_ends(self) -> int:
        """Where the JSON in front ends, or 0: it is broken, or larger than any body."""
        while True:
            try:
                # As Latin-1, so that a position in the text is one in the bytes; what is in strings does not matter.
                return _DECODER.raw_decode(self.held[: LARGEST_BODY + 1].decode("latin-1"))[1]
            except json.JSONDecodeError as error:
                cut = error.pos + _OVERLAP >= len(self.held) or error.msg.startswith("Unterminated string")
                if not cut or len(self.held) > LARGEST_BODY or not self._more():
                    return 0
            except (ValueError, RecursionError):  # a number of thousands of digits, or too deep
                return 0

    def braces_end(self) -> int:
        """Where the braces in front are closed, or 0: the file is over, or that is further than any body is long."""
        depth, at = 0, 0
        while True:
            for token in _TOKEN.finditer(self.held, at):
                kind = token[0]
                if kind == b'"':
                    break
                if kind in b"{[":
                    depth += 1
                elif kind in b"}]":
                    depth -= 1
                    if not depth:
                        return token.end()
                at = token.end()
            if len(self.held) > LARGEST_BODY or not self._more():
                return 0

    def _more(self) -> bool:
        part = self._stream.read(_PART)
        self._read += len(part)
        self.held += part
        return bool(part)
