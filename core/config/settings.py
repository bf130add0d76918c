"""Settings: what we accept and what we deliver to, from the YAML file. Every problem is reported at once.

The file's shape is here; the settings of one connector are that connector's own model, which the caller looks up
(`models`), because nothing in core knows a vendor.
"""

from __future__ import annotations

import difflib
import hashlib
import hmac
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_args, get_origin

from pydantic import AfterValidator, BaseModel, Field, SecretStr, ValidationError

from core import configfile
from core.configfile import ConfigFile, KeyPath
from core.environment import Environment, Strict, Token
from core.errors import ConfigError, Problem
from core.language import Condition, condition, wording
from core.notices import Notices

#: The lane of bodies that no worker has read yet.
RESERVED = "inbox"
_CONNECTOR_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")


def _expression(source: str) -> str:
    condition(source)
    return source


def _template(source: str) -> str:
    wording(source)
    return source


Expression = Annotated[str, AfterValidator(_expression), Field(json_schema_extra={"format": "jinja-expression"})]


def _html_template(source: str) -> str:
    wording(source, html=True)
    return source


HtmlTemplate = Annotated[
    str, AfterValidator(_html_template), Field(json_schema_extra={"format": "jinja-template, HTML"})
]
Template = Annotated[str, AfterValidator(_template), Field(json_schema_extra={"format": "jinja-template"})]


class ConnectorSettings(Strict):
    """What every connector has. A connector's own settings are a subclass."""

    type: str = Field(description="Which connector: a built-in name, or the dotted path of a class.")
    enabled: bool = Field(default=True, description="false: nothing is sent to it; what waits for it goes on waiting.")
    concurrency: int | None = Field(
        default=None,
        gt=0,
        description="Deliveries at the same time, over all workers; null: as many as there are threads.",
    )
    rate: float | None = Field(
        default=None,
        gt=0,
        description="Requests a second, over all workers, with bursts of one second's worth; null: any.",
    )


class Route(Strict):
    """Conversations for which `when` is true go to the connectors in `to`. Every route is asked."""

    to: list[str] = Field(min_length=1, description="Names of connectors.")
    when: Expression = Field(default="true", description="A Jinja expression over conversation and visitor.")


class Retention(Strict):
    """How long the store keeps what is done with. What was delivered stays at its destination."""

    settled_days: float | None = Field(
        default=30,
        gt=0,
        le=36_500,
        description="Days after which delivered, skipped and discarded conversations go; null: never.",
    )
    dead_days: float | None = Field(
        default=None,
        gt=0,
        le=36_500,
        description="The same for dead deliveries and quarantined bodies; they stay unless it is set.",
    )


class Document(Strict):
    """The whole file."""

    tokens: tuple[Token, ...] = ()
    connectors: dict[str, dict[str, Any]] = Field(default_factory=dict)
    routes: list[Route] | None = Field(
        default=None, description="Without this section everything goes to every enabled connector."
    )
    retention: Retention = Retention()
    notices: Notices = Notices()


@dataclass(frozen=True)
class Settings:
    """A configuration that was read and found right. `connectors` has the disabled ones too."""

    source: str
    tokens: tuple[Token, ...]
    connectors: Mapping[str, ConnectorSettings]
    routes: tuple[Route, ...]
    fingerprints: Mapping[str, str] = field(default_factory=dict, repr=False)
    files: tuple[Path, ...] = ()
    retention: Retention = field(default_factory=Retention)
    notices: Notices = field(default_factory=Notices)

    @property
    def enabled(self) -> tuple[str, ...]:
        return tuple(name for name, connector in self.connectors.items() if connector.enabled)

    def conditions(self) -> list[tuple[Condition, tuple[str, ...]]]:
        return [(condition(route.when), tuple(route.to)) for route in self.routes]


#: Looks up the settings model of a connector's `type`. Raises LookupError, with what to type, when there is none.
Models = Callable[[str], type[ConnectorSettings]]

#: What runs when no file was written yet: every chat is kept as a file.
BUILT_IN = "connectors:\n  archive:\n    type: archive\n"


def load(env: Environment, models: Models, variables: Mapping[str, str]) -> Settings:
    """Read and check the file. Raises ConfigError with every problem at once.

    A missing file is the built-in configuration, unless RELAY_CONFIG named it.
    """
    try:
        text, source = env.config.read_text(encoding="utf-8"), str(env.config)
    except FileNotFoundError:
        if env.config_required:
            raise ConfigError(str(env.config), [Problem("", "no such file; RELAY_CONFIG names it")]) from None
        text, source = BUILT_IN, "built-in configuration"
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(str(env.config), [Problem("", f"cannot be read: {error}")]) from None
    file = configfile.read(text, source, variables, env.config.parent)
    document = _validated(Document, file.values, (), file)
    connectors = _connectors(file, models)
    routes = _routes(document, connectors, file)
    if file.problems or document is None:
        raise ConfigError(source, sorted(file.problems, key=lambda problem: problem.line))
    return Settings(
        source=source,
        tokens=(*env.tokens, *document.tokens),
        connectors=connectors,
        routes=routes,
        fingerprints={name: _fingerprint(connector) for name, connector in connectors.items()},
        files=(env.config, *file.secret_files),
        retention=document.retention,
        notices=document.notices,
    )


def _connectors(file: ConfigFile, models: Models) -> dict[str, ConnectorSettings]:
    section = file.values.get("connectors") if isinstance(file.values, dict) else None
    found: dict[str, ConnectorSettings] = {}
    for name, values in (section or {}).items() if isinstance(section, dict) else ():
        path: KeyPath = ("connectors", name)
        if not _CONNECTOR_NAME.fullmatch(name) or name == RESERVED:
            file.problem(
                path, f"a name is small letters, digits, '-' and '_', at most 63 of them, and not '{RESERVED}'"
            )
            continue
        if not isinstance(values, dict):
            continue  # Document has said so
        if not isinstance(values.get("type"), str):
            file.problem((*path, "type"), "is missing; write, for one, type: archive")
            continue
        try:
            model = models(values["type"])
        except LookupError as error:
            file.problem((*path, "type"), str(error.args[0]))
            continue
        settings = _validated(model, values, path, file)
        if settings is not None:
            found[name] = settings
    return found


def _routes(document: Document | None, connectors: Mapping[str, Any], file: ConfigFile) -> tuple[Route, ...]:
    # From the plain values: the names are checked even when something else in the file is wrong.
    section = file.values.get("connectors") if isinstance(file.values, dict) else None
    if isinstance(file.values, dict) and file.values.get("routes", ()) is None:
        file.problem(
            ("routes",), "is empty; write '- to: [NAME]' below it, or remove it and everything goes everywhere"
        )
    known = section if isinstance(section, dict) else {}
    for path, name in _targets(file.values):
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"; did you mean '{near[0]}'?" if near else "; add it under connectors"
            file.problem(path, f"there is no connector '{name}'{hint}")
    if document is None:
        return ()
    if document.routes is None:
        enabled = [name for name, connector in connectors.items() if connector.enabled]
        return (Route(to=enabled),) if enabled else ()
    return tuple(document.routes)


def _targets(values: Any) -> Iterator[tuple[KeyPath, str]]:
    """The names in the routes, and where each stands, as far as they have the shape of routes."""
    routes = values.get("routes") if isinstance(values, dict) else None
    for index, route in enumerate(routes if isinstance(routes, list) else ()):
        names = route.get("to") if isinstance(route, dict) else None
        for position, name in enumerate(names if isinstance(names, list) else ()):
            if isinstance(name, str):
                yield ("routes", index, "to", position), name


Model = TypeVar("Model", bound=BaseModel)


def _validated(model: type[Model], values: Any, path: KeyPath, file: ConfigFile) -> Model | None:
    try:
        return model.model_validate(values)
    except ValidationError as error:
        for detail in error.errors(include_url=False, include_input=False):
            where = (*path, *detail["loc"])
            known = _keys(model, detail["loc"][:-1])
            file.problem(where, _said(detail, str(where[-1]) if where else "", known))
        return None


def _keys(model: Any, path: KeyPath) -> tuple[str, ...]:
    """What may stand at `path` below a model: the names of its fields, or nothing where there is no model."""
    if isinstance(model, type) and issubclass(model, BaseModel):
        if not path:
            return tuple(field.alias or name for name, field in model.model_fields.items())
        found = model.model_fields.get(str(path[0]))
        return _keys(found.annotation, path[1:]) if found else ()
    # A list, a mapping, or one of several: what is inside.
    inside = path[1:] if get_origin(model) in (list, tuple, dict) else path
    return tuple(name for part in get_args(model) for name in _keys(part, inside))


#: What a value of the wrong type ought to be, for people who know YAML better than pydantic.
_WANTED = {
    "string_type": "expected text; put it between quotes",
    "bool_type": "expected true or false",
    "bool_parsing": "expected true or false",
    "list_type": "expected a list: [one, another]",
    "tuple_type": "expected a list: [one, another]",
    "dict_type": "expected keys and values, one a line: 'key: value'",
    "model_type": "expected keys and values, one a line: 'key: value'",
}


def _said(detail: Any, key: str, known: Iterable[str]) -> str:
    """pydantic's finding, as what to type."""
    kind, message = detail["type"], detail["msg"]
    if kind in _WANTED:
        return _WANTED[kind]
    if kind == "extra_forbidden":
        near = difflib.get_close_matches(key, list(known), n=1)
        return f"is not a setting; did you mean '{near[0]}'?" if near else "is not a setting; remove it"
    if kind == "missing":
        return f"is missing; add '{key}: …'"
    return str(message).removeprefix("Value error, ")


def _fingerprint(connector: ConnectorSettings) -> str:
    """Changes when any setting does, secrets included, and gives none of them away."""

    def plain(value: Any) -> str:
        return value.get_secret_value() if isinstance(value, SecretStr) else str(value)

    text = json.dumps(connector.model_dump(), default=plain, sort_keys=True)
    return hmac.new(b"connector settings", text.encode(), hashlib.sha256).hexdigest()[:16]


def masked(settings: Settings) -> dict[str, Any]:
    """The effective configuration for people to read. Secrets stay hidden."""
    return {
        "tokens": [token.model_dump(mode="json", exclude_none=True) for token in settings.tokens],
        "connectors": {name: item.model_dump(mode="json") for name, item in settings.connectors.items()},
        "routes": [route.model_dump(mode="json") for route in settings.routes],
        "retention": settings.retention.model_dump(mode="json"),
        "notices": settings.notices.model_dump(mode="json", by_alias=True),
    }


def schema(types: Mapping[str, type[ConnectorSettings]]) -> dict[str, Any]:
    """The JSON Schema of the file, for an editor, with every known connector's settings."""
    result = Document.model_json_schema()
    result["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    result["title"] = "relay.yaml"
    definitions = result.setdefault("$defs", {})
    choices = []
    for name, model in sorted(types.items()):
        part = model.model_json_schema()
        definitions.update(part.pop("$defs", {}))
        part["properties"]["type"] = {"const": name}
        definitions[f"connector-{name}"] = part
        choices.append({"$ref": f"#/$defs/connector-{name}"})
    dotted = {"type": "object", "required": ["type"], "properties": {"type": {"type": "string", "pattern": "[.]"}}}
    result["properties"]["connectors"]["additionalProperties"] = {"anyOf": [*choices, dotted]}
    return result
