"""From a conversation to the words of a vendor's record: subject, body, tags, fields, and who it was.

The settings here are those of every connector that makes a record; a vendor's own add to them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from email_validator import EmailNotValidError, validate_email
from markupsafe import Markup
from pydantic import Field, field_validator

from connectors.base import HttpSettings
from connectors.transcript import Voice, as_html, kind, packed, shortened, single_line
from connectors.words import Language
from core.conversation import Conversation
from core.errors import RecordRefused, Skipped
from core.language import LanguageError, wording
from core.settings import HtmlTemplate, Template

Size = Callable[[str], int]


class RecordSettings(HttpSettings):
    """Settings of every connector that makes a record of a conversation."""

    subject: Template = Field(default="{{ title }}: {{ name }}", description="Of the ticket, note or deal.")
    body: HtmlTemplate = Field(
        default="{{ transcript }}", description="HTML around the transcript; every value is escaped."
    )
    tags: tuple[Template, ...] = Field(
        default=("smartsupp", "smartsupp-{{ kind }}"), description="Where the vendor has any. An empty one is left out."
    )
    fields: dict[str, Template] = Field(
        default_factory=dict, description="Further fields of the record, by the vendor's own name for them."
    )
    language: Language = Field(default="en", description="Of the words around what people wrote.")
    time_zone: str = Field(default="UTC", description="Of the times, such as Europe/Prague.")
    without_email: Literal["nobody", "placeholder", "skip"] = Field(
        default="nobody",
        description="What to do for a visitor without an e-mail: a record without a person, one for a made-up address, "
        "or none.",
    )
    placeholder_email: Template = Field(
        default="visitor-{{ visitor.id or conversation.id }}@smartsupp.invalid", description="The made-up address."
    )

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError(f"'{name}' is not a time zone; write one such as Europe/Prague") from None
        return name


@dataclass(frozen=True)
class Person:
    """Who wrote. `name` is never empty, and at most 100 characters; the transcript has all of it."""

    name: str
    email: str


class Mapping:
    """One conversation in the words of one connector's settings."""

    def __init__(self, settings: RecordSettings, conversation: Conversation) -> None:
        self._settings = settings
        self._conversation = conversation
        self.voice = Voice(settings.language, ZoneInfo(settings.time_zone))

    @property
    def key(self) -> str:
        """What marks the record as this conversation's at the vendor's: `smartsupp:ACCOUNT:CHANNEL`."""
        return f"smartsupp:{self._conversation.key}"

    @cached_property
    def person(self) -> Person | None:
        """The visitor, if an e-mail that could be one was given; else as `without_email` says. Raises Skipped."""
        name = single_line(self._conversation.visitor.name)
        email = valid_email(self._conversation.visitor.email)
        if not email:
            if self._settings.without_email == "skip":
                raise Skipped("the visitor left no e-mail, and without_email is skip")
            if self._settings.without_email == "nobody":
                return None
            email = self._said(self._settings.placeholder_email)
        return Person(shortened(name or email.partition("@")[0]), email)

    @property
    def name(self) -> str:
        """The visitor's name, else e-mail, else "a visitor" in the connector's language."""
        visitor = self._conversation.visitor
        return single_line(visitor.name) or valid_email(visitor.email) or self.voice.say("a visitor")

    def subject(self, longest: int) -> str:
        """On one line, at most `longest` characters."""
        text = self._said(self._settings.subject) or self.voice.say(kind(self._conversation))
        return shortened(text, longest)

    def tags(self, joiner: str = "-") -> list[str]:
        """Small letters, without spaces, each once."""
        said = (joiner.join(self._said(tag).lower().split()) for tag in self._settings.tags)
        return list(dict.fromkeys(tag for tag in said if tag))

    def fields(self) -> dict[str, str]:
        return {name: self._said(template) for name, template in self._settings.fields.items()}

    def bodies(self, longest: int, size: Size = len, *, revised: bool = False) -> list[str]:
        """The body as HTML in as few parts as will do, each at most `longest` in `size`; nothing is cut off.

        `revised` puts a line in front that says that the conversation went on.
        """
        lead = Markup("<p><i>{}</i></p>").format(self.voice.say("revised")) if revised else Markup()
        frame = size(lead + self._body(Markup()))
        sign = size(self._sign(999, 999))
        # A character may take up to four bytes where the vendor counts bytes.
        weight = 1 if size is len else 4
        if frame + sign + 1_000 * weight > longest:
            raise RecordRefused(f"the body without its transcript is {frame} long; the vendor takes {longest}")
        blocks = as_html(self._conversation, self.voice, (longest - frame - sign) // weight)
        parts = packed(blocks, lambda number: longest - sign - (0 if number else frame), size)
        if len(parts) == 1:
            return [str(lead + self._body(parts[0]))]
        total = len(parts)
        return [
            str(self._sign(number, total) + (lead + self._body(part) if number == 1 else part))
            for number, part in enumerate(parts, 1)
        ]

    def _sign(self, number: int, total: int) -> Markup:
        return Markup("<p><i>{}</i></p>").format(self.voice.say("part", number=number, total=total))

    def _body(self, transcript: Markup) -> Markup:
        """The body around a transcript. What a template says is the admin's own HTML; its values are escaped."""
        try:
            said = wording(self._settings.body, html=True)(
                self._conversation, {**self._extras, "transcript": transcript}
            )
        except LanguageError as error:
            raise RecordRefused(f"body: {error}") from error
        return Markup(said)  # noqa: S704

    def _said(self, template: str) -> str:
        try:
            return single_line(wording(template)(self._conversation, self._extras))
        except LanguageError as error:
            raise RecordRefused(f"'{template}' cannot be worked out: {error}") from error

    @cached_property
    def _extras(self) -> dict[str, str]:
        found = kind(self._conversation)
        return {"kind": found, "title": self.voice.say(found), "name": self.name, "transcript": ""}


def valid_email(text: str) -> str:
    """The address in its normal form, or "" when no mail server would take it."""
    try:
        return validate_email(text.strip(), check_deliverability=False).normalized
    except EmailNotValidError:
        return ""
