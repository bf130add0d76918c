"""The settings of a connector as fields that a person fills in, made from its settings model."""

from __future__ import annotations

import re
import types
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import yaml
from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from connectors.kit.connector import HttpSettings
from connectors.kit.record import RecordSettings
from core.config.settings import ConnectorSettings

#: What is not asked for: the type is chosen before.
_SETTLED = ("type",)


class Kind(StrEnum):
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
    alone, and not of every connector."""

    name: str
    kind: Kind
    about: str
    required: bool
    default: str
    choices: tuple[str, ...] = ()
    nullable: bool = False
    own: bool = True


def fields(model: type[ConnectorSettings]) -> list[SettingField]:
    """What must be filled in first, then what is of this type alone, then what all have."""
    found = [_field(name, info) for name, info in model.model_fields.items() if name not in _SETTLED]
    return sorted(found, key=lambda one: (not one.required, one.kind is not Kind.SECRET and not one.own, not one.own))


def field_value(field: SettingField, text: str) -> Any:
    """What a person typed, as relay.yaml has it. What cannot be read is left as it is, for the loader to refuse. Raises
    ValueError, with what to type."""
    text = text.replace("\r\n", "\n")
    if field.kind not in (Kind.LIST, Kind.TABLE, Kind.YAML):
        text = text.strip()
    if field.nullable and text == "null":
        return None
    return _READERS.get(field.kind, str)(text)


def field_text(field: SettingField, value: Any) -> str:
    """A value of relay.yaml as a person would type it into the field."""
    if value is None:
        return "null" if field.nullable else ""
    if isinstance(value, bool):
        return str(value).lower()
    if field.kind is Kind.LIST and isinstance(value, list | tuple) and not any(isinstance(one, dict) for one in value):
        return "\n".join(str(one) for one in value)
    if field.kind is Kind.TABLE and isinstance(value, Mapping):
        return "\n".join(f"{key}: {one}" for key, one in value.items())
    if isinstance(value, dict | list | tuple):
        return str(yaml.safe_dump(value, allow_unicode=True, sort_keys=False)).strip()
    return str(value)


def _field(name: str, info: FieldInfo) -> SettingField:
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
        own=name not in {*ConnectorSettings.model_fields, *HttpSettings.model_fields, *RecordSettings.model_fields},
    )
    default = None if info.is_required() or kind is Kind.SECRET else info.get_default(call_default_factory=True)
    if isinstance(default, BaseModel):
        default = default.model_dump(mode="json")
    shown = "" if default is None and not field.nullable else field_text(field, default)
    return SettingField(**{**vars(field), "default": shown})


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


def _kind(parts: list[Any]) -> tuple[Kind, tuple[str, ...]]:
    one = next((part for part in parts if part is not type(None)), str)
    origin = get_origin(one)
    if origin is Literal:
        return Kind.CHOICE, tuple(str(choice) for choice in get_args(one))
    plain = origin or one
    if not isinstance(plain, type):
        return Kind.TEXT, ()
    if issubclass(plain, Mapping | list | tuple | set | frozenset) and any(_holds_model(it) for it in get_args(one)):
        return Kind.YAML, ()
    for kinds, kind in _KINDS:
        if issubclass(plain, kinds):
            return kind, ()
    return Kind.TEXT, ()


#: The first that fits counts: a bool is an int.
_KINDS: tuple[tuple[type | tuple[type, ...], Kind], ...] = (
    (SecretStr, Kind.SECRET),
    (bool, Kind.SWITCH),
    ((int, float), Kind.NUMBER),
    ((dict, types.MappingProxyType), Kind.TABLE),
    (BaseModel, Kind.YAML),
    ((list, tuple, set, frozenset), Kind.LIST),
)


def _holds_model(annotation: Any) -> bool:
    return any(
        (isinstance(part, type) and issubclass(part, BaseModel)) or get_origin(part) in (dict, list, tuple)
        for part in _parts(annotation)
    )


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
    return dict(_pair(line) for line in _list(text))


def _pair(line: str) -> tuple[str, str]:
    key, colon, value = line.partition(":")
    if not colon or not key.strip():
        raise ValueError("write one a line, as NAME: VALUE")
    return key.strip(), value.strip()


def _yaml(text: str) -> Any:
    try:
        return yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError):
        raise ValueError("cannot be read as YAML; check its indentation, quotes and colons") from None


#: What a kind makes of a text. The others take it as it is.
_READERS: Mapping[Kind, Callable[[str], Any]] = {
    Kind.NUMBER: _number,
    Kind.SWITCH: _switch,
    Kind.LIST: _list,
    Kind.TABLE: _table,
    Kind.YAML: _yaml,
}
