"""HubSpot's contacts: how they are found, made and filled, and the companies that they belong to.

https://developers.hubspot.com/docs/api-reference/latest/crm/objects/contacts/guide
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from phonenumbers import national_significant_number, parse
from requests import Response

from connectors.hubspot.api import OWNED, HubSpotApi, existing, faults, first_id, json_of, owned
from connectors.kit.email_address import spellings
from connectors.kit.people.directory import Contact, Directory, same_number
from connectors.kit.people.settings import Identifier, Said
from connectors.kit.reply import Reply
from core.errors import DeliveryError, Gone

#: The number as HubSpot makes it searchable: without the country's code, and without anything between the digits.
#: https://developers.hubspot.com/docs/api-reference/latest/crm/search/guide
NUMBERS = {"phone": "hs_searchable_calculated_phone_number", "mobilephone": "hs_searchable_calculated_mobile_number"}
#: What is read of a contact besides what the settings name.
_READ = ("email", "firstname", "lastname", *NUMBERS, OWNED, "notes_last_updated", "associatedcompanyid")


class Contacts(Directory):
    names = ("firstname", "lastname")

    def __init__(
        self, api: HubSpotApi, give: Callable[[Callable[[str | None], Any]], Any] = lambda make: make(None)
    ) -> None:
        """`give` creates somebody who belongs to the owner of the chat's record."""
        self._api, self._settings, self._give = api, api.settings, give
        self._read = list(dict.fromkeys([*_READ, *api.settings.person_fields]))

    def own(self, said: Said) -> Mapping[str, str]:
        given, _, family = said.name.partition(" ")
        known = {"email": said.email, "firstname": given, "lastname": family, "phone": said.phone}
        field = self._settings.customer_id_field
        return {**known, **({field: said.customer_id} if field else {})}

    def find(self, by: Identifier, value: str) -> Iterator[Contact]:
        if by == "email":
            # Not through search, which lags.
            inputs = [{"id": email} for email in spellings(value)]
            yield from self._batch({"idProperty": "email", "inputs": inputs})
        elif by == "customer_id":
            yield from self._search({self._settings.customer_id_field: value})
        else:
            found = self._search(dict.fromkeys(NUMBERS.values(), _national(value)))
            yield from (
                one for one in found if any(same_number(it, value) for name in NUMBERS for it in one.values(name))
            )

    def get(self, person: Any) -> Contact | None:
        # For one that was merged, HubSpot gives whom it was merged into.
        return next(self._batch({"inputs": [{"id": person}]}), None)

    def create(self, said: Said, fields: Mapping[str, str]) -> Contact:
        more = {name: text for name, text in fields.items() if name != "email"}  # by which it is upserted

        def make(owner: str | None) -> Response:
            given = bool(owner) and OWNED not in more
            judge = self._api.unless_owner(self._judge, given=given)
            return self._api.upsert("contacts", "email", said.email, {**owned(owner or ""), **more}, judge)

        answer = self._give(make)
        if number := existing(answer):  # the address is a further one of this contact
            return self.get(number) or Contact(number)
        return Contact(first_id(answer), fresh=True)

    def fill(self, person: Any, fields: Mapping[str, str]) -> object:
        return self._api.change(f"contacts/{person}", fields)

    def company(self, domain: str) -> str | None:
        # https://developers.hubspot.com/docs/api-reference/latest/crm/objects/companies/guide
        found = self._api.search("companies", {"domain": domain}, ["domain"])
        return found[0]["id"].id if len(found) == 1 else None

    def link(self, person: Any, company: Any) -> object:
        return self._api.link(f"contacts/{person}/associations/default/companies/{company}")

    def _judge(self, answer: Response) -> DeliveryError | None:
        if existing(answer):
            return None
        error = self._api.judge(answer)
        unusable = answer.status_code == 400 and ("INVALID_EMAIL", "email") in faults(json_of(answer))
        return Gone(str(error), "contact", status=400) if unusable else error

    def _batch(self, wanted: Mapping[str, Any]) -> Iterator[Contact]:
        yield from map(_contact, self._api.batch_read("contacts", {**wanted, "properties": self._read}))

    def _search(self, wanted: Mapping[str, str]) -> Iterator[Contact]:
        yield from map(_contact, self._api.search("contacts", wanted, self._read))


def _contact(record: Reply) -> Contact:
    fields = {name: str(value) for name, value in record["properties"].object.items() if value is not None}
    return Contact(
        record["id"].id,
        fields,
        active=fields.get("notes_last_updated", ""),
        owned=bool(fields.get(OWNED)),
        company=bool(fields.get("associatedcompanyid")),
    )


def _national(value: str) -> str:
    return national_significant_number(parse(value))
