"""Contacts whom HubSpot is asked to delete for good."""

from __future__ import annotations

from collections.abc import Iterator

from connectors.hubspot.account import page
from connectors.hubspot.api import OBJECTS
from connectors.hubspot.checks import HubSpotChecks
from connectors.hubspot.contacts import Contacts
from connectors.kit.connector import Somebody
from connectors.kit.wire.verdicts import When


class HubSpotErasing(HubSpotChecks):
    """The part of the connector that removes somebody."""

    erases = "HubSpot deletes the contact for good; tickets and the notes on them stay"

    def find_persons(self, email: str) -> Iterator[Somebody]:
        place = self.place()
        # One whom each spelling of the address finds is one.
        for one in {one.id: one for one in Contacts(self).find("email", email)}.values():
            given = [value for name in Contacts.names for value in one.values(name)]
            yield Somebody(str(one.id), " ".join([*given, f"<{email}>"]), page(place, "contacts", one.id))

    def erase_person(self, person: Somebody) -> None:
        # https://developers.hubspot.com/docs/api-reference/legacy/crm/objects/contacts/gdpr/gdpr-delete-contact
        # By id and never by address: one that HubSpot does not find is blocked for ever.
        gone = self.when(When((404,), then=None))
        self.call("POST", f"{OBJECTS}/contacts/gdpr-delete", json={"objectId": person.id}, repeatable=True, judge=gone)
