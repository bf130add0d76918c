"""What the laws about persons stand on: what people do at the vendor's, a chat, and a look at who is there."""

from __future__ import annotations

import json
from typing import Any, ClassVar, Protocol

from connectors.testing.chats import SAMPLE
from connectors.testing.contract import Contract

EMAIL = "dusan@domain.com"
PHONE = "+420777123456"


class PeopleFake(Protocol):
    """A vendor's persons, as its people know them. Fields go by the vendor's names, besides name, email and phone."""

    def add_person(self, *, name: str = "", email: str = "", phone: str = "", **fields: str) -> Any:
        """Somebody types a person in: its id."""

    def person(self, number: Any) -> dict[str, str]:
        """What stands in the fields of a person."""

    def remove_person(self, number: Any) -> None:
        """Somebody deletes a person for good."""

    def records_of(self, number: Any) -> int:
        """How many tickets, leads, deals or first notes belong to a person."""

    def add_company(self, domain: str) -> Any:
        """Somebody types a company in, with its domain or website: its id. For `PeopleContract` alone."""

    def company_of(self, number: Any) -> Any:
        """The id of the company that a person belongs to, or None. Likewise."""


def said(number: int = 55039, *, phone: str = "", **visitor: Any) -> dict[str, Any]:
    """The documented chat, as another one of somebody else."""
    made: dict[str, Any] = json.loads(json.dumps(SAMPLE))
    made["channel"]["id"] = number
    made["visitor"] |= visitor
    if phone:
        made["visitor"]["variables"] |= {"phone": {"label": "Phone", "value": phone}}
    return made


class PersonBench(Contract):
    #: A field of a person that takes any text, by the vendor's name for it.
    field: ClassVar[str]
    #: One that may keep a customer id; and settings for chats that all need a person's record.
    customer_id_field: ClassVar[str] = ""
    for_many: ClassVar[dict[str, Any]] = {}
    #: An address that looks like one, and that the vendor does not take; "" where it takes all.
    refused_email: ClassVar[str] = ""
    #: Settings with which the vendor's persons are looked for by phone number, too.
    by_phone: ClassVar[dict[str, Any]] = {
        "match": ["email", "phone"],
        "phone": "{{ visitor.variables.phone.value }}",
    }

    def told(self, vendor: Any, number: Any, **wanted: str) -> None:
        """Fails unless these fields of a person are so."""
        found = vendor.person(number)
        assert {name: found.get(name, "") for name in wanted} == wanted

    def only(self, vendor: Any) -> dict[str, Any]:
        """The one person there is."""
        found = vendor.people()
        assert len(found) == 1, found
        return dict(found[0])
