"""What `relay connectors check` looks at in Freshdesk, and what `setup` makes there."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Mapping as Table
from functools import partial
from typing import Any

from connectors.freshdesk.api import CHOSEN, field_choices
from connectors.freshdesk.choosing import FreshdeskChoices
from connectors.freshdesk.settings import CONTACT_FIELDS
from connectors.kit.connector import Change, Finding
from connectors.kit.work.choices import constants


class FreshdeskChecks(FreshdeskChoices):
    """The part of the connector that proves its settings, and makes the field that marks tickets."""

    def check(self) -> Iterator[Finding]:
        settings = self.settings
        # https://developers.freshdesk.com/api/#me
        me = self.ask("GET", "agents/me")
        yield Finding(True, f"API key accepted: {me['contact']['email'].text}, agent {me['id'].number}")
        remedy = "give the agent global access: Relay may create a ticket again if it cannot see it"
        yield _finding(
            me["ticket_scope"].number == 1, "the agent sees all tickets", "the agent sees some tickets", remedy
        )
        yield from self.owners.findings(settings, settings.task.owner if settings.task else None)
        fields = self.ticket_fields()
        for name, setting in CHOSEN.items():
            choices = field_choices(fields.get(name, {}).get("choices"))
            remedy = f"there are {', '.join(f'{one} ({label})' for one, label in choices.items()) or 'none'}"
            for value in map(str, constants(getattr(settings, setting))):
                right = f"{setting}: {value} is {choices.get(value)}"
                yield _finding(value in choices, right, f"{setting}: there is no {value}", remedy)
        if names := [name for name in settings.person_fields if name not in CONTACT_FIELDS]:
            known = list(self.contact_fields())
            remedy = f"there are {', '.join(known)}; create one in Admin › Contact Fields"
            for name in names:
                yield _finding(name in known, f"contacts have a field {name}", f"contacts have no field {name}", remedy)
        custom = [*settings.fields, *filter(None, [settings.key_field])]
        known = [name for name, field in fields.items() if not field.get("default")]
        remedy = f"there are {', '.join(known) or 'none'}; create one in Admin › Ticket Fields"
        for name in custom:
            yield _finding(name in known, f"there is a field {name}", f"there is no custom field {name}", remedy)
        remedy = "set it in relay.yaml, or make it optional in Admin › Ticket Fields"
        chosen = [name for name, setting in CHOSEN.items() if getattr(settings, setting) is not None]
        filled = {"requester", "subject", "description", *custom, *chosen, *(["agent"] if settings.owner else [])}
        for name, field in fields.items():
            if field.get("required_for_agents") and name not in filled:
                yield Finding(False, f"{name} is required for agents, but relay.yaml does not set it", remedy)

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


def _finding(right: bool, good: str, bad: str, remedy: str) -> Finding:
    return Finding(True, good) if right else Finding(False, bad, remedy)
