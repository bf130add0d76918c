"""What a document says of lists to choose from: which request reads them, and where values and names stand in them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Self

import jmespath
from pydantic import Field, model_validator

from connectors.http.declared import DeclaredRequest, JmesPath, Name, Pages, Text, WhenText
from connectors.http.requests.compiler import Compiler
from connectors.http.requests.ready import Ready, value_at
from connectors.kit.offered import Choice
from connectors.kit.record import RecordSettings
from connectors.kit.reply import Reply
from connectors.kit.transcript import single_line
from connectors.kit.work.choices import OWNER_SETTINGS
from core.config.mistakes.model import KeyPath
from core.config.yaml_file import dotted
from core.templates.scope import Scope


class ListRequest(DeclaredRequest):
    """A request that reads what there is of one kind at the destination."""

    entries: JmesPath = Field(default="@", description="JMESPath of the list in the body; @: the body itself.")
    only: JmesPath | None = Field(default=None, description="JMESPath in an entry that is true of those that count.")
    value: JmesPath = Field(default="id", description="JMESPath in an entry of what is written into the settings.")
    label: JmesPath = Field(default="name", description="JMESPath in an entry of what people call it.")
    pages: Pages | None = Field(default=None, description="How the list continues; without it, it is one page.")
    right: Text = Field(default="", description="What the credentials need to read it, for people.")

    @model_validator(mode="after")
    def _reads(self) -> Self:
        if self.method not in ("GET", "POST"):
            raise ValueError(f"reads only, and {self.method} changes something; write GET, or POST for a search")
        if self.take is not None or self.take_header:
            raise ValueError("nothing is taken out of it; write value and label")
        if self.pages and (self.method != "GET" or not all(one.isidentifier() for one in self.path_of_pages)):
            raise ValueError("pages are read with GET, and entries is then a plain path, such as data.items")
        return self

    @property
    def path_of_pages(self) -> list[str]:
        return [] if self.entries == "@" else self.entries.split(".")


class ChoiceRequest(ListRequest):
    """A request that reads what there is to choose from for settings."""

    settings: tuple[Name, ...] = Field(min_length=1, description="The settings, such as [group].")
    when: WhenText | None = Field(default=None, description="Condition over the settings; where it is false, skip it.")


class OwnerRequest(ListRequest):
    """A request that reads the users who can be given records. `value` is what `owner` stands for in a template."""

    kind: str = Field(min_length=1, description="What such a user is called, for people, such as: an active agent.")
    email: JmesPath = Field(default="email", description="JMESPath in an entry of the user's email, or of several.")


class Offering(Ready):
    """Such a request, ready to be sent."""

    def __init__(
        self, request: ListRequest, settings: tuple[str, ...], scope: Scope, place: KeyPath, compiler: Compiler
    ) -> None:
        super().__init__(request, scope, place, compiler, (), takes={})
        self.settings, self.right = settings, request.right
        when = request.when if isinstance(request, ChoiceRequest) else None
        self.when = compiler.condition(scope, when, (*place, "when"))
        self.pages, self.path_of_pages = request.pages, ".".join(request.path_of_pages)
        self._entries = jmespath.compile(request.entries)
        self._only = jmespath.compile(request.only) if request.only else None
        self._value, self._label = jmespath.compile(request.value), jmespath.compile(request.label)

    def entries(self, body: Any) -> Iterator[Reply]:
        """Those of a body that is the whole list. Raises RetryLater."""
        self.proven(body)
        return iter(Reply(value_at(self._entries, body)))

    def choices(self, entries: Iterator[Reply]) -> Iterator[Choice]:
        for one in self.counted(entries):
            label = value_at(self._label, one)
            name = single_line(str(label)) if isinstance(label, str | int) else ""
            yield Choice(self.written(one), name)

    def written(self, entry: Any) -> str:
        """What is written into the settings."""
        return Reply(self.value(entry), "value").id

    def counted(self, entries: Iterator[Reply]) -> Iterator[Any]:
        """The entries that count, as they came."""
        return (one.raw for one in entries if self._only is None or value_at(self._only, one.raw))

    def value(self, entry: Any) -> Any:
        return value_at(self._value, entry)


class OwnerList(Offering):
    """The users who can be given records."""

    def __init__(self, request: OwnerRequest, scope: Scope, compiler: Compiler) -> None:
        super().__init__(request, OWNER_SETTINGS, scope, ("owners",), compiler)
        self.kind = request.kind
        self._email = jmespath.compile(request.email)

    def by_email(self, entries: Iterator[Reply], email: str) -> Any:
        """The value of the user with this address, or None. Raises RetryLater."""
        wanted = email.lower()
        matching = (one for one in self.counted(entries) if wanted in map(str.lower, self._emails(one)))
        return next(map(self._id_of, matching), None)

    def written(self, entry: Any) -> str:
        """The email, by which people know each other; the id of whoever has none."""
        return next(iter(self._emails(entry)), "") or super().written(entry)

    def _emails(self, entry: Any) -> list[str]:
        said = value_at(self._email, entry)
        return [one for one in (said if isinstance(said, list) else [said]) if isinstance(one, str)]

    def by_id(self, entries: Iterator[Reply], named: str) -> Any:
        """The value of the user of whom it is the id, or None. Raises RetryLater."""
        return next((value for one in self.counted(entries) if str(value := self._id_of(one)) == named), None)

    def _id_of(self, entry: Any) -> int | str:
        value = self.value(entry)
        _ = Reply(value, f"{dotted(self.place)}.value").id  # what is no id names nobody
        return value  # type: ignore[no-any-return]  # a number or a text, as it has just been read


def wrong_settings(request: ChoiceRequest, own: dict[str, bool]) -> Iterator[str]:
    """What is wrong with the settings that it names. `own` are those of the document, and whether they are secret."""
    for name in request.settings:
        if own.get(name):
            yield f"'{name}' is a secret, which nobody chooses from a list"
        elif name not in own and name not in RecordSettings.model_fields:
            yield f"there is no setting '{name}'"
