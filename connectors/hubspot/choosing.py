"""What a HubSpot account offers for settings that name something in it, for those who fill them in."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from connectors.hubspot.account import OWNERS, HubSpotAccount, stages_of, works
from connectors.kit.offered import Choice, ChoiceList
from connectors.kit.wire.pager import by_cursor
from connectors.kit.work.choices import OWNER_SETTINGS, PERSON_SETTINGS

PROPERTIES = "/crm/properties/2026-09"
#: https://developers.hubspot.com/docs/api-reference/latest/crm/owners/guide
_OWNERS = by_cursor("paging.next.after", items="results", cursor="after", per_page=100)


class HubSpotChoices(HubSpotAccount):
    """The part of the connector that lists what there is."""

    def choices(self) -> Iterator[ChoiceList]:
        if self.settings.ticket:
            yield ChoiceList(("pipeline",), self._pipeline_choices, "the scope tickets")
            yield ChoiceList(("stage",), self._stage_choices, "the scope tickets")
        yield ChoiceList(OWNER_SETTINGS, self._owner_choices, "the scope crm.objects.owners.read")
        contacts = partial(self._properties, "contacts")
        yield ChoiceList((*PERSON_SETTINGS, "customer_id_field"), contacts, "the scope crm.objects.contacts.read")
        kind, scope = ("tickets", "tickets") if self.settings.ticket else ("notes", "crm.objects.contacts.read")
        yield ChoiceList(("fields",), partial(self._properties, kind), f"the scope {scope}")

    def _pipeline_choices(self) -> Iterator[Choice]:
        return (Choice(one["id"].id, one["label"].text) for one in self.listed_pipelines())

    def _stage_choices(self) -> Iterator[Choice]:
        pairs = ((one, it) for one in self.listed_pipelines() for it in stages_of(one))
        return (Choice(it["id"].id, f"{one['label'].text}: {it['label'].text}") for one, it in pairs)

    def _owner_choices(self) -> Iterator[Choice]:
        for one in self.entries(_OWNERS, OWNERS):
            if works(one):
                names = (str(one.object.get(name) or "") for name in ("firstName", "lastName"))
                yield Choice(one["email"].text, " ".join(filter(None, names)))

    def _properties(self, kind: str) -> Iterator[Choice]:
        """Those that a text can fill and nobody else fills."""
        # https://developers.hubspot.com/docs/api-reference/latest/crm/properties/guide
        for one in self.ask("GET", f"{PROPERTIES}/{kind}")["results"]:
            limits = one.object.get("modificationMetadata") or {}
            if not (one.object.get("hidden") or one.object.get("calculated") or limits.get("readOnlyValue")):
                yield Choice(one["name"].text, str(one.object.get("label") or ""))
