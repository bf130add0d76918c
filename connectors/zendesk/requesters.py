"""Who wrote: how Zendesk's users are found, made and filled.

https://developer.zendesk.com/api-reference/ticketing/users/users/
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from typing import Any

from phonenumbers import national_significant_number, parse

from connectors.kit.people.directory import Contact, Directory, same_number, texts
from connectors.kit.people.settings import YES, Identifier, Said
from connectors.kit.reply import Reply
from connectors.kit.wire.verdicts import When
from connectors.kit.work.chat import Chat
from connectors.zendesk.api import GONE_USER, OF_NEW_USER, REQUESTER
from connectors.zendesk.settings import OF_USER
from connectors.zendesk.users import ZendeskUsers
from core.errors import Gone

#: Characters. It is documented nowhere; what is longer than a database's usual column helps nobody.
NAME = 255
#: From a template's text to what a type of custom field takes. Text that does not fit goes as it is, and is refused.
VALUES: Mapping[str, Callable[[str], Any]] = {
    "checkbox": lambda text: text.lower() in YES,
    "integer": lambda text: int(text) if re.fullmatch(r"-?\d{1,18}", text, re.ASCII) else text,
    "decimal": lambda text: float(text) if re.fullmatch(r"-?\d{1,15}(\.\d+)?", text, re.ASCII) else text,
}


class Requesters(Directory):
    def __init__(self, api: ZendeskUsers, chat: Chat) -> None:
        self._api, self._settings, self._words = api, api.settings, chat.words
        # A ticket without a requester would be ours, and a user needs a name alone: https://support.zendesk.com/
        # hc/en-us/articles/4408894213018. The external id makes it one user for each visitor.
        self.nameless = chat.visitor_key

    def own(self, said: Said) -> Mapping[str, str]:
        known = {"name": said.name[:NAME], "email": said.email, "phone": said.phone}
        field = self._settings.customer_id_field
        return {**known, **({field: said.customer_id} if field else {})}

    def find(self, by: Identifier, value: str) -> Iterator[Contact]:
        if by == "email":
            if (user := self._api.having(value)) is not None:
                if _is_away(user):
                    raise Gone("Zendesk's user with this address is suspended", REQUESTER)
                yield self._contact(user, value)
        elif by == "customer_id":
            yield from self._with_customer_id(value)
        else:
            # Whatever stands between the digits, and with or without the code of the country:
            # https://developer.zendesk.com/documentation/voice/talk-partner-edition/retrieving-the-zendesk-user-id-of-a-caller/
            number = national_significant_number(parse(value))
            for one in map(self._contact, self._present(query=f"role:end-user phone:*{number}")):
                if any(same_number(it, value) for it in one.values("phone")):
                    yield one

    def get(self, person: Any) -> Contact | None:
        user = self._api.user(person)
        if user is None or _is_away(user):
            return None
        wanted, email = self._words.identity, user.get("email")
        if wanted and (email is None or email.text.lower() != wanted):
            return self._contact(user, *(one.text for one in self._api.identities(user, "email")))
        return self._contact(user)

    def create(self, said: Said, fields: Mapping[str, str]) -> Contact:
        named = {**fields, "name": fields.get("name") or said.called[:NAME]}
        if not said.email:
            return self._visitor(named)
        # It refuses an address that somebody has, while the upsert would rename that somebody after what was typed.
        # https://developer.zendesk.com/api-reference/ticketing/users/users/#create-user
        made = self._write("POST", "users", named, *OF_NEW_USER).get("user")
        if made is not None:
            return Contact(made["id"].number, fresh=True)
        # Somebody whom the search does not show, or not yet. Without a name, the upsert changes nothing.
        # https://developer.zendesk.com/api-reference/ticketing/users/users/#create-or-update-user
        known = self._write("POST", "users/create_or_update", {"email": said.email}, *OF_NEW_USER).get("user")
        if known is None:
            raise Gone("Zendesk says that the address is taken, and does not say by whom", REQUESTER, status=422)
        return self._contact(known, said.email)

    def fill(self, person: Any, fields: Mapping[str, str]) -> object:
        # https://developer.zendesk.com/api-reference/ticketing/users/users/#update-user
        return self._write("PUT", f"users/{person}", fields, GONE_USER)

    # --- how they are read and written -----------------------------------------------

    def _visitor(self, fields: Mapping[str, str]) -> Contact:
        """The user who stands for a visitor without an address."""
        known = next(iter(self._present(external_id=self.nameless)), None)
        if known is not None:
            return self._contact(known)
        made = self._write("POST", "users/create_or_update", {**fields, "external_id": self.nameless})
        return Contact(made["user"]["id"].number, fresh=True)

    def _with_customer_id(self, value: str) -> Iterator[Contact]:
        field = self._settings.customer_id_field
        quoted = value.replace("\\", "").replace('"', "")  # which no value in a query can have
        asked = {"external_id": value} if field == "external_id" else {"query": f'role:end-user {field}:"{quoted}"'}
        found = map(self._contact, self._present(**asked))
        yield from (one for one in found if value.casefold() in (it.casefold() for it in one.values(field)))

    def _present(self, **asked: str) -> list[Reply]:
        return [user for user in self._api.search(**asked) if not _is_away(user)]

    def _write(self, method: str, path: str, fields: Mapping[str, str], *cases: When) -> Reply:
        own = {name: text for name, text in fields.items() if name in OF_USER}
        custom = {
            name: VALUES.get(self._types.get(name, ""), str)(text)
            for name, text in fields.items()
            if name not in OF_USER
        }
        # The welcome mail is for those who sign up.
        user = {**own, **({"user_fields": custom} if custom else {}), "skip_verify_email": True}
        return self._api.ask(method, path, json={"user": user}, repeatable=True, judge=self._api.when(*cases))

    @cached_property
    def _types(self) -> dict[str, str]:
        return self._api.cache.get("user fields", self._api.user_fields)

    def _contact(self, user: Reply, *emails: str) -> Contact:
        raw = user.object
        custom = raw.get("user_fields")
        fields = {name: texts(value) for name, value in (custom if isinstance(custom, dict) else {}).items()}
        fields |= {name: texts(raw.get(name)) for name in OF_USER}
        fields["email"] += emails
        # Zendesk keeps nobody without a name, so that something else stands there instead.
        nobodys = {self._words.voice.say("a visitor").casefold(), *(one.casefold() for one in fields["email"])}
        fields["name"] = tuple(one for one in fields["name"] if one.casefold() not in nobodys)
        # A colleague's profile is not filled with what somebody said who gave the colleague's address.
        colleague = raw.get("role") not in (None, "end-user")
        return Contact(user["id"].number, fields, active=str(raw.get("updated_at") or ""), fresh=colleague)


def _is_away(user: Reply) -> bool:
    """Suspended, or deleted, of which a profile without a name is left."""
    return bool(user.object.get("suspended")) or user.object.get("active") is False
