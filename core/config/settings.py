"""Settings: what we accept and what we deliver to, from the YAML file. Every problem is reported at once.

The file's shape is here; the settings of one connector are that connector's own model, which the caller looks up
(`models`), because nothing in core knows a vendor.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, Field, PrivateAttr, SecretStr, ValidationError

from core.config import former_names, mistakes, yaml_file
from core.config.alerts import Alerts
from core.config.environment import Environment, Strict, Token
from core.config.mistakes import KeyPath
from core.config.yaml_file import ConfigFile
from core.errors import ConfigError, Problem
from core.templates.language import Condition, condition, wording

#: The lane of bodies that no worker has read yet.
RESERVED = "inbox"
_CONNECTOR_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
_NAMED = f"a name has at most 63 lower-case letters, digits, '-' and '_', and is not '{RESERVED}'"


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


def _connector_name(name: str) -> str:
    if not _CONNECTOR_NAME.fullmatch(name) or name == RESERVED:
        raise ValueError(_NAMED)
    return name


class ConnectorSettings(Strict):
    """What every connector has. A connector's own settings are a subclass."""

    type: str = Field(description="The type of connector: a built-in name, or the dotted path of a class.")
    enabled: bool = Field(default=True, description="false: nothing is sent to it; its deliveries stay queued.")
    concurrency: int | None = Field(
        default=None,
        gt=0,
        description="Deliveries at the same time, over all workers; null: as many as there are threads.",
    )
    rate: float | None = Field(
        default=None,
        gt=0,
        description="Requests a second, over all workers, with bursts of one second's worth; null: no limit.",
    )
    formerly: tuple[Annotated[str, AfterValidator(_connector_name)], ...] = Field(
        default=(),
        description="Earlier names of this connector, the oldest first: its deliveries and records continue under it.",
    )

    def doubts(self) -> Iterator[tuple[str, str]]:
        """What will not work for ever, though it does today: a text and what to do."""
        yield from ()


class Route(Strict):
    """Conversations for which `when` is true go to the connectors in `to`. Every route is asked."""

    to: list[str] = Field(description="Names of connectors; []: these chats are excluded on purpose.")
    when: Expression = Field(default="true", description="A Jinja expression over conversation and visitor.")
    _applies: Condition = PrivateAttr()

    def model_post_init(self, _: Any) -> None:
        # Kept here: a cache of compiled expressions that 10,000 routes overflow would compile all for each chat.
        self._applies = condition(self.when)

    def __reduce__(self) -> tuple[Any, ...]:
        # What was compiled is compiled anew where a copy is read: a worker hands its settings to a process of its own.
        return type(self).model_validate, (self.model_dump(),)

    @property
    def applies(self) -> Condition:
        return self._applies


class Retention(Strict):
    """How long the store keeps what is done with. What was delivered stays at its destination."""

    settled_days: float | None = Field(
        default=30,
        gt=0,
        le=36_500,
        description="Days after which delivered, skipped and discarded chats are removed; null: never.",
    )
    dead_days: float | None = Field(
        default=None,
        gt=0,
        le=36_500,
        description="The same for dead letters and quarantined payloads; null: never.",
    )


class Document(Strict):
    """The whole file."""

    tokens: tuple[Token, ...] = ()
    connectors: dict[str, dict[str, Any]] = Field(default_factory=dict)
    routes: list[Route] | None = Field(
        default=None, description="Without this section everything goes to every enabled connector."
    )
    retention: Retention = Retention()
    alerts: Alerts = Alerts()
    notices: Alerts | None = Field(
        default=None,
        description="What `alerts` was called in version 0.1; it goes with 0.3.",
        json_schema_extra={"deprecated": True},
    )


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
    alerts: Alerts = field(default_factory=Alerts)
    #: Sections of the file that have another name by now.
    renamed: tuple[str, ...] = ()

    @property
    def renames(self) -> dict[str, str]:
        """Every earlier name of a connector -> its name."""
        return former_names.renames(self.connectors)

    @property
    def enabled(self) -> tuple[str, ...]:
        return tuple(name for name, connector in self.connectors.items() if connector.enabled)

    def conditions(self) -> list[tuple[Condition, tuple[str, ...]]]:
        return [(route.applies, tuple(route.to)) for route in self.routes]


#: Looks up the settings model of a connector's `type`. Raises LookupError, with what to type, when there is none.
Models = Callable[[str], type[ConnectorSettings]]

#: What runs when no file was written yet: every chat is kept as a file.
BUILT_IN = "connectors:\n  archive:\n    type: archive\n"


def load(
    env: Environment,
    models: Models,
    variables: Mapping[str, str],
    read: Callable[[Path], bytes] = Path.read_bytes,
) -> Settings:
    """Read and check the file. Raises ConfigError with every problem at once.

    A missing file is the built-in configuration, unless RELAY_CONFIG named it; an empty one is a mistake. `read` is
    asked for every file, and raises OSError.
    """
    source = str(env.config)
    try:
        text = yaml_file.decoded(read(env.config), source)
    except FileNotFoundError:
        if env.config_required:
            problem = Problem("", "does not exist. RELAY_CONFIG names it: correct the path, or create the file")
            raise ConfigError(source, [problem]) from None
        text, source = BUILT_IN, "built-in configuration"
    except (OSError, ValueError) as error:
        raise ConfigError(source, [Problem("", f"cannot be read: {mistakes.of_file(error)}")]) from None
    file = yaml_file.read(text, source, variables, env.config.parent, read)
    document = _validated(Document, file.values, (), file)
    connectors = _connectors(file, models)
    routes = _routes(document, connectors, file)
    if document and document.notices and "alerts" in document.model_fields_set:
        file.problem(("notices",), "is now called alerts, which is there too; keep one of them, as alerts")
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
        alerts=document.notices or document.alerts,
        renamed=("notices",) if document.notices else (),
    )


def _connectors(file: ConfigFile, models: Models) -> dict[str, ConnectorSettings]:
    section = file.values.get("connectors") if isinstance(file.values, dict) else None
    found: dict[str, ConnectorSettings] = {}
    for name, values in (section or {}).items() if isinstance(section, dict) else ():
        path: KeyPath = ("connectors", name)
        if name in mistakes.SECTIONS and not (isinstance(values, dict) and "type" in values):
            file.problem(path, mistakes.SECTION)
            continue
        if not _CONNECTOR_NAME.fullmatch(name) or name == RESERVED:
            file.problem(path, _NAMED)
            continue
        if not isinstance(values, dict):
            continue  # Document has said so
        if not isinstance(values.get("type"), str):
            file.problem((*path, "type"), f"is missing; write type: {_type_named(name, models)}")
            continue
        try:
            model = models(values["type"])
        except LookupError as error:
            file.problem((*path, "type"), str(error.args[0]))
            continue
        settings = _validated(model, values, path, file)
        if settings is not None:
            found[name] = settings
    former_names.check(found, section if isinstance(section, dict) else {}, file.problem)
    return found


def _type_named(name: str, models: Models) -> str:
    """The type that is called like a connector, which is what it nearly always is."""
    try:
        models(name)
    except LookupError:
        return "archive, or another type"
    return name


def _routes(
    document: Document | None, connectors: Mapping[str, ConnectorSettings], file: ConfigFile
) -> tuple[Route, ...]:
    # From the plain values: the names are checked even when something else in the file is wrong.
    section = file.values.get("connectors") if isinstance(file.values, dict) else None
    if isinstance(file.values, dict) and file.values.get("routes", ()) is None:
        file.problem(
            ("routes",), "is empty; write '- to: [NAME]' below it, or remove it and everything goes everywhere"
        )
    known = section if isinstance(section, dict) else {}
    renamed = former_names.renames(connectors)
    for path, name in _targets(file.values):
        if name in renamed and name not in known:
            file.problem(path, f"'{name}' is called '{renamed[name]}' now; write that")
        elif name not in known:
            hint = mistakes.meant(name, known) or "; add it under connectors"
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
        for below, text in mistakes.of_values(error, model, values):
            file.problem((*path, *below), text)
        return None


def _fingerprint(connector: ConnectorSettings) -> str:
    """Changes when any setting does that the destination could notice, secrets included, and gives none away."""

    def plain(value: Any) -> str:
        return value.get_secret_value() if isinstance(value, SecretStr) else str(value)

    text = json.dumps(connector.model_dump(exclude={"formerly"}), default=plain, sort_keys=True)
    return hmac.new(b"connector settings", text.encode(), hashlib.sha256).hexdigest()[:16]


def masked(settings: Settings) -> dict[str, Any]:
    """The effective configuration for people to read. Secrets stay hidden."""
    return {
        "tokens": [token.model_dump(mode="json", exclude_none=True) for token in settings.tokens],
        "connectors": {name: item.model_dump(mode="json", by_alias=True) for name, item in settings.connectors.items()},
        "routes": [route.model_dump(mode="json") for route in settings.routes],
        "retention": settings.retention.model_dump(mode="json"),
        "alerts": settings.alerts.model_dump(mode="json", by_alias=True),
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
