"""What a Freshdesk offers for settings that name something in it, for those who fill them in."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cache, partial
from typing import Any

from connectors.freshdesk.api import CHOSEN, OF_AGENT, FreshdeskApi, field_choices, works
from connectors.freshdesk.settings import CONTACT_FIELDS
from connectors.kit.offered import Choice, ChoiceList
from connectors.kit.wire.pager import by_page
from connectors.kit.work.choices import OWNER_SETTINGS, PERSON_SETTINGS

_AGENT = "to be those of an agent"


class FreshdeskChoices(FreshdeskApi):
    """The part of the connector that lists what there is."""

    def choices(self) -> Iterator[ChoiceList]:
        # https://developers.freshdesk.com/api/#list_all_ticket_fields : asked once for all of these
        form = cache(self.ticket_fields)
        for name, setting in CHOSEN.items():
            yield ChoiceList((setting,), partial(_choices_of, form, name), _AGENT)
        yield ChoiceList(("fields",), partial(_own_fields, form), _AGENT)
        yield ChoiceList(("key_field",), partial(_own_fields, form, "custom_text"), _AGENT)
        yield ChoiceList(OWNER_SETTINGS, self._agents)
        yield ChoiceList(PERSON_SETTINGS, self._of_contact, _AGENT)
        yield ChoiceList(("customer_id_field",), partial(self._of_contact, own=True), _AGENT)

    def _agents(self) -> Iterator[Choice]:
        # https://developers.freshdesk.com/api/#list_all_agents
        found = self.entries(by_page(), "/api/v2/agents", self.when(OF_AGENT[-1]))
        people = (one["contact"] for one in found if works(one))
        return (Choice(one["email"].text, str(one.object.get("name") or "")) for one in people)

    def _of_contact(self, *, own: bool = False) -> Iterator[Choice]:
        # https://developers.freshdesk.com/api/#list_all_contact_fields
        for one in self.ask("GET", "contact_fields"):
            name, custom = one["name"].text, not one.object.get("default")
            if custom or (name in CONTACT_FIELDS and not own):
                yield Choice(name, str(one.object.get("label") or ""))


def _choices_of(form: Callable[[], Mapping[str, Any]], name: str) -> Iterator[Choice]:
    return (Choice(*one) for one in field_choices(form().get(name, {}).get("choices")).items())


def _own_fields(form: Callable[[], Mapping[str, Any]], *types: str) -> Iterator[Choice]:
    for name, field in form().items():
        if not field.get("default") and (not types or field.get("type") in types):
            yield Choice(name, str(field.get("label") or ""))
