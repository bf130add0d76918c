"""Contacts whom Freshdesk is asked to delete for good."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from connectors.freshdesk.checks import FreshdeskChecks
from connectors.kit.connector import Somebody
from connectors.kit.email_address import spellings
from connectors.kit.people.directory import texts
from connectors.kit.reply import Reply
from connectors.kit.wire.pager import by_page
from connectors.kit.wire.verdicts import When

_PAGES = by_page(per_page=100)
#: The list leaves out who is blocked or was deleted, and both are kept until they are deleted for good.
_STATES: tuple[Mapping[str, str], ...] = ({}, {"state": "blocked"}, {"state": "deleted"})


class FreshdeskErasing(FreshdeskChecks):
    """The part of the connector that removes somebody."""

    erases = "Freshdesk deletes the contact for good, with all their tickets, calls and forum posts"

    def find_persons(self, email: str) -> Iterator[Somebody]:
        wanted = {one.casefold() for one in spellings(email)}
        for contact in {one["id"].number: one for asked in _STATES for one in self._having(email, asked)}.values():
            number, known = contact["id"].number, contact.object
            addresses = (*texts(known.get("email")), *texts(known.get("other_emails")))
            if wanted & {one.casefold() for one in addresses}:
                yield Somebody(str(number), f"{contact['name'].text} <{email}>", f"{self.base}/a/contacts/{number}")

    def erase_person(self, person: Somebody) -> None:
        # https://developers.freshdesk.com/api/#hard_delete_contact ; `force` is for who was not deleted before.
        self.http.request(
            "DELETE",
            f"{self.base}/api/v2/contacts/{person.id}/hard_delete",
            params={"force": "true"},
            repeatable=True,
            judge=self.when(When((404,), then=None)),
        )

    def _having(self, email: str, state: Mapping[str, str]) -> Iterator[Reply]:
        # https://developers.freshdesk.com/api/#list_all_contacts : the search would be minutes behind.
        return self.entries(_PAGES, "/api/v2/contacts", None, email=email, **state)
