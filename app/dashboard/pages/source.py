"""`/source`: Smartsupp's API as a second source of chats: comparisons, and past chats that are fetched."""

from __future__ import annotations

import threading
import time
from datetime import datetime, timedelta
from typing import Any

import structlog
from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.wrappers import Response

from app.admin.replays import refusal_of_past
from app.admin.source.backfills import accounts_with_api, count_past_chats, start_backfill
from app.admin.source.comparisons import MISSING_DAYS
from app.dashboard.frame.context import Site
from app.dashboard.frame.forms import whose_hand
from app.dashboard.language.translation import flash
from app.dashboard.view import filters
from app.dashboard.view.zone import viewer_zone
from core.config.sections.source import Account
from core.errors import DeliveryError, NotFound
from core.store.sources.catch_ups import CatchUps
from core.store.sources.stranded import StrandedOrders
from core.wording.sentence import say, say_n
from workers.source.catch_up import SHORT_GRACE_MS, CatchUpWork

log = structlog.get_logger(__name__)

#: How many days back the page offers.
_OFFERED = 30
#: Days that a comparison looks back, by hand.
_COMPARED_DAYS = 7


def routes(pages: Blueprint, site: Site) -> None:
    catch_ups = CatchUps(site.client)
    _stranded_routes(pages, site)

    @pages.get("/source")
    def overview_source() -> ResponseReturnValue:
        """What is fetched and compared; and, where a time is given, how many past chats there are, before any comes."""
        asked = _Asked(site, dict(request.args))
        past, wrong = None, ""
        if "from" in request.args and not asked.errors and asked.accounts:
            try:
                past = count_past_chats(site.client, asked.accounts, asked.since, asked.until)
            except DeliveryError as error:
                wrong = str(error)
        html = render_template(
            "source.html",
            accounts=accounts_with_api(site.watched.current()),
            compared=catch_ups.comparisons(),
            missing=catch_ups.missing(MISSING_DAYS),
            days=MISSING_DAYS,
            recent=catch_ups.recent(),
            stranded=list(StrandedOrders(site.client).queues(site.watched.current())),
            names=[("", say("All")), *((name, name) for name in accounts_with_api(site.watched.current()))],
            options=[("", say("Wherever the routes say")), *((name, name) for name in site.watched.current().enabled)],
            asked=asked,
            past=past,
            wrong=wrong,
        )
        return html, 422 if asked.errors else 200

    @pages.post("/source/backfill")
    def overview_source_backfill() -> Response:
        given: dict[str, Any] = {name: request.form.get(name, "") for name in ("from", "to", "account", "connector")}
        asked = _Asked(site, given)
        if asked.errors or not asked.accounts:
            return redirect(url_for("dashboard.overview_source", **given), 303)
        # What came after the page that showed how many there are was not meant.
        until = min(asked.until, request.form.get("as_of", default=asked.until, type=int))
        expected = {name: request.form.get(f"expected-{name}", type=int) for name in asked.accounts}
        start_backfill(
            site.client,
            asked.accounts,
            asked.since,
            until,
            by=whose_hand(),
            connector=asked.connector,
            expected=expected,
        )
        flash(say("The workers fetch them, the oldest first. New chats are delivered before them."), "good")
        return redirect(url_for("dashboard.overview_source"), 303)

    @pages.post("/source/compare")
    def overview_source_compare() -> Response:
        work = CatchUpWork(site.client, site.watched.current, threading.Event())
        for name, account in accounts_with_api(site.watched.current()).items():
            work.compare(name, account.account or "", _COMPARED_DAYS, by=whose_hand(), grace=SHORT_GRACE_MS)
        flash(
            say_n(
                "The workers compare the last %(count)s day with Smartsupp.",
                "The workers compare the last %(count)s days with Smartsupp.",
                _COMPARED_DAYS,
            ),
            "good",
        )
        return redirect(url_for("dashboard.overview_source"), 303)

    @pages.post("/source/stop")
    def overview_source_stop() -> Response:
        try:
            found = catch_ups.get(request.form.get("id", ""))
        except NotFound:
            flash(say("It is not there any more."), "info")
        else:
            if found.finished is None:
                catch_ups.finish(found, stopped=True)
            flash(say("Stopped. What was fetched stays, and is delivered."), "good")
        return redirect(url_for("dashboard.overview_source"), 303)


def _stranded_routes(pages: Blueprint, site: Site) -> None:
    """What is to be fetched for accounts that relay.yaml does not have any more: handed to another one, or given up."""
    orders = StrandedOrders(site.client)

    def chosen() -> str:
        """Which of them was meant, or "": an account that is back in relay.yaml keeps what waits for it."""
        name = request.form.get("name", "")
        return name if name in [one.name for one in orders.queues(site.watched.current())] else ""

    @pages.post("/source/move")
    def overview_source_move() -> Response:
        heir, name = request.form.get("to", ""), chosen()
        if not name:
            flash(say("It is not there any more."), "info")
        elif heir not in accounts_with_api(site.watched.current()):
            flash(say("This account has no API in relay.yaml"), "error")
        else:
            moved = orders.move(name, heir)
            log.info("stranded orders moved", source=name, to=heir, count=moved, by=whose_hand())
            flash(
                say_n(
                    "%(count)s chat is fetched through %(name)s.",
                    "%(count)s chats are fetched through %(name)s.",
                    moved,
                    name=heir,
                ),
                "good",
            )
        return redirect(url_for("dashboard.overview_source"), 303)

    @pages.post("/source/drop")
    def overview_source_drop() -> Response:
        name = chosen()
        if not name:
            flash(say("It is not there any more."), "info")
        elif "sure" not in request.form:
            flash(say("Nothing was dropped: tick the box to confirm."), "error")
        else:
            dropped = orders.drop(name)
            log.info("stranded orders dropped", source=name, count=dropped, by=whose_hand())
            flash(say_n("%(count)s chat is not fetched.", "%(count)s chats are not fetched.", dropped), "good")
        return redirect(url_for("dashboard.overview_source"), 303)


class _Asked:
    """What somebody wants fetched: `errors` by the field, and the values as they were typed."""

    def __init__(self, site: Site, given: dict[str, Any]) -> None:
        settings = site.watched.current()
        self._all = accounts_with_api(settings)
        first = datetime.now(viewer_zone()).date() - timedelta(days=_OFFERED)
        typed = given if "from" in given else {**given, "from": first.isoformat()}
        asked = filters.asked({"from": typed.get("from", ""), "to": typed.get("to", "")}, (), viewer_zone())
        self.values = {**asked.values, "account": given.get("account", ""), "connector": given.get("connector", "")}
        self.errors = dict(asked.errors)
        now = round(time.time() * 1000)
        self.since, self.until = asked.filter.since or 0, min(asked.filter.until or now, now)
        self.connector = self.values["connector"]
        if not self.since and "from" not in self.errors:
            self.errors["from"] = say("Enter a date")
        elif not self.errors and self.until <= self.since:
            self.errors["to"] = say("Enter a date after the first one")
        if self.connector and (refused := refusal_of_past(settings, self.connector, anyway=False)):
            self.errors["connector"] = refused
        if self.values["account"] and self.values["account"] not in self._all:
            self.errors["account"] = say("This account has no API in relay.yaml")

    @property
    def accounts(self) -> dict[str, Account]:
        name = self.values["account"]
        return {name: self._all[name]} if name in self._all else dict(self._all)
