"""What `relay connectors check` looks at in Zendesk."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime
from functools import partial
from itertools import chain
from typing import Any

from connectors.kit.checks.expectation import Expectation, Mismatch
from connectors.kit.checks.items import AnswerCheck, CheckItem, ListCheck, NameCheck, run_checks
from connectors.kit.connector import Finding
from connectors.kit.offered import Choice, ChoiceList
from connectors.kit.reply import Reply
from connectors.kit.wire.pager import by_page
from connectors.kit.work.choices import OWNER_SETTINGS, PERSON_SETTINGS, constants
from connectors.zendesk.api import FIXED, unusable
from connectors.zendesk.settings import MOVE, OF_USER, TOKENS_END
from connectors.zendesk.users import ZendeskUsers, is_agent
from core.wording.sentence import say

#: The day on which API tokens end.
LAST_DAY = date(2027, 4, 30)
_SIGNED_IN = Expectation[Reply](
    "%(who)s is %(role)s in %(base)s",
    "%(who)s is %(role)s in %(base)s",
    "sign in as an admin, or as an agent who may manage end users",
    holds=lambda me: me.object.get("role") in ("admin", "agent") and not me.object.get("suspended"),
)
_TOKENS = Expectation[date](TOKENS_END, TOKENS_END, MOVE, holds=lambda today: today < LAST_DAY)
_PRIVATE = Expectation[dict[str, Any]](
    "the first comment of a ticket may be private",
    "the first comment of a ticket may not be private",
    "switch on 'Allow first comment on tickets to be private' in Admin Center, Objects and rules, Tickets, "
    "Settings; without it the visitor may see the transcript and be sent it",
    holds=lambda tickets: bool(tickets.get("is_first_comment_private_enabled", True)),
)
_TAGS = Expectation[dict[str, Any]](
    "tickets have tags",
    "tickets have no tags",
    "switch on 'Enable tags on tickets' at the same place, or write 'tags: []'",
    holds=lambda tickets: bool(tickets.get("tagging", True)),
)
_USER_FIELD = Expectation[str](
    "the user field %(name)s is there",
    "the user field %(name)s is not there",
    "there are %(own)s, %(known)s; add one in Admin Center, People, User fields",
)
#: The name of a group, brand, form or field, and what speaks against it (`thing`).
_THING = Expectation[tuple[str, str]](
    "%(kind)s %(name)s (%(called)s) is there",
    "there is no %(kind)s %(name)s",
    "%(remedy)s",
    also=(
        Mismatch("%(kind)s %(name)s (%(called)s) is a system field", "%(remedy)s", lambda found: found[1] == FIXED),
        Mismatch("%(kind)s %(name)s (%(called)s) is not active", "%(remedy)s", lambda found: found[1] != ""),
    ),
    values=lambda found: {"called": found[0]},
)
_ACTIVE = {
    "group": say("correct group_id, or make the group active"),
    "brand": say("correct brand_id, or make the brand active"),
    "ticket_form": say("correct ticket_form_id, or make the ticket form active"),
    "ticket_field": say("write the number of an active custom field under fields"),
}


class ZendeskChecks(ZendeskUsers):
    """The part of the connector that proves its settings, reading only."""

    def check(self) -> Iterator[Finding]:
        return run_checks(self._checks())

    def _checks(self) -> Iterator[CheckItem]:
        own = self.settings
        # https://developer.zendesk.com/api-reference/ticketing/users/users/#show-self
        # Without credentials it answers 200 with an anonymous user.
        me = self.ask("GET", "users/me")["user"]
        role, email = me.get("role"), me.get("email")
        said = {"who": email.text if email else own.email, "role": role.text if role else "nobody", "base": self.base}
        yield AnswerCheck(_SIGNED_IN, lambda: me, said)
        if own.api_token:
            yield AnswerCheck(_TOKENS, lambda: datetime.now(UTC).date())
        # https://developer.zendesk.com/api-reference/ticketing/account-configuration/account_settings/#show-settings
        tickets = self.ask("GET", "account/settings")["settings"]["tickets"].object
        yield AnswerCheck(_PRIVATE, lambda: tickets)
        if own.tags:
            yield AnswerCheck(_TAGS, lambda: tickets)
        yield from self.owners.checks(own, own.task)
        for kind in ("group", "brand", "ticket_form"):
            yield self._things(kind, constants(getattr(own, f"{kind}_id")))
        fields = [name for name in own.person_fields if name not in OF_USER]
        yield ListCheck(_USER_FIELD, fields, self.user_fields, {"own": ", ".join(OF_USER)})
        yield self._things("ticket_field", map(int, own.fields))

    def _things(self, kind: str, numbers: Iterable[int]) -> CheckItem:
        given = {"kind": kind.replace("_", " "), "remedy": _ACTIVE[kind]}
        return NameCheck(_THING, numbers, partial(self._named_thing, kind), given)

    def _named_thing(self, kind: str, number: int) -> tuple[str, str] | None:
        found = self.thing(kind, number)
        return found if found[0] else None

    # --- what there is to choose from ----------------------------------------------------

    def choices(self) -> Iterator[ChoiceList]:
        agent = "the role of an agent or admin"
        # https://developer.zendesk.com/api-reference/ticketing/groups/groups/#list-assignable-groups
        groups = partial(self.entries, by_page("groups"), "/api/v2/groups/assignable")
        yield ChoiceList(("group_id",), lambda: map(_named, groups()), agent)
        # https://developer.zendesk.com/api-reference/ticketing/account-configuration/brands/#list-brands
        brands = partial(self.entries, by_page("brands"), "/api/v2/brands")
        yield ChoiceList(("brand_id",), lambda: map(_named, filter(_usable, brands())), agent)
        # https://developer.zendesk.com/api-reference/ticketing/tickets/ticket_forms/#list-ticket-forms : all at once
        forms = partial(self.ask, "GET", "ticket_forms")
        yield ChoiceList(("ticket_form_id",), lambda: map(_named, filter(_usable, forms()["ticket_forms"])), agent)
        # https://developer.zendesk.com/api-reference/ticketing/tickets/ticket_fields/#list-ticket-fields : likewise
        fields = partial(self.ask, "GET", "ticket_fields")
        yield ChoiceList(("fields",), lambda: map(_named, filter(_usable, fields()["ticket_fields"])), agent)
        yield ChoiceList(OWNER_SETTINGS, self._agents, agent)
        yield ChoiceList(PERSON_SETTINGS, lambda: chain(map(_of_user, OF_USER), self._own_of_user()), agent)
        yield ChoiceList(("customer_id_field",), self._own_of_user, agent)

    def _agents(self) -> Iterator[Choice]:
        for role in ("agent", "admin"):
            # https://developer.zendesk.com/api-reference/ticketing/users/users/#list-users
            found = self.entries(by_page("users"), "/api/v2/users", role=role)
            yield from (Choice(one["email"].text, one["name"].text) for one in found if is_agent(one))

    def _own_of_user(self) -> Iterator[Choice]:
        return (Choice(one["key"].text, one["title"].text) for one in self.listed_user_fields())


def _named(one: Reply) -> Choice:
    name = one.get("name") or one["title"]
    return Choice(one["id"].id, name.text)


def _usable(one: Reply) -> bool:
    return not unusable(one.object)


def _of_user(name: str) -> Choice:
    return Choice(name, name.replace("_", " ").capitalize())
