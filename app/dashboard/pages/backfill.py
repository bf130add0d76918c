"""Fanning out again: one chat that was not delivered anywhere, and past chats for a connector that came later."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.wrappers import Response

from app.admin.replays import refusal_of_past, still_nowhere
from app.dashboard.frame.context import Site
from app.dashboard.frame.forms import NO_REASON, reason_given, whose_hand
from app.dashboard.language.translation import flash
from app.dashboard.view import filters
from app.dashboard.view.connector_state import state
from app.dashboard.view.zone import viewer_zone
from core.errors import InUse
from core.ids import ConversationId
from core.store import Aim, Backfill, Jobs
from core.wording.sentence import say

#: Seconds that a request counts, and works at a job; workers do the rest.
_COUNTING = 0.5
_WORKING = 0.5
#: How many days back the page offers.
_DAYS = 7


def routes(pages: Blueprint, site: Site) -> None:
    backfill = Backfill(site.client, site.watched.current)
    jobs = Jobs(site.client, site.watched.current)

    @pages.post("/conversations/<conversation:identity>/deliver")
    def conversations_deliver(identity: ConversationId) -> Response:
        """By the routes of today."""
        if site.ledger.conversation(identity).deliveries:
            flash(say("It has been delivered meanwhile."), "info")
            return to_deliveries(identity)
        found = backfill.one(identity, Aim())
        if found.connectors:
            flash(say("Queued for %(connectors)s.", connectors=", ".join(found.connectors)), "good")
        else:
            flash(say("Nothing was queued: %(why)s.", why=still_nowhere(found.why)), "warning")
        return to_deliveries(identity)

    @pages.post("/conversations/<conversation:identity>/discard")
    def conversations_discard_whole(identity: ConversationId) -> Response:
        reason = reason_given()
        if not reason:
            flash(NO_REASON, "error")
            return to_deliveries(identity)
        try:
            site.control.discard(identity, reason, whose_hand())
        except InUse:
            flash(say("It is being read, or somebody has dealt with it. Nothing was discarded."), "warning")
        else:
            flash(say("Discarded. It can still be delivered."), "good")
        return to_deliveries(identity)

    @pages.get("/connectors/<name>/past")
    def connectors_past(name: str) -> ResponseReturnValue:
        """What would be delivered: asked, and counted, before anything is."""
        found = state(site, name)
        first = datetime.now(viewer_zone()).date() - timedelta(days=_DAYS)
        given = dict(request.args) if "from" in request.args else {"from": first.isoformat()}
        asked = filters.asked({"from": given.get("from", ""), "to": given.get("to", "")}, (), viewer_zone())
        aim = _aim(name, given)
        refused = refusal_of_past(site.watched.current(), name, anyway=aim.anyway)
        as_of = site.ledger.now()
        counted = None
        if "from" in request.args and not asked.errors and not refused:
            counted = backfill.count(asked.filter.as_of(as_of), aim, _COUNTING)
        html = render_template(
            "past.html", connector=found, asked=asked, aim=aim, refused=refused, as_of=as_of, counted=counted
        )
        return html, 422 if asked.errors else 200

    @pages.post("/connectors/<name>/past")
    def connectors_past_start(name: str) -> ResponseReturnValue:
        state(site, name)
        given: dict[str, Any] = {key: request.form.get(key, "") for key in ("from", "to", "again", "all")}
        asked, aim = filters.asked({"from": given["from"], "to": given["to"]}, (), viewer_zone()), _aim(name, given)
        if asked.errors or refusal_of_past(site.watched.current(), name, anyway=aim.anyway):
            return redirect(url_for("dashboard.connectors_past", name=name, **given), 303)
        # What came after the page that showed how many there are was not meant.
        as_of = request.form.get("as_of", type=int)
        job = jobs.start("replay", asked.filter, by=whose_hand(), as_of=as_of, aim=aim)
        jobs.advance(job.id, _WORKING)
        return redirect(url_for("dashboard.conversations_job", identity=job.id), 303)


def to_deliveries(identity: ConversationId) -> Response:
    return redirect(url_for("dashboard.conversations_one", identity=identity, _anchor="deliveries"), 303)


def _aim(name: str, given: Mapping[str, Any]) -> Aim:
    return Aim(name, repeat=bool(given.get("again")), anyway=bool(given.get("all")))
