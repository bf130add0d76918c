"""What is written of a connector: requests (connectors/http/declared.py) in steps, what their answers mean, and what a
check proves.

It is the shape alone. What the templates in it may name is checked in connectors/http/program.py, which makes of it
what runs.
"""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from connectors.http.answers import Meanings
from connectors.http.declared import Attachments, DeclaredRequest, Find, Name, Text, WhenText, mentioned, names_taken
from connectors.http.requests.offering import ChoiceRequest, OwnerRequest
from connectors.http.signing import Auth
from core.config.environment import Strict

Repeatable = Literal["idempotent", "idempotency_key", "again", "never"]
OnRevision = Literal["nothing", "append", "overwrite"]


class StepOf(Strict):
    """One step: what is looked for, created, and written over. Its values are `steps.NAME.…` in those that follow."""

    when: WhenText | None = Field(default=None, description="Condition; where it is false, the step is left out.")
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
    assigns: bool = Field(
        default=False,
        description="true: all that create does is to give what was made to `owner`; without one it is not sent.",
    )
    kept: WhenText | None = Field(
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
        if self.assigns and (not self.create or not mentioned(self.create, "owner")):
            raise ValueError("assigns is for a step whose create names {{ owner }}")
        if self.update and (self.update.take or self.update.take_header):
            raise ValueError("nothing is taken out of the answer to an update; remove take there")
        if self.find and self.create and names_taken(self.find) != names_taken(self.create):
            raise ValueError("find and create must take the same names, so that the steps that follow have them")
        return self


class LookRequest(Find):
    """One thing that a check proves, reading only."""

    when: WhenText | None = Field(default=None, description="Condition over the settings; where it is false, skip it.")
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
    attachments: Attachments | None = Field(
        default=None, description="How files of the chat are attached; without it, their names are in the text."
    )
    reference: MadeRecord = Field(description="The record that people open.")
    owners: OwnerRequest | None = Field(
        default=None, description="The users who can be given records; with it, `owner` can be named in a create."
    )
    choices: tuple[ChoiceRequest, ...] = Field(
        default=(), description="Lists to choose from for settings, which the form of the dashboard shows."
    )
    check: tuple[LookRequest, ...] = Field(default=(), description="What `relay connectors check` proves.")

    @property
    def makes_work(self) -> bool:
        """Whether a step is for chats that become work."""
        return any(
            (step.when and mentioned("{{ (" + step.when + "\n) }}", "task"))
            or (step.create and mentioned(step.create, "task"))
            for step in self.steps.values()
        )
