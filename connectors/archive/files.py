"""Files of a chat, fetched while their addresses work, and kept beside the transcript.

    FOLDER/ACCOUNT/CHANNEL/files/3f9a1c20-invoice.pdf

What a visitor sent may be anything, and is called anything: only types that are allowed are taken, by what was declared
and by what was answered; the name is cut down to letters, digits, '-', '_' and '.', behind a mark of our own.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from requests import Response

from connectors.kit.http import ANSWER_LIMIT, Http
from connectors.kit.responses import refusal
from connectors.kit.step import Step
from core.conversation import ChatFile, Conversation, Message
from core.errors import ConnectorRefused, DeliveryError, RecordRefused, RetryLater

#: What people send each other: pictures, documents, sound. No page, no script, no program.
FILE_TYPES = (
    *("image/png", "image/jpeg", "image/gif", "image/webp", "image/heic", "audio/*", "video/*"),
    *("text/plain", "text/csv"),
    *("application/pdf", "application/zip", "application/msword", "application/vnd.ms-excel", "application/rtf"),
    *("application/vnd.oasis.opendocument.*", "application/vnd.openxmlformats-officedocument.*"),
)
#: The largest file that can be fetched, in MiB.
LARGEST_MIB = ANSWER_LIMIT >> 20
#: So often a file is asked for that does not come, though its address should work.
_TRIES = 4
#: Characters of a name that are kept.
_LONGEST = 80
_ODD = re.compile(r"[^A-Za-z0-9._-]+")
#: Beginnings of programs, whatever they are declared as.
_PROGRAMS = (b"MZ", b"\x7fELF", b"#!", b"\xca\xfe\xba\xbe", b"\xfe\xed\xfa", b"\xcf\xfa\xed\xfe")


@dataclass(frozen=True)
class FileRules:
    """`types` are media types, where `image/*` is all that begin so; `largest` is in bytes."""

    types: Sequence[str]
    largest: int

    def refuses(self, kind: str, size: int | None) -> str:
        """Why a file is not taken, or ""."""
        name = kind.partition(";")[0].strip().lower()
        if size is not None and size > self.largest:
            return "too large"
        allowed = any(name == one or (one.endswith("*") and name.startswith(one[:-1])) for one in self.types)
        return "" if allowed else "of a type that is not allowed"


def safe_name(file: ChatFile, message: Message) -> str:
    """The same for the same file of a chat, whatever its address is by then; and none that means something to a
    system."""
    at = message.sent_at.isoformat() if message.sent_at else ""
    mark = hashlib.sha256("\0".join((at, message.sender, file.name, str(file.size))).encode()).hexdigest()[:8]
    plain = unicodedata.normalize("NFKD", file.name).encode("ascii", "ignore").decode()
    stem, dot, ending = _ODD.sub("_", plain).strip("._-").rpartition(".")
    name = f"{stem[: _LONGEST - 12]}{dot}{ending[:10]}" if dot else ending[:_LONGEST]
    return f"{mark}-{name or 'file'}"


def keep_files(
    conversation: Conversation,
    folder: Path,
    rules: FileRules,
    http: Http,
    step: Step,
    write: Callable[[Path, bytes], None],
) -> None:
    """Fetch what is not there yet. Raises OSError, and RetryLater when a file is to be asked for again; what cannot be
    had is noted, without its name, which is the visitor's."""
    lacking: dict[str, str] = {}
    later: RetryLater | None = None
    for file, name in _files(conversation):
        place = folder / name
        if place.exists():
            continue
        why = _reason(file, rules)
        if not why:
            try:
                write(place, _fetched(file, rules, http))
            except _Unwanted as unwanted:
                why = str(unwanted)
            except RetryLater as error:
                tries = int(step.recall(f"tries {name[:8]}") or 0) + 1
                step.keep(f"tries {name[:8]}", tries)
                if tries < _TRIES:
                    later = error
                    continue
                why = "not to be had"
        if why:
            lacking[name] = why
    counts = {why: [*lacking.values()].count(why) for why in lacking.values()}
    step.note("files", "; ".join(f"{number} not kept: {why}" for why, number in sorted(counts.items())))
    if later:
        raise later


class _Unwanted(Exception):
    """A file that is not kept, and why."""


def _files(conversation: Conversation) -> Iterator[tuple[ChatFile, str]]:
    for message in conversation.messages:
        for file in message.files:
            yield file, safe_name(file, message)


def _reason(file: ChatFile, rules: FileRules) -> str:
    if not file.url.lower().startswith(("https://", "http://")):
        return "without an address"
    if file.expires_at and file.expires_at < datetime.now(UTC):
        return "expired"
    return rules.refuses(file.type, file.size) if file.type else ""


def _fetched(file: ChatFile, rules: FileRules, http: Http) -> bytes:
    """Raises _Unwanted, RetryLater."""
    try:
        answer = http.request("GET", file.url, judge=_judged)
    except ConnectorRefused as error:
        # An address in a chat says nothing about the archive: it has expired, or leads to where nobody may go.
        raise _Unwanted("expired or refused" if error.status else "at an address that is not allowed") from None
    except RecordRefused:
        raise _Unwanted("expired or refused") from None
    except RetryLater as error:
        if error.status is not None and error.status // 100 == 2:
            raise _Unwanted("too large") from None
        raise
    kind = answer.headers.get("Content-Type") or file.type
    # Storage often knows no type: then what was declared counts.
    why = rules.refuses(file.type if "octet-stream" in kind else kind, len(answer.content))
    if why or answer.content.startswith(_PROGRAMS):
        raise _Unwanted(why or "of a type that is not allowed")
    return answer.content


def _judged(answer: Response) -> DeliveryError | None:
    if answer.status_code // 100 == 2:
        return None
    # Whatever a storage answers, and in whichever form, it means this file and not a firewall.
    return refusal(answer, speaks_json=False, own=range(400, 500))
