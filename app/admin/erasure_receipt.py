"""The receipt of an erasing as plain text, to be printed or kept by whoever asked for it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from app.admin.erasure import Receipt
from connectors.kit.transcript import single_line
from core.store.erase import Rewrite

#: What becomes of the server's own file.
REWRITING = {
    Rewrite.BEGUN: "Its append-only file is being written anew, without it.",
    Rewrite.LATER: "Its append-only file was just being written anew; it is once more when that is done, by a worker.",
    Rewrite.REFUSED: "Its append-only file still holds the bytes, and the server does not let relay have it written "
    "anew: it does so in its own time, or whoever runs it can (BGREWRITEAOF).",
    Rewrite.NO_FILE: "It keeps no append-only file.",
}


def receipt_text(visitor: str, receipt: Receipt, now: datetime) -> str:
    return "\n".join(_lines(visitor, receipt, now)) + "\n"


def _lines(visitor: str, receipt: Receipt, now: datetime) -> Iterator[str]:
    yield "Receipt of an erasing"
    yield "====================="
    yield ""
    yield f"Visitor    {single_line(visitor)}"
    yield f"When       {now:%Y-%m-%d %H:%M:%S} UTC"
    yield f"By         Relay for Smartsupp{'' if receipt.complete else ', NOT COMPLETE: see below'}"
    yield ""
    yield "Erased"
    for number, words in (
        (len(receipt.conversations), "conversations"),
        (receipt.revisions, "bodies of them (revisions)"),
        (len(receipt.payloads), "bodies without a conversation"),
        (receipt.deliveries, "deliveries"),
        (receipt.attempts, "attempts, with what was sent and answered"),
        (len(receipt.files), "files of archives"),
    ):
        yield f"  {number:>7}  {words}"
    yield from _part("Conversations", receipt.conversations)
    yield from _part("Bodies without a conversation", receipt.payloads)
    yield from _part("Files", receipt.files)
    yield from _part("Not erased: in use all the time. Erase again", receipt.in_use)
    yield from _part(
        "Not erased: files could not be removed. Put it right, then erase again",
        [f"{one.conversation}, {one.connector}: {one.error}" for one in receipt.failed],
    )
    if receipt.closed:
        yield from _part("Not looked into", [f"{receipt.closed} sealed bodies whose key is not there"])
    yield from _part("The visitor was called this, too. Look whether there is more of it", receipt.known_as)
    yield from _part("Kept: conversations of others in which the address is written", receipt.named)
    yield from _part(
        "Still at destinations, to be erased there",
        [" ".join(filter(None, (f"{one.connector}:", one.record, one.url))) for one in receipt.elsewhere],
    )
    yield from _part("The server", [REWRITING[receipt.rewrite]] if receipt.rewrite else [])
    yield from _part(
        "Not relay's to erase",
        ["Backups and replicas of the server, exports, log files, and chats that Smartsupp itself keeps."],
    )


def _part(title: str, lines: Iterator[str] | tuple[str, ...] | list[str]) -> Iterator[str]:
    rows = [f"  {single_line(line)}" for line in lines]
    if rows:
        yield from ("", title, *rows)
