"""Conversations for other programs: as JSON, one a line, or as a table with no cell that is a formula, wherever a
spreadsheet cuts it."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from core.conversation import Conversation
from core.delivery import Delivery, Payload
from core.errors import PayloadError
from core.ids import ConversationId
from core.sameness import known_as
from core.smartsupp.parser import parse_conversation
from core.store import Filter, Ledger, Search

#: Conversations that are read in one go.
_BATCH = 200
#: What a spreadsheet strips before it looks for a formula.
_STRIPPED = ("\t", "\r", "\n")
#: What it takes for the beginning of one, at the beginning of a cell. Where lists are written with semicolons (Czech,
#: German, French) Excel cuts a CSV at those, and our quotation marks, which begin no cell of its, hold nothing
#: together: every place where it may cut begins a cell. Not a comma: who cuts there keeps to the quotation marks.
_FORMULA = re.compile(r'((?:^|[;|\t\r\n])[\s"]*)(?=[=+\-@\uff1d\uff0b\uff0d\uff20])')

COLUMNS = (
    *("conversation", "account", "channel", "received", "revision", "began", "ended"),
    *("visitor", "name", "email", "country_code", "note", "group"),
    *("chat", "missed", "offline", "triggered", "completed", "dropped"),
    *("duration", "first_response", "avg_response", "messages", "words", "rating", "rating_comment", "first_page"),
)


@dataclass(frozen=True)
class ExportedChat:
    """A conversation: its newest payload, what that was read as (None, should it no longer be one), its deliveries."""

    id: ConversationId
    payload: Payload
    conversation: Conversation | None
    deliveries: Sequence[Delivery]


def exported(search: Search, ledger: Ledger, wanted: Filter) -> Iterator[ExportedChat]:
    """What matches, newest first, each conversation once, with as little held as a batch takes."""
    seen: set[str] = set()
    for page in search.batches(wanted, size=_BATCH):
        ids = list(dict.fromkeys(row.id for row in page.rows))
        if wanted.about_deliveries:  # a conversation may match by several
            ids = [one for one in ids if one not in seen]
            seen.update(ids)
        for found in ledger.newest(ids) if ids else ():
            read = _read(found.payloads[0])
            yield ExportedChat(found.id, found.payloads[0], read and known_as(read, found.id), found.deliveries)


def _read(payload: Payload) -> Conversation | None:
    try:
        return parse_conversation(payload.body, payload.account)
    except PayloadError:  # taken by an earlier version
        return None


def as_jsonl(found: Iterable[ExportedChat]) -> Iterator[str]:
    """Lines of `{"id", "received", "revision", "payload", "conversation", "deliveries"}`."""
    for row in found:
        yield json.dumps(_record(row), ensure_ascii=False) + "\n"


def _record(row: ExportedChat) -> dict[str, Any]:
    return {
        "id": row.id,
        "received": _time(row.payload.received),
        "revision": row.payload.revision,
        "payload": row.payload.id,
        "conversation": row.conversation.model_dump(mode="json") if row.conversation else None,
        "deliveries": [
            {
                "connector": one.connector,
                "status": str(one.status),
                "changed": _time(one.updated),
                "revision": one.revision,
                "record": {"id": one.reference.id, "url": one.reference.url} if one.reference else None,
                "error": one.error,
            }
            for one in row.deliveries
        ],
    }


def as_csv(found: Iterable[ExportedChat], connectors: Sequence[str]) -> Iterator[str]:
    """RFC 4180: a line of names, then one a conversation, with two columns for each connector."""
    yield _line([*COLUMNS, *(f"{name} {what}" for name in connectors for what in ("status", "record"))])
    for row in found:
        yield _line(_cells(row, connectors))


def _cells(row: ExportedChat, connectors: Sequence[str]) -> list[Any]:
    account, channel = row.id.account, row.id.channel
    talk = row.conversation or Conversation(account=account, id=channel)
    visitor = talk.visitor
    given = {one.connector: one for one in row.deliveries}
    cells: list[Any] = [
        *(row.id, account, channel, _time(row.payload.received), row.payload.revision),
        *(_written(talk.begin_at), _written(talk.end_at)),
        *(visitor.id, visitor.name, visitor.email, visitor.country_code, visitor.note, visitor.group),
        *(_flag(talk.is_chat), _flag(talk.is_missed), _flag(talk.is_offline)),
        *(_flag(talk.is_triggered), _flag(talk.is_completed), _flag(talk.is_dropped)),
        *(talk.duration, talk.first_response, talk.avg_response, talk.messages_count, talk.words_count),
        *(talk.rating, talk.rating_desc, talk.paths[0].url if talk.paths else ""),
    ]
    for name in connectors:
        one = given.get(name)
        record = (one.reference.url or one.reference.id) if one and one.reference else ""
        cells += [str(one.status) if one else "", record]
    return cells


def _line(cells: Sequence[Any]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerow([_safe(cell) for cell in cells])
    return text.getvalue()


def _safe(cell: Any) -> Any:
    """A text that a spreadsheet would run is made a text by an apostrophe, as spreadsheets themselves do."""
    if not isinstance(cell, str):
        return cell
    safe = _FORMULA.sub(r"\1'", cell)
    return f"'{safe}" if safe.startswith(_STRIPPED) else safe


def _flag(value: bool) -> str:
    return "yes" if value else "no"


def _time(ms: int) -> str:
    return _written(datetime.fromtimestamp(ms / 1000, UTC))


def _written(at: datetime | None) -> str:
    return at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z") if at else ""
