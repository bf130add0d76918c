"""One request as it is written: what is sent, and what is taken out of the answer.

It is the shape alone, as in connectors/http/document.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Annotated, Any, Literal, Self

import jmespath
from jinja2 import TemplateSyntaxError
from jmespath.exceptions import JMESPathError
from pydantic import AfterValidator, Field, model_validator

from connectors.http.answers import Case, Status
from connectors.kit.files.rules import LARGEST_MIB
from core.config.environment import Strict
from core.templates.language import mentions


def _jmespath(source: str) -> str:
    try:
        jmespath.compile(source)
    except JMESPathError:
        raise ValueError(
            f"'{source}' cannot be read as JMESPath; it looks like ticket.id, or results[0].id (https://jmespath.org)"
        ) from None
    return source


#: Where a value stands in an answer. https://jmespath.org/specification.html
JmesPath = Annotated[str, AfterValidator(_jmespath), Field(json_schema_extra={"format": "jmespath"})]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
#: Template that is checked together with the others of the document.
Text = Annotated[str, Field(json_schema_extra={"format": "jinja-template"})]
WhenText = Annotated[str, Field(json_schema_extra={"format": "jinja-expression"})]


class File(Strict):
    """One file of a multipart body."""

    filename: Text = Field(description="Its name.")
    content: Text = Field(description="Its text.")
    type: str = Field(default="text/plain; charset=utf-8", description="Its media type.")


class EachFile(Strict):
    """In the body of a request that brings files: so much for each of them."""

    each_file: Text = Field(description="What a file is there: {{ file.content }}.")


class DeclaredRequest(Strict):
    """One request. A value that comes out empty is left out, with its key."""

    request: Text = Field(
        pattern=r"^(GET|HEAD|POST|PUT|PATCH|DELETE) /\S*( *\{\{.*\}\}\S*)*$",
        description="Method and path below base_url, such as POST /tickets.",
    )
    query: dict[str, Any] = Field(default_factory=dict, description="Parameters after the ?.")
    headers: dict[str, Text] = Field(default_factory=dict, description="Headers of this request.")
    # `json` is a method of pydantic's models.
    json_body: Any = Field(default=None, alias="json", description="Body as JSON.")
    form: dict[str, Any] | None = Field(default=None, description="Body as a form.")
    multipart: dict[str, Text | File | EachFile] | None = Field(default=None, description="Body as a form with files.")
    text: Text | None = Field(default=None, description="Body as text.")
    raw: Text | None = Field(default=None, description="Body that is a file: {{ file.content }}.")
    expect: JmesPath | None = Field(
        default=None, description="JMESPath that is true for a success; an answer for which it is not is tried again."
    )
    take: dict[Name, JmesPath] | None = Field(
        default=None, description="Values to take out of the answer, by JMESPath; the default is id: id."
    )
    take_header: dict[Name, str] = Field(
        default_factory=dict, description="Values to take out of headers of the answer, by the names of the headers."
    )
    cases: tuple[Case, ...] = Field(default=(), description="What some answers to this request mean.")

    @model_validator(mode="after")
    def _takes_each_once(self) -> Self:
        if twice := {*self.take_header} & {*(self.take or {})}:
            raise ValueError(f"take and take_header both have '{min(twice)}'; remove one of them")
        return self

    @model_validator(mode="after")
    def _has_one_body(self) -> Self:
        given = [name for name in BODIES if getattr(self, BODIES[name]) is not None]
        if len(given) > 1:
            raise ValueError(f"has {' and '.join(given)}; a request has one body")
        if given and self.method in ("GET", "HEAD"):
            raise ValueError(f"{self.method} has no body; write query instead of {given[0]}")
        return self

    @property
    def method(self) -> str:
        return self.request.partition(" ")[0]

    @property
    def path(self) -> str:
        return self.request.partition(" ")[2].strip()


#: Spelling in the file -> field.
BODIES = {"json": "json_body", "form": "form", "multipart": "multipart", "text": "text", "raw": "raw"}


class Pages(Strict):
    """How a list goes on."""

    by: Literal["page", "offset", "cursor", "link", "address"] = Field(
        description="page, offset: numbers in the query. cursor, address: what stands at `at` in the body. link: the "
        "Link header."
    )
    at: str = Field(default="", description="Where the cursor or the address stands in the body, such as meta.next.")
    parameter: str = Field(default="", description="Parameter of the number or the cursor; page, offset or cursor.")
    size: str = Field(default="", description="Parameter of a page's size; per_page, or limit.")
    per_page: int = Field(default=100, gt=0, le=1000, description="Entries of a page.")
    most: int = Field(default=0, ge=0, description="Pages that are read; 0: all.")

    @model_validator(mode="after")
    def _says_where(self) -> Self:
        if self.by in ("cursor", "address") and not self.at:
            raise ValueError(f"by: {self.by} needs at: where it stands in the body, such as meta.next")
        return self


class Find(DeclaredRequest):
    """A request that looks for something, and reads only."""

    entries: str | None = Field(
        default=None, description="Where the list of what was found stands in the body, such as data.items; @: itself."
    )
    where: dict[JmesPath, Text] = Field(
        default_factory=dict,
        description="What must stand in the entry that is meant: JMESPath in it, and the text; a list has it in it.",
    )
    marked: JmesPath | None = Field(
        default=None,
        description="JMESPath of a text in the entry that ends with part.mark, or of several, one of which does. In a "
        "step that creates a record with the first part: with a mark of this chat, of whatever revision.",
    )
    text_at: JmesPath | None = Field(
        default=None,
        description="In a step that creates a record with the first part: JMESPath of that text in the entry. By it a "
        "record that is found is known to have this revision's text, or an earlier one's. The default is marked.",
    )
    none: tuple[Status, ...] = Field(default=(), description="Statuses that mean: there is none, such as [404].")
    empty: JmesPath | None = Field(
        default=None,
        description="JMESPath that is true of an answer that says: there is none, where no list stands in it then.",
    )
    pages: Pages | None = Field(default=None, description="How the list continues; without it, it is one page.")
    lags: int = Field(
        default=0,
        ge=0,
        le=3_600,
        description="So many seconds a record may be missing there after it was created, as in a search index.",
    )

    @model_validator(mode="after")
    def _can_find_nothing(self) -> Self:
        if self.method not in ("GET", "HEAD", "POST"):
            raise ValueError(f"looks only, and {self.method} changes something; write GET, or POST for a search")
        if self.entries is None and (self.marked or self.pages):
            raise ValueError("marked and pages are for a list; add entries: where it stands in the body")
        if self.text_at and self.entries is None:
            raise ValueError("text_at is for a list; add entries: where it stands in the body")
        if self.empty and (self.entries is None or self.pages):
            raise ValueError("empty is for a list of one page; it needs entries, and has no pages beside it")
        if self.take_header:
            raise ValueError("take_header is for the answer to a create; write take")
        if self.pages and self.method != "GET":
            raise ValueError("pages are read with GET")
        return self


class Attachments(Strict):
    """How the destination takes the files of a chat: in a text of their own, each once."""

    largest: int = Field(default=20, ge=1, le=LARGEST_MIB, description="MiB that one file may have.")
    together: int = Field(default=LARGEST_MIB, ge=1, le=LARGEST_MIB, description="MiB that all of one text may have.")
    count: int = Field(default=10, ge=1, le=100, description="Files that one text may have.")
    upload: DeclaredRequest | None = Field(
        default=None, description="Sent for each file, where it is uploaded first; what it takes is file.upload."
    )
    upload_lasts: int = Field(
        default=0, ge=0, description="So many seconds the destination knows an upload; 0: for ever."
    )
    find: Find = Field(description="The texts of the record, to look for those that brought files: entries and marked.")
    create: DeclaredRequest = Field(description="How the text is added: part.text, and each_file for the files.")

    @model_validator(mode="after")
    def _brings_files(self) -> Self:
        if self.find.entries is None or not self.find.marked:
            raise ValueError("find needs entries and marked: by the texts a repeat is known")
        written = repr((self.create.json_body, self.create.multipart))
        if "each_file" not in written:
            raise ValueError("create names no file; write each_file: where they belong in json or multipart")
        if self.upload and "file.content" not in repr((self.upload.raw, self.upload.json_body, self.upload.multipart)):
            raise ValueError("upload sends no file; write {{ file.content }} in it, such as raw: '{{ file.content }}'")
        return self


def mentioned(source: Any, name: str) -> bool:
    """Whether a template in a request, or in any other value, names something. What is no template names nothing."""
    if isinstance(source, DeclaredRequest):
        source = source.model_dump()
    if isinstance(source, Mapping):
        return any(mentioned(one, name) for pair in source.items() for one in pair)
    if isinstance(source, list | tuple):
        return any(mentioned(one, name) for one in source)
    if not isinstance(source, str) or name not in source or "{{" not in source:
        return False
    with suppress(TemplateSyntaxError, RecursionError):
        return mentions(source, name)
    return False  # it is refused where it is made ready


def taken(request: DeclaredRequest) -> dict[str, str]:
    """What a find or a create takes out of the body of its answer."""
    if request.take is None:
        return {} if "id" in request.take_header else {"id": "id"}
    return dict(request.take)


def names_taken(request: DeclaredRequest) -> set[str]:
    """The names of all that it takes."""
    return {*taken(request), *request.take_header}
