"""Which files of a chat may go on, and what they are called there. Pure.

What a visitor sent may be anything, and is called anything: only types that are allowed are taken, by what was declared
and by what was answered; a name is cut down to letters, digits, '-', '_' and '.'.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from core.conversation import ChatFile, Conversation, Message

#: What people send each other: pictures, documents, sound. No page, no script, no program.
FILE_TYPES = (
    *("image/png", "image/jpeg", "image/gif", "image/webp", "image/heic", "audio/*", "video/*"),
    *("text/plain", "text/csv"),
    *("application/pdf", "application/zip", "application/msword", "application/vnd.ms-excel", "application/rtf"),
    *("application/vnd.oasis.opendocument.*", "application/vnd.openxmlformats-officedocument.*"),
)
MIB = 1024 * 1024
#: MiB. More does not arrive within one attempt.
LARGEST_MIB = 50
#: Beginnings of programs, whatever they are declared as.
PROGRAMS = (b"MZ", b"\x7fELF", b"#!", b"\xca\xfe\xba\xbe", b"\xfe\xed\xfa", b"\xcf\xfa\xed\xfe")
#: Characters of a name that are kept.
_LONGEST = 80
_ODD = re.compile(r"[^A-Za-z0-9._-]+")

NOT_ALLOWED = "of a type that is not allowed"


@dataclass(frozen=True)
class FileRules:
    """`types` are media types, where `image/*` is all that begin so; `largest` is in bytes."""

    types: Sequence[str]
    largest: int

    @property
    def too_large(self) -> str:
        return f"larger than {self.largest / MIB:.3g} MB"

    def refuses(self, kind: str, size: int | None) -> str:
        """Why a file is not taken, or ""."""
        name = kind.partition(";")[0].strip().lower()
        if size is not None and size > self.largest:
            return self.too_large
        allowed = any(name == one or (one.endswith("*") and name.startswith(one[:-1])) for one in self.types)
        return "" if allowed else NOT_ALLOWED


def harmless_name(name: str) -> str:
    """What a visitor called a file, as a name that means nothing to any system."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    stem, dot, ending = _ODD.sub("_", plain).strip("._-").rpartition(".")
    found = f"{stem[: _LONGEST - 12]}{dot}{ending[:10]}" if dot else ending[:_LONGEST]
    return found or "file"


def digest(*parts: str) -> str:
    """Eight letters and digits that stand for the parts."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:8]


def sent_at(message: Message) -> str:
    return message.sent_at.isoformat() if message.sent_at else ""


class Marks:
    """Those of the files of one chat. Where several have the same in common, each after the first gets another mark."""

    def __init__(self) -> None:
        self._given = Counter[str]()

    def of(self, *parts: str) -> str:
        mark = digest(*parts)
        earlier = self._given[mark]
        self._given[mark] += 1
        return digest(mark, str(earlier)) if earlier else mark


def marked_files(conversation: Conversation) -> Iterator[tuple[ChatFile, str]]:
    """Every file with its mark: the same for the same file of a chat, whatever its address is by then, and whatever has
    been taken out of its name."""
    marks = Marks()
    for message in conversation.messages:
        for index, file in enumerate(message.files):
            yield file, marks.of(sent_at(message), message.sender, str(index), str(file.size))
