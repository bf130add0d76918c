"""Bodies of requests with files in them, read from the disk piece by piece as they are sent: raw, as parts of a form,
or as base64 inside JSON. A body can be sent again: it is read anew each time."""

from __future__ import annotations

import json
import re
import secrets
from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

#: Bytes that are read at once; base64 makes four characters of three.
_PIECE = 3 * 16 * 1024


@dataclass(frozen=True)
class Outgoing:
    """A file of a chat that is to be sent. `name` means nothing to any system, `title` is what the visitor called it.
    Without a `path` it is imagined, for a preview."""

    mark: str
    name: str
    title: str
    type: str
    size: int
    path: Path | None = field(default=None, repr=False)

    @property
    def marked_name(self) -> str:
        """A name that no other file of the chat has."""
        return f"{self.mark}-{self.name}"

    def named(self, name: str) -> Outgoing:
        return replace(self, name=name)

    def __str__(self) -> str:
        return f"<{self.name}, {self.size} bytes>"

    def pieces(self) -> Iterator[bytes]:
        """Raises OSError."""
        if self.path is None:
            return
        with self.path.open("rb") as stream:
            while piece := stream.read(_PIECE):
                yield piece


@dataclass(frozen=True)
class _Base64:
    file: Outgoing

    @property
    def size(self) -> int:
        return (self.file.size + 2) // 3 * 4

    def pieces(self) -> Iterator[bytes]:
        return map(b64encode, self.file.pieces())


@dataclass(frozen=True)
class TextFile:
    """A file of a form that is written beside those of the chat."""

    name: str
    type: str
    content: str

    def __str__(self) -> str:
        return self.content


class StreamedBody:
    """What stands around files, and the files. requests asks for its length and then for its pieces. `shown` is for
    people: JSON with a word for each file."""

    def __init__(self, kind: str, shown: Any, *segments: bytes | Outgoing | _Base64) -> None:
        self._kind, self._segments = kind, segments
        self.shown = shown

    @property
    def files(self) -> list[Outgoing]:
        return [one.file if isinstance(one, _Base64) else one for one in self._segments if not isinstance(one, bytes)]

    @property
    def options(self) -> dict[str, Any]:
        """As a request takes it."""
        return {"data": self, "headers": {"Content-Type": self._kind}}

    def __len__(self) -> int:
        return sum(len(one) if isinstance(one, bytes) else one.size for one in self._segments)

    def __iter__(self) -> Iterator[bytes]:
        for one in self._segments:
            if isinstance(one, bytes):
                yield one
            else:
                yield from one.pieces()

    def __str__(self) -> str:
        return self.shown if isinstance(self.shown, str) else json.dumps(self.shown, ensure_ascii=False)


def raw_body(file: Outgoing) -> StreamedBody:
    """The file alone."""
    return StreamedBody(file.type, str(file), file)


def multipart_body(
    fields: Mapping[str, str | TextFile | Sequence[str | TextFile]], files: Sequence[tuple[str, Outgoing]]
) -> StreamedBody:
    """A form: its fields, each as often as it has values, and each file under the name of its field.
    https://www.rfc-editor.org/rfc/rfc7578"""
    # No file can have it in it but by chance, as nobody knows it before.
    boundary = f"relay-{secrets.token_hex(16)}"
    values = {name: [one] if isinstance(one, str | TextFile) else [*one] for name, one in fields.items()}
    parts: list[tuple[str, str | TextFile | Outgoing]] = [(name, one) for name, own in values.items() for one in own]
    segments: list[bytes | Outgoing | _Base64] = []
    for name, one in (*parts, *files):
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"'
        if not isinstance(one, str):
            head += f'; filename="{one.name}"\r\nContent-Type: {one.type}'
        content = one if isinstance(one, Outgoing) else str(one).encode("utf-8", "replace")
        segments += [f"{head}\r\n\r\n".encode(), content, b"\r\n"]
    shown: dict[str, Any] = {name: str(own[0]) if len(own) == 1 else [*map(str, own)] for name, own in values.items()}
    for name, _ in files:
        shown[name] = [*map(str, values.get(name, ())), *(str(one) for other, one in files if other == name)]
    return StreamedBody(f"multipart/form-data; boundary={boundary}", shown, *segments, f"--{boundary}--\r\n".encode())


def json_options(document: Any) -> dict[str, Any]:
    """A document as a request takes it: JSON in which a file's content, as base64, stands wherever there is one."""
    body = _base64_body(document)
    return body.options if body.files else {"json": document}


def _base64_body(document: Any) -> StreamedBody:
    files: list[Outgoing] = []
    # Nobody can have written it into the chat.
    mark = secrets.token_hex(16)

    def place(one: Any) -> str:
        files.append(_file(one))
        return mark

    pieces = json.dumps(document, default=place).split(mark)
    segments: list[bytes | Outgoing | _Base64] = [pieces[0].encode()]
    for piece, file in zip(pieces[1:], files, strict=True):
        segments += [_Base64(file), piece.encode()]
    shown = json.loads(json.dumps(document, default=lambda one: str(_file(one))))
    return StreamedBody("application/json", shown, *segments)


def _file(one: Any) -> Outgoing:
    if not isinstance(one, Outgoing):
        raise TypeError(f"{type(one).__name__} is not JSON")
    return one


def media_type(declared: str) -> str:
    """A media type that can stand in a header."""
    kind = declared.partition(";")[0].strip().lower()
    return kind if re.fullmatch(r"[a-z0-9.+-]+/[a-z0-9.+-]+", kind) else "application/octet-stream"
