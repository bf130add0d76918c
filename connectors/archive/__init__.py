"""Archive: one JSON file and one readable transcript for each revision of a conversation, in a folder.

    FOLDER/ACCOUNT/CHANNEL/r1.json   what Smartsupp sent, what we made of it, and when it came
    FOLDER/ACCOUNT/CHANNEL/r1.txt    the transcript
    FOLDER/ACCOUNT/CHANNEL/files/…   what came with messages, where that is wanted (files.py)

Safe under any number of workers: a file appears whole or not at all, and writing it again writes the same.
"""

from __future__ import annotations

import errno
import json
import math
import os
import secrets
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from types import MappingProxyType

from pydantic import Field, IPvAnyNetwork

from connectors.archive.files import keep_files
from connectors.kit.capabilities import Capabilities
from connectors.kit.connector import Connector, Copy, Receipt, Step
from connectors.kit.files.rules import FILE_TYPES, LARGEST_MIB, MIB, FileRules
from connectors.kit.http import Http
from connectors.kit.transcript import as_text
from core.config.mistakes.files import file_mistake
from core.config.settings import ConnectorSettings
from core.conversation import Conversation
from core.delivery import Exchange, Reference, Revision
from core.errors import RetryLater
from core.ids import ConversationId
from core.pretty_json import legible
from core.sameness import known_as
from core.smartsupp.parser import parse_conversation


class ArchiveSettings(ConnectorSettings):
    """Settings of `type: archive`."""

    refused = MappingProxyType({"redact": "an archive keeps all of a chat, as the payload does"})

    folder: Path = Field(default=Path("archive"), description="Where; relative to the data folder.")
    files: bool = Field(
        default=False, description="true: files of a chat are kept beside it; only Smartsupp's API has their addresses."
    )
    file_types: tuple[str, ...] = Field(
        default=FILE_TYPES,
        min_length=1,
        description="Media types of files that are kept; image/* is every one of images.",
    )
    largest_file: float = Field(default=8, gt=0, le=LARGEST_MIB, description="MiB; a larger file is not kept.")
    timeout: float = Field(default=20, gt=0, le=50, description="Seconds to wait for each response.")
    allow_networks: tuple[IPvAnyNetwork, ...] = Field(
        default=(), description="Loopback, private and link-local networks that may be reached, such as 10.0.0.0/8."
    )


class Archive(Connector[ArchiveSettings]):
    label = "Archive"
    makes = "a file with the chat as JSON and one to read, in a folder of the relay"
    capabilities = Capabilities(
        person="in the files",
        revision="further files",
        idempotent="the files of a revision have one name",
        files="the chat as JSON and as text; with `files`, also what was sent in it",
    )
    keeps_files = True

    @cached_property
    def _http(self) -> Http:
        """For files alone: an address in a chat is a stranger's, so the guard decides where it may lead."""
        return Http(timeout=self.settings.timeout, allow_networks=self.settings.allow_networks)

    @contextmanager
    def attempt(self) -> Iterator[list[Exchange]]:
        with self._http.attempt() if self.settings.files else super().attempt() as exchanges:
            yield exchanges

    def deliver(self, conversation: Conversation, receipt: Receipt, step: Step) -> Reference:
        folder = self.data_dir / self.settings.folder / conversation.account / conversation.id
        try:
            folder.mkdir(parents=True, exist_ok=True)
            new = not any(folder.iterdir())
            for revision in receipt.history():
                if revision.payload == receipt.revision.payload:
                    _write_revision(folder, revision, conversation)
                elif not _holds(folder / f"r{revision.number}.json", revision.payload):
                    other = parse_conversation(revision.body, revision.account)
                    _write_revision(folder, revision, known_as(other, conversation.key))
            # What the folders say of the files is on disk too.
            for changed in (folder, folder.parent, folder.parent.parent) if new else (folder,):
                _sync(changed)
            if self.settings.files:
                self._keep_files(conversation, folder / "files", step)
        except OSError as error:
            raise RetryLater(f"cannot write to {folder}: {file_mistake(error)}") from error
        return Reference(f"{conversation.account}/{conversation.id}/r{receipt.revision.number}")

    def _keep_files(self, conversation: Conversation, folder: Path, step: Step) -> None:
        rules = FileRules(self.settings.file_types, round(self.settings.largest_file * MIB))

        keep_files(conversation, folder, rules, self._http, step, kept=lambda: _sync(folder))

    def copies(self, mentions: Callable[[bytes], bool]) -> Iterator[Copy]:
        for file in sorted((self.data_dir / self.settings.folder).glob("*/*/r*.json")):
            try:
                text = file.read_bytes()
            except FileNotFoundError:  # erased meanwhile
                continue
            if mentions(text):
                yield Copy(ConversationId.of(file.parent.parent.name, file.parent.name), _payload(text))

    def files(self, conversation: ConversationId) -> Sequence[Path]:
        return [file for file in sorted(self._folder(conversation).rglob("*")) if not file.is_dir()]

    def erase(self, conversation: ConversationId) -> Sequence[str]:
        """Raises OSError."""
        folder = self._folder(conversation)
        # Also what waits for others: there may be no other connector in the configuration any more.
        removed = dict.fromkeys(super().erase(conversation), None)
        # A worker may put a file there at this moment.
        while folder.is_dir():
            removed.update((str(file), None) for file in self.files(conversation))
            try:
                shutil.rmtree(folder)
            except OSError as error:
                if error.errno not in (errno.ENOENT, errno.ENOTEMPTY):
                    raise
            _sync(folder.parent)
        return [*removed]

    def _folder(self, conversation: ConversationId) -> Path:
        return self.data_dir / self.settings.folder / conversation.account / conversation.channel


def _write_revision(folder: Path, revision: Revision, conversation: Conversation) -> None:
    record = {
        "account": conversation.account,
        "conversation_id": conversation.id,
        "revision": revision.number,
        "received_at": revision.received_at.isoformat(),
        "payload_id": revision.payload,
        "conversation": conversation.model_dump(mode="json"),
        # NaN and 1e999, which are no JSON but are taken, are written as text.
        "payload": json.loads(revision.body, strict=False, parse_constant=str, parse_float=_finite),
    }
    _write(folder / f"r{revision.number}.txt", as_text(conversation))
    # ASCII: a lone surrogate in the payload can be escaped, not encoded.
    _write(folder / f"r{revision.number}.json", legible(record, ascii_only=True))


def _payload(text: bytes) -> bytes:
    """What Smartsupp sent, of a file; all of a file that somebody has changed."""
    try:
        return json.dumps(json.loads(text)["payload"]).encode()
    except (ValueError, RecursionError, LookupError, TypeError):
        return text


def _finite(number: str) -> float | str:
    value = float(number)
    return value if math.isfinite(value) else number


def _holds(file: Path, payload: str) -> bool:
    """Whether a file is that payload's. A body that came first may have been read second: then the numbers moved."""
    try:
        return bool(json.loads(file.read_text(encoding="utf-8"))["payload_id"] == payload)
    except FileNotFoundError:
        return False


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _write(file: Path, content: str | bytes) -> None:
    """Whole or not at all, and on disk: readers see the old file or the new one."""
    draft = file.with_name(f".{file.name}.{secrets.token_hex(4)}")
    try:
        with draft.open("wb") as stream:
            stream.write(content.encode() if isinstance(content, str) else content)
            stream.flush()
            os.fsync(stream.fileno())
        draft.replace(file)
    except OSError:
        draft.unlink(missing_ok=True)
        raise
