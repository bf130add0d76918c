"""A file of a chat, fetched while its address works: piece by piece into a file of ours, which is there whole or not at
all."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from requests import Response

from connectors.kit.files.rules import NOT_ALLOWED, PROGRAMS, FileRules
from connectors.kit.http import Http
from connectors.kit.responses import refusal
from core.config.mistakes.files import file_mistake
from core.conversation import ChatFile
from core.errors import ConnectorRefused, DeliveryError, RecordRefused, RetryLater

#: So often a file is asked for that does not come, though its address should work.
FETCH_TRIES = 4
GIVEN_UP = "not to be had"


class UnwantedFile(Exception):
    """A file that is not taken; the text says why, without anything of the visitor's."""


def fetch(file: ChatFile, rules: FileRules, http: Http, place: Path) -> None:
    """Put the file at `place`, on disk. Raises UnwantedFile, and RetryLater when it is to be asked for again."""
    if why := _reason(file, rules):
        raise UnwantedFile(why)
    try:
        http.request("GET", file.url, judge=_judged, into=_Draft(file, rules, place))
    except ConnectorRefused as error:
        # An address in a chat says nothing about the connector: it has expired, or leads to where nobody may go.
        raise UnwantedFile("expired or refused" if error.status else "at an address that is not allowed") from None
    except RecordRefused:
        raise UnwantedFile("expired or refused") from None


class _Draft:
    """Takes what is answered, and lets it be the file once it is all there."""

    def __init__(self, file: ChatFile, rules: FileRules, place: Path) -> None:
        self._file, self._rules, self._place = file, rules, place

    def __call__(self, answer: Response, pieces: Iterator[bytes]) -> None:
        kind = answer.headers.get("Content-Type") or self._file.type
        # Storage often knows no type: then what was declared counts.
        if why := self._rules.refuses(self._file.type if "octet-stream" in kind else kind, _length(answer)):
            raise UnwantedFile(why)
        draft = self._place.with_name(f".{self._place.name}.{secrets.token_hex(4)}")
        try:
            with _on_disk(self._place):
                _private(self._place.parent)
                descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "wb") as stream:
                size = 0
                for piece in pieces:
                    if not size and piece.startswith(PROGRAMS):
                        raise UnwantedFile(NOT_ALLOWED)
                    size += len(piece)
                    if size > self._rules.largest:
                        raise UnwantedFile(self._rules.too_large)
                    with _on_disk(self._place):
                        stream.write(piece)
                if not size:
                    raise UnwantedFile("empty")
                with _on_disk(self._place):
                    stream.flush()
                    os.fsync(stream.fileno())
            with _on_disk(self._place):
                draft.replace(self._place)
        except BaseException:
            with suppress(OSError):
                draft.unlink()
            raise


def _private(folder: Path) -> None:
    """Make it, and what is missing around it, for the relay's user alone; `mkdir` does so for the last of them only."""
    if not folder.is_dir():
        _private(folder.parent)
        folder.mkdir(mode=0o700, exist_ok=True)


@contextmanager
def _on_disk(place: Path) -> Iterator[None]:
    """What fails here is our disk, and not the address: for requests every trouble of a network is an OSError, too."""
    try:
        yield
    except OSError as error:
        raise RetryLater(f"cannot write to {place.parent}: {file_mistake(error)}") from error


def _reason(file: ChatFile, rules: FileRules) -> str:
    if not file.url.lower().startswith(("https://", "http://")):
        return "without an address"
    if file.expires_at and file.expires_at < datetime.now(UTC):
        return "expired"
    return rules.refuses(file.type, file.size) if file.type else ""


def _length(answer: Response) -> int | None:
    said = answer.headers.get("Content-Length", "")
    packed = "Content-Encoding" in answer.headers
    return int(said) if said.isascii() and said.isdecimal() and not packed else None


def _judged(answer: Response) -> DeliveryError | None:
    if answer.status_code // 100 == 2:
        return None
    # Whatever a storage answers, and in whichever form, it means this file and not a firewall.
    return refusal(answer, speaks_json=False, own=range(400, 500))
