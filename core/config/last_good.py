"""The configuration that was last in force, kept in the data folder.

A receiver or a worker that is restarted while relay.yaml is broken, half-written or gone goes on with that, as one
does that was running all the time. Kept are relay.yaml and the files of its secrets as they were read, for the relay's
user alone, and sealed where there are encryption keys. What is taken from the environment is not kept.
"""

from __future__ import annotations

import base64
import json
import os
import secrets
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import structlog

from core.config.environment import Environment
from core.errors import StoreUnsafe
from core.store.connection.encryption import Vault

log = structlog.get_logger(__name__)

_NAME = "last-good-config"


class LastGood:
    """Nothing here is ever needed: what cannot be written or read is left out."""

    def __init__(self, env: Environment) -> None:
        self._file = env.data_dir / _NAME
        self._config = env.config
        self._vault = Vault([key.get_secret_value() for key in env.encryption_keys])

    def keep(self, contents: Mapping[Path, bytes]) -> None:
        """These files are in force from now on."""
        if self._config not in contents:  # the built-in configuration needs no file
            return
        kept = {str(file): base64.b64encode(content).decode() for file, content in contents.items()}
        draft = self._file.with_name(f"{_NAME}.{secrets.token_hex(4)}")
        try:
            self._file.parent.mkdir(mode=0o700, exist_ok=True)
            if self.contents() == contents and not self._vault.would_seal_anew(self._file.read_bytes()):
                return
            with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(self._vault.seal(json.dumps(kept).encode()))
                file.flush()
                os.fsync(file.fileno())
            draft.replace(self._file)
        except OSError as error:
            with suppress(OSError):
                draft.unlink()
            log.debug("the configuration cannot be kept for a restart", error=str(error))

    def contents(self) -> Mapping[Path, bytes]:
        """The files that were last in force; none where nothing was kept, or for another relay.yaml."""
        try:
            kept = json.loads(self._vault.open(self._file.read_bytes()))
            found = {Path(name): base64.b64decode(content) for name, content in kept.items()}
        except (OSError, ValueError, AttributeError, TypeError, StoreUnsafe):
            return {}
        return found if self._config in found else {}
