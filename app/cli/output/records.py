"""Records as JSON."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import click


def print_json(value: Any) -> None:
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))


def jsonable(record: Any) -> Any:
    """A record of the store as JSON; a body as text, as far as it is any."""

    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        return {name: item.decode(errors="replace") if isinstance(item, bytes) else item for name, item in items}

    return asdict(record, dict_factory=pairs)
