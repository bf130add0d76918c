"""Whether connectors can deliver: one built from the settings, and what its own check finds."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from connectors import registry
from connectors.kit.connector import Connector, Finding
from core.config.settings import Settings
from core.errors import DeliveryError, NotFound


def connector(settings: Settings, name: str, data_dir: Path) -> Connector[Any]:
    """One connector of the configuration, enabled or not. Raises NotFound."""
    if name not in settings.connectors:
        raise NotFound(f"there is no connector '{name}'; available: {', '.join(settings.connectors) or 'none'}")
    return registry.make(settings, name, data_dir)


def findings(checked: Connector[Any]) -> Iterator[Finding]:
    """What a check finds; an error of the vendor's is one finding more, and the last. Only reads, there and here."""
    with checked.attempt():
        try:
            yield from checked.check()
        except DeliveryError as error:
            yield Finding(False, checked.mask(str(error)), "look at the credentials and the address in the config")
        except Exception as error:  # noqa: BLE001  # a bug of the connector's, which may be anybody's, is a finding too
            frame = traceback.extract_tb(error.__traceback__)[-1]
            text = f"internal error in this check: {type(error).__name__}: {error} ({frame.name}, line {frame.lineno})"
            yield Finding(False, checked.mask(text), "report it to the author of the connector")
