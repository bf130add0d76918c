"""What the dashboard and the command line have changed in relay.yaml, and how it is taken back; and a connector that is
taken out of it."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from typing import Any

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from app.admin.setting_up import changes
from app.dashboard.frame.context import Site
from app.dashboard.language.translation import flash
from app.dashboard.view.review import Review, reviewed
from core.config.editing.door import Draft
from core.config.sources.secret_store import BadSecret
from core.errors import ConfigError
from core.wording.sentence import say

#: Versions that the list shows.
_LISTED = 100


def routes(pages: Blueprint, site: Site) -> None:
    @pages.get("/setup/history")
    def connectors_history() -> str:
        found = list(islice(site.config_door.versions(), _LISTED))
        return render_template("config_history.html", versions=found, source=site.env.config)

    @pages.route("/setup/history/<int:number>", methods=["GET", "POST"])
    def connectors_undo(number: int) -> ResponseReturnValue:
        """What undoing it would change, and then does."""
        back = url_for("dashboard.connectors_history")
        words = {
            "title": say("Undo change %(number)s", number=number),
            "button": say("Undo it"),
            "trail": (say("History"), back),
        }
        return answered(lambda: site.config_door.restored(number), back, words)

    @pages.route("/connectors/<name>/remove", methods=["GET", "POST"])
    def connectors_remove(name: str) -> ResponseReturnValue:
        words = {
            "title": say("Remove %(name)s", name=name),
            "button": say("Remove %(name)s", name=name),
            "trail": (name, url_for("dashboard.connectors_one", name=name)),
            "waiting": site.ledger.lane(name).waiting,
        }
        return answered(lambda: changes.removed(site.config_door, name), url_for("dashboard.connectors"), words)

    def answered(make: Callable[[], Draft], then: str, words: dict[str, Any]) -> ResponseReturnValue:
        review: Review | None = None
        wrong: tuple[str, ...] = ()
        try:
            review = reviewed(site, make)
        except ConfigError as error:
            wrong = tuple(str(problem) for problem in error.problems)
        except BadSecret as error:
            wrong = (str(error),)
        if review is None and not wrong:
            flash(say("Saved. The change is in force now; History can undo it."), "good")
            return redirect(then, 303)
        status = 422 if wrong and request.method == "POST" else review.status if review else 200
        page = render_template("config_change.html", **{"waiting": 0, **words}, review=review, wrong=wrong, back=then)
        return page, status
