"""`/setup/routes`: which chats go where, as a form: tried on the last chats, shown as a difference, saved."""

from __future__ import annotations

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from app.admin.setting_up.routes import RouteRow, RouteTrial, rerouted, tried, written_routes
from app.dashboard.frame.context import Site
from app.dashboard.language.translation import flash
from app.dashboard.view.review import Review, last_chats, reviewed
from core.config.sources.secret_store import BadSecret
from core.errors import ConfigError
from core.wording.sentence import say

#: Routes that one page can take in.
_MOST = 200


def routes(pages: Blueprint, site: Site) -> None:
    @pages.route("/setup/routes", methods=["GET", "POST"])
    def connectors_routes() -> ResponseReturnValue:
        review: Review | None = None
        trial: RouteTrial | None = None
        wrong: tuple[str, ...] = ()
        rows: list[RouteRow] = []
        gone: set[int] = set()
        new = RouteRow("", ())
        names: list[str] = []
        try:
            values = site.config_door.values()
            found = written_routes(values)
            rows = [*(found or ())]
            names = [
                *dict.fromkeys([*(values.get("connectors") or {}), *(name for one in found or () for name in one.to)])
            ]
            if request.method == "POST":
                rows, gone, new = _asked(names)
                wanted = [None if index in gone else row for index, row in enumerate(rows)]
                added = [new] if new.to or new.when or "new-nowhere" in request.form else []
                review = reviewed(site, lambda: rerouted(site.config_door, wanted, added))
                if review is None:
                    flash(say("The routes are saved. They apply to chats that come from now on."), "good")
                    return redirect(url_for("dashboard.connectors_routes"), 303)
                trial = tried(site.watched.current(), review.draft.settings, last_chats(site))
        except ConfigError as error:
            wrong = tuple(str(problem) for problem in error.problems)
        except BadSecret as error:
            wrong = (str(error),)
        html = render_template(
            "routes.html",
            rows=rows,
            gone=gone,
            new=new,
            names=names,
            review=review,
            trial=trial,
            wrong=wrong,
            no_routes=not rows,
        )
        return html, 422 if wrong and request.method == "POST" else review.status if review else 200


def _asked(names: list[str]) -> tuple[list[RouteRow], set[int], RouteRow]:
    """The routes of the form, which of them are to go, and the new one."""
    number = min(request.form.get("rows", 0, type=int), _MOST)
    gone = {index for index in range(number) if f"gone-{index}" in request.form}
    return [_row(str(index), names) for index in range(number)], gone, _row("new", names)


def _row(key: str, names: list[str]) -> RouteRow:
    chosen = {*request.form.getlist(f"to-{key}")}
    when = " ".join(request.form.get(f"when-{key}", "").split())
    return RouteRow(when, tuple(name for name in names if name in chosen))
