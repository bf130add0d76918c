"""Who wrote: how RT's users are found, made and filled, for a connector that may manage them.

https://docs.bestpractical.com/rt/latest/RT/REST2.html#Users
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

from phonenumbers import national_significant_number, parse

from connectors.kit.people.directory import Contact, Directory, same_number, texts
from connectors.kit.people.settings import Identifier, Said
from connectors.kit.reply import Reply
from connectors.request_tracker.api import IN_USE, OF_ADDRESS, OF_USER, REQUESTOR, RequestTrackerApi, usable_address
from connectors.request_tracker.settings import USER_FIELDS
from core.errors import Gone, RecordRefused

_NUMBERS = ("MobilePhone", "WorkPhone", "HomePhone")
NAME = 120  #: characters that RT's database holds
#: Users that are read of those whom a search shows.
_MOST = 10


class Requestors(Directory):
    names = ("RealName",)
    email = "EmailAddress"

    def __init__(self, api: RequestTrackerApi) -> None:
        self._api, self._settings = api, api.settings

    def own(self, said: Said) -> Mapping[str, str]:
        known = {"RealName": said.name[:NAME], "EmailAddress": said.email, "MobilePhone": said.phone}
        field = self._settings.customer_id_field
        return {**known, **({field: said.customer_id} if field else {})}

    def find(self, by: Identifier, value: str) -> Iterator[Contact]:
        if by == "phone":
            # Whatever stands between the digits, and with or without the code of the country.
            digits = "%".join(national_significant_number(parse(value)))
            found = (one for name in _NUMBERS for one in self._search(name, digits, "LIKE"))
            yield from (one for one in found if any(same_number(it, value) for it in one.values("numbers")))
            return
        field = "EmailAddress" if by == "email" else self._settings.customer_id_field
        # RT passes over a limit that it does not know, and then gives everybody.
        for one in self._search(field, value):
            if value.casefold() in (it.casefold() for it in one.values(field)):
                yield one

    def get(self, person: Any) -> Contact | None:
        user = self._api.ask("GET", f"user/{quote(str(person), safe='')}", judge=self._api.when(OF_USER))
        if user.get("Name") is None or str(user.object.get("Disabled") or "0") != "0":
            return None
        return self._contact(user)

    def create(self, said: Said, fields: Mapping[str, str]) -> Contact:
        if not usable_address(said.email):
            raise Gone("RT does not take this address whole", REQUESTOR)
        # RT names those whom it makes itself after their address; a slash would be one more part of a path.
        name = said.email.replace("/", "-")
        body = {"Name": name, "Privileged": "0", **self._body(fields)}
        # https://docs.bestpractical.com/rt/latest/RT/REST2.html#User-Examples
        cases = (IN_USE, OF_ADDRESS) if fields.keys() <= {"RealName", "EmailAddress"} else (IN_USE,)
        made = self._api.ask("POST", "user", json=body, judge=self._api.when(*cases))
        there = self.get(name)
        if there is None:
            raise Gone("RT has a user with this address who is disabled", REQUESTOR)
        return Contact(there.id, fresh=True) if made.get("id") is not None else there

    def fill(self, person: Any, fields: Mapping[str, str]) -> object:
        self._api.ask("PUT", f"user/{person}", json=self._body(fields), judge=self._api.when(OF_USER))
        # What may not be changed RT leaves as it is, and says so in words alone.
        there = self.get(person)
        if there is None:
            raise Gone("the user was disabled in RT", REQUESTOR)
        if untaken := [name for name in fields if not there.values(name)]:
            raise RecordRefused(f"RT does not take '{untaken[0]}' of a user")
        return there

    # --- how they are read and written -----------------------------------------------

    def _search(self, field: str, value: str, operator: str = "=") -> Iterator[Contact]:
        name = field if field in USER_FIELDS else f"CustomField.{{{field}}}"
        params = {"query": json.dumps([{"field": name, "value": value, "operator": operator}])}
        for one in self._api.ask("GET", "users", params=params)["items"].list[:_MOST]:
            if (found := self.get(Reply(one)["id"].id)) is not None:
                yield found

    def _body(self, fields: Mapping[str, str]) -> dict[str, Any]:
        own: dict[str, Any] = {name: text for name, text in fields.items() if name in USER_FIELDS}
        custom = {name: text for name, text in fields.items() if name not in USER_FIELDS}
        return {**own, **({"CustomFields": custom} if custom else {})}

    def _contact(self, user: Reply) -> Contact:
        raw, custom = user.object, user.get("CustomFields")
        fields = {one["name"].text: texts(one["values"].list) for one in custom or ()}
        fields |= {name: texts(raw.get(name)) for name in USER_FIELDS}
        fields["numbers"] = tuple(one for name in _NUMBERS for one in fields[name])
        fields["MobilePhone"] = fields["numbers"] if fields["MobilePhone"] else ()
        addresses = {one.casefold() for one in fields["EmailAddress"]}
        fields["RealName"] = tuple(one for one in fields["RealName"] if one.casefold() not in addresses)
        # A colleague's profile is not filled with what somebody said who gave the colleague's address.
        colleague = str(raw.get("Privileged")) == "1"
        return Contact(user["id"].number, fields, active=str(raw.get("LastUpdated") or ""), fresh=colleague)
