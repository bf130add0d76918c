"""Which connectors there are: ours, those of installed packages, and any class by its dotted path."""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Callable, Iterator, Mapping
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from connectors.kit.connector import Connector
from connectors.kit.files.settings import FileSettings
from connectors.kit.record import RecordSettings
from core.config import former_names
from core.config.settings import ConnectorSettings, Settings
from core.connector_state import ConnectorState

#: A package announces its connectors under this name in its metadata.
ENTRY_POINTS = "smartsupp_relay.connectors"

#: Imported when it is asked for: a vendor that nobody enabled costs nothing.
BUILT_IN: Mapping[str, str] = {
    "archive": "connectors.archive.Archive",
    "email": "connectors.email.Email",
    "freshdesk": "connectors.freshdesk.Freshdesk",
    "http": "connectors.http.Declared",
    "hubspot": "connectors.hubspot.HubSpot",
    "notify": "connectors.notify.Notify",
    "odoo": "connectors.odoo.Odoo",
    "osticket": "connectors.osticket.OsTicket",
    "pipedrive": "connectors.pipedrive.Pipedrive",
    "request-tracker": "connectors.request_tracker.RequestTracker",
    "slack": "connectors.slack.Slack",
    "teams": "connectors.teams.Teams",
    "webhook": "connectors.webhook.Webhook",
    "zendesk": "connectors.zendesk.Zendesk",
}
#: Where recipes are: a connector in YAML each (connectors/recipes). Imported as the vendors are: when it is asked for.
_RECIPES = "connectors.http.recipe"


def recipes() -> list[str]:
    """The types that are recipes."""
    found: list[str] = importlib.import_module(_RECIPES).recipe_names()
    return found


def find(kind: str) -> type[Connector[Any]]:
    """The class behind a `type`. Raises LookupError that says what to type."""
    if kind in BUILT_IN:
        return _by_path(BUILT_IN[kind])
    if kind in recipes():
        return _checked(importlib.import_module(_RECIPES).load_recipe(kind), kind)
    for entry in entry_points(group=ENTRY_POINTS):
        if entry.name == kind:
            return _checked(entry.load(), kind)
    if "." in kind:
        return _by_path(kind)
    known = known_types()
    near = difflib.get_close_matches(kind, known, n=1)
    hint = f"did you mean '{near[0]}'?" if near else f"there are {', '.join(known)}, and dotted paths of classes"
    raise LookupError(f"there is no connector type '{kind}'; {hint}")


def known_types() -> list[str]:
    """The names of all types that have one; none is loaded for it."""
    return sorted({*BUILT_IN, *recipes(), *(entry.name for entry in entry_points(group=ENTRY_POINTS))})


def types() -> dict[str, type[Connector[Any]]]:
    """Every type with a name of its own."""
    return {**installed_types(), **{name: find(name) for name in (*BUILT_IN, *recipes())}}


def installed_types() -> dict[str, type[Connector[Any]]]:
    """Those that packages bring, and that no type of ours has the name of."""
    ours = {*BUILT_IN, *recipes()}
    others = (entry for entry in entry_points(group=ENTRY_POINTS) if entry.name not in ours)
    return {entry.name: _checked(entry.load(), entry.name) for entry in others}


def named_type(kind: str) -> type[Connector[Any]] | None:
    """The class of a type that has a name of its own, which a dotted path is not."""
    try:
        return None if "." in kind else find(kind)
    except LookupError:
        return None


def settings_model(kind: str) -> type[ConnectorSettings]:
    """The settings of a `type`, for core.config.loader.load. Raises LookupError."""
    return find(kind).settings_model


#: Gives the state that all workers share of a connector, by its name.
States = Callable[[str], ConnectorState]


def build(settings: Settings, data_dir: Path, states: States | None = None) -> dict[str, Connector[Any]]:
    """The enabled connectors, by name."""
    return {name: make(settings, name, data_dir, states) for name in settings.enabled}


def make(settings: Settings, name: str, data_dir: Path, states: States | None = None) -> Connector[Any]:
    """One connector, switched on or not. Without `states` it shares nothing.

    Two that deliver to one account of a vendor would write into each other's records. So the keys of all but the one
    that the configuration names first end with the name under which the connector began; that of the first is what it
    would be alone.
    """
    own = settings.connectors[name]
    own._values = settings.values  # noqa: SLF001  # ours to say
    own._redact = own.redact.within(settings.redact) if own.redact else settings.redact  # noqa: SLF001
    own._public_url = settings.public_url  # noqa: SLF001
    if isinstance(own, FileSettings):
        own._keepers = tuple(_given_all(settings, besides=name))  # noqa: SLF001
    if isinstance(own, RecordSettings):
        same = (
            other
            for other, one in settings.connectors.items()
            if isinstance(one, RecordSettings) and (one.type, one.account) == (own.type, own.account)
        )
        first = former_names.first_name(name, own.formerly)
        own._key_end = "" if next(same) == name else f":{first}"  # noqa: SLF001  # ours to say
        own._hours = settings.business_hours  # noqa: SLF001
    made = find(own.type)(name, own, data_dir)
    if states is not None:
        made.state = states(name)
    return made


def _given_all(settings: Settings, besides: str) -> Iterator[ConnectorSettings]:
    """The other connectors that every chat is brought to: others have the files of some chats only."""
    for name in settings.enabled:
        one = settings.connectors[name]
        routed = any(name in route.to and route.when == "true" for route in settings.routes)
        if name != besides and routed and not one.only and not one.min_visitor_messages:
            yield one


def _by_path(path: str) -> type[Connector[Any]]:
    module, _, name = path.rpartition(".")
    try:
        found = getattr(importlib.import_module(module), name)
    except Exception as error:  # it is somebody else's module, and may fail in every way
        raise LookupError(f"cannot import '{path}': {error or type(error).__name__}") from error
    return _checked(found, path)


def _checked(found: Any, kind: str) -> type[Connector[Any]]:
    if isinstance(found, type) and issubclass(found, Connector):
        return found
    raise LookupError(f"'{kind}' is not a subclass of connectors.kit.connector.Connector")
