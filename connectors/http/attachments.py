"""Files of a chat, as a document says how the destination takes them: what is made ready, and what runs."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

from pydantic import BaseModel, ConfigDict

from connectors.http.asking import Asking
from connectors.http.declared import Attachments
from connectors.http.looking import Looking
from connectors.http.names import PartNames
from connectors.http.requests.compiler import Compiler
from connectors.http.requests.ready import Ready
from connectors.kit.files.carrying import ChatFiles, FileNote
from connectors.kit.files.rules import MIB
from connectors.kit.files.settings import FileLimits
from connectors.kit.files.streaming import Outgoing
from core.templates.scope import Names, Scope


class FileNames(BaseModel):
    """A file of the chat: `name` means nothing to any system, `title` is what the visitor called it, `content` is what
    is in it, and `upload` what the upload took."""

    model_config = ConfigDict(title="file", arbitrary_types_allowed=True)

    name: str
    title: str
    type: str
    size: int
    mark: str
    content: Any
    upload: Any = None


def _file_names(file: Outgoing, upload: Mapping[str, Any] | None = None) -> FileNames:
    return FileNames(
        name=file.name,
        title=file.title,
        type=file.type,
        size=file.size,
        mark=file.mark,
        content=file,
        upload=upload,
    )


class ReadyAttachments:
    """`scope` makes one of further names. What is wrong is said to the compiler."""

    def __init__(self, own: Attachments, scope: Callable[..., Scope], compiler: Compiler) -> None:
        self.limits = FileLimits(own.largest * MIB, own.together * MIB, own.count)
        self._lasts = own.upload_lasts or math.inf
        files, create = scope(part=PartNames, file=FileNames, files=None), scope(part=PartNames, files=None)
        create.each = files
        self._upload = Ready(own.upload, files, ("attachments", "upload"), compiler, ()) if own.upload else None
        self._create = Ready(own.create, create, ("attachments", "create"), compiler, (), takes={})
        self._find = Looking(own.find, scope(), ("attachments", "find"), compiler, ())

    def write(self, asking: Asking, files: ChatFiles, names: Names, note: FileNote) -> None:
        """Add the text, and its files."""
        upload = partial(self._uploaded, asking, names)
        sent = [
            _file_names(one, files.uploaded(one, upload, lasts=self._lasts) if self._upload else None)
            for one in note.files
        ]
        part = PartNames(number=1, text=note.body, mark=note.mark)
        asking.send(self._create, {**names, "part": part, "files": sent}, repeatable=False)

    def texts(self, asking: Asking, names: Names) -> Iterator[str]:
        """Those of the record."""
        return asking.texts(self._find, names)

    def _uploaded(self, asking: Asking, names: Names, file: Outgoing) -> dict[str, Any]:
        assert self._upload is not None  # noqa: S101  # who has none is not asked to
        return asking.send(self._upload, {**names, "file": _file_names(file)}, repeatable=False)
