"""Earlier names of connectors (`formerly`): what the file may say of them. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from core.config.settings import ConnectorSettings

#: Notes what is wrong: where in the file, and what to type.
Note = Callable[[tuple[str | int, ...], str], object]


def renames(connectors: Mapping[str, ConnectorSettings]) -> dict[str, str]:
    """Every earlier name -> the connector that has it."""
    return {old: name for name, one in connectors.items() for old in one.formerly}


def first_name(name: str, formerly: Sequence[str]) -> str:
    """The name under which a connector began. Marks at the destination, and whatever else must stay the same over a
    renaming, are made of that."""
    return formerly[0] if formerly else name


def check_former_names(connectors: Mapping[str, ConnectorSettings], written: Mapping[str, object], note: Note) -> None:
    """`written` are all names under `connectors:`, those with other mistakes too."""
    owners: dict[str, str] = {}
    for name, one in connectors.items():
        for position, old in enumerate(one.formerly):
            path = ("connectors", name, "formerly", position)
            if old == name:
                note(path, f"'{old}' is its name today; write its earlier names only")
            elif old in written:
                text = f"there is a connector '{old}' still. If that is another destination, give it another name"
                note(path, f"{text}; if it is this one, remove it")
            elif owners.get(old) == name:
                note(path, f"'{old}' is listed twice; remove one")
            elif old in owners:
                note(path, f"'{old}' was {owners[old]}, as it says there; only one connector can continue it")
            owners.setdefault(old, name)
