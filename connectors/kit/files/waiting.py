"""Where files of chats wait until their destination has them: in the data folder, for the relay's user alone.

    chat-files/ACCOUNT/CHANNEL/CONNECTOR/3f9a1c20

Their addresses expire, and a destination may be down for days. They go when the destination has them, when the chat is
skipped, when the visitor is erased, and at last by themselves: of a dead letter or a discarded delivery, which may be
tried again, only then.
"""

from __future__ import annotations

import errno
import os
import shutil
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from core.config.environment import DISK_FILLING
from core.errors import RetryLater
from core.ids import ConversationId

_FOLDER = "chat-files"
#: Folders down to that of a conversation.
_DEPTH = 2
#: Seconds after which a file goes whoever waits for it. A delivery is given up after three days, in which its connector
#: was not paused: one that is paused for longer fetches again what still has an address, and links the rest.
KEPT_SECONDS = 4 * 86_400


class WaitingFiles:
    """Of one conversation; all methods raise OSError."""

    def __init__(self, data_dir: Path, conversation: ConversationId) -> None:
        self._folder = data_dir / _FOLDER / conversation.account / conversation.channel

    def place(self, mark: str, connector: str, *formerly: str) -> Path:
        """Where a connector's file waits: under its name, or under an earlier one where it was put there."""
        places = [self._folder / name / mark for name in (connector, *formerly)]
        return next((one for one in places if one.exists()), places[0])

    def make_sure_of_room(self) -> None:
        """Raises RetryLater where the disk is filling: what else is on it, such as the store, needs the rest."""
        folder = next((one for one in (self._folder, *self._folder.parents) if one.is_dir()), None)
        if folder and shutil.disk_usage(folder).free < DISK_FILLING:
            raise RetryLater(f"less than {DISK_FILLING // 1024**2} MiB are free in {folder}; make room there")

    def files(self, *connectors: str) -> list[Path]:
        """What waits, for connectors or for all."""
        return sorted(one for name in connectors or ("",) for one in _listed(self._folder / name) if one.is_file())

    def empty(self, *connectors: str) -> list[str]:
        """Remove what waits, for connectors or for all. Returns what that was."""
        removed = dict[str, None]()
        for name in connectors or ("",):
            folder = self._folder / name
            # A worker may put a file there at this moment.
            while folder.is_dir():
                removed.update((str(one), None) for one in _listed(folder) if one.is_file())
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


def sweep_files(
    data_dir: Path, now: float | None = None, *, known: Callable[[ConversationId], bool] = lambda _: True
) -> int:
    """Remove what is too old, and what belongs to no conversation that is known: it was erased, maybe by a machine with
    a disk of its own. Returns how many files that were. Raises OSError, and what `known` does."""
    before, count = (time.time() if now is None else now) - KEPT_SECONDS, 0
    folder = data_dir / _FOLDER
    for one in _listed(folder):
        if len(one.relative_to(folder).parts) == _DEPTH:
            conversation = ConversationId.of(one.parent.name, one.name)
            if not known(conversation):
                count += len(WaitingFiles(data_dir, conversation).empty())
    for one in reversed(_listed(folder)):  # what is in a folder before the folder
        with suppress(FileNotFoundError):
            if one.is_dir():
                with suppress(OSError):  # something is in it
                    one.rmdir()
            elif one.stat().st_mtime < before:
                one.unlink()
                count += 1
    return count


def _listed(folder: Path) -> list[Path]:
    """All that is in a folder, and in those in it, in order."""
    found: list[Path] = []
    # Unlike Path.rglob, it takes it well when somebody removes a folder meanwhile.
    for around, folders, files in os.walk(folder):
        found += (Path(around, name) for name in (*folders, *files))
    return sorted(found)
