"""The configuration that was last in force, kept in the data folder.

A receiver or a worker that is restarted while relay.yaml is broken, half-written or gone goes on with that, as one
does that was running all the time. Kept are relay.yaml and the files of its secrets as they were read, for the relay's
user alone, and sealed where there are encryption keys. What is taken from the environment is not kept.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from pathlib import Path

import structlog

from core.config import private_file
from core.config.environment import Environment
from core.encryption import Vault
from core.errors import StoreUnsafe

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
        try:
            if self.contents() == contents and not self._vault.would_seal_anew(self._file.read_bytes()):
                return
            private_file.write(self._file, self._vault.seal(json.dumps(kept).encode()))
        except OSError as error:
            log.debug("the configuration cannot be kept for a restart", error=str(error))

    def contents(self) -> Mapping[Path, bytes]:
        """The files that were last in force; none where nothing was kept, or for another relay.yaml."""
        try:
            kept = json.loads(self._vault.open(self._file.read_bytes()))
            found = {Path(name): base64.b64decode(content) for name, content in kept.items()}
        except (OSError, ValueError, AttributeError, TypeError, StoreUnsafe):
            return {}
        return found if self._config in found else {}
