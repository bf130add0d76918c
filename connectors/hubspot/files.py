"""Files of a chat in HubSpot: in its file manager, for those who are logged in, and on a note.

https://github.com/HubSpot/HubSpot-public-api-spec-collection : Files, version 2026-09
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

from connectors.hubspot.api import HubSpotApi, wrapped
from connectors.kit.files.carrying import ChatFiles, FileNote
from connectors.kit.files.rules import MIB
from connectors.kit.files.settings import FileLimits
from connectors.kit.files.streaming import Outgoing, multipart_body

#: What an account without a subscription takes; others take more.
FILE_LIMITS = FileLimits(largest=20 * MIB)
FILE_MANAGER = "/files/2026-09/files"


def add_files(
    hubspot: HubSpotApi, files: ChatFiles, folder: str, parents: Mapping[str, str], began: str, note: FileNote
) -> None:
    """A note with the files on it. `folder` is the chat's own, in which a repeat finds what it would upload again."""

    def upload(file: Outgoing) -> str:
        # https://developers.hubspot.com/docs/api-reference/latest/files/guide#upload-a-file : to overwrite is to remove
        # what has the name.
        options = json.dumps({"access": "PRIVATE", "overwrite": True})
        fields = {"folderPath": folder, "fileName": file.marked_name, "options": options}
        answer = hubspot.call("POST", FILE_MANAGER, **multipart_body(fields, [("file", file)]).options)
        return wrapped(answer)["id"].id

    # https://developers.hubspot.com/docs/api-reference/latest/crm/activities/notes/guide#properties
    attached = ";".join(files.uploaded(one, upload) for one in note.files)
    properties = {"hs_timestamp": began, "hs_note_body": note.body}
    hubspot.add_activity("notes", properties | ({"hs_attachment_ids": attached} if attached else {}), parents, "")


def note_texts(hubspot: HubSpotApi, parents: Mapping[str, str]) -> Iterator[str]:
    """The notes of the first of these records."""
    return (text for _, text in hubspot.activities("notes", "hs_note_body", parents))
