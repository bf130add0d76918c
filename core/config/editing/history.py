"""The versions of relay.yaml that the door has written, with who and when: in the data folder, for the relay's user
alone, and sealed where there are encryption keys, as a file may hold what is secret."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from core.config import private_file
from core.config.environment import Environment
from core.encryption import Vault
from core.errors import StoreUnsafe

#: In RELAY_DATA_DIR.
FOLDER = "config-history"
#: So many of the newest are kept.
KEPT_VERSIONS = 200
_PENDING = ".pending"
_DIGITS = 6


@dataclass(frozen=True)
class Version:
    """A change that was saved: when (ms), by whom, what it was, and the whole file before and after it; `before` is
    None where there was no file."""

    number: int
    at: int
    by: str
    what: str
    before: bytes | None
    after: bytes


class History:
    """An entry is written before the file, under another name, and gets its own when the file is there: whoever is
    killed in between leaves what tells the next one which of the two happened."""

    def __init__(self, env: Environment) -> None:
        self._folder = env.data_dir / FOLDER
        self._vault = Vault([key.get_secret_value() for key in env.encryption_keys])

    def versions(self) -> Iterator[Version]:
        """The newest first. Those that cannot be read any more are left out."""
        for file in sorted(self._files(""), reverse=True):
            if version := self._read(file):
                yield version

    def version(self, number: int) -> Version | None:
        return self._read(self._file(number))

    def wrote(self, content: bytes) -> bool:
        """Whether this is what the door wrote last: then it is whole, whatever it looks like."""
        newest = max([*self._files(""), *self._files(_PENDING)], key=lambda file: file.name, default=None)
        version = self._read(newest) if newest else None
        return version is not None and version.after == content

    def begin(self, by: str, what: str, before: bytes | None, after: bytes) -> int:
        """What is about to be written. Returns its number. Raises OSError."""
        number = max((int(file.name[:_DIGITS]) for file in self._files("*")), default=0) + 1
        told = {
            "number": number,
            "at": round(time.time() * 1000),
            "by": by,
            "what": what,
            "before": None if before is None else before.decode("utf-8", "surrogateescape"),
            "after": after.decode("utf-8", "surrogateescape"),
        }
        private_file.write(self._file(number, _PENDING), self._vault.seal(json.dumps(told).encode()))
        return number

    def finish(self, number: int) -> None:
        """It was written. Raises OSError."""
        self._file(number, _PENDING).replace(self._file(number))
        for file in sorted(self._files(""))[:-KEPT_VERSIONS]:
            with suppress(OSError):
                file.unlink()

    def abandon(self, number: int) -> None:
        """It was not."""
        with suppress(OSError):
            self._file(number, _PENDING).unlink()

    def settle(self, content: bytes | None) -> None:
        """Bring to an end what a process that was killed left behind; `content` is what the file has now."""
        for file in sorted(self._files(_PENDING)):
            version = self._read(file)
            if version and version.after == content:
                self.finish(version.number)
            else:
                file.unlink(missing_ok=True)
        for draft in self._files(f"{_PENDING}.*"):
            draft.unlink(missing_ok=True)

    def _files(self, suffix: str) -> Iterator[Path]:
        return self._folder.glob("[0-9]" * _DIGITS + suffix)

    def _file(self, number: int, suffix: str = "") -> Path:
        return self._folder / f"{number:0{_DIGITS}}{suffix}"

    def _read(self, file: Path) -> Version | None:
        try:
            told = json.loads(self._vault.open(file.read_bytes()))
            before = told["before"]
            return Version(
                number=int(told["number"]),
                at=int(told["at"]),
                by=str(told["by"]),
                what=str(told["what"]),
                before=None if before is None else before.encode("utf-8", "surrogateescape"),
                after=told["after"].encode("utf-8", "surrogateescape"),
            )
        except (OSError, ValueError, LookupError, TypeError, AttributeError, StoreUnsafe):
            return None
