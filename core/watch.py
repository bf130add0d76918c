"""The configuration as it is now: a change of the file reaches a running process, a broken change does not."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from core.environment import Environment
from core.errors import ConfigError
from core.settings import Models, Settings, load

#: Seconds between two looks at the files.
PERIOD = 1.0

Signature = dict[Path, tuple[int, int, int]]


class Watched:
    """Settings that follow their file, and the files that it draws secrets from.

    `trouble` is what is wrong with a change that was refused, or "". `on_change` is told of every new Settings.
    """

    def __init__(
        self,
        env: Environment,
        models: Models,
        variables: Mapping[str, str],
        on_change: Callable[[Settings], None] | None = None,
    ) -> None:
        """Raises ConfigError: there is nothing to go on with yet."""
        self._env, self._models, self._variables = env, models, variables
        self._on_change = on_change
        self._lock = threading.Lock()
        self.trouble = ""
        self._signature: Signature = _signature((env.config,))
        self._settings = self._read(self._signature)
        self._looked = time.monotonic()

    def current(self) -> Settings:
        """The settings, after a look at the files if the last one is a second ago."""
        if time.monotonic() - self._looked >= PERIOD and self._lock.acquire(blocking=False):
            try:
                self._looked = time.monotonic()
                self._refresh()
            finally:
                self._lock.release()
        return self._settings

    def _refresh(self) -> None:
        signature = _signature(self._settings.files)
        # In trouble it is always read: what puts it right may be a file that only the refused change names.
        if signature == self._signature and not self.trouble:
            return
        try:
            settings = self._read(signature)
            if self._on_change:
                self._on_change(settings)
        except ConfigError as error:
            self._signature, self.trouble = signature, str(error)
            return
        self.trouble = ""
        self._settings = settings

    def _read(self, before: Signature) -> Settings:
        """Load. What was seen `before` counts as read, so a change that comes meanwhile shows at the next look; files
        that are named for the first time are looked at and everything is read once more."""
        settings = load(self._env, self._models, self._variables)
        if not before.keys() >= set(settings.files):
            return self._read({**_signature(settings.files), **before})
        self._signature = {file: before[file] for file in settings.files}
        return settings


def _signature(files: tuple[Path, ...]) -> Signature:
    """What changes when a file does: written in place, replaced, or made to point elsewhere, as Kubernetes does."""
    found: Signature = {}
    for file in files:
        try:
            status = os.stat(file)
            found[file] = (status.st_mtime_ns, status.st_size, status.st_ino)
        except OSError:
            found[file] = (0, 0, 0)
    return found
