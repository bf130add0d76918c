"""What `relay connectors check` looks at in Zendesk."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from functools import partial
from itertools import chain

from connectors.kit.connector import Finding
from connectors.kit.offered import Choice, ChoiceList
from connectors.kit.reply import Reply
from connectors.kit.wire.pager import by_page
from connectors.kit.work.choices import OWNER_SETTINGS, PERSON_SETTINGS, constants
from connectors.zendesk.api import unusable
from connectors.zendesk.settings import OF_USER
from connectors.zendesk.users import ZendeskUsers, is_agent

#: The day on which API tokens end.
LAST_DAY = date(2027, 4, 30)


class ZendeskChecks(ZendeskUsers):
    """The part of the connector that proves its settings, reading only."""

    def check(self) -> Iterator[Finding]:
        settings = self.settings
        # https://developer.zendesk.com/api-reference/ticketing/users/users/#show-self
        # Without credentials it answers 200 with an anonymous user.
        me = self.ask("GET", "users/me")["user"]
        role, email = me.get("role"), me.get("email")
        yield Finding(
            role is not None and role.raw in ("admin", "agent") and not me.object.get("suspended"),
            f"{email.text if email is not None else settings.email} is "
            f"{role.text if role is not None else 'nobody'} in {self.base}",
            "sign in as an admin, or as an agent who may manage end users",
        )
        for text, remedy in settings.doubts():
            yield Finding(datetime.now(UTC).date() < LAST_DAY, text, remedy)
        # https://developer.zendesk.com/api-reference/ticketing/account-configuration/account_settings/#show-settings
        tickets = self.ask("GET", "account/settings")["settings"]["tickets"].object
        yield Finding(
            tickets.get("is_first_comment_private_enabled", True),
            "the first comment of a ticket may be private",
            "switch on 'Allow first comment on tickets to be private' in Admin Center, Objects and rules, Tickets, "
            "Settings; without it the visitor may see the transcript and be sent it",
        )
        if settings.tags:
            yield Finding(
                tickets.get("tagging", True),
                "tickets have tags",
                "switch on 'Enable tags on tickets' at the same place, or write 'tags: []'",
            )
        yield from self.owners.findings(settings, settings.task.owner if settings.task else None)
        for kind in ("group", "brand", "ticket_form"):
            remedy = f"correct {kind}_id, or make the {kind.replace('_', ' ')} active"
            yield from (self._exists(kind, number, remedy) for number in constants(getattr(settings, f"{kind}_id")))
        if names := [name for name in settings.person_fields if name not in OF_USER]:
            known = self.user_fields()
            remedy = f"there are {', '.join((*OF_USER, *known))}; add one in Admin Center, People, User fields"
            for name in names:
                there = name in known
                yield Finding(there, f"the user field {name} is {'' if there else 'not '}there", remedy)
        for name in settings.fields:
            yield self._exists("ticket_field", int(name), "write the number of an active custom field under fields")

    def _exists(self, kind: str, number: int, remedy: str) -> Finding:
        name, against = self.thing(kind, number)
        label = f"{kind.replace('_', ' ')} {number}"
        if not name:
            return Finding(False, f"there is no {label}", remedy)
        return Finding(not against, f"{label} ({name}) {against or 'is there'}", remedy)

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
