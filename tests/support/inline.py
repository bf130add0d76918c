"""The pipeline in the test's own process: the real store, the real work of workers, and real connectors."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from app.admin.erasing.erasure import keepers
from connectors import registry
from connectors.kit.connector import Connector
from core.config.environment import environment
from core.config.loader import load
from core.config.settings import Settings
from core.ids import PayloadId
from core.store import INBOX, Claim, Renames, Store
from workers.delivery import deliver
from workers.intake import take_in


class Inline:
    """`settings` and `connectors` of a configuration, and a hand that does what workers do."""

    def __init__(self, store: Store, folder: Path, config: str, data: Path | None = None) -> None:
        self.store, self.data = store, data or folder / "var"
        file = folder / "inline.yaml"
        file.write_text(config)
        env = environment({"RELAY_CONFIG": str(file), "RELAY_DATA_DIR": str(self.data)})
        self.settings: Settings = load(env, registry.settings_model, {})
        self.connectors: Mapping[str, Connector[Any]] = keepers(self.settings, self.data)

    def adopt(self) -> None:
        """What a worker does before its configuration comes into force."""
        names = Renames(self.store._redis)
        names.adopt(self.settings)
        names.finish(60)

    def claim(self, lane: str) -> Claim | None:
        return self.store.claim(lane, secrets.token_hex(8))

    def read(self) -> None:
        """Read what lies in the inbox."""
        while claim := self.claim(INBOX):
            take_in(self.store, [claim], self.settings)

    def deliver(self) -> None:
        """Try everything that is due."""
        for name in self.settings.enabled:
            while claim := self.claim(name):
                deliver(self.store, claim, self.connectors[name], self.settings.fingerprints[name])

    def take(self, *bodies: bytes) -> list[PayloadId]:
        """Accept, read and deliver each; returns the payloads."""
        found = []
        for body in bodies:
            found.append(self.store.accept(body).id)
            self.read()
            self.deliver()
        return found
