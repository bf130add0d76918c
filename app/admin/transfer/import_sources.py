"""What bodies may be wrapped in when they are imported: another encoding, a file of the archive, an export."""

from __future__ import annotations

import codecs
import json
from typing import BinaryIO, Protocol

#: How a file begins that is packed: gzip, zip, zstd, xz, bzip2.
_PACKED = (b"\x1f\x8b", b"PK\x03\x04", b"\x28\xb5\x2f\xfd", b"\xfd7zXZ", b"BZh")
_MARKS = {codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}


class Reads(Protocol):
    def read(self, size: int, /) -> bytes: ...


class Unwrapped:
    """A file in UTF-8, whichever encoding its mark names; PowerShell writes UTF-16. What is `packed` stays so: nobody
    knows how large it would be."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        start = stream.read(8)
        mark = next((one for one in _MARKS if start.startswith(one)), b"")
        self.packed = start.startswith(_PACKED)
        self._decoder = codecs.getincrementaldecoder(_MARKS[mark])("replace") if mark else None
        self._ahead = start[len(mark) :]

    def read(self, size: int, /) -> bytes:
        while True:
            part, self._ahead = self._ahead or self._stream.read(size), b""
            if self._decoder is None:
                return part
            text = self._decoder.decode(part, final=not part)
            if text or not part:
                return text.encode("utf-8", "replace")


def smartsupp_body(piece: bytes) -> tuple[bytes, str]:
    """What Smartsupp sent, of a file that our archive wrote; anything else as it is. And why there is none in it."""
    if b'"payload' not in piece:
        return piece, ""
    try:
        found = json.loads(piece)
    except (ValueError, RecursionError):
        return piece, ""
    if "payload_id" in found and isinstance(found.get("payload"), dict):
        return json.dumps(found["payload"]).encode(), ""
    if {"id", "revision", "payload", "deliveries"} <= found.keys():
        return b"", "relay export writes no payloads; import the files of an archive, or restore a backup"
    return piece, ""
