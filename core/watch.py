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

Signature = tuple[tuple[Path, int, int, int], ...]


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
        self._settings = load(env, models, variables)
        self._signature = _signature(self._settings.files)
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
        if signature == self._signature:
            return
        self._signature = signature
        try:
            settings = load(self._env, self._models, self._variables)
        except ConfigError as error:
            self.trouble = str(error)
            return
        self.trouble = ""
        self._settings = settings
        self._signature = _signature(settings.files)
        if self._on_change:
            self._on_change(settings)


def _signature(files: tuple[Path, ...]) -> Signature:
    """What changes when a file does: written in place, replaced, or made to point elsewhere, as Kubernetes does."""
    found = []
    for file in files:
        try:
            status = os.stat(file)
            found.append((file, status.st_mtime_ns, status.st_size, status.st_ino))
        except OSError:
            found.append((file, 0, 0, 0))
    return tuple(found)
