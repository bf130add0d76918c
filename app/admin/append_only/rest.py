"""What can still be seen in a store's files that no command mends: counted for whoever must decide what to do."""

from __future__ import annotations

import mmap
import re
from dataclasses import dataclass, field
from pathlib import Path

from app.admin.append_only.commands import walk

_SEEN = re.compile(rb"relay:(raw|delivery):([\w.:~-]+)")


@dataclass
class Rest:
    """Ids of payloads and deliveries whose names can be read in some file, and whole writes after the base. What was
    kept under those names may be damaged."""

    payloads: set[bytes] = field(default_factory=set)
    deliveries: set[bytes] = field(default_factory=set)
    writes: int = 0

    def __str__(self) -> str:
        return (
            f"What can still be seen in the files: {len(self.payloads):,} payloads and {len(self.deliveries):,}"
            f" deliveries by their ids, and {self.writes:,} whole writes after the base"
        )


def rest(place: Path) -> Rest:
    """Raises OSError."""
    found = Rest()
    for file in sorted(place.glob("appendonly.aof.*.aof")) + sorted(place.glob("appendonly.aof.*.rdb")):
        if not file.stat().st_size:
            continue
        with file.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:
            for kind, name in _SEEN.findall(data):
                (found.payloads if kind == b"raw" else found.deliveries).add(name)
            if file.suffix == ".aof" and data[:1] == b"*":
                found.writes += walk(data).writes
    return found
