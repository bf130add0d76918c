"""The deletion receipt as plain text."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from app.admin.erasing.erasure import ErasureReceipt
from connectors.kit.transcript import single_line
from core.store.erase import Rewrite

#: What becomes of the server's own file.
REWRITING = {
    Rewrite.BEGUN: "Its append-only file is being rewritten without the data.",
    Rewrite.LATER: "Its append-only file was being rewritten; a worker starts another rewrite after that.",
    Rewrite.REFUSED: "Its append-only file still holds the data, and the server does not allow Relay to start a "
    "rewrite: it happens at a later time, or the administrator of the server can start it (BGREWRITEAOF).",
    Rewrite.NO_FILE: "It has no append-only file.",
}


def receipt_text(visitor: str, receipt: ErasureReceipt, now: datetime) -> str:
    return "\n".join(_lines(visitor, receipt, now)) + "\n"


def _lines(visitor: str, receipt: ErasureReceipt, now: datetime) -> Iterator[str]:
    yield "Deletion receipt"
    yield "================"
    yield ""
    yield f"Visitor    {single_line(visitor)}"
    yield f"When       {now:%Y-%m-%d %H:%M:%S} UTC"
    yield f"By         Relay for Smartsupp{'' if receipt.complete else ', NOT COMPLETE: see below'}"
    yield ""
    yield "Erased"
    for number, words in (
        (len(receipt.conversations), "chats"),
        (receipt.revisions, "payloads of them (revisions)"),
        (len(receipt.payloads), "payloads without a chat"),
        (receipt.deliveries, "deliveries"),
        (receipt.attempts, "attempts, with requests and responses"),
        (len(receipt.files), "files in archives"),
        (receipt.remembered, "names by which connectors knew the person at their destination"),
    ):
        yield f"  {number:>7}  {words}"
    yield from _part("Chats", receipt.conversations)
    yield from _part("Payloads without a chat", receipt.payloads)
    yield from _part("Files", receipt.files)
    yield from _part("Not erased: in use. Erase again", receipt.in_use)
    yield from _part(
        "Not erased: files could not be removed. Correct the cause, then erase again",
        [f"{one.conversation}, {one.connector}: {one.error}" for one in receipt.failed],
    )
    if receipt.closed:
        yield from _part("Not searched", [f"{receipt.closed} encrypted payloads whose key is missing"])
    yield from _part(
        "Erased at destinations",
        [f"{one}: {one.does}" for one in receipt.persons if not (one.error or one.kept)],
    )
    yield from _part(
        "Not erased at destinations. Correct the cause, then erase again, or delete them there",
        [f"{one}: {one.error}" for one in receipt.persons if one.error],
    )
    yield from _part("Kept at destinations: found, and not chosen", [str(one) for one in receipt.persons if one.kept])
    yield from _part("Other addresses and ids of this visitor. Search for these as well", receipt.known_as)
    yield from _part("Kept: chats of others that mention the address", receipt.named)
    yield from _part(
        "Still at destinations: delete them there",
        [" ".join(filter(None, (f"{one.connector}:", one.record, one.url))) for one in receipt.elsewhere],
    )
    yield from _part("The store", [REWRITING[receipt.rewrite]] if receipt.rewrite else [])
    yield from _part(
        "Not erased by Relay",
        ["Backups and replicas of the store, exports, log files, and chats that Smartsupp itself keeps."],
    )


def _part(title: str, lines: Iterator[str] | tuple[str, ...] | list[str]) -> Iterator[str]:
    rows = [f"  {single_line(line)}" for line in lines]
    if rows:
        yield from ("", title, *rows)
