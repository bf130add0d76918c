"""Chats as rows of a list, for every page that has one, and what may be done with all that a list shows; and which
lists of bodies there are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from app.dashboard.frame.context import Site
from core.delivery import DeliveryStatus, PayloadStatus
from core.ids import DeliveryId
from core.store import Filter, Search
from core.store.search.conversations import Found

#: Causes of dead letters that a page lists.
CAUSES = 5
#: Of these none is delivered while the connector is paused or does not respond.
TO_DO = (DeliveryStatus.WAITING, DeliveryStatus.RETRYING)
#: The lists of bodies, in the order of their tabs.
BODY_TABS = (PayloadStatus.QUARANTINED, PayloadStatus.SET_ASIDE, PayloadStatus.DISCARDED)


@dataclass(frozen=True)
class Mark:
    """One delivery of a row: `status` as pages show it: `blocked` while its connector is paused or does not
    respond."""

    connector: str
    status: str
    current: bool


@dataclass(frozen=True)
class Row:
    """`lost`: it was delivered nowhere, though nobody wanted that."""

    found: Found
    marks: Sequence[Mark]
    lost: bool

    def pairs(self, current: bool) -> list[tuple[str, str]]:
        """Connector and status of each delivery, or of the one that the row is about."""
        return [(one.connector, one.status) for one in self.marks if one.current or not current]


def known(site: Site, search: Search) -> list[str]:
    """Every connector of the configuration or of the past."""
    return sorted({*site.watched.current().connectors, *search.connectors()})


def discardable(wanted: Filter) -> bool:
    """Whether some of what matches may be neither delivered nor given up."""
    return wanted.status in (None, DeliveryStatus.DEAD, *TO_DO)


def rows(search: Search, found: Sequence[Found]) -> list[Row]:
    given = search.deliveries([one.id for one in found])
    blocked = search.blocked(sorted({name for mine in given.values() for name in mine}))
    lost = search.lost([one.id for one in found if not given[one.id]])
    return [
        Row(
            one,
            [
                Mark(
                    name,
                    "blocked" if name in blocked and status in TO_DO else status,
                    one.delivery == DeliveryId.of(name, one.id),
                )
                for name, status in given[one.id].items()
            ],
            one.id in lost,
        )
        for one in found
    ]
