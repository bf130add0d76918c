"""Every page of a busy shop, narrow and wide, light and dark: nothing sticks out or complains, nobody is shut out."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest
from playwright.sync_api import Browser

from app import create_app
from core.config.environment import environment
from core.delivery import DeliveryStatus, PayloadStatus
from core.store import Filter, Jobs, Search
from tests.support import axe, made, shop
from tests.support.admins_relay import AdminsRelay, admins_relay
from tests.support.browser import NARROW, WIDE, Tab, Theme

#: Endpoint, a picture's name if one endpoint has several, and the address of a page that has much to show. `{dead}` and
#: the like are ids that `looked_up` knows.
PAGES = {
    "overview": "/?span=month",
    "conversations": "/conversations",
    "conversations/dead": "/conversations?status=dead&connector=hubspot",
    "conversations/more": "/conversations?missed=1&rating=bad",
    "conversations/wrong": "/conversations?from=yesterday&status=lost",
    "conversations/nothing": "/conversations?q=nobody+of+that+name",
    "conversations_one": "/conversations/{delivered}",
    "conversations_one/dead": "/conversations/{dead}",
    "conversations_one/paused": "/conversations/{paused}",
    "conversations_one/revised": "/conversations/{revised}?revision=1",
    "conversations_bulk": "/conversations/bulk?action=replay&status=dead",
    "conversations_bulk/discard": "/conversations/bulk?action=discard&status=dead",
    "conversations_jobs": "/conversations/jobs",
    "conversations_job": "/conversations/jobs/{job}",
    "connectors": "/connectors",
    "connectors_one": "/connectors/hubspot",
    "connectors_one/paused": "/connectors/zendesk",
    "connectors_preview": "/connectors/hubspot/preview",
    "connectors_past": "/connectors/hubspot/past",
    "connectors_add": "/setup/connectors",
    "connectors_add_one": "/setup/connectors/zendesk",
    "connectors_settings": "/connectors/hubspot/settings",
    "connectors_remove": "/connectors/hubspot/remove",
    "connectors_history": "/setup/history",
    "connectors_agents": "/setup/agents",
    "connectors_routes": "/setup/routes",
    "quarantine": "/quarantine",
    "quarantine/nothing": "/quarantine?status=set-aside",
    "quarantine_one": "/quarantine/{payload}",
    "quarantine_all": "/quarantine/all?action=discard",
    "overview_source": "/source",
    "erase": "/erase",
    "go": "/go",
}
#: Endpoints that answer GET with something that is no page by itself, and those for strangers.
NO_PAGES = {
    "static",
    "overview_live",
    "conversations_deliveries",
    "conversations_body",
    "conversations_csv",
    "conversations_file",
    "conversations_job_live",
    "quarantine_body",
    "login",
    "login_link",
    # Looked at where there is a change to undo: test_setting_up.py.
    "connectors_undo",
}
#: Answers of 422 are pages, too.
WRONG = {"conversations/wrong"}


@pytest.fixture(scope="module")
def site(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[AdminsRelay]:
    folder = tmp_path_factory.mktemp("shop") / "relay"
    with admins_relay(folder, shop.CONFIG, shop.VARIABLES, lambda made: shop.open_shop(made, a_day=5)) as made:
        yield made


@pytest.fixture(scope="module")
def window(browser: Browser, site: AdminsRelay) -> Iterator[Tab]:
    tab = Tab(browser, site.home)
    tab.log_in(site.password)
    yield tab
    tab.close()


@pytest.fixture(scope="module")
def looked_up(site: AdminsRelay) -> dict[str, str]:
    client = site.stack.server.client
    search, jobs = Search(client), Jobs(client, made.configured)

    def newest(connector: str, status: DeliveryStatus) -> str:
        return search.page(Filter(connector=connector, status=status), limit=1).rows[0].id

    (payload, *_) = site.stack.ledger.payloads(PayloadStatus.QUARANTINED, 1)
    job = jobs.start("replay", Filter(connector="zendesk", status=DeliveryStatus.DEAD))
    jobs.advance(job.id)
    rows = search.page(Filter(), limit=100).rows
    (revised,) = [row.id for row in rows if len(site.stack.store.revisions(row.id)) == 2]
    return {
        "dead": newest("hubspot", DeliveryStatus.DEAD),
        "delivered": newest("zendesk", DeliveryStatus.DELIVERED),
        "paused": newest("zendesk", DeliveryStatus.WAITING),
        "revised": revised,
        "payload": payload.id,
        "job": job.id,
    }


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_fit_to_be_seen(name: str, site: AdminsRelay, window: Tab, looked_up: dict[str, str]) -> None:
    window.expect(422)
    window.faults.clear()
    answer = window.page.goto(PAGES[name].format(**looked_up))
    assert answer
    assert answer.status == (422 if name in WRONG else 200)
    fit(window, name)


def test_the_log_in_is_fit_to_be_seen(browser: Browser, site: AdminsRelay) -> None:
    stranger = Tab(browser, site.home)
    stranger.page.goto("/conversations")
    fit(stranger, "login")
    stranger.close()


def test_what_a_form_answers_is_fit_to_be_seen(window: Tab, site: AdminsRelay, looked_up: dict[str, str]) -> None:
    page = window.page
    window.expect(422)
    window.faults.clear()
    page.goto("/connectors/archive")
    page.get_by_role("button", name="Check now").click()
    page.get_by_role("button", name="Check again").wait_for()
    fit(window, "connectors_check")
    page.goto(f"/quarantine/{looked_up['payload']}")
    page.get_by_role("button", name="Save and retry").click()
    page.get_by_text("was not saved").wait_for()
    fit(window, "quarantine_correct")
    page.goto("/erase")
    page.get_by_label("The visitor's email address or id").fill("lukas.brandt@example.de")
    page.get_by_role("button", name="Find").click()
    page.get_by_role("button", name="Erase permanently").wait_for()
    fit(window, "erase_look")
    page.get_by_role("button", name="Erase permanently").click()
    page.get_by_role("link", name="Download the receipt").wait_for()
    fit(window, "erase_now")


def fit(tab: Tab, name: str) -> None:
    """RELAY_PICTURES names a folder for pictures of it, which are for people to look at."""
    folder = os.environ.get("RELAY_PICTURES")
    for size in (WIDE, NARROW):
        for theme in get_args(Theme):
            tab.look(size, theme)
            if folder:
                tab.picture(Path(folder) / f"{name.replace('/', '-')}-{size[0]}-{theme}.png")
            tab.fits()
            # Colours are those of the theme, in any width, and the wide page has all of them.
            found = axe.findings(tab.page, contrast=size == WIDE)
            assert not found, "\n".join([f"{tab.page.url}, {size[0]} px, {theme}:", *found])
    tab.quiet()


def test_every_page_there_is_was_looked_at() -> None:
    rules = create_app(environment({})).url_map.iter_rules()
    endpoints = {
        one.endpoint.removeprefix("dashboard.")
        for one in rules
        if one.endpoint.startswith("dashboard.") and "GET" in (one.methods or ())
    }
    assert endpoints == {name.split("/")[0] for name in PAGES} | NO_PAGES
