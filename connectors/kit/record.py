"""From a conversation to the words of a vendor's record: subject, body, tags, fields, and who it was.

The settings here are those of every connector that makes a record; a vendor's own add to them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, ClassVar, Literal, TypeVar
from urllib.parse import quote
from zoneinfo import ZoneInfo

from markupsafe import Markup
from pydantic import AfterValidator, Field, PrivateAttr, SecretStr

from connectors.kit.connector import HttpSettings
from connectors.kit.email_address import email_in
from connectors.kit.text.packing import Packing, Size
from connectors.kit.transcript import (
    Voice,
    as_html,
    continues,
    inert,
    shortened,
    single_line,
    summary,
)
from connectors.kit.vocabulary import Language
from core.config.business_hours import BusinessHours, known_zone
from core.config.settings import HtmlTemplate, Template
from core.config.types.templated import TemplateOf
from core.conversation import Conversation
from core.errors import RecordRefused, Skipped
from core.templates.language import LanguageError, wording
from core.values.chat import Values

T = TypeVar("T")


class RecordSettings(HttpSettings):
    """Settings of every connector that makes a record of a conversation."""

    #: The settings that say which account at the vendor it is.
    account_settings: ClassVar[tuple[str, ...]] = ("base_url", "url", "subdomain", "domain", "company", "database")
    #: What stands at the end of its records' keys, where another connector's are in the same account (registry.py).
    _key_end: str = PrivateAttr(default="")
    #: The shop's, from a section of its own.
    _hours: BusinessHours | None = PrivateAttr(default=None)

    subject: Template = Field(default="{{ title }}: {{ name }}", description="Of the ticket, note or deal.")
    body: HtmlTemplate = Field(
        default="{{ transcript }}", description="HTML around the transcript; every value is escaped."
    )
    tags: tuple[Template, ...] = Field(
        default=("smartsupp", "smartsupp-{{ kind }}"), description="Where the vendor has any. An empty one is left out."
    )
    fields: dict[str, Template] = Field(
        default_factory=dict,
        description="Further fields of the record, by the vendor's own name for them. An empty one is left out, so "
        "it never wipes what people filled in.",
    )
    language: Language = Field(default="en", description="Language of the labels around the messages, and of dates.")
    time_zone: Annotated[str, AfterValidator(known_zone)] = Field(
        default="UTC", description="Time zone of the times, such as Europe/Prague."
    )
    without_email: Literal["nobody", "placeholder", "skip"] = Field(
        default="nobody",
        description="What to do for a visitor without an email: a record without a person, one for a made-up address, "
        "or none.",
    )
    # Not .invalid: HubSpot refuses what has a top-level domain that does not exist, and so does our own check of
    # addresses. Nobody gets mail at example.com (RFC 2606).
    placeholder_email: Template = Field(
        default="visitor-{{ visitor.id or conversation.id }}@smartsupp.example.com", description="The made-up address."
    )

    @property
    def business_hours(self) -> BusinessHours | None:
        """When somebody is there; None: always."""
        return self._hours

    @property
    def account(self) -> tuple[str, ...]:
        """Whether two connectors of one type deliver to the same account: then this is the same."""
        values = (getattr(self, name, None) for name in self.account_settings)
        texts = (one.get_secret_value() if isinstance(one, SecretStr) else str(one or "") for one in values)
        return tuple(text.rstrip("/").lower() for text in texts)


@dataclass(frozen=True)
class Person:
    """Who wrote. `name` is never empty, and at most 100 characters; the transcript has all of it. `email` has its
    domain in ASCII. `given` is the name without what stands in for a missing one."""

    name: str
    email: str
    given: str = ""


class Mapping:
    """One conversation in the words of one connector's settings."""

    def __init__(self, settings: RecordSettings, conversation: Conversation) -> None:
        self._settings = settings
        self._conversation = conversation
        #: What is worked out of the conversation: agent, phone, utm and the like.
        self.values = Values(conversation, settings._values)  # noqa: SLF001  # not the connector's own
        self.voice = Voice(settings.language, ZoneInfo(settings.time_zone))
        self._email = email_in(conversation.visitor.email)
        #: Whether the vendor refused the visitor; the body says so.
        self.left_out = False

    @property
    def key(self) -> str:
        """What marks the record as this conversation's at the vendor's: `smartsupp:ACCOUNT:CHANNEL`, and for the second
        connector of an account `smartsupp:ACCOUNT:CHANNEL:CONNECTOR`."""
        return f"smartsupp:{self._conversation.key}{self._settings._key_end}"  # noqa: SLF001  # not the admin's to set

    @cached_property
    def person(self) -> Person | None:
        """The visitor, if an email that could be one was given; else as `without_email` says. Raises Skipped."""
        name, typed = single_line(self._conversation.visitor.name), single_line(self._conversation.visitor.email)
        email = self._email
        if not email:
            if self._settings.without_email == "skip":
                said = f"the email '{shortened(typed)}' cannot be used" if typed else "the visitor left no email"
                raise Skipped(f"{said}, and without_email is skip")
            if self._settings.without_email == "nobody":
                return None
            email = self.placeholder
        # Never the local part of the address: "j.novak77" is nobody's name.
        return Person(shortened(self.name), email, shortened(name))

    @property
    def identity(self) -> str:
        """What tells the visitor from others at the vendor's, for the step that looks for the person: the email in
        small letters, or "" without one."""
        return self._email.lower()

    @property
    def given(self) -> str:
        """The visitor's name, or "": not what stands in for one."""
        return shortened(single_line(self._conversation.visitor.name))

    @property
    def visitor(self) -> str:
        """Smartsupp's id of the visitor, which is the browser's, or ""."""
        return self._conversation.visitor.id

    def render(self, template: str) -> str:
        """What a template of the settings says, on one line."""
        return self._said(template)

    @property
    def placeholder(self) -> str:
        """The made-up address."""
        return self._said(self._settings.placeholder_email)

    @property
    def name(self) -> str:
        """The visitor's name, else email, else "a visitor" in the connector's language."""
        return single_line(self._conversation.visitor.name) or self._email or self.voice.say("a visitor")

    @property
    def link(self) -> str:
        """The chat's page in the dashboard, where its address is known; else ""."""
        base = self._settings._public_url  # noqa: SLF001  # not the connector's own
        return f"{base}/conversations/{quote(self._conversation.key, safe=':')}" if base else ""

    def body(self, longest: int, size: Size = len) -> str:
        """The body as HTML for a template that names no transcript. Raises RecordRefused."""
        said = str(self._body(Markup()))
        if size(said) > longest:
            raise RecordRefused(f"the body is {size(said)} long; the destination accepts {longest}")
        return said

    def subject(self, longest: int) -> str:
        """On one line, at most `longest` characters."""
        text = self._said(self._settings.subject) or self.voice.say(self._conversation.kind)
        return shortened(text, longest)

    def heading(self, longest: int) -> str:
        """The subject as HTML, above a chat that is added to a record of another one."""
        return str(Markup("<p><b>{}</b></p>").format(inert(self.subject(longest))))

    def follows(self, record: str) -> str:
        """A line above a chat whose record follows another one."""
        return str(Markup("<p><i>{}</i></p>").format(inert(self.voice.say("follows", record=record))))

    def tags(self, joiner: str = "-") -> list[str]:
        """Small letters, without spaces, each once."""
        said = (joiner.join(self._said(tag).lower().split()) for tag in self._settings.tags)
        return list(dict.fromkeys(tag for tag in said if tag))

    def fields(self) -> dict[str, str]:
        """Those that are not empty: what people filled in stays when there is nothing to say."""
        said = ((name, self._said(template)) for name, template in self._settings.fields.items())
        return {name: text for name, text in said if text}

    def bodies(
        self,
        longest: int,
        size: Size = len,
        *,
        revised: bool = False,
        linked: bool = False,
        after: Conversation | None = None,
    ) -> list[str]:
        """The body as HTML in as few parts as will do, each at most `longest` in `size`; nothing is cut off.

        `revised` puts a line in front that says that the conversation went on; `linked` makes links of the visited
        pages and of where the visitor came from, for a vendor that does not do so itself. `after`: the destination has
        an earlier revision, so that only what is new since comes, without the admin's words around it; no part at all
        where nothing is, and the whole where the earlier one has become another.
        """
        if after is not None and continues(self._conversation, after):
            return self._news(longest, size, linked, after)
        lead = Markup("<p><i>{}</i></p>").format(self.voice.say("revised")) if revised else Markup()
        lead += self._apology()
        packing = Packing(longest, size, self._sign, lambda part: lead + self._body(part))
        if packing.room < 1_000:
            frame = packing.frame
            raise RecordRefused(f"the body without its transcript is {frame} long; the destination accepts {longest}")
        return packing.texts(as_html(self._conversation, self.voice, packing.room, linked=linked))

    def _news(self, longest: int, size: Size, linked: bool, after: Conversation) -> list[str]:
        lead = Markup("<p><i>{}</i></p>").format(self.voice.say("continued"))
        packing = Packing(longest, size, self._sign, lambda part: lead + part)
        blocks = as_html(self._conversation, self.voice, packing.room, linked=linked, after=after)
        return packing.texts(blocks) if blocks else []

    def filled(self, setting: T | TemplateOf[T] | None) -> T | None:
        """What a setting is for this chat; None where its template comes out empty. Raises ValueError, which quotes
        nothing of the chat, where it comes out as what the setting does not take."""
        if not isinstance(setting, TemplateOf):
            return setting
        try:
            text = single_line(wording(setting)(self.values, self._extras))
        except LanguageError as error:
            raise ValueError("its template cannot be rendered for this chat") from error
        return setting.read(text) if text else None

    @property
    def _lone(self) -> str:
        """That the chat comes without its person although there was an address; or ""."""
        typed = single_line(self._conversation.visitor.email)
        if not typed or (self.person is not None and not self.left_out):
            return ""
        return self.voice.say("no person", email=shortened(typed))

    def _apology(self) -> Markup:
        return Markup("<p><i>{}</i></p>").format(inert(self._lone)) if self._lone else Markup()

    def _sign(self, number: int, total: int) -> Markup:
        return Markup("<p><i>{}</i></p>").format(self.voice.say("part", number=number, total=total))

    def _body(self, transcript: Markup) -> Markup:
        """The body around a transcript. What a template says is the admin's own HTML; its values are escaped."""
        try:
            said = wording(self._settings.body, html=True)(
                self.values, {**self._extras, "summary": self._summary, "transcript": transcript}
            )
        except LanguageError as error:
            raise RecordRefused(f"body: {error}") from error
        return Markup(said)  # noqa: S704

    def _said(self, template: str) -> str:
        return single_line(self._written(template, self._extras))

    def _written(self, template: str, extras: dict[str, str]) -> str:
        try:
            return wording(template)(self.values, extras)
        except LanguageError as error:
            raise RecordRefused(f"'{template}' cannot be rendered: {error}") from error

    @cached_property
    def _extras(self) -> dict[str, str]:
        title = self.voice.say(self._conversation.kind)
        return {"title": title, "name": self.name, "link": self.link, "summary": "", "transcript": ""}

    @property
    def _summary(self) -> Markup:
        return summary(self._conversation, self.values.phone, self._email, self.link, self.voice)
