"""`/setup/agents`: by which email destinations know the shop's agents, beside those who wrote in the last chats."""

from __future__ import annotations

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from app.admin.setting_up.agents import AgentRow, renamed_agents, seen_agents, written_agents
from app.dashboard.frame.context import Site
from app.dashboard.language.translation import flash
from app.dashboard.view.review import Review, last_chats, reviewed
from core.config.sources.secret_store import BadSecret
from core.errors import ConfigError
from core.wording.sentence import say

#: Agents that one page can take in.
_MOST = 500


def routes(pages: Blueprint, site: Site) -> None:
    @pages.route("/setup/agents", methods=["GET", "POST"])
    def connectors_agents() -> ResponseReturnValue:
        review: Review | None = None
        wrong: tuple[str, ...] = ()
        seen = seen_agents(last_chats(site))
        rows: list[AgentRow] = []
        try:
            if request.method == "POST":
                rows = _asked()
                review = reviewed(site, lambda: renamed_agents(site.config_door, rows))
                if review is None:
                    flash(say("The agents are saved. They apply to deliveries that are made from now on."), "good")
                    return redirect(url_for("dashboard.connectors_agents"), 303)
            else:
                known = written_agents(site.config_door.values())
                there = {one.id for one in known}
                rows = [*known, *(AgentRow(one) for one in seen.names if one not in there)]
        except ConfigError as error:
            wrong = tuple(str(problem) for problem in error.problems)
        except BadSecret as error:
            wrong = (str(error),)
        html = render_template("agents.html", rows=rows, seen=seen, review=review, wrong=wrong)
        return html, 422 if wrong and request.method == "POST" else review.status if review else 200


def _asked() -> list[AgentRow]:
    """Those of the form, and the new one if it has an id."""

    def typed(name: str) -> str:
        return " ".join(request.form.get(name, "").split())

    number = min(request.form.get("rows", 0, type=int), _MOST)
    rows = [
        AgentRow(typed(f"id-{key}"), typed(f"email-{key}"), typed(f"name-{key}")) for key in (*range(number), "new")
    ]
    return [one for one in rows if one.id]
