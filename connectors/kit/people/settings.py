"""The settings of a vendor that keeps persons, and what a chat says about its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from json import dumps
from typing import Literal, Self

from phonenumbers import NumberParseException, PhoneNumberFormat, format_number, is_valid_number, parse
from pydantic import Field, model_validator

from connectors.kit.record import Mapping as Words
from connectors.kit.record import RecordSettings
from connectors.kit.transcript import shortened
from core.config.settings import Template

Identifier = Literal["email", "phone", "customer_id"]
#: What a template says where it means yes.
YES = ("true", "yes", "1")
NO = ("false", "no", "0")


class PersonSettings(RecordSettings):
    """Settings of every connector whose vendor keeps persons."""

    match: tuple[Identifier, ...] = Field(
        default=("email",),
        description="What a person is looked for by, in this order: email, phone, customer_id. The first that finds "
        "somebody decides.",
    )
    phone: Template = Field(
        default="{{ phone }}", description="The visitor's phone number, with the code of its country."
    )
    customer_id: Template = Field(default="{{ customer_id }}", description="What your shop knows the visitor by.")
    customer_id_field: str = Field(default="", description="The field of the person that keeps the customer id.")
    person: dict[str, Template] = Field(
        default_factory=dict,
        description="Fields of the person, by the vendor's own name for them. Of one who is there already only blank "
        "ones are filled.",
    )
    new_person: dict[str, Template] = Field(
        default_factory=dict, description="Fields that are only written when the person is created."
    )
    consent: Template = Field(
        default="", description="Whether `marketing` is written: true, yes or 1; anything else means no."
    )
    marketing: dict[str, Template] = Field(
        default_factory=dict, description="As `person`, for those who have consented alone."
    )
    remember_days: float = Field(
        default=90, ge=0, le=3_650, description="Days for which a visitor is known by the browser; 0: not at all."
    )

    @model_validator(mode="after")
    def _can_match(self) -> Self:
        if "email" not in self.match:
            raise ValueError("match must contain email: whoever is not found by it would be created twice")
        if "customer_id" in self.match and not self.customer_id_field:
            raise ValueError("match names customer_id; add customer_id_field: the field of the person that keeps it")
        if self.marketing and not self.consent:
            raise ValueError("marketing is written for those who have consented; add consent")
        return self

    @property
    def person_fields(self) -> tuple[str, ...]:
        """The fields of a person that the settings name, each once."""
        named = [self.customer_id_field] if self.customer_id_field else []
        return tuple(dict.fromkeys([*named, *self.person, *self.new_person, *self.marketing]))


class PeopleSettings(PersonSettings):
    """The same where the vendor has companies, too, and does not link persons to them itself."""

    link_company: bool = Field(
        default=False, description="true: link the person to the company whose domain is that of the email address."
    )


@dataclass(frozen=True)
class Said:
    """What a chat says about its visitor. "" is what it does not say.

    `email` may be a made-up one, where somebody has to be created; then it identifies nobody else, and `known_by` does
    not have it. `called` is what stands for a name where the vendor cannot be without one. `fields` are written where
    they are blank, `new` only on whom we create.
    """

    email: str = ""
    phone: str = ""
    customer_id: str = ""
    name: str = ""
    called: str = ""
    known_by: Mapping[str, str] = field(default_factory=dict)
    fields: Mapping[str, str] = field(default_factory=dict)
    new: Mapping[str, str] = field(default_factory=dict)

    @property
    def identities(self) -> tuple[str, ...]:
        """What no two deliveries may look for at once."""
        named = (value if kind == "email" else f"{kind}:{value}" for kind, value in self.known_by.items())
        return tuple(one.lower() for one in (*named, *([] if "email" in self.known_by else [self.email])) if one)

    @property
    def digest(self) -> str:
        """Another one where a later revision says something else."""
        said = [self.email, self.phone, self.customer_id, self.name, dict(self.known_by), dict(self.fields)]
        return sha256(dumps(said, sort_keys=True).encode()).hexdigest()[:16]


def said_in(words: Words, settings: PersonSettings, *, made_up: bool) -> Said:
    """What a chat says. `made_up`: whoever has no address that the vendor takes gets a made-up one, as somebody has to
    be there. Raises Skipped."""
    person = words.person
    given = words.identity if not words.left_out else ""
    email = person.email if person is not None and not words.left_out else words.placeholder if made_up else ""
    phone, customer_id = phone_number(words.render(settings.phone)), words.render(settings.customer_id)
    known_by: dict[str, str] = {"email": given, "phone": phone, "customer_id": customer_id}
    known_by = {kind: known_by[kind] for kind in settings.match}
    known_by["visitor"] = words.visitor if settings.remember_days else ""
    consents = words.render(settings.consent).lower() in YES
    wanted = {**settings.person, **(settings.marketing if consents else {})}
    return Said(
        email=email,
        phone=phone,
        customer_id=customer_id,
        name=words.given,
        called=shortened(words.name),
        known_by={kind: value for kind, value in known_by.items() if value},
        fields=_rendered(words, wanted),
        new=_rendered(words, settings.new_person),
    )


def _rendered(words: Words, templates: Mapping[str, str]) -> dict[str, str]:
    said = ((name, words.render(template)) for name, template in templates.items())
    return {name: text for name, text in said if text}


def phone_number(text: str) -> str:
    """A phone number as E.164 writes it, such as +420777123456; "" for what is none, or has no country code: which
    country is meant nobody knows."""
    try:
        found = parse(text, None)
    except NumberParseException:
        return ""
    return format_number(found, PhoneNumberFormat.E164) if is_valid_number(found) else ""
