"""`/`: what came in and went out, how each connector is, and whether everything that has to run does."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from app.admin import sample
from app.admin.attention.lines import Attention
from app.admin.connector_state import State
from app.admin.first_steps import FirstSteps, first_steps
from app.admin.source.comparisons import second_source
from app.dashboard.frame.context import Site
from app.dashboard.language.translation import flash
from app.dashboard.view.attention import LINES_SHOWN, attention_rows
from app.dashboard.view.connector_state import ConnectorView, conversations_url, states
from app.dashboard.view.over_time import charts
from app.dashboard.view.over_time.ranges import TimeRange, time_range
from app.dashboard.view.zone import viewer_zone
from app.hook_url import hooks
from core.config.settings import Settings
from core.delivery import PayloadStatus
from core.errors import NotFound
from core.store import INBOX, Filter, Jobs, Search, ServerCheck, check_server, statistics
from core.store.connection.condition import store_condition
from core.store.jobs import Job
from core.store.ledger.lanes import Lane
from core.store.statistics import Over, Statistics, totals
from core.wording.sentence import say, to_be_said

#: Chats among which one that is no test is looked for.
_NEWEST = 50

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
    """`memory` is in bytes; `workers` says how long ago each was last seen, in ms."""

    server: ServerCheck
    memory: int
    workers: Mapping[str, int]


def routes(pages: Blueprint, site: Site) -> None:
    search = Search(site.client)
    jobs, over = Jobs(site.client, site.watched.current), Over()
    looking = Attention(site.client, site.env.disk)

    @pages.get("/")
    def overview() -> str:
        settings = site.watched.current()
        received = bool(totals(site.client).get("in:accepted"))
        return render_template(
            "overview.html",
            first=not received,
            steps=_first_steps(site, settings, search, received=received),
            hooks=hooks(site.env, settings),
            public=bool(site.env.public_url),
            **_found(site, jobs, over, looking),
        )

    @pages.post("/setup/test-chat")
    def overview_test_chat() -> Response:
        site.store.accept(sample.body(), content_type="application/json")
        flash(say("A test chat was sent. It appears below in a moment."), "good")
        return redirect(url_for("dashboard.overview"), 303)

    @pages.post("/setup/first-steps/hide")
    def overview_hide_steps() -> Response:
        site.access.end_first_steps("hidden")
        return redirect(url_for("dashboard.overview"), 303)

    @pages.get("/overview/live")
    def overview_live() -> str:
        return render_template("overview_live.html", **_found(site, jobs, over, looking))


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


def _found(site: Site, jobs: Jobs, over: Over, looking: Attention) -> dict[str, Any]:
    """What the part of the page that is kept up to date shows."""
    now = site.ledger.now()
    asked = time_range(request.args, now, viewer_zone())
    counted = statistics(site.client, asked.stretch, now, over)
    connectors, settings = sorted(states(site, counted), key=_urgency), site.watched.current()
    tiles, health = _tiles(site, counted, connectors), _health(site)
    lines = looking.lines(settings, {one.name: one.lane for one in connectors}, _refused(site))
    return {
        "range": asked,
        "listed": conversations_url,
        "here": url_for("dashboard.overview", **asked.query),
        "counted": counted,
        "figures": _figures(counted, asked),
        "geometry": {"left": charts.LEFT, "foot": charts.FOOT, "words": charts.LABELS},
        "tiles": tiles,
        "connectors": connectors,
        "health": health,
        "attention": attention_rows(lines, {*settings.connectors}),
        "attention_shown": LINES_SHOWN,
        "problems": sum(one.needs_somebody for one in lines),
        "jobs": list(_open(jobs)),
        "second": second_source(site.client, settings),
    }


def _refused(site: Site) -> dict[str, str]:
    """What this process has against the configuration, beside what workers have."""
    return {"receiver": site.watched.trouble} if site.watched.trouble else {}


def _urgency(connector: ConnectorView) -> tuple[int, bool]:
    """What needs somebody is above what does not; else the order is that of relay.yaml."""
    state = connector.now.state
    return (_WORST_FIRST.index(state) if state in _WORST_FIRST else len(_WORST_FIRST)), not connector.dead


def _figures(counted: Statistics, asked: TimeRange) -> list[tuple[str, charts.Chart]]:
    """The charts and what each is called."""
    bars = counted.bars

    def drawn(*series: charts.Series) -> charts.Chart:
        return charts.chart(asked, series, viewer_zone())

    flow = drawn(
        charts.Series(
            "series-4", say("Received"), tuple(bar.accepted for bar in bars), to_be_said("%(value)s received")
        ),
        charts.Series(
            "series-good", say("Delivered"), tuple(bar.delivered for bar in bars), to_be_said("%(value)s delivered")
        ),
    )
    failures = drawn(
        charts.Series(
            "series-warn",
            say("Failed attempts"),
            tuple(bar.retried for bar in bars),
            to_be_said("%(value)s failed attempts"),
        ),
        charts.Series(
            "series-bad", say("Dead letters"), tuple(bar.dead for bar in bars), to_be_said("%(value)s dead letters")
        ),
    )
    return [(say("Chats received and deliveries made"), flow), (say("Failed attempts"), failures)]


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
    return Health(check_server(site.client), store_condition(site.client).used, site.ledger.workers())


def _open(jobs: Jobs) -> Iterator[Job]:
    for identity in jobs.open():
        try:
            yield jobs.get(identity)
        except NotFound:  # it was forgotten between the two questions
            continue
