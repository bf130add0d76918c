"""Files of a chat in Pipedrive: on the person, lead or deal itself, one by one.

https://developers.pipedrive.com/docs/api/v1/Files
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import Any

from connectors.kit.files.carrying import FileNote
from connectors.kit.files.marks import files_mark
from connectors.kit.files.settings import FileLimits
from connectors.kit.files.streaming import multipart_body
from connectors.pipedrive.api import REMEMBERED, PipedriveApi

#: Each is a record of its own, so that a text is needed only for what is linked.
FILE_LIMITS = FileLimits(count=1)
#: How many of the account's newest files are looked through for a lead's, of which there is no list.
_NEWEST = 500
_LISTS = {"deal_id": "/v1/deals/{}/files", "person_id": "/v1/persons/{}/files"}


def add_files(
    pipedrive: PipedriveApi, parent: Mapping[str, Any], add_note: Callable[[str], object], note: FileNote
) -> None:
    if not note.files:
        add_note(note.body)
        return
    (file,) = note.files
    fields = {name: str(number) for name, number in parent.items()}
    # https://developers.pipedrive.com/docs/api/v1/Files#addFile . Its name has the mark, by which it is found.
    named = multipart_body(fields, [("file", file.named(file.marked_name))])
    _ = pipedrive.ask("POST", "/v1/files", judge=pipedrive.when(REMEMBERED), **named.options)["data"]["id"].number


def file_marks(pipedrive: PipedriveApi, parent: Mapping[str, Any], key: str, texts: Iterator[str]) -> Iterator[str]:
    """The marks in the names of the record's files; and its notes, which have those of what is linked."""
    ((kind, number),) = parent.items()
    newest = {"sort": "id DESC", "limit": 100}
    if kind in _LISTS:
        # https://developers.pipedrive.com/docs/api/v1/Deals#getDealFiles , and …/Persons#getPersonFiles
        listed = pipedrive.pages(_LISTS[kind].format(number), newest)
    else:
        # https://developers.pipedrive.com/docs/api/v1/Files#getFiles
        everybody = islice(pipedrive.pages("/v1/files", newest), _NEWEST)
        listed = (one for one in everybody if str(one.object.get("lead_id")) == str(number))
    names = (re.match(r"([0-9a-f]{8})-", str(one.object.get("file_name") or one.object.get("name"))) for one in listed)
    yield files_mark(key, [name[1] for name in names if name])
    yield from texts
