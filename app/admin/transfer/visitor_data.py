"""All that is kept of one visitor, for them: one ZIP file that a person can read and a program, too.

    index.txt                     what it holds, and what it cannot know, in plain words
    visitor.json                  what belongs to no chat: what connectors remember, what admins wrote, the links
    chats/0001/chat.json          every field of a chat's payloads, deliveries and attempts
    chats/0001/r1.txt, r1.json    a revision to read, and as it came, byte for byte (r1.bin where that is not JSON)
    chats/0001/files/CONNECTOR/…  files of archives
    payloads/ID.json              a payload without a chat; its body lies beside it as it came

A ZIP, because it is one file for whoever asked, every system opens it, and what came is in it byte for byte.
"""

from __future__ import annotations

import json
import os
import re
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import IO, Any

from app.admin.erasing.erasure import called, elsewhere
from app.admin.transfer.visitor_index import VisitorData, index_text
from connectors.kit.connector import Connector
from connectors.kit.transcript import as_text
from core.config.mistakes.files import file_mistake
from core.conversation import Visitor
from core.errors import PayloadError, RelayError
from core.ids import ConversationId, DeliveryId, PayloadId
from core.pretty_json import legible
from core.smartsupp.parser import parse_conversation
from core.store import AdminNotes, Client, VisitorRecords
from core.store.search.kept import KeptConversation, KeptPayload
from core.store.search.visitors import Traces, comparable, number_searched, readable

#: What stays of a name in the name of a file.
_ODD = re.compile(r"[^A-Za-z0-9._-]+")
#: The earliest time that a ZIP can spell: when its members were made is of no interest to anybody.
_SOME_TIME = (1980, 1, 1, 0, 0, 0)


class TooLarge(RelayError):
    """It would be larger than whoever asked can take."""


def write_data(
    out: IO[bytes],
    visitor: str,
    traces: Traces,
    client: Client,
    connectors: Mapping[str, Connector[Any]],
    now: datetime,
    most: int | None = None,
) -> VisitorData:
    """Write what `erasure.find_traces` found, and what else an erasing would take. `connectors` are `erasure.keepers`;
    `most` is how many bytes it may have. Raises StoreUnavailable, TooLarge."""
    contents = VisitorData(visitor, now.astimezone(UTC).isoformat(timespec="seconds"))
    contents.named, contents.closed = len(traces.named), traces.closed
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        work = _Work(archive, client, connectors, contents)
        for conversation in traces.conversations:
            work.conversation(conversation)
            if most is not None and out.tell() > most:
                raise TooLarge(f"Their data is larger than {most >> 20} MiB.")
        for payload in traces.payloads:
            work.payload(payload)
        work.rest()
        work.put("visitor.json", _json(contents.as_dict()))
        work.put("index.txt", index_text(contents).encode("utf-8", "replace"))
    return contents


class _Work:
    def __init__(
        self, archive: zipfile.ZipFile, client: Client, connectors: Mapping[str, Connector[Any]], contents: VisitorData
    ) -> None:
        self._archive, self._connectors, self._contents = archive, connectors, contents
        self._kept, self._notes = VisitorRecords(client), AdminNotes(client)
        self._names, self._spellings = {contents.visitor}, {contents.visitor}
        #: Jobs that looked for a text: theirs, should the visitor have said it.
        self._searches = [one for one in self._notes.naming(()) if one.searched]
        self._said: set[str] = set()
        self._called_first: dict[ConversationId, set[str]] = {}
        contents.unlisted += [
            name for name, one in connectors.items() if one.keeps_files and type(one).files is Connector.files
        ]

    def put(self, name: str, content: bytes) -> None:
        member = zipfile.ZipInfo(name, _SOME_TIME)
        member.compress_type, member.external_attr = zipfile.ZIP_DEFLATED, 0o600 << 16
        self._archive.writestr(member, content)

    def conversation(self, identity: ConversationId) -> None:
        if identity in self._contents.chats:
            return
        self._contents.chats.append(identity)
        folder = f"chats/{len(self._contents.chats):04}"
        found = self._kept.conversation(identity)
        record: dict[str, Any] = {"id": identity, "only_files_are_left": found is None}
        if found:
            record |= {
                "summary": found.summary,
                "other_ids": found.other_ids,
                "revisions": [
                    {**self._written(f"{folder}/r{number}", one), "revision": number}
                    for number, one in enumerate(found.payloads, 1)
                ],
                "deliveries": [
                    {"id": one.id, "due": one.due, "fields": one.fields, "steps": one.steps, "attempts": one.attempts}
                    for one in found.deliveries
                ],
            }
            self._count(found)
        record["files"] = [*self._files(identity, folder)]
        self.put(f"{folder}/chat.json", _json(record))

    def payload(self, identity: PayloadId) -> None:
        found = self._kept.payload(identity)
        if found is None:  # gone meanwhile
            return
        if conversation := found.fields.get("conversation"):  # it was read meanwhile
            self.conversation(ConversationId(conversation))
            return
        self._contents.payloads.append(identity)
        self.put(f"payloads/{identity}.json", _json(self._written(f"payloads/{identity}-as-it-came", found)))

    def rest(self) -> None:
        """What is found by the names that the visitor had."""
        contents = self._contents
        contents.remembered += self._kept.persons(self._spellings)
        contents.known_as += sorted(one for one in self._spellings if comparable(one) != comparable(contents.visitor))
        own = {*contents.chats, *contents.payloads}
        for note in self._notes.naming(self._names):
            about = DeliveryId(note.about).conversation if note.kind == "delivery" else note.about
            if (note.named or note.about in self._said) and about not in own:  # theirs has it already
                contents.notes.append(note)

    def _count(self, found: KeptConversation) -> None:
        contents = self._contents
        contents.revisions += len(found.payloads)
        contents.deliveries += len(found.deliveries)
        contents.attempts += sum(len(one.attempts) for one in found.deliveries)
        contents.encrypted += sum(attempt is None for one in found.deliveries for attempt in one.attempts)
        contents.elsewhere += elsewhere((one.made for one in found.deliveries), self._connectors)

    def _written(self, name: str, payload: KeptPayload) -> dict[str, Any]:
        """Put in a body as it came, and its transcript."""
        record: dict[str, Any] = {"id": payload.id, "fields": payload.fields, "body": None, "transcript": None}
        if payload.body is None:
            self._contents.encrypted += 1
            return record
        record["body"] = f"{name}.{'json' if _is_json(payload.body) else 'bin'}"
        self.put(record["body"], payload.body)
        self._searched(payload.body)
        with suppress(PayloadError):
            chat = parse_conversation(payload.body, payload.fields.get("account", ""))
            self._called(ConversationId.of(chat.account, chat.id), chat.visitor)
            record["transcript"] = f"{name}.txt"
            self.put(record["transcript"], as_text(chat).encode("utf-8", "replace"))
        return record

    def _searched(self, body: bytes) -> None:
        if self._searches:
            text = readable(body)
            self._said |= {one.about for one in self._searches if comparable(one.searched) in text}

    def _called(self, conversation: ConversationId, visitor: Visitor) -> None:
        spellings, name = called(visitor)
        here = {comparable(one) for one in spellings}
        theirs = comparable(self._contents.visitor) in here
        if number_searched(self._contents.visitor):  # no revision is called that: those of the first are the visitor's
            theirs = bool(self._called_first.setdefault(conversation, here) & here)
        if spellings and not theirs and conversation not in self._contents.shared:
            self._contents.shared.append(conversation)
        self._spellings |= spellings
        self._names |= spellings | name

    def _files(self, conversation: ConversationId, folder: str) -> Iterator[dict[str, Any]]:
        for name, connector in self._connectors.items():
            try:
                files = connector.files(conversation)
            except OSError as error:
                self._contents.unreadable.append(f"files of {name}: {file_mistake(error)}")
                continue
            for number, file in enumerate(files, 1):
                member = f"{folder}/files/{name}/{number:03}-{_ODD.sub('_', file.name)}"
                try:
                    # Never what a link leads to, which may be anybody's.
                    with os.fdopen(os.open(file, os.O_RDONLY | os.O_NOFOLLOW), "rb") as stream:
                        self.put(member, stream.read())
                except FileNotFoundError:  # erased meanwhile
                    continue
                except OSError as error:
                    self._contents.unreadable.append(f"{file}: {file_mistake(error)}")
                    continue
                self._contents.files += 1
                yield {"path": str(file), "file": member}


def _json(value: object) -> bytes:
    # Half of an emoji, which JSON may hold, is no character; its escape is JSON.
    return (legible(value) + "\n").encode("utf-8", "backslashreplace")


def _is_json(body: bytes) -> bool:
    try:
        json.loads(body)
    except (ValueError, RecursionError):
        return False
    return True
