"""Users: who gets the ticket, who has an address, and who we are."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

from connectors.kit.email_address import spellings
from connectors.kit.reply import Reply
from connectors.kit.wire.pager import by_page
from connectors.kit.wire.verdicts import When
from connectors.kit.work.owner import Owners
from connectors.zendesk.api import ZendeskApi
from core.wording.sentence import to_be_said

#: How many users of those that a search shows are asked for their further addresses.
FURTHER = 5
#: `role_type` of agents who are given no tickets: light agents, agents of Chat alone, billing admins.
#: https://developer.zendesk.com/api-reference/ticketing/users/users/#json-format
WITHOUT_TICKETS = (1, 2, 5)


class ZendeskUsers(ZendeskApi):
    """The part of the connector that looks for people."""

    def me(self) -> int:
        return self.ask("GET", "users/me")["user"]["id"].number

    def user(self, number: object) -> Reply | None:
        # https://developer.zendesk.com/api-reference/ticketing/users/users/#show-user
        return self.ask("GET", f"users/{number}", judge=self.when(When((404,), then=None))).get("user")

    def having(self, email: str) -> Reply | None:
        """The user with an address, as the first or a further one."""
        found = self.search(query=f"email:{email}")
        return next((user for user in found if _is(email, user.get("email"))), None) or next(
            (user for user in found[:FURTHER] if any(_is(email, one) for one in self.identities(user, "email"))), None
        )

    def search(self, **asked: str) -> list[Reply]:
        # https://developer.zendesk.com/api-reference/ticketing/users/users/#search-users
        return list(self.ask("GET", "users/search", params=asked)["users"])

    def identities(self, user: Reply, kind: str) -> list[Reply]:
        """All addresses or numbers of a user, as after a merge: the user itself shows the first alone."""
        # https://developer.zendesk.com/api-reference/ticketing/users/user_identities/#list-identities
        listed = self.ask("GET", f"users/{user['id'].number}/identities")["identities"]
        return [one["value"] for one in listed if one["type"].text == kind]

    def user_fields(self) -> dict[str, str]:
        """The type of each custom field of users that is in use."""
        return {one["key"].text: one["type"].text for one in self.listed_user_fields()}

    def listed_user_fields(self) -> Iterator[Reply]:
        # https://developer.zendesk.com/api-reference/ticketing/users/user_fields/#list-user-fields
        listed = self.entries(by_page("user_fields"), "/api/v2/user_fields")
        return (one for one in listed if one.object.get("active") is not False)

    # --- who gets the ticket -----------------------------------------------------------

    @cached_property
    def owners(self) -> Owners[int]:
        return Owners(
            self.cache,
            by_email=self._agent_by_email,
            by_id=self._agent_by_id,
            kind=to_be_said("an active agent"),
            imagined=1,
        )

    def _agent_by_email(self, email: str) -> int | None:
        return _agent(self.having(email))

    def _agent_by_id(self, named: str) -> int | None:
        return _agent(self.user(named)) if named.isascii() and named.isdecimal() else None


def _is(email: str, said: Reply | None) -> bool:
    return said is not None and said.text.casefold() in {one.casefold() for one in spellings(email)}


def _agent(user: Reply | None) -> int | None:
    return user["id"].number if user is not None and is_agent(user) else None


def is_agent(user: Reply) -> bool:
    """Whether a user may be given tickets."""
    shown = user.object
    away = shown.get("suspended") or shown.get("active") is False or shown.get("role_type") in WITHOUT_TICKETS
    return user["role"].raw in ("agent", "admin") and not away
