"""Users: who wrote, who gets the ticket, and who we are."""

from __future__ import annotations

from functools import cached_property

from connectors.kit.email_address import spellings
from connectors.kit.record import Person
from connectors.kit.reply import Reply
from connectors.kit.wire.verdicts import When
from connectors.kit.work.chat import Chat
from connectors.kit.work.owner import Owners
from connectors.zendesk.api import OF_NEW_USER, ZendeskApi
from core.errors import Gone

#: How many users of those that a search shows are asked for their further addresses.
FURTHER = 5
#: Characters. It is documented nowhere; what is longer than a database's usual column helps nobody.
NAME = 255
#: `role_type` of agents who are given no tickets: light agents, agents of Chat alone, billing admins.
#: https://developer.zendesk.com/api-reference/ticketing/users/users/#json-format
WITHOUT_TICKETS = (1, 2, 5)


class ZendeskUsers(ZendeskApi):
    """The part of the connector that looks for people and makes them."""

    def me(self) -> int:
        return self.ask("GET", "users/me")["user"]["id"].number

    # --- who wrote -------------------------------------------------------------------

    def requester(self, person: Person) -> int:
        """The user with this address, or a new one; nobody's name changes. Raises Gone when Zendesk takes neither."""
        found = self._having(person.email)
        return found["id"].number if found is not None else self._create_user(person)

    def nobody(self, chat: Chat) -> int:
        # A ticket without a requester would be ours, and a user needs a name alone: https://support.zendesk.com/
        # hc/en-us/articles/4408894213018. The external id makes it one user for each visitor.
        user = {"name": chat.words.name[:NAME], "external_id": chat.visitor_key, "skip_verify_email": True}
        saved = self.ask("POST", "users/create_or_update", json={"user": user}, repeatable=True)
        return saved["user"]["id"].number

    def _having(self, email: str) -> Reply | None:
        # https://developer.zendesk.com/api-reference/ticketing/users/users/#search-users
        found = list(self.ask("GET", "users/search", params={"query": f"email:{email}"})["users"])
        return next((user for user in found if _is(email, user.get("email"))), None) or next(
            (user for user in found[:FURTHER] if self._has(user, email)), None
        )

    def _has(self, user: Reply, email: str) -> bool:
        """Whether it is a further address of the user's, as after a merge: the user itself shows the first alone."""
        # https://developer.zendesk.com/api-reference/ticketing/users/user_identities/#list-identities
        listed = self.ask("GET", f"users/{user['id'].number}/identities")["identities"]
        return any(_is(email, one.get("value")) for one in listed if one["type"].text == "email")

    def _create_user(self, person: Person) -> int:
        # https://developer.zendesk.com/api-reference/ticketing/users/users/#create-user
        # It refuses an address that somebody has, while the upsert would rename that somebody after what was typed.
        new = {"name": person.name[:NAME], "email": person.email, "skip_verify_email": True}
        judge = self.when(*OF_NEW_USER)
        made = self.ask("POST", "users", json={"user": new}, repeatable=True, judge=judge).get("user")
        if made is None:
            # Somebody whom the search does not show, or not yet. Without a name, the upsert changes nothing.
            # https://developer.zendesk.com/api-reference/ticketing/users/users/#create-or-update-user
            known = {"email": person.email, "skip_verify_email": True}
            path = "users/create_or_update"
            made = self.ask("POST", path, json={"user": known}, repeatable=True, judge=judge).get("user")
        if made is None:
            raise Gone("Zendesk says that the address is taken, and does not say by whom", "requester", status=422)
        return made["id"].number

    # --- who gets the ticket -----------------------------------------------------------

    @cached_property
    def owners(self) -> Owners[int]:
        return Owners(
            self.cache, by_email=self._agent_by_email, by_id=self._agent_by_id, kind="an active agent", imagined=1
        )

    def _agent_by_email(self, email: str) -> int | None:
        return _agent(self._having(email))

    def _agent_by_id(self, named: str) -> int | None:
        if not (named.isascii() and named.isdecimal()):
            return None
        # https://developer.zendesk.com/api-reference/ticketing/users/users/#show-user
        return _agent(self.ask("GET", f"users/{named}", judge=self.when(When((404,), then=None))).get("user"))


def _is(email: str, said: Reply | None) -> bool:
    return said is not None and said.text.casefold() in {one.casefold() for one in spellings(email)}


def _agent(user: Reply | None) -> int | None:
    """The id of a user who may be given tickets."""
    if user is None or user["role"].raw not in ("agent", "admin"):
        return None
    shown = user.object
    away = shown.get("suspended") or shown.get("active") is False or shown.get("role_type") in WITHOUT_TICKETS
    return None if away else user["id"].number
