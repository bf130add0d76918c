"""Reading what is kept, whichever version kept it.

Two versions that follow each other work on one store at the same time, and going back must be possible
(docs/upgrading.md). So a field that we do not know is left out, one that is not there has its default, and a status or
an outcome that we do not know is shown as it is written.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from enum import StrEnum
from functools import cache
from types import NoneType, UnionType
from typing import Any, TypeVar, Union, cast, get_args, get_origin, get_type_hints

Record = TypeVar("Record")
Word = TypeVar("Word", bound=StrEnum)


def word(kind: type[Word], text: str) -> Word:
    """A status, an outcome. One that another version brought is equal to its text, and to nothing else."""
    try:
        return kind(text)
    except ValueError:
        unknown = str.__new__(kind, text)
        unknown._name_ = unknown._value_ = text
        return unknown


def decoded_hash(row: Mapping[bytes, bytes]) -> dict[str, str]:
    """A hash of the server as text."""
    return {name.decode(): value.decode() for name, value in row.items()}


def from_json(kind: type[Record], text: str | bytes, /, **given: Any) -> Record:
    return from_record(kind, json.loads(text), **given)


def from_record(kind: type[Record], kept: Mapping[str, Any], /, **given: Any) -> Record:
    """A dataclass of what is kept of it, as JSON or as a hash of texts. `given` does not stand in the record."""
    found = {
        name: _read(hint, kept[name])
        for name, hint in _hints(cast(Any, kind)).items()
        if name in kept and name not in given and kept[name] is not None
    }
    for name in _wanted(cast(Any, kind)) - found.keys() - given.keys():
        found[name] = _nothing(_hints(cast(Any, kind))[name])
    return kind(**found, **given)


def _read(hint: Any, value: Any) -> Any:
    origin = get_origin(hint)
    if origin in (Union, UnionType):
        [hint] = [one for one in get_args(hint) if one is not NoneType]
        return _read(hint, value)
    if origin is tuple:
        return tuple(_read(get_args(hint)[0], one) for one in value)
    if isinstance(hint, type) and issubclass(hint, str) and hint is not str:  # a word, or an id
        return word(hint, str(value)) if issubclass(hint, StrEnum) else hint(value)
    if isinstance(hint, type) and is_dataclass(hint):
        return from_record(hint, value)
    if hint in (int, float) and isinstance(value, str):
        return hint(value) if value.lstrip("-").isdecimal() else hint(float(value))
    return value


def _nothing(hint: Any) -> Any:
    """For a field that the other version does not keep and that has no default."""
    if get_origin(hint) in (Union, UnionType):
        return None
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        return word(hint, "")
    return hint() if isinstance(hint, type) and issubclass(hint, int | str | float | bytes) else ""


@cache
def _hints(kind: Any) -> dict[str, Any]:
    hints = get_type_hints(kind)
    return {one.name: hints[one.name] for one in fields(kind) if one.init}


@cache
def _wanted(kind: Any) -> frozenset[str]:
    """Fields without a default."""
    return frozenset(
        one.name for one in fields(kind) if one.init and one.default is MISSING and one.default_factory is MISSING
    )
