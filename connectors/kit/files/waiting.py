"""Where files of chats wait until their destination has them: in the data folder, for the relay's user alone.

    chat-files/ACCOUNT/CHANNEL/CONNECTOR/3f9a1c20

Their addresses expire, and a destination may be down for days. They go when the destination has them or will never get
them, when the visitor is erased, and at last by themselves, when no delivery can wait for them any more.
"""

from __future__ import annotations

import errno
import shutil
import time
from contextlib import suppress
from pathlib import Path

from core.ids import ConversationId

_FOLDER = "chat-files"
#: Seconds after which a file goes whoever waits for it: a delivery is given up after three days.
KEPT_SECONDS = 4 * 86_400


class WaitingFiles:
    """Of one conversation; all methods raise OSError."""

    def __init__(self, data_dir: Path, conversation: ConversationId) -> None:
        self._folder = data_dir / _FOLDER / conversation.account / conversation.channel

    def place(self, connector: str, mark: str) -> Path:
        """Where a connector's file waits."""
        return self._folder / connector / mark

    def files(self, connector: str = "") -> list[Path]:
        """What waits, for a connector or for all."""
        return sorted(one for one in (self._folder / connector).rglob("*") if one.is_file())

    def empty(self, connector: str = "") -> list[str]:
        """Remove what waits, for a connector or for all. Returns what that was."""
        folder, removed = self._folder / connector, dict[str, None]()
        # A worker may put a file there at this moment.
        while folder.is_dir():
            removed.update((str(one), None) for one in sorted(folder.rglob("*")) if one.is_file())
            try:
                shutil.rmtree(folder)
            except OSError as error:
                if error.errno not in (errno.ENOENT, errno.ENOTEMPTY):
                    raise
        # The folders around it, as far as nothing else is in them.
        for around in (self._folder, self._folder.parent):
            with suppress(OSError):
                around.rmdir()
        return [*removed]


def sweep_files(data_dir: Path, now: float | None = None) -> int:
    """Remove what is too old. Returns how many files that were. Raises OSError."""
    before, count = (time.time() if now is None else now) - KEPT_SECONDS, 0
    for one in sorted((data_dir / _FOLDER).rglob("*"), reverse=True):  # what is in a folder before the folder
        with suppress(FileNotFoundError):
            if one.is_dir():
                with suppress(OSError):  # something is in it
                    one.rmdir()
            elif one.stat().st_mtime < before:
                one.unlink()
                count += 1
    return count
