"""The settings of a connector as fields that a person fills in, made from its settings model."""

from __future__ import annotations

import re
import types
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import yaml
from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from core.config.settings import ConnectorSettings
from core.config.types.duration import duration_text
from core.config.types.templated import TemplateOf

#: What is not asked for: the type is chosen before.
_SETTLED = ("type",)


#: Modules whose settings are those of several types; but what lets us in is filled in first.
_SHARED, _CREDENTIALS = ("core.", "connectors.kit."), ("connectors.kit.auth.", "core.config.types.mail_server")


class FieldKind(StrEnum):
    TEXT = "text"
    SECRET = "secret"  # noqa: S105  # a kind of field
    NUMBER = "number"
    SWITCH = "switch"
    CHOICE = "choice"
    LIST = "list"  # one entry a line
    TABLE = "table"  # one `key: value` a line
    YAML = "yaml"  # settings inside settings


@dataclass(frozen=True)
class SettingField:
    """One setting. `default` is as a person would type it, "" where there is none; `own` whether it is of this type
    alone, and not of every connector; `hidden` whether there is a secret in it, which is written and never shown."""

    name: str
    kind: FieldKind
    about: str
    required: bool
    default: str
    choices: tuple[str, ...] = ()
    nullable: bool = False
    own: bool = True
    hidden: bool = False


def fields(model: type[ConnectorSettings]) -> list[SettingField]:
    """What must be filled in first, then what is of this type alone, then what all have; not what the type refuses."""
    left_out = {*_SETTLED, *model.refused}
    found = [_field(model, name, info) for name, info in model.model_fields.items() if name not in left_out]
    return sorted(
        found, key=lambda one: (not one.required, one.kind is not FieldKind.SECRET and not one.own, not one.own)
    )


def field_value(field: SettingField, text: str) -> Any:
    """What a person typed, as relay.yaml has it. What cannot be read is left as it is, for the loader to refuse. Raises
    ValueError, with what to type."""
    text = text.replace("\r\n", "\n")
    # What has several lines is meant as it is: in YAML it ends with a line end.
    if "\n" not in text or not text.strip() or field.kind in _ON_ONE_LINE:
        text = text.strip()
    if field.nullable and text == "null":
        return None
    if text == _NOTHING.get(field.kind):
        text = ""
    return _READERS.get(field.kind, str)(text)


def field_text(field: SettingField, value: Any) -> str:
    """A value of relay.yaml as a person would type it into the field."""
    if field.kind is FieldKind.YAML:
        return str(yaml.safe_dump(value, allow_unicode=True, sort_keys=False)).removesuffix("...\n").strip()
    if value is None or isinstance(value, bool):
        return {True: "true", False: "false", None: "null" if field.nullable else ""}[value]
    if value in ("", [], {}, ()):
        return _NOTHING.get(field.kind, "")
    if field.kind is FieldKind.LIST and isinstance(value, list | tuple):
        return "\n".join(str(one) for one in value)
    if field.kind is FieldKind.TABLE and isinstance(value, Mapping):
        return "\n".join(f"{key}: {_folded(str(one))}" for key, one in value.items())
    return str(value)


def fitting(field: SettingField, value: Any) -> SettingField:
    """The field for a value that stands in relay.yaml: what cannot be typed as its kind is written as YAML."""
    try:
        fits = field_value(field, field_text(field, value)) == value
    except ValueError:
        fits = False
    return field if fits or field.hidden else replace(field, kind=FieldKind.YAML, choices=())


def _field(model: type[ConnectorSettings], name: str, info: FieldInfo) -> SettingField:
    parts = list(_parts(info.annotation))
    kind, choices = _kind(parts)
    field = SettingField(
        name=name,
        kind=kind,
        about=info.description or "",
        required=info.is_required(),
        default="",
        choices=choices,
        nullable=type(None) in parts,
        own=_is_own(model, name),
        hidden=_holds_secret(info.annotation),
    )
    default = None if info.is_required() or field.hidden else info.get_default(call_default_factory=True)
    if isinstance(default, BaseModel):
        default = default.model_dump(mode="json", by_alias=True)
    if isinstance(default, timedelta):
        default = duration_text(default)
    shown = (
        "" if default in ("", [], {}, ()) or (default is None and not field.nullable) else field_text(field, default)
    )
    return replace(field, default=shown)


def _is_own(model: type[ConnectorSettings], name: str) -> bool:
    """Whether the setting is of this type alone, or lets us in: it is not declared where connectors share the rest."""
    first = next(one for one in reversed(model.__mro__) if name in getattr(one, "model_fields", {}))
    return first.__module__.startswith(_CREDENTIALS) or not first.__module__.startswith(_SHARED)


def _parts(annotation: Any) -> Any:
    """What a value may be: the members of a union, without what only constrains them."""
    origin = get_origin(annotation)
    if origin is Annotated:
        yield from _parts(get_args(annotation)[0])
    elif origin in (Union, types.UnionType):
        for one in get_args(annotation):
            yield from _parts(one)
    else:
        yield annotation


def _kind(parts: list[Any]) -> tuple[FieldKind, tuple[str, ...]]:
    one = next((part for part in parts if part is not type(None)), str)
    origin = get_origin(one)
    if origin is Literal:
        # What may be a template as well cannot be chosen from a list.
        templated = any(get_origin(part) is TemplateOf for part in parts)
        return FieldKind.TEXT if templated else FieldKind.CHOICE, tuple(str(choice) for choice in get_args(one))
    plain = origin or one
    if not isinstance(plain, type):
        return FieldKind.TEXT, ()
    if issubclass(plain, Mapping | list | tuple | set | frozenset) and any(_holds_model(it) for it in get_args(one)):
        return FieldKind.YAML, ()
    for kinds, kind in _KINDS:
        if issubclass(plain, kinds):
            return kind, ()
    return FieldKind.TEXT, ()


#: The first that fits counts: a bool is an int.
_KINDS: tuple[tuple[type | tuple[type, ...], FieldKind], ...] = (
    (SecretStr, FieldKind.SECRET),
    (bool, FieldKind.SWITCH),
    ((int, float), FieldKind.NUMBER),
    ((dict, types.MappingProxyType), FieldKind.TABLE),
    (BaseModel, FieldKind.YAML),
    ((list, tuple, set, frozenset), FieldKind.LIST),
)


def _holds_model(annotation: Any) -> bool:
    return any(
        (isinstance(part, type) and issubclass(part, BaseModel)) or get_origin(part) in (dict, list, tuple)
        for part in _parts(annotation)
    )


def _holds_secret(annotation: Any) -> bool:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return any(_holds_secret(info.annotation) for info in annotation.model_fields.values())
    if isinstance(annotation, type) and issubclass(annotation, SecretStr):
        return True
    return any(_holds_secret(part) for part in get_args(annotation))


def _number(text: str) -> Any:
    if re.fullmatch(r"[-+]?\d{1,15}", text):
        return int(text)
    try:
        return float(text) if re.fullmatch(r"[-+]?\d{1,15}\.\d{1,15}", text) else text
    except ValueError:
        return text


def _switch(text: str) -> Any:
    return {"true": True, "false": False}.get(text.lower(), text)


def _list(text: str) -> list[str]:
    return [line.strip() for line in text.split("\n") if line.strip()]


def _table(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    key = ""
    for line in text.split("\n"):
        if key and line.startswith(_FURTHER):
            found[key] += "\n" + line.removeprefix(_FURTHER)
        elif line.strip():
            key, value = _pair(line)
            if key in found:
                raise ValueError(f"{key} is there twice; keep one of them")
            found[key] = value
    return found


def _folded(value: str) -> str:
    """A text of several lines: all but the first are indented."""
    return value.replace("\n", f"\n{_FURTHER}")


def _pair(line: str) -> tuple[str, str]:
    key, colon, value = line.partition(":")
    if not colon or not key.strip():
        raise ValueError("write one a line, as NAME: VALUE")
    return key.strip(), value.strip()


def _yaml(text: str) -> Any:
    try:
        if not _is_tame(text):
            raise ValueError
        return yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError):
        raise ValueError("cannot be read as YAML; check its indentation, quotes and colons; use no *") from None


def _is_tame(text: str) -> bool:
    """Ten lines of aliases can stand for a gigabyte, and deep brackets take minutes to read."""
    depth = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > _DEEPEST or isinstance(event, yaml.AliasEvent):
            return False
    return True


#: Mappings and lists inside each other; no setting has more than three.
_DEEPEST = 20
#: What stands before the second line of a value, and those after it.
_FURTHER = "  "
#: How somebody types that there is nothing, where an empty field means the default.
_NOTHING: Mapping[FieldKind, str] = {FieldKind.TEXT: '""', FieldKind.LIST: "[]", FieldKind.TABLE: "{}"}
_ON_ONE_LINE = (FieldKind.SECRET, FieldKind.NUMBER, FieldKind.SWITCH, FieldKind.CHOICE)

#: What a kind makes of a text. The others take it as it is.
_READERS: Mapping[FieldKind, Callable[[str], Any]] = {
    FieldKind.NUMBER: _number,
    FieldKind.SWITCH: _switch,
    FieldKind.LIST: _list,
    FieldKind.TABLE: _table,
    FieldKind.YAML: _yaml,
}
