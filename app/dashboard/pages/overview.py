"""`/`: what came in and went out, how each connector is, and whether everything that has to run does."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from app.admin import sample
from app.admin.connector_state import State
from app.admin.first_steps import FirstSteps, first_steps
from app.admin.source.comparisons import second_source
from app.dashboard.frame.context import Site
from app.dashboard.view import charts
from app.dashboard.view.connector_state import ConnectorView, conversations_url, states
from app.dashboard.view.zone import viewer_zone
from app.hook_url import hooks
from core.config.doubts import doubts
from core.config.settings import Settings
from core.delivery import PayloadStatus
from core.errors import NotFound
from core.store import INBOX, Filter, Jobs, Search, ServerCheck, check_server, statistics
from core.store.connection.condition import Shortage, shortages, store_condition
from core.store.jobs import Job
from core.store.ledger import Lane
from core.store.sources.queues import fetch_queues
from core.store.statistics import SPANS, Over, Span, Statistics, totals

#: Chats among which one that is no test is looked for.
_NEWEST = 50

#: What one bar of each span is.
_STEPS: Mapping[Span, str] = {"hour": "2 minutes", "day": "hour", "week": "6 hours", "month": "day"}


_WORST_FIRST = (
    State.MISSING,
    State.REJECTED,
    State.NOT_RESPONDING,
    State.PAUSED,
    State.USED_UP,
    State.NO_ROUTE,
    State.THROTTLED,
)


@dataclass(frozen=True)
class Tiles:
    """The large numbers: of the span, and of this moment. Of the queued ones so many are `unread`, payloads in no list
    yet; `blocked` are among those that are queued or retried. `oldest` is the lane whose longest due item waits
    longest, or None when nothing is overdue."""

    received: int
    repeated: int
    delivered: int
    ended: int
    waiting: int
    unread: int
    retrying: int
    blocked: int
    dead: int
    quarantined: int
    undelivered: int
    oldest: Lane | None


@dataclass(frozen=True)
class Health:
    """`memory` is in bytes; `workers` says how long ago each was last seen, in ms; `rejections` is what is wrong with a
    configuration -> who rejected it."""

    server: ServerCheck
    memory: int
    shortages: Sequence[Shortage]
    workers: Mapping[str, int]
    rejections: Mapping[str, str]


def routes(pages: Blueprint, site: Site) -> None:
    search = Search(site.client)
    jobs, over = Jobs(site.client, site.watched.current), Over()

    @pages.get("/")
    def overview() -> str:
        settings = site.watched.current()
        received = bool(totals(site.client).get("in:accepted"))
        return render_template(
            "overview.html",
            spans=[*SPANS],
            first=not received,
            steps=_first_steps(site, settings, search, received=received),
            hooks=hooks(site.env, settings),
            public=bool(site.env.public_url),
            **_found(site, jobs, over),
        )

    @pages.post("/setup/test-chat")
    def overview_test_chat() -> Response:
        site.store.accept(sample.body(), content_type="application/json")
        flash("A test chat was sent. It appears below in a moment.", "good")
        return redirect(url_for("dashboard.overview"), 303)

    @pages.post("/setup/first-steps/hide")
    def overview_hide_steps() -> Response:
        site.access.end_first_steps("hidden")
        return redirect(url_for("dashboard.overview"), 303)

    @pages.get("/overview/live")
    def overview_live() -> str:
        return render_template("overview_live.html", **_found(site, jobs, over))


def _first_steps(site: Site, settings: Settings, search: Search, *, received: bool) -> FirstSteps | None:
    """None: they are over."""
    if site.access.first_steps_are_over():
        return None
    newest = [row.id for row in search.page(Filter(), limit=_NEWEST).rows] if received else []
    found = first_steps(site.env, settings, received=received, newest=newest)
    if found.done:
        site.access.end_first_steps("done")
        return None
    return found


def _found(site: Site, jobs: Jobs, over: Over) -> dict[str, Any]:
    """What the part of the page that is kept up to date shows."""
    span: Span = next((one for one in SPANS if one == request.args.get("span")), "day")
    counted = statistics(site.client, span, site.ledger.now(), over)
    connectors, settings = sorted(states(site, counted), key=_urgency), site.watched.current()
    tiles, health = _tiles(site, counted, connectors), _health(site)
    failing = [one for one in connectors if one.now.is_blocked and one.enabled]
    gone = [one for one in connectors if not one.known and one.lane.waiting]
    sources = [one for one in fetch_queues(site.ledger, settings) if one.since]
    return {
        "span": span,
        "step": _STEPS[span],
        "listed": conversations_url,
        "here": url_for("dashboard.overview", span=span),
        "counted": counted,
        "figures": _figures(counted),
        "geometry": {"left": charts.LEFT, "foot": charts.FOOT, "words": charts.LABELS},
        "tiles": tiles,
        "connectors": connectors,
        "failing": failing,
        "enabled": sum(one.enabled for one in connectors),
        "gone": gone,
        "sources": sources,
        "doubts": doubts(settings),
        "health": health,
        "problems": len(failing) + len(gone) + len(sources) + _problems(tiles, health),
        "jobs": list(_open(jobs)),
        "second": second_source(site.client, settings),
    }


def _problems(tiles: Tiles, health: Health) -> int:
    """How many things need somebody, beside connectors: each kind of what was given up counts once."""
    lost = (tiles.dead, tiles.undelivered, tiles.quarantined)
    stops = len(health.server.wrong) + len(health.shortages) + len(health.rejections) + (not health.workers)
    return stops + sum(map(bool, lost))


def _urgency(connector: ConnectorView) -> tuple[int, bool]:
    """What needs somebody is above what does not; else the order is that of relay.yaml."""
    state = connector.now.state
    return (_WORST_FIRST.index(state) if state in _WORST_FIRST else len(_WORST_FIRST)), not connector.dead


def _figures(counted: Statistics) -> list[tuple[str, charts.Chart]]:
    """The charts and what each is called."""
    bars = counted.bars

    def drawn(*series: charts.Series) -> charts.Chart:
        return charts.chart(counted.span, counted.step, bars, series, viewer_zone())

    flow = drawn(
        charts.Series("series-4", "Received", tuple(bar.accepted for bar in bars)),
        charts.Series("series-good", "Delivered", tuple(bar.delivered for bar in bars)),
    )
    failures = drawn(
        charts.Series("series-warn", "Failed attempts", tuple(bar.retried for bar in bars)),
        charts.Series("series-bad", "Dead letters", tuple(bar.dead for bar in bars)),
    )
    return [("Chats received and deliveries made", flow), ("Failed attempts", failures)]


def _tiles(site: Site, counted: Statistics, connectors: list[ConnectorView]) -> Tiles:
    inbox = site.ledger.lane(INBOX)
    figures = counted.connectors.values()
    delivered = sum(one.delivered for one in figures)
    unread = inbox.waiting + inbox.in_flight
    oldest = max([inbox, *(one.lane for one in connectors)], key=lambda lane: lane.oldest_due)
    return Tiles(
        received=counted.received.get("accepted", 0),
        repeated=counted.received.get("duplicate", 0),
        delivered=delivered,
        ended=delivered + sum(one.dead for one in figures),
        waiting=unread + sum(one.waiting for one in connectors),
        unread=unread,
        retrying=sum(one.retrying for one in connectors),
        blocked=sum(one.blocked for one in connectors),
        dead=sum(one.dead for one in connectors),
        undelivered=site.ledger.undelivered(),
        quarantined=site.ledger.payload_counts()[PayloadStatus.QUARANTINED],
        oldest=oldest if oldest.oldest_due else None,
    )


def _health(site: Site) -> Health:
    who = dict(site.ledger.troubles())
    if site.watched.trouble:
        who["receiver"] = site.watched.trouble
    # All of them refuse the same file, mostly for the same reason: said once.
    rejections = {text: ", ".join(name for name, said in who.items() if said == text) for text in who.values()}
    found, short = store_condition(site.client), list(shortages(site.client, site.env.disk))
    return Health(check_server(site.client), found.used, short, site.ledger.workers(), rejections)


def _open(jobs: Jobs) -> Iterator[Job]:
    for identity in jobs.open():
        try:
            yield jobs.get(identity)
        except NotFound:  # it was forgotten between the two questions
            continue
