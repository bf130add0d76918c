"""Pipedrive's persons: how they are found, made and filled, and the organizations that they belong to.

https://developers.pipedrive.com/docs/api/v1/Persons
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property
from itertools import islice
from typing import Any, Literal

from phonenumbers import national_significant_number, parse

from connectors.kit.email_address import spellings
from connectors.kit.people.company import website_domain
from connectors.kit.people.directory import Contact, Directory, best, same_number
from connectors.kit.people.settings import Identifier, Said
from connectors.kit.reply import Reply
from connectors.pipedrive.api import NEWEST, PipedriveApi
from connectors.pipedrive.settings import CUSTOM, MARKETING

PERSONS = "/api/v2/persons"
#: How many persons of those that a search finds are read, and how many custom fields can be asked for by name.
_MOST, _MOST_FIELDS = 100, 15
#: What somebody is looked for by, and what the search calls that.
By = Identifier | Literal["name"]
SEARCHED: Mapping[By, str] = {"email": "email", "phone": "phone", "customer_id": "custom_fields", "name": "name"}


class PersonDirectory(Directory):
    email = "emails"

    def __init__(
        self,
        api: PipedriveApi,
        since: Callable[..., Iterator[Reply]] = lambda **_: iter(()),
        give: Callable[[Callable[[int | None], Any]], Any] = lambda make: make(None),
        nameless: str = "",
        anybody: str = "",
    ) -> None:
        """`since` gives the persons who were created since the chat came; `give` creates somebody for the owner of its
        record. `nameless` is what somebody without an address is called, or ""; `anybody`, if we know no name either.
        """
        self._since, self._give = since, give
        self._api, self._settings = api, api.settings
        self.nameless, self._anybody = nameless, anybody
        named = api.settings.person_fields
        custom = [name for name in named if CUSTOM.fullmatch(name)]
        shown = ["last_activity_id", *([MARKETING] if MARKETING in named else [])]
        self._asked = {"include_fields": ",".join(shown)}
        self._asked |= {"custom_fields": ",".join(custom)} if 0 < len(custom) <= _MOST_FIELDS else {}

    def own(self, said: Said) -> Mapping[str, str]:
        known = {"name": said.name, "emails": said.email, "phones": said.phone}
        field = self._settings.customer_id_field
        return {**known, **({field: said.customer_id} if field else {})}

    def find(self, by: By, value: str) -> Iterator[Contact]:
        known = [one for one in self._searched(by, value) if self._has(one, by, value)]
        # The search may not know the newest yet.
        yield from known or [one for one in self._newest if self._has(one, by, value)]

    def get(self, person: Any) -> Contact | None:
        # https://developers.pipedrive.com/docs/api/v1/Persons#getPerson
        found = self._api.there(f"{PERSONS}/{person}", params=self._asked)
        return next(self._contacts([found] if found is not None else []), None)

    def create(self, said: Said, fields: Mapping[str, str]) -> Contact:
        # Whom an earlier chat made with what identifies nobody.
        if "email" not in said.known_by and (known := best(self.find(*self._sign(said)))):
            return known
        name = (fields.get("name") or said.called) if said.email else self.nameless
        body = {**_body(fields), "name": name}
        # https://developers.pipedrive.com/docs/api/v1/Persons#addPerson
        return Contact(self._give(lambda owner: self._api.given(PERSONS, body, owner)), fresh=True)

    def made(self, said: Said) -> int | None:
        recent = self._contacts(self._since(**self._asked))
        return next((one.id for one in recent if self._has(one, *self._sign(said))), None)

    def fill(self, person: Any, fields: Mapping[str, str]) -> object:
        # https://developers.pipedrive.com/docs/api/v1/Persons#updatePerson
        return self._api.written("PATCH", f"{PERSONS}/{person}", _body(fields))

    def company(self, domain: str) -> int | None:
        # https://developers.pipedrive.com/docs/api/v1/Organizations#searchOrganization. Pipedrive's own fields have no
        # domain; the shop's may, such as a website.
        asked = {"term": domain, "fields": "custom_fields"}
        items = self._api.ask("GET", "/api/v2/organizations/search", params=asked)["data"]["items"]
        having = [
            one["item"] for one in items if any(website_domain(it.id) == domain for it in one["item"]["custom_fields"])
        ]
        return having[0]["id"].number if len(having) == 1 else None

    def link(self, person: Any, company: Any) -> object:
        return self._api.written("PATCH", f"{PERSONS}/{person}", {"org_id": company})

    # --- how they are looked for -----------------------------------------------------

    def _sign(self, said: Said) -> tuple[By, str]:
        """By what somebody is found again whom we have made."""
        return ("email", said.email) if said.email else ("name", self.nameless)

    def _searched(self, by: By, value: str) -> Iterator[Contact]:
        """Whom the search finds, as they are now."""
        found = [number for term in _terms(by, value) for number in self._search(by, term)]
        numbers = list(dict.fromkeys(found))[:_MOST]
        if len(numbers) == 1:  # which costs a tenth of a list of one
            yield from filter(None, [self.get(numbers[0])])
        elif numbers:
            asked = {"ids": ",".join(map(str, numbers)), "limit": _MOST, **self._asked}
            yield from self._contacts(self._api.pages(PERSONS, asked))

    def _search(self, by: By, term: str) -> list[int]:
        # https://developers.pipedrive.com/docs/api/v1/Persons#searchPersons. A number has signs of all kinds between
        # its digits, and its country's code or none: that is no exact match.
        exact = {} if by == "phone" else {"exact_match": "true"}
        asked = {"term": term, "fields": SEARCHED[by], **exact}
        return [
            one["item"]["id"].number for one in self._api.ask("GET", f"{PERSONS}/search", params=asked)["data"]["items"]
        ]

    @cached_property
    def _newest(self) -> list[Contact]:
        return list(self._contacts(islice(self._api.newly_added("persons", **self._asked), NEWEST)))

    def _has(self, one: Contact, by: By, value: str) -> bool:
        if by == "phone":
            return any(same_number(it, value) for it in one.values("phones"))
        wanted = {it.casefold() for it in _terms(by, value)}
        field = {"email": "emails", "customer_id": self._settings.customer_id_field, "name": "called"}[by]
        return any(it.casefold() in wanted for it in one.values(field))

    # --- what they are ---------------------------------------------------------------

    def _contacts(self, persons: Iterable[Reply]) -> Iterator[Contact]:
        return (self._contact(one) for one in persons if one.object.get("is_deleted") is not True)

    def _contact(self, person: Reply) -> Contact:
        name, raw = person["name"].text, person.object
        emails, phones = ([it["value"].text for it in person.get(kind) or ()] for kind in ("emails", "phones"))
        # Pipedrive keeps nobody without a name, so that something else stands there instead.
        nobodys = name.casefold() in (*(it.casefold() for it in emails), self._anybody.casefold())
        status, activity = raw.get(MARKETING), person.get("last_activity_id")
        custom = person.get("custom_fields")
        own = {"called": name, "name": "" if nobodys else name, "emails": emails, "phones": phones}
        more = {key: _text(value) for key, value in (custom.object if custom is not None else {}).items()}
        return Contact(
            person["id"].number,
            {**more, **own, MARKETING: "" if status in (None, "no_consent") else str(status)},
            active=f"{activity.number:020}" if activity is not None else "",
            owned=bool(raw.get("owner_id")),
            company=bool(raw.get("org_id")),
        )


def _terms(by: By, value: str) -> tuple[str, ...]:
    if by == "phone":
        return (national_significant_number(parse(value)),)
    return spellings(value) if by == "email" else (value,)


def _body(fields: Mapping[str, str]) -> dict[str, Any]:
    """Fields as Pipedrive takes them."""
    body: dict[str, Any] = {name: text for name, text in fields.items() if not CUSTOM.fullmatch(name)}
    for name in body.keys() & {"emails", "phones"}:
        body[name] = [{"value": body[name], "primary": True, "label": "work"}]
    custom = {name: text for name, text in fields.items() if CUSTOM.fullmatch(name)}
    return {**body, **({"custom_fields": custom} if custom else {})}


def _text(value: Any) -> str:
    """What a custom field says; some have an object around it."""
    said = value.get("value") if isinstance(value, dict) else value
    return "" if said is None else said if isinstance(said, str) else json.dumps(said)
