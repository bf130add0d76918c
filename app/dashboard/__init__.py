"""The admin's pages.

`register` puts them into the app. A page is a module with `routes(pages, site)`, listed in PAGES; log-in, the form
tokens, headers and error pages are the same for all and come from here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed

from flask import Blueprint, Flask, current_app, get_flashed_messages, request, url_for
from jinja2 import StrictUndefined

from app.dashboard.frame import addresses, errors, forms, headers, login, theme
from app.dashboard.frame.context import Site
from app.dashboard.frame.sessions import Sessions
from app.dashboard.language import choice, translation, words
from app.dashboard.pages import (
    agents_form,
    backfill,
    bulk,
    connectors,
    conversation,
    conversations,
    erase,
    go,
    overview,
    quarantine,
    quarantine_one,
    relay_yaml,
    routes_form,
    setting_up,
    source,
)
from app.dashboard.view import formatting
from app.dashboard.view.connector_state import state_word
from app.dashboard.view.zone import viewer_zone
from app.proxies import Proxies
from core.wording.sentence import say

PageRoutes = Callable[[Blueprint, Site], None]

PAGES: tuple[PageRoutes, ...] = (
    overview.routes,
    conversations.routes,
    conversation.routes,
    bulk.routes,
    backfill.routes,
    quarantine.routes,
    quarantine_one.routes,
    connectors.routes,
    setting_up.routes,
    relay_yaml.routes,
    routes_form.routes,
    agents_form.routes,
    source.routes,
    erase.routes,
)

#: Endpoint, words and icon, in the order of the bar. `dashboard.NAME_more` belongs to NAME.
_BAR = (
    ("overview", say("Overview"), "bars"),
    ("conversations", say("Chats"), "chat"),
    ("quarantine", say("Quarantine"), "shield"),
    ("connectors", say("Connectors"), "plug"),
    ("erase", say("Erase"), "erase"),
)


@dataclass(frozen=True)
class Item:
    url: str
    label: str
    icon: str
    current: bool


def register(app: Flask, site: Site, pages: Sequence[PageRoutes]) -> login.LoginGuard:
    """Add the dashboard at `/`. Returns what tells admins from strangers."""
    proxies = Proxies(site.env.trusted_proxies, site.env.user_header)
    sessions = Sessions(site.env, proxies)
    door = login.LoginGuard(site, sessions, proxies)
    app.session_interface = sessions
    app.url_map.converters.update(addresses.CONVERTERS)
    app.permanent_session_lifetime = sessions.life
    app.jinja_env.autoescape = True
    app.jinja_env.undefined = StrictUndefined
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.jinja_env.filters.update(formatting.FILTERS)
    translation.install(app.jinja_env)
    app.jinja_env.globals.update(
        signed_in=login.signed_in,
        csrf_field=login.csrf_field,
        longest_reason=forms.LONGEST_REASON,
        navigation=_navigation,
        version=_version,
        flashes=_flashes,
        zone_name=lambda: viewer_zone().key,
        theme=theme.theme,
        themes=theme.THEMES,
        theme_words=words.THEME_WORDS,
        back_here=theme.back_here,
        language=choice.language,
        languages=choice.PAGE_LANGUAGES,
        script_words=words.script_words,
        span_words=words.SPAN_WORDS,
        last_span=words.LAST_SPAN,
        counted_status=words.counted_status,
        state_word=state_word,
    )
    blueprint = Blueprint("dashboard", __name__, template_folder="templates")
    blueprint.before_request(door.admit)
    blueprint.after_request(headers.guarded)
    headers.static_files(blueprint)
    login.routes(blueprint, site, door)
    theme.routes(blueprint)
    errors.routes(blueprint)
    # The frame of every page leads there.
    go.routes(blueprint, site)
    for page in pages:
        page(blueprint, site)
    app.register_blueprint(blueprint)
    errors.of_nowhere(app, door)
    return door


def _navigation() -> list[Item]:
    here = (request.endpoint or "").removeprefix("dashboard.")
    return [
        Item(url_for(f"dashboard.{name}"), label, icon, here == name or here.startswith(f"{name}_"))
        for name, label, icon in _BAR
        if f"dashboard.{name}" in current_app.view_functions
    ]


def _flashes() -> list[tuple[str, str]]:
    if request.headers.get(login.LIVE):
        return []  # they are for the page that is opened next, not for a part that keeps itself up to date
    return get_flashed_messages(with_categories=True)  # type: ignore[return-value]  # pairs, with categories


def _version() -> str:
    try:
        return installed("smartsupp-relay")
    except PackageNotFoundError:
        return ""
