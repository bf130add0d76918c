"""An email, and its bytes. Pure: the same email has the same bytes.

Headers are written by hand of what is on one line, as RFC 5322 and RFC 2047 say. Python's newer policies read what they
are given once more and fold it anew, and have taken a visitor's name for an address, or for a header, more than once.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from email import charset
from email.header import Header
from email.message import Message
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText
from email.policy import compat32
from email.utils import format_datetime, quote
from typing import Any

from connectors.kit.transcript import single_line

#: UTF-8, with what is not ASCII as quoted-printable: a source that people can read, and lines that no server breaks.
_UTF8 = charset.Charset("utf-8")
_UTF8.body_encoding = charset.QP
_POLICY = compat32.clone(linesep="\r\n")

#: Characters without a space after which a header cannot be folded; a line of a mail has 998 at most.
_WORD = 60
#: What a name can have in it and need no quotation marks (RFC 5322, atext and space).
_ATOMS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~ -]+")
#: Characters of a header's text. More would be a text, not a header.
LONGEST_HEADER = 500


@dataclass(frozen=True)
class Attachment:
    """A text in a file."""

    name: str
    text: str = field(repr=False)


@dataclass(frozen=True)
class Mail:
    """An email. `sender` and `recipients` are addresses in ASCII; `headers` are those beside From, To, Date and
    Message-ID, as `header_text` and `mailbox` give them: ASCII on one line."""

    message_id: str
    sender: str
    recipients: tuple[str, ...]
    date: datetime
    text: str = field(repr=False)
    html: str = field(default="", repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    sender_name: str = ""
    attachments: tuple[Attachment, ...] = ()

    def __bytes__(self) -> bytes:
        head = "".join(_folded(name, value) for name, value in self._headers().items())
        return head.encode("ascii") + self._body().as_bytes(policy=_POLICY)

    def shown(self) -> dict[str, Any]:
        """For people to read, and to compare."""
        files = {one.name: one.text for one in self.attachments}
        return {
            "headers": self._headers(),
            "text": self.text,
            **({"html": self.html} if self.html else {}),
            **({"attachments": files} if files else {}),
        }

    def _headers(self) -> dict[str, str]:
        return {
            "From": mailbox(self.sender_name, self.sender),
            "To": ", ".join(self.recipients),
            "Date": format_datetime(self.date),
            "Message-ID": self.message_id,
            **self.headers,
        }

    def _body(self) -> Message:
        text = _text_part(self.text, "plain")
        if not self.html:
            body: Message = text
        else:
            body = MIMEMultipart("alternative", self._boundary("alternative"), [text, _text_part(self.html, "html")])
        if not self.attachments:
            return body
        files = [_text_part(one.text, "plain") for one in self.attachments]
        for part, one in zip(files, self.attachments, strict=True):
            part.add_header("Content-Disposition", "attachment", filename=one.name)
        return MIMEMultipart("mixed", self._boundary("mixed"), [body, *files])

    def _boundary(self, kind: str) -> str:
        """Python's would be another one each time. No text has it: quoted-printable leaves no = as it is."""
        return "=_" + hashlib.sha256(f"{kind} {self.message_id}".encode()).hexdigest()[:40]


def header_text(text: str) -> str:
    """Any text as what a header can have: on one line, and as encoded words (RFC 2047) wherever it could be taken for
    something else."""
    line = single_line(text)[:LONGEST_HEADER]
    is_plain = line.isascii() and line.isprintable() and "=?" not in line
    if is_plain and all(len(word) <= _WORD for word in line.split()):
        return line
    return " ".join(Header(line.encode("utf-8", "replace").decode(), "utf-8", maxlinelen=75).encode().split())


def mailbox(name: str, address: str) -> str:
    """A name and an address: `"Kmet, Dusan" <dusan@example.com>`. The name is a stranger's."""
    found = header_text(name)
    if not found:
        return address
    if "=?" in found or _ATOMS.fullmatch(found):
        return f"{found} <{address}>"
    return f'"{quote(found)}" <{address}>'


def _folded(name: str, value: str) -> str:
    """A header on as many lines as it takes, each of at most 78 characters where its words allow that."""
    first, *others = value.split()
    lines = [f"{name}: {first}"]
    for word in others:
        if len(lines[-1]) + len(word) < 78:
            lines[-1] += f" {word}"
        else:
            lines.append(f" {word}")
    return "\r\n".join(lines) + "\r\n"


def _text_part(text: str, kind: str) -> MIMEText:
    # Half a character, as JSON can have it, is none that anybody could show.
    whole = text.encode("utf-8", "replace").decode()
    return MIMEText(whole, kind, _UTF8)  # type: ignore[arg-type]  # typeshed knows only the charset's name
