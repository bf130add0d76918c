"""Whether connectors can deliver: one built from the settings, and what its own check finds."""

from __future__ import annotations

import traceback
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from connectors import registry
from connectors.kit.connector import Connector, Finding
from core.config.environment import Environment
from core.config.settings import Settings
from core.errors import DeliveryError, Intercepted, NotFound, RetryLater, StoreUnavailable
from core.store import Client, StoredState, connected
from core.wording.sentence import say, to_be_said


def connector(settings: Settings, name: str, env: Environment, client: Client | None = None) -> Connector[Any]:
    """One connector of the configuration, enabled or not. `client` is the store's, if there is one already.
    Raises NotFound."""
    if name not in settings.connectors:
        raise NotFound(f"there is no connector '{name}'; available: {', '.join(settings.connectors) or 'none'}")
    return registry.make(settings, name, env.data_dir, partial(StoredState, client or connected(env)))


#: HTTP status -> what to do about it.
_REMEDIES = {
    401: to_be_said("replace the credentials in relay.yaml"),
    402: to_be_said("check the subscription at the destination"),
    403: to_be_said("give the credentials the missing permissions at the destination"),
    404: to_be_said("check the address in relay.yaml, and that what the settings name still exists"),
    405: to_be_said("check the address in relay.yaml"),
    407: to_be_said("check the proxy of this machine"),
    410: to_be_said("check the address in relay.yaml"),
    429: to_be_said("wait, then check again; if this lasts, set a lower rate in relay.yaml"),
    # SMTP's (RFC 4954, RFC 5321); HTTP has none of these.
    530: to_be_said("add user and password to relay.yaml"),
    534: to_be_said("allow logins with a password for this user at the mail server, or use another server"),
    535: to_be_said("replace user and password in relay.yaml"),
    550: to_be_said("check in relay.yaml that this login may send for from_address, and that every recipient exists"),
    553: to_be_said("check in relay.yaml that this login may send for from_address"),
}


def remedy(error: DeliveryError) -> str:
    """What to do, by the cause."""
    if isinstance(error, Intercepted):
        return say("ask the operator of that firewall or proxy to allow Relay")
    if error.status in _REMEDIES:
        return say(_REMEDIES[error.status])
    if isinstance(error, RetryLater):
        return say("try again later") if error.status else say("check the address in relay.yaml, or try again later")
    return say("check the address and the settings in relay.yaml")


def findings(checked: Connector[Any]) -> Iterator[Finding]:
    """What a check finds; an error of the vendor's is one finding more, and the last. Only reads, there and here."""
    with checked.attempt():
        try:
            yield from checked.check()
        except DeliveryError as error:
            yield Finding(False, checked.mask(str(error)), remedy(error))
        except StoreUnavailable as error:
            text = say("the store, which holds the access token, is unavailable: %(error)s", error=str(error))
            yield Finding(False, text, say("start Relay or its store, then check again"))
        except Exception as error:  # noqa: BLE001  # a bug of the connector's, which may be anybody's, is a finding too
            frame = traceback.extract_tb(error.__traceback__)[-1]
            text = f"internal error in this check: {type(error).__name__}: {error} ({frame.name}, line {frame.lineno})"
            yield Finding(False, checked.mask(text), say("report it to the author of the connector"))


@dataclass(frozen=True)
class SetUp:
    """What is missing at the destination and can be made there, whether it was, and what went wrong, or ""."""

    missing: Sequence[str]
    made: bool
    error: str = ""


def can_set_up(connector: Connector[Any]) -> bool:
    """Whether it knows of anything that can be made at the destination."""
    return type(connector).setup is not Connector.setup


def set_up(connector: Connector[Any], *, make: bool) -> SetUp:
    """Look for what is missing, and make it if wished."""
    missing: list[str] = []
    made = False
    with connector.attempt():
        try:
            for change in list(connector.setup()):
                missing.append(change.text)
                if make:
                    change.make()
                    made = True
        except (DeliveryError, StoreUnavailable) as error:
            return SetUp(missing, made, connector.mask(str(error)))
    return SetUp(missing, made)
