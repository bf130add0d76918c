"""`/conversations/bulk` and `/conversations/jobs`: deliver again, or discard, everything that matches."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from flask import Blueprint, Response, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import BadRequest
from werkzeug.wrappers import Response as AnyResponse

from app.dashboard.frame.context import Site
from app.dashboard.frame.forms import reason_given, whose_hand
from app.dashboard.view import filters
from app.dashboard.view.filters import Asked
from app.dashboard.view.listing import TO_DO, discardable, known, rows
from app.dashboard.view.zone import viewer_zone
from core.delivery import DeliveryStatus
from core.store import Filter, Jobs, Search
from core.store.causes import Causes
from core.store.jobs import Job, JobKind
from core.wording.sentence import say

#: Seconds that a request counts, and works at a job; workers do the rest.
_COUNTING = 0.12
_WORKING = 0.5
#: Rows that are shown before they are dealt with.
_SAMPLE = 5
#: Seconds that a look at the deliveries of a job may take: the page asks every second.
_FOLLOWING = 0.05


def routes(pages: Blueprint, site: Site) -> None:
    search, jobs = Search(site.client), Jobs(site.client, site.watched.current)
    causes = Causes(site.client)

    @pages.get("/conversations/bulk")
    def conversations_bulk() -> ResponseReturnValue:
        return confirm(*wanted())

    @pages.post("/conversations/bulk")
    def conversations_bulk_start() -> ResponseReturnValue:
        kind, asked = wanted()
        reason = reason_given()
        if asked.errors or (kind == "discard" and not reason):
            return confirm(kind, asked, error=say("Enter a reason; it is kept with each delivery."), code=422)
        # What came after the page that showed how many there are was not meant.
        as_of = request.form.get("as_of", type=int)
        job = jobs.start(kind, _filter(kind, asked), reason=reason, by=whose_hand(), as_of=as_of)
        jobs.advance(job.id, _WORKING)
        return redirect(url_for("dashboard.conversations_job", identity=job.id), 303)

    @pages.get("/conversations/jobs")
    def conversations_jobs() -> str:
        return render_template("jobs.html", jobs=jobs.recent(), words=partial(filters.in_words, zone=viewer_zone()))

    @pages.get("/conversations/jobs/<identity>")
    def conversations_job(identity: str) -> str:
        return render_template("job.html", **about(identity))

    @pages.get("/conversations/jobs/<identity>/live")
    def conversations_job_live(identity: str) -> Response:
        found = about(identity)
        html = render_template("job_live.html", **found)
        return make_response(html, {"X-Relay-Done": "1"} if found["settled"] else {})

    @pages.post("/conversations/jobs/<identity>")
    def conversations_job_advance(identity: str) -> AnyResponse:
        jobs.advance(identity, _WORKING)
        return redirect(url_for("dashboard.conversations_job", identity=identity), 303)

    def about(identity: str) -> dict[str, Any]:
        job = jobs.get(identity)
        now_in, counted = search.of_job(Filter(job=identity), _FOLLOWING)
        return {
            "job": job,
            "settled": bool(job.finished) and (not now_in or (counted and _all_settled(job, now_in))),
            "now_in": now_in,
            "counted": counted,
            "undelivered": site.ledger.undelivered(),
            "words": partial(filters.in_words, zone=viewer_zone()),
        }

    def wanted() -> tuple[JobKind, Asked]:
        given = request.values.get("action", "")
        kind: JobKind
        if given == "replay":
            kind = "replay"
        elif given == "discard":
            kind = "discard"
        else:
            raise BadRequest(say("This address names no action."))
        asked = filters.asked(request.values, known(site, search), viewer_zone())
        if kind == "discard" and not discardable(asked.filter):
            raise BadRequest(say("Only queued, retrying and dead deliveries can be discarded."))
        return kind, asked

    def confirm(kind: JobKind, asked: Asked, *, error: str = "", code: int = 200) -> ResponseReturnValue:
        meant = _filter(kind, asked)
        as_of = site.ledger.now()
        bounded = meant.as_of(as_of)
        count, whole = search.count(bounded, _COUNTING) if not asked.errors else (0, True)
        # One look is enough for some of the newest.
        sample = search.page(bounded, limit=_SAMPLE, seconds=0).rows if not asked.errors else ()
        html = render_template(
            "bulk.html",
            kind=kind,
            asked=asked,
            meant=meant,
            words=filters.in_words(meant, viewer_zone()),
            cause=causes.described(known(site, search), meant.cause) if meant.cause else None,
            as_of=as_of,
            count=count,
            whole=whole,
            rows=rows(search, sample),
            error=error if kind == "discard" and code == 422 and not asked.errors else "",
        )
        return html, 422 if asked.errors else code


def _all_settled(job: Job, now_in: Mapping[DeliveryStatus, int]) -> bool:
    """Whether nothing more happens to its deliveries by themselves."""
    return not now_in.keys() & {*TO_DO} and sum(now_in.values()) >= job.done


def _filter(kind: JobKind, asked: Asked) -> Filter:
    """Only the dead are discarded, unless somebody asked for what waits."""
    if kind == "discard" and asked.filter.status is None and not asked.filter.undelivered:
        return replace(asked.filter, status=DeliveryStatus.DEAD)
    return asked.filter
