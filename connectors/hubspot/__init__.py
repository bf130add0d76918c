"""HubSpot: a contact, a ticket, and the transcript in notes on both; or, without tickets, notes on the contact.

Version 2026-09 of the API: https://github.com/HubSpot/HubSpot-public-api-spec-collection
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC
from functools import partial
from typing import Any

from markupsafe import Markup
from requests import Response

from connectors.hubspot.api import (
    LINKED,
    OBJECTS,
    HubSpotApi,
    HubSpotSettings,
    first_id,
    results,
    wrapped,
)
from connectors.hubspot.contacts import Contacts
from connectors.kit.connector import Change, Choice, Finding, Receipt, Step
from connectors.kit.people.whose import People
from connectors.kit.record import Mapping as Words
from connectors.kit.text.parts import Layout, Part, marked, overwrite, utf16
from connectors.kit.transcript import inert
from core.conversation import Conversation
from core.delivery import Reference

ACCOUNT = "/account-info/2026-09/details"
PROPERTIES = "/crm/properties/2026-09"
NOTES = Layout(65_536, utf16, mark=lambda key, _, part: f"[{key} note {part}]")
SUBJECT_LIMIT = 255
#: Notes that are read at once: so many of the longest stay within what is read of an answer.
_BATCH = 20

CHAT_ID = "smartsupp_chat_id"
#: HubSpot's own association types from a note.
#: https://developers.hubspot.com/docs/api-reference/latest/crm/associations/associate-records/guide
NOTE_TO = {"tickets": 228, "contacts": 202}
#: The object's type in the address of a record's page.
PAGE = {"tickets": "0-5", "contacts": "0-1"}


class HubSpot(HubSpotApi):
    label = "HubSpot"
    makes = "a contact and a ticket, with the transcript in notes; or notes on the contact"

    def deliver(self, conversation: Conversation, receipt: Receipt, step: Step) -> Reference:
        words = Words(self._with_person(), conversation)
        _ = words.person  # raises Skipped before anything is asked
        place = step("place", partial(self.cache.get, "place", self._place))
        people = People(self, Contacts(self), "contact")
        make = partial(self._delivered, words, conversation, receipt, step, place)
        return people.whose(step, words, make, made_up=self._needs_person)

    def _delivered(
        self, words: Words, conversation: Conversation, receipt: Receipt, step: Step, place: str, contact: str | None
    ) -> Reference:
        number = receipt.number
        ticket = step("ticket", partial(self._ticket, words)) if self.settings.ticket else None
        if ticket and contact:
            step("link", partial(self.link, f"tickets/{ticket}/associations/default/contacts/{contact}"))
        fields = words.fields()
        if ticket and number > 1 and fields:
            # Not the subject and the stage: by now they belong to the people who work on it.
            step(f"ticket revision {number}", partial(self.change, f"tickets/{ticket}", fields))
        parents = {kind: found for kind, found in (("tickets", ticket), ("contacts", contact)) if found}
        moment = conversation.begin_at or receipt.revision.received_at
        about = {"hs_timestamp": moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"), **self._owned()}
        fields = {} if ticket else fields
        # A note has no subject of its own.
        head = Markup("<p><b>{}</b></p>").format(inert(words.subject(SUBJECT_LIMIT))) if not ticket else ""
        notes = overwrite(
            step,
            "note",
            NOTES.parts(words, number, heading=str(head)),
            write=lambda part: self._note({**fields, **about, "hs_note_body": part.body}, parents),
            look=partial(self._find_note, parents),
            change=lambda note, part: self.change(f"notes/{note}", {**fields, "hs_note_body": part.body}),
            blank=partial(NOTES.blank, words, number),
        )
        kind, record = next(iter(parents.items()))
        return Reference(ticket or notes[0], f"https://{place}/record/{PAGE[kind]}/{record}" if place else "")

    def _ticket(self, words: Words) -> str:
        # https://developers.hubspot.com/docs/api-reference/latest/crm/objects/tickets/guide
        where = {"hs_pipeline": self.settings.pipeline, "hs_pipeline_stage": self.settings.stage}
        properties = {"subject": words.subject(SUBJECT_LIMIT), **where, **self._owned(), **words.fields()}
        return first_id(self.upsert("tickets", CHAT_ID, words.key, properties, self.judge))

    def _note(self, properties: Mapping[str, str], parents: Mapping[str, str]) -> str:
        # https://developers.hubspot.com/docs/api-reference/latest/crm/activities/notes/guide
        associations = [
            {
                "to": {"id": parent},
                "types": [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": NOTE_TO[kind]}],
            }
            for kind, parent in parents.items()
        ]
        body = {"properties": properties, "associations": associations}
        return wrapped(self._call("POST", f"{OBJECTS}/notes", json=body, judge=self.when(LINKED)))["id"].id

    def _find_note(self, parents: Mapping[str, str], part: Part) -> str | None:
        """The note that ends with the mark, among those of the ticket, else of the contact."""
        notes = list(self._notes_of(*next(iter(parents.items()))))
        for start in range(0, len(notes), _BATCH):
            wanted = {
                "inputs": [{"id": note} for note in notes[start : start + _BATCH]],
                "properties": ["hs_note_body"],
            }
            read = self.batch_read("notes", wanted)
            found = marked(read, lambda note: str(note["properties"].object.get("hs_note_body") or ""), part.mark)
            if found is not None:
                return found["id"].id
        return None

    def _notes_of(self, kind: str, parent: str) -> Iterator[str]:
        # https://developers.hubspot.com/docs/api-reference/latest/crm/associations/associate-records/batch/get-associations
        after: str | None = ""
        while after is not None:
            wanted = {"inputs": [{"id": parent, **({"after": after} if after else {})}]}
            path, after = f"/crm/associations/2026-09/{kind}/notes/batch/read", None
            for result in results(self._call("POST", path, repeatable=True, json=wanted)):
                yield from (one["toObjectId"].id for one in result["to"])
                paging = result.get("paging")
                following = paging.get("next") if paging is not None else None
                after = following["after"].id if following is not None else None

    def choices(self) -> Mapping[str, Sequence[Choice]]:
        stages = self._stages() if self.settings.ticket else []
        pipelines = {pipeline: label for pipeline, _, label, _ in stages}
        return {
            "pipeline": [Choice(*one) for one in pipelines.items()],
            "stage": [Choice(stage, f"{of}: {label}") for _, stage, of, label in stages],
        }

    def _stages(self) -> list[tuple[str, str, str, str]]:
        """Pipeline and stage, and what they are called."""
        # https://developers.hubspot.com/docs/api-reference/latest/crm/pipelines/guide
        pipelines = results(self._get("/crm/pipelines/2026-09/tickets"))
        pairs = [(one, it) for one in pipelines for it in one["stages"]]
        return [(a["id"].id, b["id"].id, a["label"].text, b["label"].text) for a, b in pairs]

    def check(self) -> Iterator[Finding]:
        number, wanted = self._account()[0], self.settings.portal_id
        yield Finding(True, f"API key accepted{f' (account {number})' if number else ''}")
        if not (number or wanted) or (number and wanted and number != wanted):
            yield Finding(False, "portal_id is not the account of the key", "set it to that account; links need it")
        kinds = ("contacts", "tickets" if self.settings.ticket else "notes")
        for kind in kinds:
            right = _granted(self._get(f"{OBJECTS}/{kind}?limit=1", 403), "results")
            scopes = "tickets" if kind == "tickets" else "crm.objects.contacts.read and crm.objects.contacts.write"
            text = f"{'can' if right else 'cannot'} read {kind}"
            yield Finding(right, text, "" if right else f"give the key the scopes {scopes}")
            if not right:
                return
        if self.settings.ticket:
            stages = self._stages()
            right = any(ids[:2] == (self.settings.pipeline, self.settings.stage) for ids in stages)
            remedy = "pipeline/stage are one of " + ", ".join(f"{a}/{b} ({c}: {d})" for a, b, c, d in stages)
            yield _found(right, f"stage {self.settings.stage} in pipeline {self.settings.pipeline}", remedy)
        if self.settings.owner:
            # https://developers.hubspot.com/docs/api-reference/latest/crm/owners/guide
            right = _granted(self._get(f"/crm/owners/2026-09/{self.settings.owner}", 403, 404), "id")
            remedy = "use an id from HubSpot's owners API; the key needs the scope crm.objects.owners.read to read it"
            yield _found(right, f"owner {self.settings.owner}", remedy)
        # https://developers.hubspot.com/docs/api-reference/latest/crm/properties/guide
        if names := self.settings.person_fields:
            known = {one["name"].text for one in results(self._get(f"{PROPERTIES}/contacts"))}
            remedy = "create it in HubSpot, or use the internal name of a property of contacts"
            for name in names:
                yield _found(name in known, f"the property {name} of contacts", remedy)
        if self.settings.link_company:
            right = _granted(self._get(f"{OBJECTS}/companies?limit=1", 403), "results")
            text = f"{'can' if right else 'cannot'} read companies"
            yield Finding(right, text, "" if right else "give the key the scope crm.objects.companies.read")
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

    def setup(self) -> Iterator[Change]:
        if self.settings.ticket and self._get(f"{PROPERTIES}/tickets/{CHAT_ID}", 404).status_code == 404:
            yield Change(f"create the ticket property {CHAT_ID}, with unique values", self._make_property)

    def _make_property(self) -> None:
        names = {"name": CHAT_ID, "label": "Smartsupp chat id", "groupName": "ticketinformation"}
        body = {**names, "type": "string", "fieldType": "text", "hasUniqueValue": True}
        self._call("POST", f"{PROPERTIES}/tickets", json=body)

    def imagine(self, method: str, path: str, body: Any) -> Any:
        if path == ACCOUNT:
            return {"portalId": 1, "uiDomain": "app.hubspot.com"}
        if path.endswith("/batch/read"):
            return {"results": []}
        return {"results": [{"id": "1"}], "id": "1"}

    def _place(self) -> str:
        """Where people see the records, such as app-eu1.hubspot.com/contacts/123; "" when the key may not know."""
        if self.settings.portal_id:
            return f"app.hubspot.com/contacts/{self.settings.portal_id}"
        number, domain = self._account()
        return f"{domain}/contacts/{number}" if number else ""

    def _account(self) -> tuple[str, str]:
        """The account's number and where its people work; empty when the key may not know."""
        # https://developers.hubspot.com/docs/api-reference/latest/account/account-information/guide
        answer = self._get(ACCOUNT, 403)
        if not _granted(answer, "portalId"):
            return "", ""
        return wrapped(answer)["portalId"].id, wrapped(answer)["uiDomain"].text

    def _owned(self) -> dict[str, str]:
        return {"hubspot_owner_id": self.settings.owner} if self.settings.owner else {}

    @property
    def _needs_person(self) -> bool:
        """Without a ticket, a note needs somebody to hang on."""
        return not self.settings.ticket

    def _with_person(self) -> HubSpotSettings:
        alone = self.settings.without_email == "nobody" and self._needs_person
        return self.settings.model_copy(update={"without_email": "placeholder"}) if alone else self.settings


def _found(right: bool, what: str, remedy: str) -> Finding:
    return Finding(right, f"{what} {'exists' if right else 'is missing'}", "" if right else remedy)


def _granted(answer: Response, name: str) -> bool:
    """Whether an answer is a success that has what was asked for. Raises RetryLater for what is not HubSpot's own."""
    success = answer.status_code // 100 == 2
    _ = wrapped(answer)[name if success else "category"]
    return success
