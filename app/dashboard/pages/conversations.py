"""`/conversations`: newest first, searched and filtered by a form whose address can be shared."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, render_template, request, url_for
from flask.typing import ResponseReturnValue

from app.dashboard.frame.context import Site
from app.dashboard.language.translation import for_reader
from app.dashboard.language.words import RATING_LABELS, STATUS_LABELS
from app.dashboard.view import filters
from app.dashboard.view.filters import Asked
from app.dashboard.view.marks import gathered
from app.dashboard.view.views import ViewCounts
from app.dashboard.view.zone import viewer_zone
from connectors.kit import transcript
from core.delivery import UNDELIVERED, DeliveryStatus
from core.ids import DeliveryId
from core.store import Filter, Search
from core.store.causes import Causes
from core.store.search.conversations import Found, ResultPage
from core.wording.sentence import say

LIMIT = 25
#: Causes of dead letters that a page lists.
CAUSES = 5
#: Seconds that a search may take, and that one may when somebody has asked to go on with it. The rest of a page takes
#: a few hundredths.
_SEARCHING, _GOING_ON = 0.1, 1.0
#: Of these none is delivered while the connector is paused or does not respond.
TO_DO = (DeliveryStatus.WAITING, DeliveryStatus.RETRYING)


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


def routes(pages: Blueprint, site: Site) -> None:
    search, causes = Search(site.client), Causes(site.client)
    counts = ViewCounts(search)
    pages.app_template_filter("plain")(lambda text: transcript.plain(for_reader(text)))
    pages.app_template_filter("gathered")(gathered)

    @pages.app_template_global("idle")
    def idle(wanted: Filter) -> list[str]:
        """The connectors of what matches that the configuration switches off or does not name: nothing goes there."""
        names = [wanted.connector] if wanted.connector else search.connectors()
        return sorted({*names} - {*site.watched.current().enabled})

    @pages.get("/conversations")
    def conversations() -> ResponseReturnValue:
        connectors = known(site, search)
        asked = filters.asked(request.args, connectors, viewer_zone())
        after, lost = request.args.get("after", ""), False
        seconds = _GOING_ON if "on" in request.args else _SEARCHING
        page = ResultPage(())
        if not asked.errors:
            try:
                page = search.page(asked.filter, after=after, limit=LIMIT, seconds=seconds)
            except ValueError:
                after, lost = "", True
                page = search.page(asked.filter, limit=LIMIT, seconds=seconds)
        html = render_template(
            "conversations.html",
            asked=asked,
            views=counts.views(asked.filter),
            choices=_choices(search, connectors, asked),
            rows=rows(search, page.rows),
            dead=search.extent(Filter(status=DeliveryStatus.DEAD)),
            dead_here=search.extent(Filter(status=DeliveryStatus.DEAD, connector=asked.filter.connector)),
            **_causes(causes, asked, connectors),
            undelivered=site.ledger.undelivered(),
            reached=page.reached,
            older=url_for("dashboard.conversations", **asked.query, after=page.after) if page.after else "",
            onwards=url_for("dashboard.conversations", **asked.query, after=page.after, on=1) if page.after else "",
            newest=url_for("dashboard.conversations", **asked.query) if after else "",
            lost=lost,
            discardable=discardable(asked.filter),
        )
        return html, 422 if asked.errors else 200


def _causes(causes: Causes, asked: Asked, connectors: Sequence[str]) -> dict[str, Any]:
    """Of a list of dead letters why they died; and the one that is asked for."""
    wanted = asked.filter
    names = [wanted.connector] if wanted.connector else connectors
    if wanted.cause:
        return {"causes": None, "cause": causes.described(names, wanted.cause)}
    # They are counted of all dead letters, not of those that a search finds.
    all_dead = wanted == Filter(status=DeliveryStatus.DEAD, connector=wanted.connector) and not asked.errors
    return {"causes": causes.most_frequent(names, CAUSES) if all_dead else None, "cause": None}


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


def _choices(search: Search, connectors: Sequence[str], asked: Asked) -> dict[str, list[tuple[str, str]]]:
    """What each select offers: value and words. What is in force is always among it."""
    accounts = {*search.accounts(), *filter(None, [asked.filter.account])}

    def offered(values: Iterable[str], spell: Callable[[str], str] = str) -> list[tuple[str, str]]:
        return [("", say("Any")), *((value, spell(value)) for value in values)]

    return {
        "connector": offered(connectors),
        "status": [
            ("", say("Any")),
            *((one.spelled, STATUS_LABELS[one]) for one in DeliveryStatus),
            (UNDELIVERED, say("Not delivered anywhere")),
        ],
        "account": offered(sorted(accounts)),
        "rating": offered(filters.RATINGS, RATING_LABELS.__getitem__),
    }
