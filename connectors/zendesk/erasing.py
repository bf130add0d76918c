"""Users whom Zendesk is asked to delete for good."""

from __future__ import annotations

from collections.abc import Iterator

from connectors.kit.connector import Somebody
from connectors.kit.wire.verdicts import When
from connectors.zendesk.checks import ZendeskChecks
from core.errors import DeliveryError, RecordRefused

#: Not every 404: one that speaks of the address of the help desk erases nobody.
_GONE = When((404,), then=None, codes={"error": frozenset({"RecordNotFound"})})


class ZendeskErasing(ZendeskChecks):
    """The part of the connector that removes somebody."""

    erases = "Zendesk deletes the user for good; what is written in tickets stays"

    def find_persons(self, email: str) -> Iterator[Somebody]:
        user = self.having(email)
        # Whoever gave a colleague's address is no reason to delete the colleague.
        if user is not None and user["role"].raw == "end-user" and user.object.get("active") is not False:
            number = user["id"].number
            yield Somebody(str(number), f"{user['name'].text} <{email}>", f"{self.base}/agent/users/{number}")

    def erase_person(self, person: Somebody) -> None:
        # https://developer.zendesk.com/api-reference/ticketing/users/users/#delete-user
        deleted = self.ask("DELETE", f"users/{person.id}", repeatable=True, judge=self.when(_GONE))
        # Until then a deleted user can still be read, by https://developer.zendesk.com/api-reference/ticketing/users/
        # users/#permanently-delete-user . Who was there a moment ago has to be there for it; else they were gone.
        judge = self.judge if deleted.get("user") is not None else self.when(_GONE)
        try:
            self.ask("DELETE", f"deleted_users/{person.id}", repeatable=True, judge=judge)
        except DeliveryError as error:
            # No search shows them any more, so that nobody would come back to it.
            text = f"deleted, but not for good: {error}. Finish it in Zendesk's list of deleted users"
            raise RecordRefused(text, status=error.status) from error
