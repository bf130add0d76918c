"""Secrets that relay.yaml names as `${secret:NAME}`: a file in the data folder, for the relay's user alone, and sealed
where there are encryption keys (docs/adr/0019)."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.config import private_file
from core.config.environment import Environment
from core.config.sources.plain_file import contents
from core.encryption import Vault
from core.errors import RelayError, StoreUnsafe

#: In RELAY_DATA_DIR.
FILE = "secrets"
LONGEST = 64 * 1024
_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,127}")


class BadSecret(RelayError):
    """A name or a value that cannot be kept, or a file that cannot be read; the text says what to do."""


@dataclass(frozen=True)
class Kept:
    """A secret without its value: when it was set, in ms, and by whom."""

    name: str
    set_at: int
    by: str


class SecretStore:
    """`read` is asked for the file, and raises OSError."""

    def __init__(self, env: Environment, read: Callable[[Path], bytes] = contents) -> None:
        self.file = env.data_dir / FILE
        self._lock = self.file.with_suffix(".lock")
        self._read = read
        self._vault = Vault([key.get_secret_value() for key in env.encryption_keys])

    def get(self, name: str) -> str | None:
        """Raises BadSecret, OSError."""
        found = self._records().get(name)
        return str(found["value"]) if found else None

    def list(self) -> list[Kept]:
        """By name. Raises BadSecret, OSError."""
        found = sorted(self._records().items())
        return [Kept(name, int(one.get("set_at", 0)), str(one.get("by", ""))) for name, one in found]

    def set(self, values: Mapping[str, str], by: str) -> None:
        """Keep them all, or none. Raises BadSecret, OSError."""
        if values:
            with private_file.locked(self._lock):
                private_file.write(self.file, self.with_values(values, by))

    def remove(self, name: str) -> bool:
        """Whether there was one. Raises BadSecret, OSError."""
        with private_file.locked(self._lock):
            records = self._records()
            if records.pop(name, None) is None:
                return False
            private_file.write(self.file, self._sealed(records))
            return True

    def seal_anew(self) -> None:
        """With the first of today's keys, so that an older one can be taken away. Raises BadSecret, OSError."""
        if self.file.exists() and self._vault.would_seal_anew(self.file.read_bytes()):
            with private_file.locked(self._lock):
                private_file.write(self.file, self._sealed(self._records()))

    def with_values(self, values: Mapping[str, str], by: str) -> bytes:
        """What the file would be with these set. Raises BadSecret, OSError."""
        records = self._records()
        for name, value in values.items():
            _check(name, value)
            records[name] = {"value": value, "set_at": round(time.time() * 1000), "by": by}
        return self._sealed(records)

    def _records(self) -> dict[str, dict[str, Any]]:
        try:
            found = json.loads(self._vault.open(self._read(self.file)))
            # What a later version adds to a secret is kept.
            return {name: dict(one) for name, one in found.items() if "value" in one}
        except FileNotFoundError:
            return {}
        except StoreUnsafe:
            text = f"{self.file} was encrypted with a key that is not in RELAY_ENCRYPTION_KEYS; put the key back"
            raise BadSecret(text) from None
        except (ValueError, AttributeError, TypeError):
            text = f"{self.file} is damaged; restore it from a backup, or remove it and set the secrets again"
            raise BadSecret(text) from None

    def _sealed(self, records: Mapping[str, Mapping[str, Any]]) -> bytes:
        return self._vault.seal(json.dumps(records).encode())


def is_name(text: str) -> bool:
    return bool(_NAME.fullmatch(text))


def _check(name: str, value: str) -> None:
    if not is_name(name):
        text = "a name has at most 128 lower-case letters, digits, '-', '_' and '.', and begins with a letter or digit"
        raise BadSecret(f"{name!r}: {text}")
    if not value.strip():
        raise BadSecret(f"{name}: the secret is empty; type it, or paste it")
    if len(value) > LONGEST or "\0" in value:
        raise BadSecret(f"{name}: a secret has at most {LONGEST:,} characters, and no NUL")
