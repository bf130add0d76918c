"""The JSON of an answer, wrapped until it is tamed: whoever reads what is not there gets an error with its path.

A success of an unexpected shape (`{"error": "maintenance"}`, a list without an entry) says nothing about the record:
the error is RetryLater, and no KeyError.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from core.errors import RetryLater


class Reply:
    """A value in an answer, and where it stands: `reply["results"][0]["id"].id`.

    Every read that finds another shape raises RetryLater: `results[0].id: expected an id, got null`.
    """

    __slots__ = ("_path", "raw")

    def __init__(self, raw: Any, path: str = "") -> None:
        #: The JSON as it came.
        self.raw = raw
        self._path = path

    def __getitem__(self, key: str | int) -> Reply:
        """A member that is there, though it may be null, or an entry of a list."""
        if isinstance(key, str):
            if key not in self.object:
                raise self._at(key).expected("a value", "nothing")
        elif not 0 <= key < len(self.list):
            raise self._at(key).expected("a value", "nothing")
        return self._at(key)

    def get(self, key: str) -> Reply | None:
        """A member, or None where it is missing or null."""
        return None if self.object.get(key) is None else self._at(key)

    def __iter__(self) -> Iterator[Reply]:
        """The entries of a list."""
        for index in range(len(self.list)):
            yield self._at(index)

    def __bool__(self) -> bool:
        """It is there, whatever it is: `get` has None for what is not. Without this, `if reply.get(…)` would ask how
        many entries an object has, and raise."""
        return True

    def __len__(self) -> int:
        """How many entries a list has."""
        return len(self.list)

    @property
    def object(self) -> dict[str, Any]:
        if not isinstance(self.raw, dict):
            raise self.expected("an object")
        return self.raw

    @property
    def list(self) -> list[Any]:
        if not isinstance(self.raw, list):
            raise self.expected("a list")
        return self.raw

    @property
    def text(self) -> str:
        if not isinstance(self.raw, str):
            raise self.expected("text")
        return self.raw

    @property
    def number(self) -> int:
        if not isinstance(self.raw, int) or isinstance(self.raw, bool):
            raise self.expected("a whole number")
        return self.raw

    @property
    def id(self) -> str:
        """A number or a text that is not empty, as text."""
        if not isinstance(self.raw, int | str) or isinstance(self.raw, bool) or not str(self.raw).strip():
            raise self.expected("an id")
        return str(self.raw)

    def expected(self, what: str, got: str = "") -> RetryLater:
        """The error that says what ought to stand here. What does stand here may be a visitor's, so only its kind."""
        place = f"{self._path}: " if self._path else ""
        return RetryLater(f"the answer has an unexpected shape: {place}expected {what}, got {got or _kind(self.raw)}")

    def _at(self, key: str | int) -> Reply:
        value = self.raw.get(key) if isinstance(key, str) else self.raw[key] if 0 <= key < len(self.raw) else None
        place = f"[{key}]" if isinstance(key, int) else f".{key}" if self._path else key
        return Reply(value, self._path + place)


def _kind(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    for kind, name in ((dict, "an object"), (list, "a list"), (str, "text")):
        if isinstance(value, kind):
            return name if value else f"{name} that is empty"
    return "a number"
