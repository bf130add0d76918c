"""`/connectors`: what each is set to, whether it can deliver, what it would send; and the buttons of its gate."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.wrappers import Response

from app.admin import checks
from app.admin.preview import NoPreview, Preview, preview
from app.dashboard.frame.context import Site
from app.dashboard.frame.forms import reason_given
from app.dashboard.frame.login import local
from app.dashboard.language.translation import flash
from app.dashboard.view.connector_state import conversations_url, state, states
from app.dashboard.view.formatting import legible_value
from app.dashboard.view.listing import CAUSES, rows
from app.dashboard.view.over_time import charts
from app.dashboard.view.over_time.ranges import time_range
from app.dashboard.view.over_time.traffic import periods, traffic_charts
from app.dashboard.view.zone import viewer_zone
from connectors.kit.connector import Connector
from core.config.settings import Settings, masked
from core.delivery import DeliveryStatus
from core.errors import NotFound, PayloadError
from core.ids import NO_CONVERSATION, ConversationId
from core.smartsupp.parser import parse_conversation
from core.store import Filter, Search
from core.store.causes import Causes
from core.store.statistics import Over, connector_statistics
from core.wording.sentence import say

#: Deliveries that the page of a connector lists, and of those that fail.
DELIVERIES, ERRORS = 8, 5


@dataclass(frozen=True)
class _Setting:
    """One effective setting, secrets masked: `value` as text, `about` says what it means, `default` whether it is what
    it would be if the configuration did not name it."""

    name: str
    value: str
    about: str
    default: bool


def routes(pages: Blueprint, site: Site) -> None:
    _gate_buttons(pages, site)
    search, causes, over = Search(site.client), Causes(site.client), Over()

    @pages.get("/connectors")
    def connectors() -> str:
        settings = site.watched.current()
        return render_template(
            "connectors.html",
            connectors=states(site),
            settings={name: _settings(site, settings, name) for name in settings.connectors},
            routes={name: _routes(settings, name) for name in settings.connectors},
            source=settings.source,
        )

    @pages.get("/connectors/<name>")
    def connectors_one(name: str) -> str:
        return page(name)

    @pages.post("/connectors/<name>/check")
    def connectors_check(name: str) -> ResponseReturnValue:
        connector = _built(site, name)
        with site.alone() as free:
            if not free:
                return busy(name)
            return page(name, findings=list(checks.findings(connector)), checked=True)

    @pages.post("/connectors/<name>/setup")
    def connectors_setup(name: str) -> ResponseReturnValue:
        """What is missing at the destination is looked for, and made when that is wished."""
        connector = _built(site, name)
        with site.alone() as free:
            if not free:
                return busy(name)
            found = checks.set_up(connector, make=bool(request.form.get("make")))
        return page(name, set_up=found)

    @pages.get("/connectors/<name>/preview")
    def connectors_preview(name: str) -> ResponseReturnValue:
        wanted = ConversationId(request.args.get("conversation", "").strip()) or _newest(search)
        shown, error = None, ""
        connector = _built(site, name)
        try:
            shown = _preview(site, connector, wanted) if wanted else None
        except (NoPreview, NotFound, PayloadError) as problem:
            error = str(problem)
        told = {"conversation": wanted, "preview": shown, "error": error}
        return render_template("preview.html", name=name, **told), 422 if error else 200

    def busy(name: str) -> ResponseReturnValue:
        flash(say("Another check is running. Try again when it has finished."), "warning")
        return page(name), 409

    def page(name: str, **found: Any) -> str:
        settings = site.watched.current()
        known = name in settings.connectors
        return render_template(
            "connector.html",
            connector=state(site, name),
            settings=_settings(site, settings, name) if known else [],
            routes=_routes(settings, name),
            newest=_newest(search),
            listed=conversations_url,
            **_traffic(site, name, search, causes, over),
            can_set_up=known and checks.can_set_up(_built(site, name)),
            **{"findings": [], "checked": False, "set_up": None, **found},
        )


def _traffic(site: Site, name: str, search: Search, causes: Causes, over: Over) -> dict[str, Any]:
    """What the connector did over a span, and what it did last."""
    now = site.ledger.now()
    asked = time_range(request.args, now, viewer_zone())
    found = connector_statistics(site.client, name, asked.stretch, now, over)
    failing = site.ledger.deliveries(DeliveryStatus.RETRYING, name, ERRORS)
    return {
        "traffic": found,
        "range": asked,
        "figures": traffic_charts(found, asked),
        "geometry": {"left": charts.LEFT, "foot": charts.FOOT, "words": charts.LABELS},
        "causes": causes.most_frequent([name], CAUSES),
        "errors": [one for one in failing if one.error],
        "rows": rows(search, search.page(Filter(connector=name), limit=DELIVERIES, seconds=0).rows),
        "periods": periods(site.ledger.gate_changes(name)),
    }


def _gate_buttons(pages: Blueprint, site: Site) -> None:
    """Pause, try one, resume. They come back to the page where they were pressed."""

    @pages.post("/connectors/<name>/pause")
    def connectors_pause(name: str) -> Response:
        state(site, name)
        site.control.pause(name, reason_given() or "paused manually")
        flash(say("%(name)s is paused. Its deliveries are queued; nothing is lost.", name=name), "good")
        return back(name)

    @pages.post("/connectors/<name>/resume")
    def connectors_resume(name: str) -> Response:
        state(site, name)
        opened = site.control.resume(name)
        if opened:
            flash(say("%(name)s resumed.", name=name), "good")
        else:
            flash(say("%(name)s was not paused.", name=name), "info")
        return back(name)

    @pages.post("/connectors/<name>/try")
    def connectors_try(name: str) -> Response:
        found = state(site, name)
        closed = site.control.send_ahead(name)
        if not closed or found.gate is None:
            flash(say("%(name)s is not paused; deliveries are made as usual.", name=name), "info")
        elif not found.lane.oldest_due:
            flash(say("Nothing is queued for %(name)s. The next delivery will be the test.", name=name), "info")
        else:
            alone = say("One test delivery to %(name)s is made now; the others stay queued.", name=name)
            ahead = say("One test delivery to %(name)s is made now; if it succeeds, all others follow.", name=name)
            flash(alone if found.gate.by == "admin" else ahead, "good")
        return back(name)

    def back(name: str) -> Response:
        here = url_for("dashboard.connectors_one", name=name)
        return redirect(local(request.form.get("back") or here), 303)


def _built(site: Site, name: str) -> Connector[Any]:
    """A new one: to pretend, or to be judged, is for one thread alone. Raises NotFound."""
    return checks.connector(site.watched.current(), name, site.env, site.client)


def _preview(site: Site, connector: Connector[Any], identity: ConversationId) -> Preview:
    """Raises NotFound, PayloadError, NoPreview."""
    history = site.store.revisions(identity)
    if not history:
        raise NotFound(say("There is no chat '%(identity)s'.", identity=identity))
    newest = history[-1]
    return preview(connector, parse_conversation(newest.body, newest.account), history)


def _newest(search: Search) -> ConversationId:
    return next((row.id for row in search.page(Filter(), limit=1).rows), NO_CONVERSATION)


def _settings(site: Site, settings: Settings, name: str) -> list[_Setting]:
    connector = _built(site, name)
    # Twice: by the type of each setting, and whatever holds the same text.
    values = json.loads(connector.mask(json.dumps(masked(settings)["connectors"][name])))
    fields = type(settings.connectors[name]).model_fields
    given = settings.connectors[name].model_fields_set
    return [
        _Setting(key, legible_value(value), (fields[key].description or "") if key in fields else "", key not in given)
        for key, value in values.items()
    ]


def _routes(settings: Settings, name: str) -> Sequence[str]:
    """The conditions under which a conversation goes there."""

    def leading() -> Iterator[str]:
        for route in settings.routes:
            if name in route.to:
                yield route.when.strip()

    return list(leading())
