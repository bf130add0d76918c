"""What is in the file of a visitor's data, for people: how much of what, and what Relay cannot know."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field, replace
from importlib.metadata import version
from typing import Any

from app.admin.erasing.erasure import Elsewhere
from connectors.kit.transcript import single_line
from core.store.search.notes import AdminNote
from core.store.shared.persons import Remembered


@dataclass
class VisitorData:
    """What is in it. `named` and `closed` are numbers of chats and payloads of others that mention the visitor, which
    are not in it, and of payloads that nobody could look into; `unlisted` are connectors that keep files and cannot
    list them; `unreadable` files that were there and could not be read; `shared` chats in which a revision is somebody
    else's, or the visitor's under another name."""

    visitor: str
    taken: str
    chats: list[str] = field(default_factory=list)
    payloads: list[str] = field(default_factory=list)
    revisions: int = 0
    deliveries: int = 0
    attempts: int = 0
    files: int = 0
    remembered: list[Remembered] = field(default_factory=list)
    notes: list[AdminNote] = field(default_factory=list)
    elsewhere: list[Elsewhere] = field(default_factory=list)
    known_as: list[str] = field(default_factory=list)
    shared: list[str] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)
    unlisted: list[str] = field(default_factory=list)
    encrypted: int = 0
    named: int = 0
    closed: int = 0

    @property
    def complete(self) -> bool:
        """Whether all that was found could be read."""
        return not (self.closed or self.encrypted or self.unreadable or self.unlisted)

    def as_dict(self) -> dict[str, Any]:
        notes = [
            {"kind": one.kind, "about": one.about, "text": one.text, "searched": one.searched, "record": one.record}
            for one in self.notes
        ]
        persons = [
            {**asdict(one), "person": None if one.person is None else json.loads(one.person)} for one in self.remembered
        ]
        return {
            "relay": version("smartsupp-relay"),
            **asdict(replace(self, notes=[], remembered=[])),
            "notes": notes,
            "remembered": persons,
        }


#: What a note is about, for people.
_WHERE = {
    "job": "a bulk job",
    "pause": "why the connector is paused",
    "payload": "why the payload of somebody else was discarded",
    "delivery": "why the delivery of somebody else was discarded",
}


def index_text(contents: VisitorData) -> str:
    return "\n".join(_lines(contents)) + "\n"


def _lines(contents: VisitorData) -> Iterator[str]:
    yield "What Relay keeps of a visitor"
    yield "============================="
    yield ""
    yield f"Visitor    {single_line(contents.visitor)}"
    yield f"When       {contents.taken}"
    yield f"By         Relay for Smartsupp {version('smartsupp-relay')}"
    yield ""
    yield "Inside"
    for number, words in (
        (len(contents.chats), "chats: chats/NUMBER/chat.json has every field, r1.txt is the first revision to read,"),
        (contents.revisions, "payloads of them (revisions): r1.json is the first as Smartsupp sent it"),
        (len(contents.payloads), "payloads without a chat: in payloads/"),
        (contents.deliveries, "deliveries to destinations: in chat.json"),
        (contents.attempts, "attempts, with the beginnings of what was sent and answered: in chat.json"),
        (contents.files, "files in archives: in chats/NUMBER/files/"),
        (len(contents.remembered), "persons at destinations as whom connectors remember the visitor: in visitor.json"),
        (len(contents.notes), "reasons and searches of admins that name the visitor: in visitor.json"),
    ):
        yield f"  {number:>7}  {words}"
    yield ""
    yield "Times without a date are milliseconds since 1970 (UTC). The names by which connectors remember a person are"
    yield "stored as digests."
    yield from _part("Chats", (f"{number:04}: {one}" for number, one in enumerate(contents.chats, 1)))
    yield from _part("Payloads without a chat", contents.payloads)
    yield from _part("Reasons and searches of admins", (_told(one) for one in contents.notes))
    yield from _part(
        "Look through these before you hand them over: a revision names another visitor, or this one under another "
        "address",
        contents.shared,
    )
    yield from _part("Other addresses and ids of this visitor. Export these as well", contents.known_as)
    yield from _part(
        "Not inside: what could not be read",
        [
            *_some(contents.closed, "encrypted payloads that could not be searched, because their key is missing"),
            *_some(contents.encrypted, "encrypted records of these chats, because their key is missing"),
            *contents.unreadable,
            *(f"files of {one}: this connector cannot list them" for one in contents.unlisted),
        ],
    )
    yield from _part("Not inside: chats of others", _some(contents.named, "in which this visitor is mentioned"))
    yield from _part(
        "Records at destinations. Relay knows that they were created, and not what they hold today",
        [" ".join(filter(None, (f"{one.connector}:", one.record, one.url))) for one in contents.elsewhere],
    )
    yield from _part(
        "What Relay cannot know",
        [
            "What destinations and Smartsupp keep by themselves, and whom they gave it to",
            "Backups and replicas of the store, log files, emails and earlier exports",
            "Chats that were removed when their time was over, or erased",
        ],
    )
    yield from _part(
        "This file", ["It holds personal data, and Relay keeps no copy. Delete it when it has been handed over"]
    )


def _told(note: AdminNote) -> str:
    said = [f"searched for: {note.searched}"] if note.searched else []
    return f"{_WHERE[note.kind]}: {'; '.join([*said, *([note.text] if note.text else [])])}"


def _some(number: int, words: str) -> list[str]:
    return [f"{number:,} {words}"] if number else []


def _part(title: str, lines: Iterable[str]) -> Iterator[str]:
    rows = [f"  {single_line(line)}" for line in lines]
    if rows:
        yield from ("", title, *rows)
