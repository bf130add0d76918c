"""JSON objects from strangers, wrapped until they are tamed: every read names a type, every error the path."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from core.errors import PayloadError

#: 9999-12-30T23:59:59.999Z: a day before the last that datetime holds, so that every time zone can show it.
_LATEST_MS = 253_402_214_399_999
#: Characters of a stranger's text that an error shows.
_QUOTE = 40
#: From when to when ten digits are a time in seconds: 2001 to 2286. Sixteen digits are one in microseconds.
_SECONDS, _MICROSECONDS = (10**9, 10**10), (10**15, 10**16)
_FLAGS = {"true": True, "false": False, "1": True, "0": False, "yes": True, "no": False, "": False}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Scalar = str | int | float | bool | None


class Wild:
    """A JSON object and where it stands, such as `messages[3]`. A member that is missing is the same as null."""

    __slots__ = ("_place", "members")

    def __init__(self, value: Any, place: str | tuple[Wild, str] | tuple[Wild, str, int] = "") -> None:
        """`place` is a path, or where that can be made from, as it is needed only for errors: the object, the member,
        and the index in that. Raises PayloadError when `value` is no object; null is an empty one."""
        self._place = place
        if value is None:
            value = {}
        elif not isinstance(value, dict):
            raise PayloadError(self.path, f"expected an object, got {described(value)}")
        self.members: dict[str, Any] = value

    @property
    def path(self) -> str:
        if isinstance(self._place, str):
            return self._place
        parent, key, *index = self._place
        return parent.where(key) + "".join(f"[{one}]" for one in index)

    def __contains__(self, key: str) -> bool:
        return key in self.members

    def where(self, key: str) -> str:
        """The path of the member `key`."""
        name = key if key.isprintable() and 0 < len(key) <= _QUOTE else quoted(key)
        return f"{self.path}.{name}" if self.path else name

    def expected(self, key: str, what: str) -> PayloadError:
        """The error that says what the member `key` ought to be, and what it is."""
        return PayloadError(self.where(key), f"expected {what}, got {described(self.members.get(key))}")

    def object(self, key: str) -> Wild:
        """An object; null is an empty one, and so is the empty list, which is how PHP writes an empty map."""
        value = self.members.get(key)
        return type(self)(None if value == [] else value, (self, key))

    def objects(self, key: str) -> Iterator[Wild]:
        """The objects of a list; null is an empty list. PHP writes one that has gaps as a map with numbers for keys,
        and an empty one as {}."""
        value = self.members.get(key)
        if value is None:
            return
        if isinstance(value, dict) and all(index.isdecimal() for index in value):
            value = list(value.values())
        if not isinstance(value, list):
            raise self.expected(key, "a list")
        for index, item in enumerate(value):
            yield type(self)(item, (self, key, index))

    def text(self, key: str) -> str:
        """Text, or a number as text; null is ""."""
        value = self.members.get(key)
        if isinstance(value, str):
            return value if value.isascii() else clean(value)
        if value is None:
            return ""
        if isinstance(value, bool | list | dict) or (isinstance(value, float) and not math.isfinite(value)):
            raise self.expected(key, "text")
        return str(value)

    def integer(self, key: str) -> int | None:
        """A number below 2**63, rounded, also when it was sent as text (`"36"`, `"36.5"`); null and "" are None."""
        value = self.members.get(key)
        if value is None or value == "":
            return None
        if isinstance(value, str) and len(value) <= 20:
            try:
                value = int(value) if "." not in value else float(value)
            except ValueError:
                raise self.expected(key, "a number") from None
        if isinstance(value, float) and math.isfinite(value):
            value = round(value)
        if isinstance(value, bool) or not isinstance(value, int):
            raise self.expected(key, "a number")
        if abs(value) >= 2**63:
            raise self.expected(key, "a number of at most 18 digits")
        return value

    def flag(self, key: str) -> bool:
        """true or false, also when sent as 1 or 0, or as text; null and "" are false."""
        value = self.members.get(key)
        if value is None:
            return False
        if isinstance(value, bool) or value in (0, 1):
            return bool(value)
        if isinstance(value, str) and value.lower() in _FLAGS:
            return _FLAGS[value.lower()]
        raise self.expected(key, "true or false")

    def time(self, key: str) -> datetime | None:
        """A Unix time in milliseconds, as an aware UTC datetime; null is None. Ten digits are seconds: as milliseconds
        they would be of 1970. Sixteen are microseconds, and text may be ISO 8601 with its zone. 0 is how programs write
        that there is no time, not midnight of 1970."""
        value = self.members.get(key)
        if type(value) is int and _SECONDS[1] <= value <= _LATEST_MS:  # as it should be
            return _EPOCH + timedelta(0, value // 1000, value % 1000 * 1000)
        if isinstance(value, str) and ("T" in value or "-" in value[1:]):
            return self._iso(key, value)
        if isinstance(value, float) and math.isfinite(value):
            value = round(value * 1000 if _SECONDS[0] <= value < _SECONDS[1] else value)
        elif not isinstance(value, int) or isinstance(value, bool):
            value = self.integer(key)
        if value is None:
            return None
        if _SECONDS[0] <= value < _SECONDS[1]:
            value *= 1000
        elif _MICROSECONDS[0] <= value < _MICROSECONDS[1]:
            value //= 1000
        if not 0 < value <= _LATEST_MS:
            raise self.expected(key, "a Unix time in milliseconds")
        return _EPOCH + timedelta(0, value // 1000, value % 1000 * 1000)

    def _iso(self, key: str, value: str) -> datetime:
        try:
            found = datetime.fromisoformat(value.strip())
            milliseconds = (found - _EPOCH) // timedelta(milliseconds=1)
        except (ValueError, TypeError, OverflowError):  # TypeError: it names no zone
            milliseconds = 0
        if not 0 < milliseconds <= _LATEST_MS:
            raise self.expected(key, "a time such as 2015-03-27T15:33:59Z, with its zone")
        return _EPOCH + timedelta(milliseconds=milliseconds)

    def scalar(self, key: str) -> Scalar:
        """Text, number, flag or null as it is; anything deeper, or too large to be a number, as its JSON text."""
        value = self.members.get(key)
        if isinstance(value, str):
            return clean(value)
        if isinstance(value, list | dict):
            return clean(json.dumps(value, ensure_ascii=False))
        if isinstance(value, float) and not math.isfinite(value):
            raise self.expected(key, "a number")
        if isinstance(value, int) and abs(value) >= 2**63:
            return str(value)
        return value

    def words(self, key: str) -> str:
        """What somebody wrote: text."""
        return self.text(key)

    def odd(self, error: PayloadError) -> None:
        """What to do about a member that cannot be understood and that nobody needs."""
        raise error


T = TypeVar("T")


class Lenient(Wild):
    """The same, where a member of the wrong kind is left empty and noted in `notes`, as a chat is worth more than any
    of its figures. Objects and lists of objects stay as they must be: without them there is no chat."""

    __slots__ = ("notes",)

    def __init__(self, value: Any, place: str | tuple[Wild, str] | tuple[Wild, str, int] = "") -> None:
        self.notes: list[str] = place[0].notes if isinstance(place, tuple) and isinstance(place[0], Lenient) else []
        super().__init__(value, place)

    def text(self, key: str) -> str:
        return self._or(super().text, key, "")

    def integer(self, key: str) -> int | None:
        return self._or(super().integer, key, None)

    def flag(self, key: str) -> bool:
        return self._or(super().flag, key, False)

    def time(self, key: str) -> datetime | None:
        return self._or(super().time, key, None)

    def scalar(self, key: str) -> Scalar:
        return self._or(super().scalar, key, None)

    def words(self, key: str) -> str:
        """Whatever it is, somebody wrote it: what is not text is kept as its JSON."""
        value = self.members.get(key)
        if isinstance(value, dict | list):
            self.notes.append(f"{self.expected(key, 'text')}; kept as JSON")
            return clean(json.dumps(value, ensure_ascii=False))
        return self.text(key)

    def odd(self, error: PayloadError) -> None:
        self.notes.append(f"{error}; left empty")

    def _or(self, read: Callable[[str], T], key: str, nothing: T) -> T:
        try:
            return read(key)
        except PayloadError as error:
            self.odd(error)
            return nothing


def latest() -> datetime:
    """The last moment that a time may be."""
    return _EPOCH + timedelta(milliseconds=_LATEST_MS)


def clean(text: str) -> str:
    """Text that can be written as UTF-8: the halves of surrogate pairs are joined, or become U+FFFD when alone.

    JSON may spell a lone surrogate (`"\\ud83d"`), which Python keeps and no encoder takes.
    """
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def quoted(text: str) -> str:
    """The beginning of a stranger's text, in quotes, on one line and without characters that steer a terminal."""
    text = clean(text[:_QUOTE])
    return json.dumps(text, ensure_ascii=not text.isprintable())


def described(value: Any) -> str:
    """What a JSON value is, for people, in few words."""
    if value is None or isinstance(value, dict | list):
        return {type(None): "nothing", dict: "an object", list: "a list"}[type(value)]
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return f"text {quoted(value)}"
    if isinstance(value, int) and abs(value) >= 10**40:
        return "a number of more than 40 digits"
    return f"the number {value}"
