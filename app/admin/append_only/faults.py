"""The embedded store's append-only file: whether Valkey can load all of it, and what is wrong otherwise. Only reads.

`appendonlydir` holds a base (a snapshot), increments (commands, as clients send them), and a manifest that names them:
https://valkey.io/topics/persistence/. Valkey starts empty where the manifest is missing, and where something else is
wrong it ends. A write is a command, or all from MULTI to EXEC; it is acknowledged when the whole of it is on disk.
"""

from __future__ import annotations

import mmap
import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from pathlib import Path

from app.admin.append_only.commands import only_nuls, walk
from app.admin.append_only.snapshot_checksum import checksum_is_right
from core.config.environment import Environment

MANIFEST = "appendonly.aof.manifest"
#: What Valkey says of itself.
LOG = "valkey.log"

#: Names are of files beside it; Valkey takes quotes, and a line that begins with '#' as a comment.
_LINE = re.compile(r'file "?([^\s"/]+)"? seq (\d+) type ([bhi])\b')
_FILE = re.compile(r"appendonly\.aof\.(\d+)\.(base|incr)\.(?:aof|rdb)")
#: It says the name of a command that it does not know, and not where that stands; and then what a visitor wrote.
_UNKNOWN = re.compile(r"unknown command '(\w+)'", re.IGNORECASE)
_WRITTEN = re.compile(r", with args beginning with:.*")
_COMMAND = re.compile(rb"\r\n\*\d+\r\n\$\d+\r\n[A-Za-z]+\r\n")
#: Files of Redis and Valkey begin with one of these, and end with 255 and eight bytes of a checksum.
_SNAPSHOT = (b"REDIS", b"VALKEY")
_FATAL = re.compile(
    r"Bad file format|Error reading|Unexpected end|Unrecoverable|MANIFEST|RDB|Short read|Unable to obtain|Can't open"
)
#: What Valkey warns of whenever it starts or stops.
_USUAL = re.compile(r"overcommit|Transparent Huge|signal-handler|ready to exit|TCP backlog")


class Mend(StrEnum):
    """What makes Valkey load it again. NONE: only a backup does."""

    TAIL = "tail"
    CUT = "cut"
    MANIFEST = "manifest"
    NONE = "none"


@dataclass(frozen=True)
class Fault:
    """What is wrong, and with which file. Of a file that is to be cut, `good` bytes are whole writes; `missing` ones
    cannot be cut, only no longer be named."""

    text: str
    file: Path
    mend: Mend
    good: int = 0
    missing: bool = False

    @property
    def harmless(self) -> bool:
        """A write that was cut off before anybody was told that it is kept: nothing is lost with it."""
        return self.mend is Mend.TAIL

    @property
    def remedy(self) -> str:
        if self.mend is Mend.NONE:
            return (
                "no command can repair that: restore a backup of appendonlydir (docs/upgrading.md). Without one, move"
                " appendonlydir away and start with an empty store; relay import takes the chats of an archive"
            )
        return "run relay repair, which shows what would be lost, asks, and keeps a copy; or restore a backup"


def folder(env: Environment) -> Path:
    """The embedded server's folder."""
    return env.data_dir / "valkey"


def files(env: Environment) -> Path:
    return folder(env) / "appendonlydir"


def mark(env: Environment) -> Path:
    """Exists once a store was kept here, beside its folder: one that is suddenly empty is not taken for a new one."""
    return env.data_dir / "store-was-here"


def look(env: Environment, *, thorough: bool) -> Fault | None:
    """What keeps Valkey from loading everything. Without `thorough` only what shows at once; else every command is
    gone through, which takes about as long as loading them. Raises OSError."""
    place = files(env)
    manifest = place / MANIFEST
    if not manifest.exists():
        return _without_manifest(env)
    named = listed(manifest)
    fault = "is empty or damaged" if not named else _unnamed(place, named)
    if fault:
        rest = (
            "be rebuilt from the files beside it"
            if rebuilt(place)
            else "not be rebuilt: it is not clear from which files"
        )
        return Fault(f"{MANIFEST} {fault}; it can {rest}", manifest, _manifest(place))
    unknown = _UNKNOWN.findall(last_words(env)) if thorough else ()
    for position, file in enumerate(named):
        if not file.exists():
            if position == 0:
                return Fault(f"the base {file.name} is missing", file, Mend.NONE)
            return Fault(f"{file.name} is missing; every write in it is lost", file, Mend.CUT, missing=True)
        last = position == len(named) - 1
        found = _looked_into(file, last=last, thorough=thorough, unknown=unknown)
        if found:
            return found
    return None


def _unnamed(place: Path, named: Sequence[Path]) -> str:
    """What a manifest that lost some of its lines leaves out; "" where it is whole. Valkey would start without that.
    An empty increment, and a further base, may be left by a server that ended before it named them."""
    names = [file.name for file in named]
    bases, increments = _numbered(place)
    last = max((number for number, name in increments if name in names), default=0)
    if bases and not any(name in names for _, name in bases):
        return f"does not name the base {bases[0][1]}, which is there"
    for number, name in increments:
        file = place / name
        if name not in names and (number == last + 1 or not last) and file.exists() and file.stat().st_size:
            return f"does not name {name}, which is there and has writes in it"
    return ""


def _without_manifest(env: Environment) -> Fault | None:
    place = files(env)
    there = sorted(place.glob("appendonly.aof.*")) if place.is_dir() else []
    if there:
        text = f"{MANIFEST} is missing, but there are {len(there)} files of a store, which Valkey would overwrite"
        return Fault(text, place / MANIFEST, _manifest(place))
    if mark(env).exists():
        text = f"there was a store here before, and its folder {place} is missing or empty"
        return Fault(f"{text}; to start with an empty store on purpose, delete {mark(env)}", place, Mend.NONE)
    return None


def _manifest(place: Path) -> Mend:
    return Mend.MANIFEST if rebuilt(place) else Mend.NONE


def listed(manifest: Path) -> Sequence[Path]:
    """The files that are loaded, in order; none where the manifest cannot be read, or Valkey would not take it."""
    text = manifest.read_text(encoding="utf-8", errors="replace")
    found = []
    for line in text.splitlines():
        match = _LINE.match(line)
        if not match and not line.startswith("#"):
            return ()
        if match and match[3] != "h":
            found.append((match[3], int(match[2]), manifest.with_name(match[1])))
    numbers = [number for kind, number, _ in found if kind == "i"]
    right = all(one < after for one, after in pairwise(numbers)) and len(found) - len(numbers) <= 1
    return [file for _, _, file in sorted(found)] if right and text.endswith("\n") else ()


def rebuilt(place: Path) -> str:
    """A manifest for the files that are there, or "" where it is not clear which of them belong to it."""
    bases, increments = _numbered(place)
    numbers = [number for number, _ in increments]
    if len(bases) != 1 or not numbers or numbers != list(range(numbers[0], numbers[0] + len(numbers))):
        return ""
    # One that is older than the base is in it already.
    if len(numbers) > 1 and numbers[0] != bases[0][0]:
        return ""
    lines = [(bases[0], "b"), *((one, "i") for one in increments)]
    return "".join(f"file {name} seq {number} type {kind}\n" for (number, name), kind in lines)


def _numbered(place: Path) -> tuple[list[tuple[int, str]], list[tuple[int, str]]]:
    """Numbers and names of the bases, and of the increments, that are there."""
    bases: list[tuple[int, str]] = []
    increments: list[tuple[int, str]] = []
    for file in place.iterdir():
        if match := _FILE.fullmatch(file.name):
            (bases if match[2] == "base" else increments).append((int(match[1]), file.name))
    return sorted(bases), sorted(increments)


def _looked_into(file: Path, *, last: bool, thorough: bool, unknown: Sequence[str]) -> Fault | None:
    size = file.stat().st_size
    if size == 0:
        return None if file.suffix == ".aof" else Fault(f"the base {file.name} is empty", file, Mend.NONE)
    with file.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:
        if ".incr." not in file.name and (data[:6].startswith(_SNAPSHOT) or file.suffix == ".rdb"):
            return _snapshot(file, data, thorough=thorough)
        if not thorough and data[-2:] == b"\r\n":
            return None
        found = walk(data, unknown)
        if found.end == size:
            return None
        # What was being written when the machine stopped: the beginning of a command, or room that was never filled.
        if last and not _COMMAND.search(data, found.at + 1):
            text = f"{file.name} ends within a write; the last {size - found.end:,} bytes were never acknowledged"
            if found.cut or only_nuls(data, found.at):
                return Fault(text, file, Mend.TAIL, found.end)
    text = f"{file.name} is damaged at byte {found.at:,} of {size:,}; complete writes end at byte {found.end:,}"
    return Fault(text, file, Mend.CUT, found.end)


def _snapshot(file: Path, data: bytes | mmap.mmap, *, thorough: bool) -> Fault | None:
    whole = data[:6].startswith(_SNAPSHOT) and len(data) > 16 and data[-9] == 0xFF
    if not whole:
        return Fault(f"the base {file.name} is cut off or damaged", file, Mend.NONE)
    if thorough and not checksum_is_right(data):  # some seconds for 10 MB
        return Fault(f"the base {file.name} is damaged: its checksum is wrong", file, Mend.NONE)
    return None


def last_words(env: Environment) -> str:
    """Why Valkey ended when it was last started, in its own words; "" where it ended as it should, or runs."""
    try:
        text = (folder(env) / LOG).read_bytes()[-8192:].decode(errors="replace")
    except OSError:
        return ""
    said = [line.partition("# ")[2].strip() or line.strip() for line in text.splitlines() if not _USUAL.search(line)]
    return " · ".join([_WRITTEN.sub("", line) for line in said if line][-3:])


def failed_to_load(words: str) -> bool:
    return bool(_FATAL.search(words))
