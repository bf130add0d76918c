"""Entries of the API's lists: tamed, told apart, put in order; and where the next page begins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any


@dataclass(frozen=True)
class ConversationRow:
    """A conversation as a list has it: enough to see whether it is known. `began` is UTC."""

    id: str
    began: datetime
    finished: datetime | None = None
    visitor: str = field(default="", repr=False)


def rows_of(found: Mapping[str, Any]) -> list[ConversationRow]:
    """Of a list those that are closed, as far as that is said, and whose id and beginning can be read."""
    rows = []
    for one in objects(found["items"]):
        began = time_of(one.get("created_at"))
        if one.get("id") and began and one.get("status") in (None, "closed"):
            visitor = str(one.get("visitor_id") or "")
            rows.append(ConversationRow(str(one["id"]), began, time_of(one.get("finished_at")), visitor))
    return rows


def overlapping(after: Any, times: Sequence[datetime]) -> Any:
    """The cursor of the next page, or None. It is the time of the last entry in ms, and others of the same ms would be
    left out: so the next page begins with that ms again, unless all of this one is of one ms. `times` are the entries'
    own, in their order, which may be the other one."""
    cursor = after[0] if isinstance(after, list) and len(after) == 1 else after
    if isinstance(cursor, int) and times and cursor == _ms(times[-1]) != _ms(times[0]):
        cursor += -1 if _ms(times[0]) < cursor else 1
        return [cursor] if isinstance(after, list) else cursor
    return after or None


def _ms(time: datetime) -> int:
    return round(time.timestamp() * 1000)


def objects(found: Any) -> list[dict[str, Any]]:
    """What is an object, of a list; nothing of anything else."""
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def mark_of(entry: Mapping[str, Any]) -> str:
    """What tells an entry from the others of its list."""
    return str(entry.get("id") or f"{entry.get('created_at')} {entry.get('url')}")


def in_order(found: Any) -> list[dict[str, Any]]:
    """By time, whichever order was answered; what has none stays where it is."""
    entries = objects(found)
    times = [time_of(one.get("created_at")) for one in entries]
    if any(one is None for one in times):
        return entries
    return [entry for _, entry in sorted(zip(times, entries, strict=True), key=lambda pair: pair[0] or _NEVER)]


_NEVER = datetime.min.replace(tzinfo=UTC)


def time_of(value: Any) -> datetime | None:
    """A time in ISO 8601 or in ms since 1970, as UTC; None for anything else."""
    try:
        if isinstance(value, int | float) and not isinstance(value, bool):
            return datetime.fromtimestamp(value / 1000, UTC)
        found = datetime.fromisoformat(value) if isinstance(value, str) else None
        return found and (found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC))
    except (ValueError, OverflowError, OSError):
        return None
