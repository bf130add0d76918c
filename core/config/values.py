"""The config's sections `agents`, `country`, `variables` and `extract`: what the values of a chat are worked out with
(core/values)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Self

from pydantic import AfterValidator, Field, model_validator

from core.config.environment import Strict
from core.config.sections.short_form import ShortForm
from core.config.types.mail_server import EmailAddress
from core.values.patterns import compiled
from core.values.phone import region

_AGENT = re.compile(r"[A-Za-z0-9_-]{1,64}")
_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")


class AgentSettings(ShortForm):
    """Who an agent of Smartsupp is; an email alone will do."""

    short_form: ClassVar[str] = "email"
    short_schema: ClassVar[dict[str, Any]] = {"type": "string", "format": "email"}

    email: EmailAddress | None = Field(default=None, description="As the destinations know this agent.")
    name: str = Field(default="", max_length=100, description="In place of the name that Smartsupp sends.")

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not self.email and not self.name:
            raise ValueError("is empty; write the agent's email, or {name: …, email: …}")
        return self


def _agent(text: str) -> str:
    if not _AGENT.fullmatch(text):
        alone = text.removeprefix("agent:").strip()
        write = f"write {alone} alone" if _AGENT.fullmatch(alone) else "write it as it is in Smartsupp, such as 3"
        raise ValueError(f"is not the id of an agent; {write}")
    return text


def _country(text: str) -> str:
    if not region(text):
        raise ValueError("is not a country; write its two letters (ISO 3166), such as CZ")
    return text.strip().upper()


def _named(text: str) -> str:
    # A template would reach the method in place of what was extracted.
    if not _NAME.fullmatch(text) or hasattr(dict, text):
        taken = f"'{text}' means something else in templates" if hasattr(dict, text) else f"'{text[:63]}' is not a name"
        raise ValueError(f"{taken}; write small letters, digits and '_', such as order_number")
    return text


def _pattern(text: str) -> str:
    compiled(text)
    return text


class VariableNames(Strict):
    """Which of the variables that the shop's page sets hold what; the names are those of the page."""

    phone: str = Field(default="", description="The visitor's phone number.")
    customer_id: str = Field(default="", description="What the shop knows the visitor by.")
    language: str = Field(default="", description="The language of the page: en, en-GB.")
    channel: str = Field(default="", description="Where the chat came from, in the shop's own words.")


class ValueSettings(Strict):
    """What the values of a chat are worked out with."""

    agents: dict[Annotated[str, AfterValidator(_agent)], AgentSettings] = Field(
        default_factory=dict,
        description="An agent's id at Smartsupp, and the email and name by which others know them.",
    )
    country: Annotated[str, AfterValidator(_country)] | None = Field(
        default=None,
        description="The shop's country in two letters: of phone numbers without a prefix. null: the visitor's.",
    )
    variables: VariableNames = VariableNames()
    extract: dict[
        Annotated[str, AfterValidator(_named)],
        Annotated[str, AfterValidator(_pattern), Field(max_length=1_000, json_schema_extra={"format": "regex"})],
    ] = Field(
        default_factory=dict,
        description="A name and a pattern (RE2) over what the visitor wrote; the first group of its first match.",
    )

    @classmethod
    def of(cls, document: ValueSettings) -> ValueSettings:
        """These sections of a document that has more."""
        found: Mapping[str, Any] = {name: getattr(document, name) for name in ValueSettings.model_fields}
        return cls.model_construct(**found)
