"""What a destination offers for settings that name something there, for those who fill them in."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Choice:
    """What the destination offers for a setting: the value to write, and what it is called there."""

    value: str
    label: str


@dataclass(frozen=True)
class ChoiceList:
    """What the destination offers for settings that name one kind of thing there, such as groups. `read` asks for it as
    far as it is needed, reading only, and raises DeliveryError; `right` is what the credentials need for that."""

    settings: tuple[str, ...]
    read: Callable[[], Iterable[Choice]]
    right: str = ""
