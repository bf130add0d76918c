"""What `relay connectors check` looks at in HubSpot, and what `setup` makes there."""

from __future__ import annotations

from collections.abc import Iterator

from connectors.hubspot.account import OWNERS, stages_of
from connectors.hubspot.api import OBJECTS, granted, results
from connectors.hubspot.choosing import PROPERTIES, HubSpotChoices
from connectors.kit.connector import Change, Finding
from connectors.kit.work.choices import constants

CHAT_ID = "smartsupp_chat_id"


class HubSpotChecks(HubSpotChoices):
    """The part of the connector that proves its settings, and makes the property that marks tickets."""

    def check(self) -> Iterator[Finding]:
        number, wanted = self.account()[0], self.settings.portal_id
        yield Finding(True, f"API key accepted{f' (account {number})' if number else ''}")
        if not (number or wanted) or (number and wanted and number != wanted):
            yield Finding(False, "portal_id is not the account of the key", "set it to that account; links need it")
        kinds = ("contacts", "tickets" if self.settings.ticket else "notes")
        for kind in kinds:
            scopes = "tickets" if kind == "tickets" else "crm.objects.contacts.read and crm.objects.contacts.write"
            readable = self._readable(kind, f"{OBJECTS}/{kind}?limit=1", scopes)
            yield readable
            if not readable.right:
                return
        if self.settings.ticket:
            yield from self._find_stages()
        yield from self._find_owners()
        # https://developers.hubspot.com/docs/api-reference/latest/crm/properties/guide
        if names := self.settings.person_fields:
            known = {one["name"].text for one in results(self._get(f"{PROPERTIES}/contacts"))}
            remedy = "create it in HubSpot, or use the internal name of a property of contacts"
            for name in names:
                yield _found(name in known, f"the property {name} of contacts", remedy)
        if self.settings.link_company:
            yield self._readable("companies", f"{OBJECTS}/companies?limit=1", "crm.objects.companies.read")
        properties = {one["name"].text: one.object for one in results(self._get(f"{PROPERTIES}/{kinds[-1]}"))}
        if self.settings.ticket:
            right = bool(properties.get(CHAT_ID, {}).get("hasUniqueValue"))
            # Whether values are unique is settled when a property is made.
            before = "archive it in HubSpot, then " if CHAT_ID in properties else ""
            remedy = f"{before}run: relay connectors setup {self.name}"
            yield _found(right, f"the ticket property {CHAT_ID} with unique values", remedy)
        for name in self.settings.fields:
            remedy = f"create it in HubSpot, or use the internal name of a property of {kinds[-1]} under fields"
            yield _found(name in properties, f"the property {name} of {kinds[-1]}", remedy)

    def _readable(self, what: str, path: str, scopes: str) -> Finding:
        right = granted(self._get(path, 403), "results")
        text = f"{'can' if right else 'cannot'} read {what}"
        several = "s" if " and " in scopes else ""
        return Finding(right, text, "" if right else f"give the key the scope{several} {scopes}")

    def _find_stages(self) -> Iterator[Finding]:
        """Every pipeline and stage that the settings are sure to name."""
        pairs = [(one, it) for one in self.listed_pipelines() for it in stages_of(one)]
        known = [(a["id"].id, b["id"].id, f"{a['label'].text}: {b['label'].text}") for a, b in pairs]
        remedy = "pipeline/stage are one of " + ", ".join(f"{a}/{b} ({label})" for a, b, label in known)
        pipelines, stages = constants(self.settings.pipeline), constants(self.settings.stage)
        for stage in stages:
            if len(pipelines) == 1:
                there = any(ids[:2] == (pipelines[0], stage) for ids in known)
                yield _found(there, f"stage {stage} in pipeline {pipelines[0]}", remedy)
            else:
                yield _found(any(stage == one for _, one, _ in known), f"stage {stage}", remedy)
        for pipeline in pipelines if len(pipelines) > 1 or not stages else ():
            yield _found(any(pipeline == one for one, _, _ in known), f"pipeline {pipeline}", remedy)

    def _find_owners(self) -> Iterator[Finding]:
        task = self.settings.task.owner if self.settings.task else None
        if not any((self.settings.owner, self.settings.owner_fallback, task)):
            return
        # https://developers.hubspot.com/docs/api-reference/latest/crm/owners/guide
        readable = self._readable("owners", f"{OWNERS}?limit=1", "crm.objects.owners.read")
        if not readable.right:
            yield readable
            return
        yield from self.owners.findings(self.settings, task)

    def setup(self) -> Iterator[Change]:
        if self.settings.ticket and self._get(f"{PROPERTIES}/tickets/{CHAT_ID}", 404).status_code == 404:
            yield Change(f"create the ticket property {CHAT_ID}, with unique values", self._make_property)

    def _make_property(self) -> None:
        names = {"name": CHAT_ID, "label": "Smartsupp chat id", "groupName": "ticketinformation"}
        body = {**names, "type": "string", "fieldType": "text", "hasUniqueValue": True}
        self.call("POST", f"{PROPERTIES}/tickets", json=body)


def _found(right: bool, what: str, remedy: str) -> Finding:
    return Finding(right, f"{what} {'exists' if right else 'is missing'}", "" if right else remedy)
