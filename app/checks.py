"""Whether connectors can deliver: one built from the settings, and what its own check finds."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import structlog

from connectors import registry
from connectors.base import Connector, Finding
from core.errors import DeliveryError, NotFound
from core.settings import Settings

log = structlog.get_logger(__name__)


def connector(settings: Settings, name: str, data_dir: Path) -> Connector[Any]:
    """One connector of the configuration, enabled or not. Raises NotFound."""
    if name not in settings.connectors:
        raise NotFound(f"there is no connector '{name}'; there are {', '.join(settings.connectors) or 'none'}")
    return registry.find(settings.connectors[name].type)(name, settings.connectors[name], data_dir)


def findings(checked: Connector[Any]) -> Iterator[Finding]:
    """What a check finds; an error of the vendor's is one finding more, and the last. Only reads, there and here."""
    with checked.attempt():
        try:
            yield from checked.check()
        except DeliveryError as error:
            yield Finding(False, checked.mask(str(error)), "look at the credentials and the address in the config")
        except Exception as error:  # a bug of the connector's, which may be anybody's, is a finding too
            log.exception("bug in a connector's check", connector=checked.name)
            text = checked.mask(f"bug in this connector's check: {type(error).__name__}: {error}")
            yield Finding(False, text, "tell whoever wrote the connector; the log says where")
