"""The types of connectors as somebody chooses one: what each makes and what must be at hand.

To know it of all types is to load all of them, which takes a second. So it is written down for those that come with
Relay (gallery.json, by `make tables`); those of installed packages, which are few, are loaded.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from app.admin.setting_up.fields import fields
from connectors import registry
from connectors.kit.connector import Connector

GALLERY = Path(__file__).with_name("gallery.json")


@dataclass(frozen=True)
class GalleryType:
    """`needs` are the settings that must be at hand; of those that stand together, one."""

    name: str
    label: str
    makes: str
    needs: Sequence[Sequence[str]]


def gallery() -> list[GalleryType]:
    """All that have a name."""
    written = [GalleryType(**one) for one in json.loads(GALLERY.read_text(encoding="utf-8"))]
    return [*(shown_type(name, one) for name, one in registry.installed_types().items()), *written]


def written_gallery() -> str:
    """What gallery.json ought to be."""
    names = sorted([*registry.BUILT_IN, *registry.recipes()])
    lines = [json.dumps(asdict(shown_type(name, registry.find(name))), ensure_ascii=False) for name in names]
    return "[\n" + ",\n".join(lines) + "\n]\n"


def shown_type(name: str, connector: type[Connector[Any]]) -> GalleryType:
    return GalleryType(name, connector.label, connector.makes, [*_needs(connector)])


def _needs(connector: type[Connector[Any]]) -> Iterator[list[str]]:
    """The settings without a default; or one of the secrets, where none of them must be."""
    found = fields(connector.settings_model)
    yield from ([one.name] for one in found if one.required)
    if not any(one.required and one.hidden for one in found) and (secrets := [one.name for one in found if one.hidden]):
        yield secrets
