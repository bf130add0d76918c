"""Whose a record is: the agent who chatted, somebody whom a template names, or always the same.

Whom the destination does not know, or does not give work to, is left out: then `owner_fallback` gets it, or nobody, and
the chat's page says so. A chat is never lost to it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, Generic, Protocol, TypeVar

from pydantic import BeforeValidator, Field

from connectors.kit.checks.expectation import Expectation
from connectors.kit.checks.items import CheckItem, NameCheck
from connectors.kit.email_address import email_in
from connectors.kit.record import Mapping, RecordSettings
from connectors.kit.step import Step
from connectors.kit.wire.cache import Cache
from connectors.kit.work.choices import constants
from core.config.types.templated import Templated, TemplateOf
from core.errors import Gone
from core.wording.sentence import constant

#: An owner's id, as the vendor spells it.
I = TypeVar("I", int, str)  # noqa: E741  # of an id
R = TypeVar("R")

#: The step that a destination's refusal of an owner names (`Gone`). Nothing is remembered under it.
OWNER = "owner"
CHAT_AGENT, _AGENT = "chat_agent", "{{ agent.email }}"
_THERE = Expectation[Any](
    "%(setting)s %(name)s is %(kind)s",
    "%(setting)s %(name)s is not %(kind)s",
    "write the email address or the id of %(kind)s, or chat_agent",
)


def _owner(value: Any) -> Any:
    if value == CHAT_AGENT:
        return _AGENT
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


#: `chat_agent`, an email address, the vendor's id, or a template that comes out as one of the last two.
Owner = Annotated[Templated[str], BeforeValidator(_owner)]


class OwnerSettings(RecordSettings):
    """Settings of a connector whose records belong to somebody."""

    owner: Owner | None = Field(
        default=None,
        description="Who gets the record: chat_agent, an email address or id of a user there, or a template.",
    )
    owner_fallback: Owner | None = Field(
        default=None, description="Who gets it when the owner is nobody there, as owner; null: as the vendor decides."
    )


class _Task(Protocol):
    """Settings of work, which may have an owner of its own."""

    @property
    def owner(self) -> Any: ...


@dataclass(frozen=True)
class Owners(Generic[I]):
    """How a vendor's users are found. `by_email` and `by_id` return the id of one who may be given records, or None;
    both are asked once for all workers, and again after a while."""

    cache: Cache
    by_email: Callable[[str], I | None]
    by_id: Callable[[str], I | None]
    #: What the vendor's users are called who can own records, for people.
    kind: str = "a user who can be given records"
    #: Who it is in a preview, where nobody is asked.
    imagined: I | None = None

    def find(self, named: str) -> I | None:
        """The id of a user, by address or id. Raises DeliveryError."""
        email = email_in(named) if "@" in named else ""
        if "@" in named and not email:
            return None
        ask = partial(self.by_email, email) if email else partial(self.by_id, named)
        found = self.cache.get(f"owner {(email or named).lower()}", ask)
        return self.imagined if found is None and self.cache.pretends else found

    def first(self, words: Mapping, settings: OwnerSettings, *, first: Any = None) -> I | None:
        """Who is asked first of all that `give` asks: the first who is somebody there. For a vendor that says only
        afterwards whether it gave the record to that user."""
        found = (self._of(name, setting, words, []) for name, setting in _line(settings, first).items())
        return next((one for one in found if one is not None), None)

    def give(
        self, step: Step, words: Mapping, settings: OwnerSettings, make: Callable[[I | None], R], *, first: Any = None
    ) -> R:
        """`make(owner)`; and with the fallback, or without anybody, where there is none or the destination refuses:
        then `make` raises Gone with OWNER. `first` is asked before the settings' own owner, such as a task's."""
        told: list[str] = []
        for name, setting in _line(settings, first).items():
            found = self._of(name, setting, words, told)
            if found is None:
                continue
            try:
                made = make(found)
            except Gone as refused:
                if OWNER not in refused.steps:
                    raise
                told.append(f"{name}: the destination does not give this record to that user")
                continue
            return self._told(step, told, f"{name} got the record", made)
        return self._told(step, told, "Nobody was named to the destination", make(None))

    def _told(self, step: Step, told: list[str], instead: str, made: R) -> R:
        step.note(OWNER, f"{'; '.join(told)}. {instead}." if told else "")
        return made

    def _of(self, name: str, setting: Any, words: Mapping, told: list[str]) -> I | None:
        """Notes why it is nobody, unless it was to be nobody."""
        try:
            named = words.filled(setting)
        except ValueError as error:
            told.append(f"{name}: {error}")
            return None
        if not named:
            if setting == _AGENT:
                told.append(f"{name}: no agent wrote, or the section agents has no email for the one who did")
            elif isinstance(setting, TemplateOf):
                told.append(f"{name}: its template names nobody for this chat")
            return None
        found = self.find(named)
        if found is None:
            # What a template says may be a visitor's words; those of the settings are not.
            who = "whom its template names" if isinstance(setting, TemplateOf) else f"'{named}'"
            told.append(f"{name}: {who} is not {self.kind}")
        return found

    def checks(self, settings: OwnerSettings, task: _Task | None = None) -> Iterator[CheckItem]:
        """Everybody whom the settings are sure to name has to be there."""
        for name, setting in _line(settings, task.owner if task else None).items():
            yield NameCheck(_THERE, constants(setting), self.find, {"setting": name, "kind": constant(self.kind)})


def _line(settings: OwnerSettings, first: Any) -> dict[str, Any]:
    """Who is asked, one after the other."""
    return {"task.owner": first, OWNER: settings.owner, "owner_fallback": settings.owner_fallback}
