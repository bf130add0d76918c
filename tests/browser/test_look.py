"""Every page of a busy shop, narrow and wide, light and dark: nothing sticks out, nothing complains, nobody is shut out."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest
from playwright.sync_api import Browser

from app import create_app
from core.delivery import DeliveryStatus, PayloadStatus
from core.environment import environment
from core.store import Filter, Search
from tests.support import axe, shop
from tests.support.admins_relay import AdminsRelay, admins_relay
from tests.support.browser import NARROW, WIDE, Tab, Theme
from tests.support.stack import Stack

#: Endpoint, and the address of a page that has much to show. `{dead}` and the like are ids that `looked_up` knows.
PAGES = {
    "login": "/login",
    "overview": "/?span=day",
    "connectors": "/connectors",
    "connectors_one": "/connectors/hubspot",
    "connectors_preview": "/connectors/hubspot/preview",
}
#: Endpoints that answer GET with something that is no page.
NO_PAGES = {"static", "overview_live"}


def _busy(made: Stack) -> None:
    made.server.client.config_set("appendfsync", "no")
    shop.open_shop(made.server.client, made.environment, round(time.time() * 1000), a_day=5)
    made.server.client.config_set("appendfsync", "always")


@pytest.fixture(scope="module")
def site(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[AdminsRelay]:
    with admins_relay(tmp_path_factory.mktemp("shop") / "relay", shop.CONFIG, shop.VARIABLES, _busy) as made:
        yield made


@pytest.fixture(scope="module")
def window(browser: Browser, site: AdminsRelay) -> Iterator[Tab]:
    tab = Tab(browser, site.home)
    tab.log_in(site.password)
    yield tab
    tab.close()


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """RELAY_PICTURES names a folder that keeps them."""
    folder = Path(os.environ.get("RELAY_PICTURES") or tmp_path_factory.mktemp("pictures"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def looked_up(site: AdminsRelay) -> dict[str, str]:
    search = Search(site.stack.server.client)
    found = {
        str(status): row.delivery
        for status in (DeliveryStatus.DEAD, DeliveryStatus.RETRYING, DeliveryStatus.DELIVERED)
        for row in search.page(Filter(connector="hubspot", status=status), limit=1).rows
    }
    (payload, *_) = site.stack.ledger.payloads(PayloadStatus.QUARANTINED, 1)
    return {**found, "conversation": found["dead"].split(":", 1)[1], "payload": payload.id}


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_fit_to_be_seen(name: str, site: AdminsRelay, window: Tab, pictures: Path) -> None:
    answer = window.page.goto(PAGES[name].format(**looked_up(site)))
    assert answer
    assert answer.status == 200
    for size in (WIDE, NARROW):
        for theme in get_args(Theme):
            window.look(size, theme)
            window.page.screenshot(path=pictures / f"{name}-{size[0]}-{theme}.png", full_page=True)
            window.fits()
            found = axe.findings(window.page)
            assert not found, "\n".join([f"{window.page.url}, {size[0]} px, {theme}:", *found])
    window.quiet()


def test_every_page_there_is_was_looked_at() -> None:
    rules = create_app(environment({})).url_map.iter_rules()
    endpoints = {
        one.endpoint.removeprefix("dashboard.")
        for one in rules
        if one.endpoint.startswith("dashboard.") and "GET" in (one.methods or ())
    }
    assert endpoints == set(PAGES) | NO_PAGES
