"""HubSpot: a contact, a ticket, and the transcript in notes on both; or, without tickets, notes on the contact.

Version 2026-09 of the API: https://github.com/HubSpot/HubSpot-public-api-spec-collection
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Mapping
from datetime import UTC
from functools import partial
from typing import Any

from markupsafe import Markup, escape
from requests import Response

from connectors.base import Change, Finding, Receipt, Step
from connectors.hubspot_api import (
    OBJECTS,
    HubSpotApi,
    HubSpotSettings,
    as_json,
    existing,
    faults,
    first,
    id_of,
    results,
)
from connectors.mapping import Mapping as Words
from connectors.mapping import Person
from connectors.transcript import single_line
from core.conversation import Conversation
from core.delivery import Reference
from core.errors import DeliveryError

ACCOUNT = "/account-info/2026-09/details"
PROPERTIES = "/crm/properties/2026-09"
NOTE_LIMIT = 65_536
SUBJECT_LIMIT = 255
BATCH = 100

CHAT_ID = "smartsupp_chat_id"
#: HubSpot's own association types from a note.
#: https://developers.hubspot.com/docs/api-reference/latest/crm/associations/associate-records/guide
NOTE_TO = {"tickets": 228, "contacts": 202}
#: The object's type in the address of a record's page.
PAGE = {"tickets": "0-5", "contacts": "0-1"}


class HubSpot(HubSpotApi):
    label = "HubSpot"

    def deliver(self, conversation: Conversation, receipt: Receipt, step: Step) -> Reference:
        words = Words(self._with_person(), conversation)
        number = receipt.revision.number
        person = words.person
        place = step("place", self._place)
        contact = step("contact", partial(self._contact, person)) if person else None
        ticket = step("ticket", partial(self._ticket, words)) if self.settings.ticket else None
        if ticket and contact:
            # https://developers.hubspot.com/docs/api-reference/latest/crm/associations/associate-records/guide
            step("link", partial(self._put, "PUT", f"tickets/{ticket}/associations/default/contacts/{contact}"))
        if ticket and number > 1 and self.settings.fields:
            # Not the subject and the stage: by now they belong to the people who work on it.
            step(f"ticket revision {number}", partial(self._put, "PATCH", f"tickets/{ticket}", words.fields()))
        parents = {kind: found for kind, found in (("tickets", ticket), ("contacts", contact)) if found}
        moment = conversation.begin_at or receipt.revision.received_at
        about = {"hs_timestamp": moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"), **self._owned()}
        notes, fields = [], {} if ticket else words.fields()
        for part, (body, mark) in enumerate(self._bodies(words), 1):
            new = {**fields, **about, "hs_note_body": body}
            create, find = partial(self._note, new, parents), partial(self._find_note, parents, mark)
            note = step.once(f"note {part}", create, find=find)
            if number > 1:
                change = partial(self._put, "PATCH", f"notes/{note}", {**fields, "hs_note_body": body})
                step(f"note {part} revision {number}", change)
            notes.append(note)
        kind, record = next(iter(parents.items()))
        return Reference(ticket or notes[0], f"https://{place}/record/{PAGE[kind]}/{record}" if place else "")

    def _contact(self, person: Person) -> str | None:
        """The contact's id; None when HubSpot takes no such address and there is a ticket to hold the chat."""
        # An upsert alone would put what a visitor typed over the name that people keep.
        # https://developers.hubspot.com/docs/api-reference/latest/crm/objects/contacts/guide
        wanted = {"idProperty": "email", "inputs": [{"id": person.email}], "properties": ["email"]}
        if found := self._batch_read("contacts", wanted):
            return id_of(found[0])
        names = dict(zip(("firstname", "lastname"), person.name.split(" ", 1), strict=False))
        answer = self._upsert("contacts", "email", person.email, names, self._judge_contact)
        return None if answer.status_code == 400 else existing(answer) or first(answer)

    def _judge_contact(self, answer: Response) -> DeliveryError | None:
        if existing(answer):  # the address is a further one of this contact
            return None
        unusable = answer.status_code == 400 and ("INVALID_EMAIL", "email") in faults(as_json(answer))
        return None if unusable and self.settings.ticket else self.judge(answer)

    def _ticket(self, words: Words) -> str:
        # https://developers.hubspot.com/docs/api-reference/latest/crm/objects/tickets/guide
        where = {"hs_pipeline": self.settings.pipeline, "hs_pipeline_stage": self.settings.stage}
        properties = {"subject": words.subject(SUBJECT_LIMIT), **where, **self._owned(), **words.fields()}
        return first(self._upsert("tickets", CHAT_ID, words.key, properties, self.judge))

    def _bodies(self, words: Words) -> Iterator[tuple[str, str]]:
        """The notes, and the mark that each ends with."""
        head, foot = Markup(), Markup("<p>{}</p>")
        if not self.settings.ticket:  # a note has no subject of its own
            head = Markup("<p><b>{}</b></p>").format(_inert(words.subject(SUBJECT_LIMIT)))
        mark = partial("[{} note {}]".format, single_line(words.key))
        room = NOTE_LIMIT - _units(head) - _units(foot.format(_inert(mark(9999))))
        for part, body in enumerate(words.bodies(room, _units), 1):
            yield f"{head if part == 1 else ''}{body}{foot.format(_inert(mark(part)))}", mark(part)

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
        return id_of(as_json(self._call("POST", f"{OBJECTS}/notes", json=body, judge=self._judge_known)))

    def _find_note(self, parents: Mapping[str, str], mark: str) -> str | None:
        """The note that ends with the mark, among those of the ticket, else of the contact."""
        notes = list(self._notes_of(*next(iter(parents.items()))))
        for start in range(0, len(notes), BATCH):
            wanted = {"inputs": [{"id": note} for note in notes[start : start + BATCH]], "properties": ["hs_note_body"]}
            for note in self._batch_read("notes", wanted):
                text = re.sub(r"<[^>]*>", "", note["properties"].get("hs_note_body") or "")
                # The end is ours alone: what a visitor wrote stands before it.
                if html.unescape(text).strip().endswith(mark):
                    return id_of(note)
        return None

    def _notes_of(self, kind: str, parent: str) -> Iterator[str]:
        # https://developers.hubspot.com/docs/api-reference/latest/crm/associations/associate-records/batch/get-associations
        after: str | None = ""
        while after is not None:
            wanted = {"inputs": [{"id": parent, **({"after": after} if after else {})}]}
            path, after = f"/crm/associations/2026-09/{kind}/notes/batch/read", None
            for result in results(self._call("POST", path, repeatable=True, json=wanted)):
                yield from (str(one["toObjectId"]) for one in result["to"])
                after = (result.get("paging") or {}).get("next", {}).get("after")

    def check(self) -> Iterator[Finding]:
        # https://developers.hubspot.com/docs/api-reference/latest/account/account-information/guide
        account = as_json(self._get(ACCOUNT, 403))
        number, wanted = str(account.get("portalId", "")), self.settings.portal_id
        yield Finding(True, f"the key is accepted{f' by account {number}' if number else ''}")
        if not (number or wanted) or (number and wanted and number != wanted):
            yield Finding(False, "portal_id is not the key's account", "links need it: put the account's number there")
        kinds = ("contacts", "tickets" if self.settings.ticket else "notes")
        for kind in kinds:
            right = self._get(f"{OBJECTS}/{kind}?limit=1", 403).status_code != 403
            scopes = "tickets" if kind == "tickets" else "crm.objects.contacts.read and crm.objects.contacts.write"
            yield _found(right, f"the right to read {kind}", f"give the key the scopes {scopes}")
            if not right:
                return
        if self.settings.ticket:
            # https://developers.hubspot.com/docs/api-reference/latest/crm/pipelines/guide
            pipelines = results(self._get("/crm/pipelines/2026-09/tickets"))
            stages = [(one["id"], it["id"], one["label"], it["label"]) for one in pipelines for it in one["stages"]]
            right = any(ids[:2] == (self.settings.pipeline, self.settings.stage) for ids in stages)
            remedy = "pipeline/stage are one of " + ", ".join(f"{a}/{b} ({c}: {d})" for a, b, c, d in stages)
            yield _found(right, f"stage {self.settings.stage} in pipeline {self.settings.pipeline}", remedy)
        if self.settings.owner:
            # https://developers.hubspot.com/docs/api-reference/latest/crm/owners/guide
            right = self._get(f"/crm/owners/2026-09/{self.settings.owner}", 403, 404).status_code == 200
            remedy = "put the id that HubSpot's owners API gives; to read it, the key needs crm.objects.owners.read"
            yield _found(right, f"owner {self.settings.owner}", remedy)
        # https://developers.hubspot.com/docs/api-reference/latest/crm/properties/guide
        properties = {one["name"]: one for one in results(self._get(f"{PROPERTIES}/{kinds[-1]}"))}
        if self.settings.ticket:
            right = bool(properties.get(CHAT_ID, {}).get("hasUniqueValue"))
            # Whether values are unique is settled when a property is made.
            before = "archive it in HubSpot, then " if CHAT_ID in properties else ""
            remedy = f"{before}run: relay connectors setup {self.name}"
            yield _found(right, f"the ticket property {CHAT_ID} with unique values", remedy)
        for name in self.settings.fields:
            remedy = f"make it in HubSpot, or put the internal name of a property of {kinds[-1]} into fields"
            yield _found(name in properties, f"the property {name} of {kinds[-1]}", remedy)

    def setup(self) -> Iterator[Change]:
        if self.settings.ticket and self._get(f"{PROPERTIES}/tickets/{CHAT_ID}", 404).status_code == 404:
            yield Change(f"the ticket property {CHAT_ID}, with unique values", self._make_property)

    def _make_property(self) -> None:
        names = {"name": CHAT_ID, "label": "Smartsupp chat id", "groupName": "ticketinformation"}
        body = {**names, "type": "string", "fieldType": "text", "hasUniqueValue": True}
        self._call("POST", f"{PROPERTIES}/tickets", json=body)

    def imagine(self, method: str, path: str, body: Any) -> Any:
        if path == ACCOUNT:
            return {"portalId": 1, "uiDomain": "app.hubspot.com"}
        if path.endswith("/batch/read"):
            return {"results": []}
        return {"results": [{"id": "1"}]} if path.endswith("/batch/upsert") else {"id": "1"}

    def _place(self) -> str:
        """Where people see the records, such as app-eu1.hubspot.com/contacts/123; "" when the key may not know."""
        if self.settings.portal_id:
            return f"app.hubspot.com/contacts/{self.settings.portal_id}"
        account = as_json(self._get(ACCOUNT, 403))
        return f"{account['uiDomain']}/contacts/{account['portalId']}" if "portalId" in account else ""

    def _owned(self) -> dict[str, str]:
        return {"hubspot_owner_id": self.settings.owner} if self.settings.owner else {}

    def _with_person(self) -> HubSpotSettings:
        """The settings. Without a ticket, a note needs somebody to hang on."""
        alone = self.settings.without_email == "nobody" and not self.settings.ticket
        return self.settings.model_copy(update={"without_email": "placeholder"}) if alone else self.settings


def _found(right: bool, what: str, remedy: str) -> Finding:
    return Finding(right, f"{what} {'is there' if right else 'is missing'}", "" if right else remedy)


def _inert(text: str) -> Markup:
    """Escaped, and the braces of HubSpot's own templates with it."""
    return Markup(str(escape(text)).replace("{", "&#123;"))  # noqa: S704  # escaped in the same line


def _units(text: str) -> int:
    """Characters as Java counts them: an emoji is two."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2
