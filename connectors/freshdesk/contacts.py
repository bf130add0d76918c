"""Who wrote: how Freshdesk's contacts are found, made and filled.

https://developers.freshdesk.com/api/#contacts
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any

from phonenumbers import PhoneNumberFormat, format_number, national_significant_number, parse

from connectors.freshdesk.api import LINE, OF_CONTACT, PERSON, VALUES, FreshdeskApi, of_new_contact
from connectors.freshdesk.settings import CONTACT_FIELDS
from connectors.kit.people.directory import Contact, Directory, same_number, texts
from connectors.kit.people.settings import Identifier, Said
from connectors.kit.reply import Reply
from connectors.kit.work.chat import Chat
from core.errors import Gone

#: Characters of a query, its quotation marks among them.
QUERY = 512
_HIDDEN = "Freshdesk has a contact with this address and does not show it: deleted, or blocked"


class Contacts(Directory):
    def __init__(self, api: FreshdeskApi, chat: Chat) -> None:
        self._api, self._settings = api, api.settings
        self._anybody = chat.words.voice.say("a visitor").casefold()
        # A ticket needs a requester. Without an email it is a contact with an id of ours.
        self.nameless = chat.visitor_key

    def own(self, said: Said) -> Mapping[str, str]:
        known = {"name": said.name[:LINE], "email": said.email, "phone": said.phone}
        field = self._settings.customer_id_field
        return {**known, **({field: said.customer_id} if field else {})}

    def find(self, by: Identifier, value: str) -> Iterator[Contact]:
        # The list of contacts would meet the narrowest of all limits, 20 a minute on the smallest plan. What the search
        # does not know yet, a create finds by its conflict: https://developers.freshdesk.com/api/#ratelimit
        if by == "phone":
            wanted = [(field, one) for field in ("phone", "mobile") for one in _spelled(value)]
            found = map(self._contact, self._search(wanted))
            yield from (one for one in found if any(same_number(it, value) for it in one.values("numbers")))
        else:
            field = "email" if by == "email" else self._settings.customer_id_field
            for one in map(self._contact, self._search([(field, value)])):
                if value.casefold() in (it.casefold() for it in one.values(field)):
                    yield one

    def get(self, person: Any) -> Contact | None:
        shown = self._api.contact(person)
        return None if shown is None or shown.object.get("deleted") else self._contact(shown)

    def create(self, said: Said, fields: Mapping[str, str]) -> Contact:
        unique = {"email": said.email} if said.email else {"unique_external_id": self.nameless}
        body = self._body({**fields, **unique, "name": fields.get("name") or said.called[:LINE]})
        # https://developers.freshdesk.com/api/#create_contact
        made = self._api.ask("POST", "contacts", json=body, judge=self._api.when(*of_new_contact(*unique)))
        if not made.object.get("errors"):
            return Contact(made["id"].number, fresh=True)
        # Somebody has the address, or has had it.
        for error in made["errors"]:
            about = error.get("additional_info")
            user = about.get("user_id") if about is not None else None
            if user is not None:
                return self._known(user.number)
        # https://developers.freshdesk.com/api/#list_all_contacts
        listed = list(self._api.ask("GET", "contacts", params=unique)) if said.email else []
        if not listed:
            raise Gone(_HIDDEN, PERSON)
        return self._contact(listed[0])

    def fill(self, person: Any, fields: Mapping[str, str]) -> object:
        # https://developers.freshdesk.com/api/#update_contact
        return self._api.ask("PUT", f"contacts/{person}", json=self._body(fields), judge=self._api.when(*OF_CONTACT))

    # --- how they are read and written -----------------------------------------------

    def _known(self, number: int) -> Contact:
        """Who has an address that a new contact was to get."""
        shown = self._api.contact(number)
        if shown is None:
            # A colleague's profile is not filled with what somebody said who gave the colleague's address.
            return Contact(number, fresh=True)
        if shown.object.get("deleted"):
            raise Gone(_HIDDEN, PERSON)
        return self._contact(shown)

    def _search(self, wanted: list[tuple[str, str]]) -> Iterator[Reply]:
        # https://developers.freshdesk.com/api/#filter_contacts . No value in a query can have its quotation mark.
        said = [f"{field}:'{value}'" for field, value in wanted if "'" not in value]
        query = f'"{" OR ".join(said)}"'
        if said and len(query) <= QUERY:
            yield from self._api.ask("GET", "search/contacts", params={"query": query})["results"]

    def _body(self, fields: Mapping[str, str]) -> dict[str, Any]:
        own: dict[str, Any] = {name: text for name, text in fields.items() if name in CONTACT_FIELDS}
        custom = {
            name: VALUES.get(self._types.get(name, ""), str)(text)
            for name, text in fields.items()
            if name not in CONTACT_FIELDS
        }
        return {**own, **({"custom_fields": custom} if custom else {})}

    @cached_property
    def _types(self) -> dict[str, str]:
        return self._api.cache.get("contact fields", self._api.contact_fields)

    def _contact(self, contact: Reply) -> Contact:
        raw = contact.object
        custom = raw.get("custom_fields")
        fields = {name: texts(value) for name, value in (custom if isinstance(custom, dict) else {}).items()}
        fields |= {name: texts(raw.get(name)) for name in CONTACT_FIELDS}
        fields["numbers"] = (*fields["phone"], *fields["mobile"])
        fields["phone"] = fields["numbers"] if fields["phone"] else ()
        fields["email"] += texts(raw.get("other_emails"))
        # Freshdesk keeps nobody without a name, so that something else stands there instead.
        nobodys = {self._anybody, *(one.casefold() for one in fields["email"])}
        fields["name"] = tuple(one for one in fields["name"] if one.casefold() not in nobodys)
        return Contact(contact["id"].number, fields, active=str(raw.get("updated_at") or ""))


def _spelled(number: str) -> list[str]:
    """How people write a number, as the search compares it sign by sign."""
    found = parse(number)
    national = format_number(found, PhoneNumberFormat.NATIONAL)
    said = [
        number,
        format_number(found, PhoneNumberFormat.INTERNATIONAL),
        number.replace("+", "00"),
        number.removeprefix("+"),
        national,
        "".join(filter(str.isdigit, national)),
        national_significant_number(found),
    ]
    return list(dict.fromkeys(said))
