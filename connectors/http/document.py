"""What is written of a connector: requests in steps, what their answers mean, and what a check proves.

It is the shape alone. What the templates in it may name is checked in connectors/http/program.py, which makes of it
what runs.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

import jmespath
from jmespath.exceptions import JMESPathError
from pydantic import AfterValidator, Field, model_validator

from connectors.http.answers import Case, Meanings, Status
from connectors.http.signing import Auth
from core.config.environment import Strict


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
_Condition = Annotated[str, Field(json_schema_extra={"format": "jinja-expression"})]


class File(Strict):
    """One file of a multipart body."""

    filename: Text = Field(description="Its name.")
    content: Text = Field(description="Its text.")
    type: str = Field(default="text/plain; charset=utf-8", description="Its media type.")


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
    multipart: dict[str, Text | File] | None = Field(default=None, description="Body as a form with files.")
    text: Text | None = Field(default=None, description="Body as text.")
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
        given = [name for name in ("json", "form", "multipart", "text") if getattr(self, BODIES[name]) is not None]
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
BODIES = {"json": "json_body", "form": "form", "multipart": "multipart", "text": "text"}


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
        if self.empty and (self.entries is None or self.pages):
            raise ValueError("empty is for a list of one page; it needs entries, and has no pages beside it")
        if self.take_header:
            raise ValueError("take_header is for the answer to a create; write take")
        if self.pages and self.method != "GET":
            raise ValueError("pages are read with GET")
        return self


Repeatable = Literal["idempotent", "idempotency_key", "again", "never"]
OnRevision = Literal["nothing", "append", "overwrite"]


class StepOf(Strict):
    """One step: what is looked for, created, and written over. Its values are `steps.NAME.…` in those that follow."""

    when: _Condition | None = Field(default=None, description="Condition; where it is false, the step is left out.")
    each: Literal["part"] | None = Field(default=None, description="part: once for each part of the transcript.")
    first_in: Name | None = Field(
        default=None, description="With each: the step that creates a record with the first part in it."
    )
    identity: bool = Field(
        default=False, description="true: it is the visitor; of one email, one delivery at a time does this."
    )
    look: Literal["unsure", "always"] = Field(
        default="unsure",
        description="unsure: look only where an earlier attempt may have created it. always: it may be there already.",
    )
    on_revision: OnRevision | None = Field(
        default=None,
        description="What to do when the chat continues. nothing: leave it. append: create anew. overwrite: update. "
        "The default is append with each, overwrite with update, else nothing.",
    )
    find: Find | None = Field(default=None, description="How to look for it.")
    create: DeclaredRequest | None = Field(default=None, description="How to create it.")
    update: DeclaredRequest | None = Field(default=None, description="How to write a revision over it.")
    repeatable: Repeatable | None = Field(
        default=None,
        description="For a create without find, whose answer may get lost. idempotent: a second one does nothing. "
        "idempotency_key: it carries a key by which the destination knows it. again: two are better than none. never: "
        "a person decides.",
    )
    idempotency_header: str = Field(
        default="Idempotency-Key", pattern=r"^[A-Za-z][A-Za-z0-9-]*$", description="Header of that key."
    )
    kept: _Condition | None = Field(
        default=None,
        description="What must be true of steps.NAME when it was created, where the destination leaves out without a "
        "word what it does not know; else the connector pauses.",
    )
    missing: Text = Field(
        default="", description="What to say where a find without create finds nothing, or `kept` is not true."
    )

    @property
    def mode(self) -> OnRevision:
        return self.on_revision or ("overwrite" if self.update else "append" if self.each else "nothing")

    @model_validator(mode="after")
    def _can_be_done(self) -> Self:
        if not (self.find or self.create):
            raise ValueError("has neither find nor create; add one")
        if self.find and self.find.entries is None and self.find.where:
            raise ValueError("find has where without entries; add entries: where the list stands in the body")
        if self.find and self.find.entries is None and not self.find.none:
            raise ValueError(
                "find cannot find nothing: add entries: (where the list stands) or none: [404], so that an answer of "
                "another shape is not taken for 'there is none'"
            )
        if self.create and not self.find and not self.repeatable:
            raise ValueError(
                "create has no find: an answer that gets lost leaves its outcome unknown. Add find, or repeatable: "
                "idempotent, idempotency_key, again (two are better than none) or never (a person decides)"
            )
        if self.repeatable and (self.find or not self.create):
            raise ValueError("repeatable is for a create without find; remove it")
        if (self.mode == "overwrite") != (self.update is not None):
            raise ValueError(
                "on_revision: overwrite needs update"
                if self.update is None
                else f"update is never sent with on_revision: {self.mode}; remove one of the two"
            )
        if (self.update or self.each or self.identity or self.kept) and not self.create:
            raise ValueError("has no create; only that can be updated, kept, repeated for each part, or the visitor's")
        if self.first_in and (not self.each or self.mode != "append"):
            raise ValueError("first_in is for each: part with on_revision: append")
        if self.find and self.find.lags and (self.identity or self.look == "always" or not self.create):
            raise ValueError(
                "find has lags, which counts from the create; without one, or where it is looked for always, nobody "
                "knows how long to wait. Remove lags"
            )
        if self.update and (self.update.take or self.update.take_header):
            raise ValueError("nothing is taken out of the answer to an update; remove take there")
        if self.find and self.create and names_taken(self.find) != names_taken(self.create):
            raise ValueError("find and create must take the same names, so that the steps that follow have them")
        return self


def taken(request: DeclaredRequest) -> dict[str, str]:
    """What a find or a create takes out of the body of its answer."""
    if request.take is None:
        return {} if "id" in request.take_header else {"id": "id"}
    return dict(request.take)


def names_taken(request: DeclaredRequest) -> set[str]:
    """The names of all that it takes."""
    return {*taken(request), *request.take_header}


class LookRequest(Find):
    """One thing that a check proves, reading only."""

    when: _Condition | None = Field(
        default=None, description="Condition over the settings; where it is false, skip it."
    )
    says: Text = Field(description="What is right then, such as: the token is accepted.")
    missing: Text = Field(default="", description="What is wrong otherwise; the default is: not so: …")
    remedy: Text = Field(default="", description="What to do then.")


class Transcript(Strict):
    """How the text is laid out."""

    format: Text = Field(default="html", description="html, text, markdown, textile, bbcode, wiki or slack.")
    longest: int = Field(
        default=60_000, ge=2_000, le=10_000_000, description="So long a text may be; what is longer comes in parts."
    )
    count: Literal["characters", "bytes", "utf16"] = Field(default="characters", description="How that is counted.")
    mark: str = Field(
        default="",
        description="By what a part is found again; {key}, {revision} and {part} are filled in. The default is "
        "[{key} {revision}.{part}], and [{key} {part}] where parts are written over.",
    )
    shown: bool = Field(default=True, description="The mark is the last line of the text; false: it is elsewhere.")
    headed: bool = Field(
        default=False, description="The subject stands above the text, where the record has no title of its own."
    )
    linked: bool = Field(default=False, description="Make links of visited pages, where the destination does not.")
    newest_first: bool = Field(default=False, description="What is added last stands on top there.")


class MadeRecord(Strict):
    """What people see of the delivery."""

    id: Text = Field(description="The record's id, such as {{ steps.ticket.id }}.")
    url: Text = Field(default="", description="The address of its page.")


class HttpDocument(Strict):
    """A whole connector."""

    base_url: Text = Field(description="What every path is below, such as https://desk.example.com/api/v1.")
    auth: Auth | None = Field(default=None, description="What proves who sends the requests.")
    headers: dict[str, Text] = Field(default_factory=dict, description="Headers of every request.")
    transcript: Transcript = Field(default=Transcript(), description="How the text is laid out.")
    verdicts: Meanings = Field(default=Meanings(), description="What answers mean, where they mean something else.")
    needs_person: bool = Field(
        default=False, description="true: no record is without a person; without_email: nobody is then as placeholder."
    )
    steps: dict[Name, StepOf] = Field(min_length=1, description="What is done, in this order.")
    reference: MadeRecord = Field(description="The record that people open.")
    check: tuple[LookRequest, ...] = Field(default=(), description="What `relay connectors check` proves.")
