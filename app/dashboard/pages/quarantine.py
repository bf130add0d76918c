"""`/quarantine`: bodies that could not be read, were set aside or discarded; many read again or discarded at once."""

from __future__ import annotations

from contextlib import suppress

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import BadRequest

from app.dashboard.frame.context import Site
from app.dashboard.frame.forms import reason_given
from app.dashboard.language.translation import flash
from app.dashboard.view.listing import BODY_TABS
from core.delivery import PayloadStatus
from core.errors import InUse, NotFound
from core.store.search.conversations import place
from core.wording.sentence import say, say_n

ROWS = 25
#: Bodies that one request reads again or discards: well below a second.
SLICE = 500


def routes(pages: Blueprint, site: Site) -> None:
    @pages.get("/quarantine")
    def quarantine() -> str:
        status, after, lost = _tab(request.args.get("status", "")), None, False
        try:
            after = place(request.args["after"]) if "after" in request.args else None
        except ValueError:
            lost = True
        rows = site.ledger.payloads(status, ROWS + 1, after=after)
        last = rows[ROWS - 1] if len(rows) > ROWS else None
        return render_template(
            "quarantine.html",
            status=status,
            tabs=BODY_TABS,
            counts=site.ledger.payload_counts(),
            rows=rows[:ROWS],
            first=after is None,
            older=url_for("dashboard.quarantine", status=status, after=f"{last.received}~{last.id}") if last else "",
            lost=lost,
        )

    @pages.get("/quarantine/all")
    def quarantine_all() -> str:
        return confirm(_action())

    @pages.post("/quarantine/all")
    def quarantine_all_do() -> ResponseReturnValue:
        """A slice of them, from the newest down, so that none comes twice: what is wrong still comes back above."""
        action, reason, done = _action(), reason_given(), request.form.get("done", 0, type=int)
        if action == "discard" and not reason:
            return confirm(action, error=say("Enter a reason; it is kept with each of them.")), 422
        try:
            after = place(request.form["after"]) if request.form.get("after") else None
        except ValueError:
            raise BadRequest(say("This form does not say where to continue.")) from None
        part = site.ledger.payloads(PayloadStatus.QUARANTINED, SLICE, after=after)
        for found in part:
            with suppress(InUse, NotFound):  # somebody was faster
                if action == "discard":
                    site.control.discard(found.id, reason)
                else:
                    site.control.replay(found.id)
                done += 1
        if len(part) == SLICE:
            return confirm(action, done=done, reason=reason, after=f"{part[-1].received}~{part[-1].id}")
        discarded = say_n("%(count)s payload discarded.", "%(count)s payloads discarded.", done)
        queued = say_n(
            "%(count)s payload queued for another reading.", "%(count)s payloads queued for another reading.", done
        )
        flash(discarded if action == "discard" else queued, "good")
        return redirect(url_for("dashboard.quarantine"), 303)

    def confirm(action: str, *, done: int = 0, reason: str = "", after: str = "", error: str = "") -> str:
        """The first time, and between two slices."""
        # What comes after this page was shown is not meant: it goes on after everything that there will be.
        after = after or f"{site.ledger.now()}~~"
        left = site.ledger.payload_counts()[PayloadStatus.QUARANTINED]
        return render_template(
            "quarantine_all.html", action=action, left=left, done=done, reason=reason, after=after, error=error
        )


def _tab(wanted: str) -> PayloadStatus:
    return next((one for one in BODY_TABS if one == wanted), PayloadStatus.QUARANTINED)


def _action() -> str:
    given = request.values.get("action", "")
    if given not in ("replay", "discard"):
        raise BadRequest(say("This address names no action."))
    return given
