"""The buttons of a connector: pause, test, resume. They come back to the page where they were pressed."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, request, url_for
from werkzeug.wrappers import Response

from app.dashboard.frame.context import Site
from app.dashboard.frame.login import local
from app.dashboard.view.connector_state import state

#: Characters of a reason that are kept.
LONGEST_REASON = 200


def routes(pages: Blueprint, site: Site) -> None:
    @pages.post("/connectors/<name>/pause")
    def connectors_pause(name: str) -> Response:
        state(site, name)
        reason = " ".join(request.form.get("reason", "").split())[:LONGEST_REASON]
        site.store.pause(name, reason or "paused manually")
        flash(f"{name} is paused. Its deliveries are queued; nothing is lost.", "good")
        return back(name)

    @pages.post("/connectors/<name>/resume")
    def connectors_resume(name: str) -> Response:
        state(site, name)
        opened, wanted = site.store.resume(name)
        if wanted:
            site.knock(name)
        flash(*((f"{name} resumed.", "good") if opened else (f"{name} was not paused.", "info")))
        return back(name)

    @pages.post("/connectors/<name>/try")
    def connectors_try(name: str) -> Response:
        found = state(site, name)
        closed, wanted = site.store.send_ahead(name)
        if wanted:
            site.knock(name)
        if not closed or found.gate is None:
            flash(f"{name} is not paused; deliveries are made as usual.", "info")
        elif not found.lane.oldest_due:
            flash(f"Nothing is queued for {name}. The next delivery will be the test.", "info")
        else:
            others = "the others stay queued" if found.gate.by == "admin" else "if it succeeds, all others follow"
            flash(f"One test delivery to {name} is made now; {others}.", "good")
        return back(name)

    def back(name: str) -> Response:
        here = url_for("dashboard.connectors_one", name=name)
        return redirect(local(request.form.get("back") or here), 303)
