"""The door to relay.yaml: a change is tried with the real loader, shown as a difference, and written whole or not at
all.

The file stays the truth: what people write by hand and what goes through here is the same file, and neither overwrites
the other unseen. Everything that writes it goes through here (docs/adr/0019).
"""

from __future__ import annotations

import errno
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from core.config import private_file, yaml_file
from core.config.editing import writing
from core.config.editing.difference import difference
from core.config.editing.history import History, Version
from core.config.editing.yaml_edit import Edit, changed, written_values
from core.config.environment import Environment
from core.config.loader import BUILT_IN_YAML, Models, load
from core.config.mistakes.files import file_mistake
from core.config.reload import must_lose_nothing
from core.config.settings import Settings
from core.config.sources.plain_file import contents_again
from core.config.sources.secret_store import SecretStore
from core.errors import ConfigError, NotFound, Problem, RelayError

#: What is written where there was no file: what applies without one.
_FIRST = f"# What is accepted, and where it goes. `relay config check` lists all mistakes.\n\n{BUILT_IN_YAML}"
_BOM = b"\xef\xbb\xbf"


class EditedMeanwhile(RelayError):
    """Somebody has written the file since the difference was made: make a new one, and look at it."""


class CannotWrite(RelayError):
    """The file is not ours to write; the text says why. Its difference is there to be copied."""


@dataclass(frozen=True)
class Draft:
    """A change that the loader takes: the file `before` (None: there is none) and `after`, the settings that it makes,
    and the `difference` for people, without secrets. `secrets` are set when it is saved."""

    what: str
    before: bytes | None
    after: bytes
    settings: Settings
    difference: str
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def fingerprint(self) -> str:
        """Of the file that it was made of."""
        return fingerprint(self.before)


def fingerprint(content: bytes | None) -> str:
    return "none" if content is None else hashlib.sha256(content).hexdigest()[:32]


class Door:
    """`variables` are those of the environment."""

    def __init__(self, env: Environment, models: Models, variables: Mapping[str, str]) -> None:
        self._env, self._models, self._variables = env, models, variables
        self._history, self._secrets = History(env), SecretStore(env)

    def values(self) -> dict[str, Any]:
        """What the file says, or a first one would, as it is written: references are not filled in. Raises
        ConfigError."""
        content = self._content()
        found = written_values(_FIRST if content is None else self._decoded(content), str(self._env.config))
        return found if isinstance(found, dict) else {}

    def draft(self, what: str, *changes: Edit, secrets: Mapping[str, str] = {}, by: str = "") -> Draft:
        """What the changes make of the file. Raises ConfigError, with the loader's own words; BadSecret."""
        before = self._content()
        text = _FIRST if before is None else self._decoded(before)
        after = changed(text, str(self._env.config), *changes).encode()
        return self._tried(what, before, _BOM + after if before and before.startswith(_BOM) else after, secrets, by)

    def restored(self, number: int) -> Draft:
        """What the file was before the version of that number. Raises NotFound, ConfigError."""
        version = self._history.version(number)
        if version is None:
            raise NotFound(f"there is no version {number}")
        if version.before is None:
            raise NotFound(f"there was no file before version {number}; remove it by hand to run without one")
        return self._tried(f"Undo {number}: {version.what}", self._content(), version.before, {}, "")

    def versions(self) -> Iterator[Version]:
        """The newest first."""
        return self._history.versions()

    def obstacle(self, *, even_in_git: bool = False) -> str:
        """Why the file is not ours to write, or ""."""
        return writing.obstacle(self._env.config.resolve(), even_in_git=even_in_git)

    def save(self, draft: Draft, by: str, *, even_in_git: bool = False) -> None:
        """Write it; secrets first, which nobody reads until the file names them.

        Raises EditedMeanwhile, CannotWrite: then the file is as it was; BadSecret.
        """
        if draft.after != draft.before and (obstacle := self.obstacle(even_in_git=even_in_git)):
            raise CannotWrite(obstacle)
        try:
            with private_file.locked(self._env.data_dir / "config.lock"):
                now = self._content()
                self._history.settle(now)
                if fingerprint(now) != draft.fingerprint:
                    raise EditedMeanwhile(f"{self._env.config} was changed meanwhile; look at the new difference")
                self._secrets.set(draft.secrets, by)
                if draft.after == now:
                    return
                number = self._history.begin(by, draft.what, draft.before, draft.after)
                try:
                    writing.replace(self._env.config.resolve(), draft.after)
                except OSError:
                    self._history.abandon(number)
                    raise
                self._history.finish(number)
        except OSError as error:
            # A file that is mounted by itself cannot be replaced.
            mounted = error.errno in (errno.EBUSY, errno.EXDEV)
            why = "it is mounted by itself" if mounted else file_mistake(error)
            raise CannotWrite(f"cannot write {error.filename or self._env.config}: {why}") from None

    def _tried(self, what: str, before: bytes | None, after: bytes, values: Mapping[str, str], by: str) -> Draft:
        old = self._settings(before, {}, by)
        new = self._loaded(after, values, by)
        if old:
            must_lose_nothing(old, new)
        now = "" if before is None else self._decoded(before)
        shown = difference(now, self._decoded(after), self._env.config.name, old, new)
        return Draft(what, before, after, new, shown, values)

    def _settings(self, content: bytes | None, values: Mapping[str, str], by: str) -> Settings | None:
        """None where the file is wrong as it is: a change may be what puts it right."""
        try:
            return self._loaded(BUILT_IN_YAML.encode() if content is None else content, values, by)
        except ConfigError:
            return None

    def _loaded(self, content: bytes, values: Mapping[str, str], by: str) -> Settings:
        def read(file: Path) -> bytes:
            if file == self._env.config:
                return content
            if file == self._secrets.file and values:
                return self._secrets.with_values(values, by)
            return contents_again(file)

        return load(self._env, self._models, self._variables, read)

    def _content(self) -> bytes | None:
        try:
            return contents_again(self._env.config)
        except FileNotFoundError:
            return None
        except OSError as error:
            problem = Problem("", f"cannot be read: {file_mistake(error)}")
            raise ConfigError(str(self._env.config), [problem]) from None

    def _decoded(self, content: bytes) -> str:
        try:
            return yaml_file.decoded(content, str(self._env.config))
        except ValueError as error:
            problem = Problem("", f"cannot be read: {file_mistake(error)}")
            raise ConfigError(str(self._env.config), [problem]) from None
