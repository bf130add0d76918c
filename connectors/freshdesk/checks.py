"""What `relay connectors check` looks at in Freshdesk, and what `setup` makes there."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Mapping as Table
from functools import partial
from typing import Any

from connectors.freshdesk.api import CHOSEN, field_choices
from connectors.freshdesk.choosing import FreshdeskChoices
from connectors.freshdesk.settings import CONTACT_FIELDS
from connectors.kit.checks.expectation import Expectation
from connectors.kit.checks.items import AnswerCheck, CheckItem, ListCheck, run_checks
from connectors.kit.connector import Change, Finding
from connectors.kit.reply import Reply
from connectors.kit.work.choices import constants

_ACCEPTED = Expectation[Reply](
    "API key accepted: %(email)s, agent %(agent)s",
    values=lambda me: {"email": me["contact"]["email"].text, "agent": str(me["id"].number)},
)
_SEES_ALL = Expectation[Reply](
    "the agent sees all tickets",
    "the agent sees some tickets",
    "give the agent global access: Relay may create a ticket again if it cannot see it",
    holds=lambda me: me["ticket_scope"].number == 1,
)
_CHOICE = Expectation[str](
    "%(setting)s: %(name)s is %(label)s",
    "%(setting)s: there is no %(name)s",
    "there are %(known)s",
    values=lambda label: {"label": label},
)
_OF_CONTACTS = Expectation[Any](
    "contacts have a field %(name)s",
    "contacts have no field %(name)s",
    "there are %(known)s; create one in Admin › Contact Fields",
)
_OF_TICKETS = Expectation[Any](
    "there is a field %(name)s",
    "there is no custom field %(name)s",
    "there are %(known)s; create one in Admin › Ticket Fields",
)
_FILLED = Expectation[Any](
    "",
    "%(name)s is required for agents, but relay.yaml does not set it",
    "set it in relay.yaml, or make it optional in Admin › Ticket Fields",
)


class FreshdeskChecks(FreshdeskChoices):
    """The part of the connector that proves its settings, and makes the field that marks tickets."""

    def check(self) -> Iterator[Finding]:
        return run_checks(self._checks())

    def _checks(self) -> Iterator[CheckItem]:
        own = self.settings
        # https://developers.freshdesk.com/api/#me
        me = partial(self.ask, "GET", "agents/me")
        yield AnswerCheck(_ACCEPTED, me, then=lambda shown: [AnswerCheck(_SEES_ALL, lambda: shown)])
        yield from self.owners.checks(own, own.task)
        form = self.ticket_fields()
        for field, setting in CHOSEN.items():
            offered = partial(field_choices, form.get(field, {}).get("choices"))
            named, spelled = map(str, constants(getattr(own, setting))), "{} ({})".format
            yield ListCheck(_CHOICE, named, offered, {"setting": setting}, spelled)
        yield ListCheck(
            _OF_CONTACTS, [name for name in own.person_fields if name not in CONTACT_FIELDS], self.contact_fields
        )
        custom = [*own.fields, *filter(None, [own.key_field])]
        yield ListCheck(_OF_TICKETS, custom, lambda: {name: it for name, it in form.items() if not it.get("default")})
        chosen = [field for field, setting in CHOSEN.items() if getattr(own, setting) is not None]
        filled = {"requester", "subject", "description", *custom, *chosen, *(["agent"] if own.owner else [])}
        required = (name for name, field in form.items() if field.get("required_for_agents"))
        yield ListCheck(_FILLED, required, lambda: dict.fromkeys(filled, True))

    def setup(self) -> Iterator[Change]:
        name = self.settings.key_field
        if name.startswith("cf_") and name not in self.ticket_fields():
            # Freshdesk makes the name from the label: "Issue Type" becomes cf_issue_type.
            label = name.removeprefix("cf_").replace("_", " ").capitalize()
            hidden = {"displayed_to_customers": False, "customers_can_edit": False}
            field = {"label": label, "label_for_customers": label, "type": "custom_text", **hidden}
            # https://developers.freshdesk.com/api/#create_ticket_field
            make = partial(self._make_field, field)
            yield Change(f"create the ticket field {name}, for text, hidden from customers", make)

    def _make_field(self, field: Table[str, Any]) -> None:
        self.ask("POST", "admin/ticket_fields", json=field)
