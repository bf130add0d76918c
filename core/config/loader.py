"""Read relay.yaml and check it. Every problem is reported at once.

The settings of one connector are that connector's own model, which the caller looks up (`models`), because nothing in
core knows a vendor.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, SecretStr, ValidationError

from core.config import former_names, yaml_file
from core.config.environment import Environment
from core.config.mistakes.files import file_mistake
from core.config.mistakes.model import KeyPath
from core.config.mistakes.values import SECTION, SECTIONS, did_you_mean, value_mistakes
from core.config.settings import ConnectorSettings, Document, Route, Settings, connector_name
from core.config.sources import dotenv_file
from core.config.sources.plain_file import contents
from core.config.sources.references import References
from core.config.sources.secret_store import SecretStore
from core.config.values import ValueSettings
from core.config.yaml_file import ConfigFile
from core.errors import ConfigError, Problem

#: Looks up the settings model of a connector's `type`. Raises LookupError, with what to type, when there is none.
Models = Callable[[str], type[ConnectorSettings]]

#: What runs when no file was written yet: every chat is kept as a file.
BUILT_IN_YAML = "connectors:\n  archive:\n    type: archive\n"


def load(
    env: Environment,
    models: Models,
    variables: Mapping[str, str],
    read: Callable[[Path], bytes] = contents,
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
        text, source = BUILT_IN_YAML, "built-in configuration"
    except (OSError, ValueError) as error:
        raise ConfigError(source, [Problem("", f"cannot be read: {file_mistake(error)}")]) from None
    found = dotenv_file.with_file(env.config, variables, read)
    references = References(found, env.config.parent, read, SecretStore(env, read))
    file = yaml_file.read(text, source, references.fill)
    document = _validated(Document, file.values, (), file)
    connectors = _connectors(file, models)
    routes = _routes(document, connectors, file)
    if document and document.notices and "alerts" in document.model_fields_set:
        file.problem(("notices",), "is now called alerts, which is there too; keep one of them, as alerts")
    if file.problems or document is None:
        raise ConfigError(source, sorted(file.problems, key=lambda problem: problem.line))
    return Settings(
        source=source,
        tokens=(*env.tokens, *document.tokens, *document.source.tokens()),
        connectors=connectors,
        routes=routes,
        fingerprints={name: _fingerprint(connector) for name, connector in connectors.items()},
        files=(env.config, *file.secret_files),
        retention=document.retention,
        alerts=document.notices or document.alerts,
        business_hours=document.business_hours,
        redact=document.redact,
        values=ValueSettings.of(document),
        public_url=env.public_url,
        accounts=document.source.named() if "source" in document.model_fields_set else {},
        renamed=("notices",) if document.notices else (),
    )


def _connectors(file: ConfigFile, models: Models) -> dict[str, ConnectorSettings]:
    section = file.values.get("connectors") if isinstance(file.values, dict) else None
    found: dict[str, ConnectorSettings] = {}
    for name, values in (section or {}).items() if isinstance(section, dict) else ():
        path: KeyPath = ("connectors", name)
        if name in SECTIONS and not (isinstance(values, dict) and "type" in values):
            file.problem(path, SECTION)
            continue
        try:
            connector_name(name)
        except ValueError as error:
            file.problem(path, str(error))
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
    former_names.check_former_names(found, section if isinstance(section, dict) else {}, file.problem)
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
            hint = did_you_mean(name, known) or "; add it under connectors"
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
        return model.model_validate(values, context=file.values if isinstance(file.values, dict) else None)
    except ValidationError as error:
        for below, text in value_mistakes(error, model, values):
            file.problem((*path, *below), text)
        return None


def _fingerprint(connector: ConnectorSettings) -> str:
    """Changes when any setting does that the destination could notice, secrets included, and gives none away."""

    def plain(value: Any) -> str:
        return value.get_secret_value() if isinstance(value, SecretStr) else str(value)

    text = json.dumps(connector.model_dump(exclude={"formerly"}), default=plain, sort_keys=True)
    return hmac.new(b"connector settings", text.encode(), hashlib.sha256).hexdigest()[:16]
