"""What the files of a configuration look like at a moment: compared later is what was read, not what came after it."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Mapping
from pathlib import Path

from core.config.sources.plain_file import contents

#: What a file looks like: when it was written, its size, its inode, and what is in it (None: it cannot be read).
FileState = tuple[int, int, int, bytes | None]
SeenFiles = Mapping[Path, FileState]


class ReadFiles:
    """Reads files, and notes what it saw in each."""

    def __init__(self, read: Callable[[Path], bytes]) -> None:
        self._read = read
        self.seen: dict[Path, FileState] = {}

    def __call__(self, file: Path) -> bytes:
        before = _status(file)
        try:
            content = self._read(file)
        except (OSError, ValueError):
            self.seen[file] = (*before, None)
            raise
        # Of a pipe there is nothing to read a second time.
        self.seen[file] = (*before, content if _plain(file) else None)
        return content


def file_state(file: Path) -> FileState:
    before = _status(file)
    try:
        return (*before, contents(file) if _plain(file) else None)
    except (OSError, ValueError):
        return (*before, None)


def _status(file: Path) -> tuple[int, int, int]:
    try:
        found = os.stat(file)
    except (OSError, ValueError):
        return (0, 0, 0)
    return (found.st_mtime_ns, found.st_size, found.st_ino)


def _plain(file: Path) -> bool:
    try:
        return stat.S_ISREG(os.stat(file).st_mode)
    except (OSError, ValueError):
        return False
