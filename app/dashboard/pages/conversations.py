"""`/conversations`: newest first, searched and filtered by a form whose address can be shared; and
`/conversations.csv`, the same for a spreadsheet."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

import structlog
from flask import Blueprint, Response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from app.admin.transfer.exporter import ExportedChat, as_csv, exported
from app.dashboard.frame.context import Site
from app.dashboard.frame.forms import whose_hand
from app.dashboard.language.translation import for_reader
from app.dashboard.language.words import RATING_LABELS, STATUS_LABELS
from app.dashboard.view import filters
from app.dashboard.view.filters import Asked
from app.dashboard.view.listing import CAUSES, discardable, known, rows
from app.dashboard.view.marks import gathered
from app.dashboard.view.over_time.ranges import NAMED, OF_DAYS, days_of
from app.dashboard.view.views import ViewCounts
from app.dashboard.view.zone import viewer_zone
from connectors.kit import transcript
from core.delivery import UNDELIVERED, DeliveryStatus
from core.store import Filter, Search
from core.store.causes import Causes
from core.store.search.conversations import ResultPage
from core.wording.sentence import say

log = structlog.get_logger(__name__)

LIMIT = 25
#: Seconds that a search may take, and that one may when somebody has asked to go on with it. The rest of a page takes
#: a few hundredths.
_SEARCHING, _GOING_ON = 0.07, 1.0
#: Bytes of a part of a download, or a little more.
_PART = 64 << 10
_CSV = "text/csv; charset=utf-8"


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
            ranges=list(_ranges(asked, site.ledger.now())),
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

    @pages.get("/conversations.csv")
    def conversations_csv() -> ResponseReturnValue:
        """All that match, as `relay export` writes them. It has no length: it is sent as it is read."""
        asked = filters.asked(request.args, known(site, search), viewer_zone())
        if asked.errors:  # that page says what is wrong
            return redirect(url_for("dashboard.conversations", **asked.query), 303)
        day = datetime.now(viewer_zone()).strftime("%Y-%m-%d")
        headers = {"Content-Disposition": f'attachment; filename="chats-{day}.csv"'}
        if request.method == "HEAD":
            return Response(content_type=_CSV, headers=headers)
        # The status, and not the text: somebody may have searched for a visitor.
        found = _noted(exported(search, site.ledger, asked.filter), whose_hand(), asked.values["status"])
        return Response(_parts(as_csv(found, site.ledger.connectors())), content_type=_CSV, headers=headers)


def _noted(found: Iterable[ExportedChat], by: str, status: str) -> Iterator[ExportedChat]:
    """The log says who has downloaded how many chats, like whoever downloads a visitor's data."""
    number, complete = 0, False
    try:
        for one in found:
            yield one
            number += 1
        complete = True
    finally:
        log.info("chats were downloaded", by=by, status=status, chats=number, complete=complete)


def _parts(lines: Iterable[str]) -> Iterator[bytes]:
    """Excel reads UTF-8 only where it begins with a byte order mark. Half of an emoji, which JSON may hold, is no
    character."""
    part = bytearray(b"\xef\xbb\xbf")
    for line in lines:
        part += line.encode("utf-8", "replace")
        if len(part) >= _PART:
            yield bytes(part)
            part.clear()
    yield bytes(part)


def _causes(causes: Causes, asked: Asked, connectors: Sequence[str]) -> dict[str, Any]:
    """Of a list of dead letters why they died; and the one that is asked for."""
    wanted = asked.filter
    names = [wanted.connector] if wanted.connector else connectors
    if wanted.cause:
        return {"causes": None, "cause": causes.described(names, wanted.cause)}
    # They are counted of all dead letters, not of those that a search finds.
    all_dead = wanted == Filter(status=DeliveryStatus.DEAD, connector=wanted.connector) and not asked.errors
    return {"causes": causes.most_frequent(names, CAUSES) if all_dead else None, "cause": None}


def _ranges(asked: Asked, now: int) -> Iterator[tuple[str, str, bool]]:
    """What each leads to: words, address, and whether it is in force."""
    days = {name: asked.values[name] for name in ("from", "to")}
    others: dict[str, Any] = {name: value for name, value in asked.query.items() if name not in days}
    yield say("Any time"), url_for("dashboard.conversations", **others), not any(days.values())
    for name in OF_DAYS:
        found = days_of(name, now, viewer_zone())
        yield NAMED[name][0], url_for("dashboard.conversations", **(others | found)), found == days


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
