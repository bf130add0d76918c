"""What a Request Tracker offers for settings that name something in it, for those who fill them in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from connectors.kit.offered import Choice, ChoiceList
from connectors.kit.wire.pager import ListPage, Pager
from connectors.kit.wire.verdicts import When
from connectors.kit.work.choices import OWNER_SETTINGS, constants
from connectors.request_tracker.api import NOBODY, RequestTrackerApi, offers

#: RT 5.0.3 has no list of its staff alone, and all users are everybody who ever wrote.
_NO_LIST = When((404,), text="this version of RT does not list its staff")


class RequestTrackerChoices(RequestTrackerApi):
    """The part of the connector that lists what there is."""

    def choices(self) -> Iterator[ChoiceList]:
        yield ChoiceList(("queue", "queue_fallback"), self._queues, "the right SeeQueue")
        yield ChoiceList(("chat_field", "fields"), self._fields, "the right SeeCustomField")
        yield ChoiceList(OWNER_SETTINGS, self._staff, "to be a privileged user")

    def _queues(self) -> Iterator[Choice]:
        """Those in which RT's user may make tickets. One whose name has a slash is known by its number alone."""
        # https://docs.bestpractical.com/rt/latest/RT/REST2.html#Queues
        found = self.entries(_PAGES, "/REST/2.0/queues/all", fields="Name,Description,_hyperlinks")
        for one in (one for one in found if offers(one, "create")):
            name, about = one["Name"].text, str(one.object.get("Description") or "")
            yield Choice(one["id"].id, name) if "/" in name else Choice(name, about)

    def _fields(self) -> Iterator[Choice]:
        """The custom fields of tickets in the queues that the settings are sure to name."""
        queues = filter(None, map(self.queue_of, constants(self.settings.queue)))
        return (Choice(one["name"].text, "") for queue in queues for one in queue["TicketCustomFields"])

    def _staff(self) -> Iterator[Choice]:
        # https://docs.bestpractical.com/rt/latest/RT/REST2.html#Users
        asked = {"query": "[]", "fields": "Name,RealName,EmailAddress"}
        for one in self.entries(_PAGES, "/REST/2.0/users/privileged", self.when(_NO_LIST), **asked):
            name, email = one["Name"].text, str(one.object.get("EmailAddress") or "")
            if name != NOBODY:
                yield Choice(email or name, str(one.object.get("RealName") or name))


def _next(read: ListPage) -> Mapping[str, Any] | None:
    """RT counts pages only for who may see all that is on them; for others a list ends with a page that is empty. Its
    own `next_page` begins with the address that RT has for itself."""
    pages = read.body["pages"].raw
    more = read.number < pages if isinstance(pages, int | float) else read.got > 0
    return {"params": {"page": read.number + 1}} if more else None


_PAGES = Pager(_next, items="items", size="per_page", per_page=100, first={"page": 1}, most=50)
