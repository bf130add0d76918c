"""A connector added, changed or removed, with its routes: what that does to relay.yaml."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from core.config.editing.door import Door, Draft
from core.config.editing.yaml_edit import Edit, Put, Remove
from core.config.sources.references import secret_in, to_secret
from core.errors import ConfigError, NotFound, Problem

#: Which chats go to a connector: every chat, those of a condition, or as the file has it.
EVERY, SOME, AS_IT_IS = "every", "some", "as it is"


@dataclass(frozen=True)
class WantedChange:
    """A connector as somebody wants it: its `values` as relay.yaml has them, its `secrets` by setting, which are kept
    outside of the file, and the chats that go there."""

    name: str
    values: Mapping[str, Any]
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    chats: str = EVERY
    when: str = ""


def added(door: Door, wanted: WantedChange, by: str) -> Draft:
    """Raises ConfigError, BadSecret."""
    values = door.values()
    if wanted.name in (values.get("connectors") or {}):
        text = "there is a connector of this name; choose another name, or change that one"
        raise ConfigError("relay.yaml", [Problem(f"connectors.{wanted.name}", text)])
    names = {key: _secret_name(wanted.name, key) for key in wanted.secrets}
    settings = {**wanted.values, **{key: to_secret(name) for key, name in names.items()}}
    return door.draft(
        f"Add {wanted.name}",
        Put(("connectors", wanted.name), settings),
        *_routes_to(values, wanted),
        secrets={names[key]: value for key, value in wanted.secrets.items()},
        by=by,
    )


def altered(door: Door, wanted: WantedChange, by: str) -> Draft:
    """Its settings as wanted: those that are not among them go. A secret that was kept under a name keeps the name.
    Raises NotFound, ConfigError, BadSecret."""
    values = door.values()
    old = _connector(values, wanted.name)
    names = {key: secret_in(old.get(key)) or _secret_name(wanted.name, key) for key in wanted.secrets}
    settings = {**wanted.values, **{key: to_secret(name) for key, name in names.items()}}
    gone = [Remove(("connectors", wanted.name, key)) for key in old if key not in settings]
    put = [
        Put(("connectors", wanted.name, key), value)
        for key, value in settings.items()
        if key not in old or old[key] != value
    ]
    return door.draft(
        f"Change {wanted.name}",
        *put,
        *gone,
        secrets={names[key]: value for key, value in wanted.secrets.items()},
        by=by,
    )


def removed(door: Door, name: str) -> Draft:
    """Without it and its routes; a route that leads elsewhere, too, stays. Raises NotFound, ConfigError."""
    values = door.values()
    _connector(values, name)
    changes: list[Edit] = [Remove(("connectors", name))]
    routes = values.get("routes")
    for index, route in reversed([*enumerate(routes if isinstance(routes, list) else ())]):
        targets = route.get("to") if isinstance(route, dict) else None
        if not isinstance(targets, list) or name not in targets:
            continue
        others = [one for one in targets if one != name]
        changes.append(Put(("routes", index, "to"), others) if others else Remove(("routes", index)))
    return door.draft(f"Remove {name}", *changes)


def _connector(values: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = (values.get("connectors") or {}).get(name)
    if not isinstance(found, dict):
        raise NotFound(f"there is no connector '{name}' in relay.yaml")
    return found


def _routes_to(values: Mapping[str, Any], wanted: WantedChange) -> Sequence[Edit]:
    """Without the section every chat goes everywhere: whoever wants some chats for one needs a route for the others."""
    if wanted.chats == AS_IT_IS:
        return ()
    route: dict[str, Any] = {"to": [wanted.name]}
    if wanted.chats == SOME:
        route["when"] = wanted.when
    routes = values.get("routes")
    if isinstance(routes, list):
        return [Put(("routes", len(routes)), route) if routes else Put(("routes",), [route])]
    if wanted.chats == EVERY:
        return ()
    others = [name for name, one in (values.get("connectors") or {}).items() if _is_on(one)]
    return [Put(("routes",), [*([{"to": others}] if others else []), route])]


def _is_on(connector: Any) -> bool:
    return isinstance(connector, dict) and connector.get("enabled", True) is True


def _secret_name(connector: str, setting: str) -> str:
    return f"{connector}-{setting.replace('_', '-')}"
