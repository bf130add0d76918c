"""Files of a chat in Request Tracker: in an internal comment."""

from __future__ import annotations

import json
from collections.abc import Iterator

from connectors.kit.files.carrying import FileNote
from connectors.kit.files.rules import MIB
from connectors.kit.files.settings import FileLimits
from connectors.kit.files.streaming import json_options
from connectors.request_tracker.api import OF_TICKET, RequestTrackerApi

#: What RT keeps where nobody has said otherwise: https://docs.bestpractical.com/rt/latest/RT_Config.html#MaxAttachmentSize
FILE_LIMITS = FileLimits(largest=10 * MIB)


def add_files(rt: RequestTrackerApi, ticket: str, note: FileNote) -> None:
    """A comment with the marks for a subject, as its others have theirs."""
    # https://docs.bestpractical.com/rt/latest/RT/REST2.html#Add-Attachments
    attached = [{"FileName": one.name, "FileType": one.type, "FileContent": one} for one in note.files]
    comment = {"Subject": note.mark, "ContentType": "text/html", "Content": note.body}
    sent = json_options({**comment, **({"Attachments": attached} if attached else {})})
    rt.ask("POST", f"ticket/{ticket}/comment", judge=rt.when(*OF_TICKET), **sent)


def file_marks(rt: RequestTrackerApi, ticket: str, key: str) -> Iterator[str]:
    """The subjects of such comments."""
    # https://docs.bestpractical.com/rt/latest/RT/REST2.html#JSON-searches: subjects only on demand.
    query = json.dumps([{"field": "Subject", "operator": "LIKE", "value": f"[{key} files "}])
    found = rt.ask("GET", f"ticket/{ticket}/attachments", params={"query": query, "fields": "Subject"})["items"]
    return (one["Subject"].text for one in found)
