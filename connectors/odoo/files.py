"""Files of a chat in Odoo: attachments of an internal note.

https://github.com/odoo/odoo/blob/18.0/odoo/addons/base/models/ir_attachment.py
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from connectors.kit.files.carrying import ChatFiles, FileNote
from connectors.kit.files.marks import files_mark
from connectors.kit.files.streaming import Outgoing
from connectors.kit.http import Judge
from connectors.odoo.rpc import QUIET, Rpc, first_id, identity

_END = "@smartsupp.invalid>"


def add_files(odoo: Rpc, files: ChatFiles, model: str, record: int, prefix: str, judge: Judge, note: FileNote) -> None:
    """A note with the files. `prefix` is how the Message-Id of each note of the chat begins."""

    def find(file: Outgoing) -> int | None:
        named = [["res_model", "=", model], ["res_id", "=", record], ["name", "=", file.marked_name]]
        return first_id(odoo, "ir.attachment", named)

    def upload(file: Outgoing) -> int:
        values = {"name": file.marked_name, "datas": file, "res_model": model, "res_id": record}
        return identity(odoo.call("ir.attachment", "create", vals_list=[values], context=QUIET, judge=judge))

    attached = [files.uploaded(one, upload, find=find) for one in note.files]
    named: dict[str, Any] = {"attachment_ids": attached} if attached else {}
    # https://github.com/odoo/odoo/blob/18.0/addons/mail/models/mail_thread.py: message_post
    posted = odoo.call(
        model,
        "message_post",
        ids=[record],
        body=note.body,
        body_is_html=True,
        message_type="comment",
        subtype_xmlid="mail.mt_note",
        message_id=f"{prefix}files.{'.'.join(note.marks)}{_END}",
        context=QUIET,
        judge=judge,
        **named,
    )
    identity(posted)


def file_marks(odoo: Rpc, model: str, record: int, prefix: str, key: str) -> Iterator[str]:
    """What the notes with files have for marks."""
    start = f"{prefix}files."
    domain = [["model", "=", model], ["res_id", "=", record], ["message_id", "=like", f"{start}%"]]
    found = odoo.call("mail.message", "search_read", domain=domain, fields=["message_id"], limit=100, order="id")
    named = (one["message_id"].text for one in found)
    # `_` is any character there.
    return (files_mark(key, one[len(start) : -len(_END)].split(".")) for one in named if one.startswith(start))
