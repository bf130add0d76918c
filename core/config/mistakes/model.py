"""What a model of the settings has at a path: a setting, the names that may stand there, and if it holds a secret."""

from __future__ import annotations

from typing import Any, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

#: Where something stands in the file: the keys and indices that lead to it.
KeyPath = tuple[str | int, ...]


def setting_at(model: Any, path: KeyPath) -> FieldInfo | None:
    """The setting at `path` below a model; of an item of a list, the list."""
    found = None
    for part in path:
        fields = _fields(model)
        if str(part) in fields:
            found = fields[str(part)]
            model = found.annotation
        elif not isinstance(part, int):
            return None
    return found


def _fields(model: Any) -> dict[str, FieldInfo]:
    if isinstance(model, type) and issubclass(model, BaseModel):
        return {field.alias or name: field for name, field in model.model_fields.items()}
    inside = get_args(model)
    return {name: field for part in inside for name, field in _fields(part).items()} if get_origin(model) else {}


def keys_at(model: Any, path: KeyPath) -> tuple[str, ...]:
    """What may stand at `path` below a model."""
    for part in path:
        fields = _fields(model)
        if str(part) in fields:
            model = fields[str(part)].annotation
    return tuple(_fields(model))


def holds(annotation: Any, kind: type) -> bool:
    if isinstance(annotation, type) and issubclass(annotation, kind):
        return True
    return any(holds(part, kind) for part in get_args(annotation))
