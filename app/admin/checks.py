"""Whether connectors can deliver: one built from the settings, and what its own check finds."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from functools import partial
from typing import Any

from connectors import registry
from connectors.kit.connector import Connector, Finding
from core.config.environment import Environment
from core.config.settings import Settings
from core.errors import DeliveryError, NotFound, StoreUnavailable
from core.store import Client, StoredState, connected


def connector(settings: Settings, name: str, env: Environment, client: Client | None = None) -> Connector[Any]:
    """One connector of the configuration, enabled or not. `client` is the store's, if there is one already.
    Raises NotFound."""
    if name not in settings.connectors:
        raise NotFound(f"there is no connector '{name}'; there are {', '.join(settings.connectors) or 'none'}")
    return registry.make(settings, name, env.data_dir, partial(StoredState, client or connected(env)))


def findings(checked: Connector[Any]) -> Iterator[Finding]:
    """What a check finds; an error of the vendor's is one finding more, and the last. Only reads, there and here."""
    with checked.attempt():
        try:
            yield from checked.check()
        except DeliveryError as error:
            yield Finding(False, checked.mask(str(error)), "look at the credentials and the address in the config")
        except StoreUnavailable as error:
            text = f"the store does not answer, and the access token is kept there: {error}"
            yield Finding(False, text, "start the relay, or its server, and check again")
        except Exception as error:  # noqa: BLE001  # a bug of the connector's, which may be anybody's, is a finding too
            frame = traceback.extract_tb(error.__traceback__)[-1]
            text = f"bug in this check: {type(error).__name__}: {error} ({frame.name}, line {frame.lineno})"
            yield Finding(False, checked.mask(text), "tell whoever wrote the connector")
