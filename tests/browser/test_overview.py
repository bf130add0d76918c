"""The overview and the connectors, in the hands of an admin."""

from __future__ import annotations

import re
from collections.abc import Callable

from playwright.sync_api import Locator, Page, expect

from core.delivery import DeliveryStatus
from core.store import Control, connect
from tests.support.admins_relay import AdminsRelay
from tests.support.browser import Tab
from tests.support.stack import chat, until


def tile(page: Page, name: str) -> Locator:
    """The number in a tile."""
    return page.locator(".tile").filter(has=page.get_by_text(name, exact=True)).locator(".tile-value")


def row(page: Page, connector: str) -> Locator:
    return page.get_by_role("row").filter(has=page.get_by_role("link", name=connector, exact=True))


def why(page: Page, connector: str) -> Locator:
    """The row below, which says what is the case and what to do."""
    return row(page, connector).locator("xpath=following-sibling::tr[1][@class='why']")


def test_the_figures_of_the_overview_move_without_reloading(site: AdminsRelay, tab: Tab) -> None:
    tab.page.goto("/")
    tab.page.evaluate("window.sameDocument = true")
    before = int(tile(tab.page, "Chats received").inner_text()), int(tile(tab.page, "Deliveries made").inner_text())
    for number in range(3):
        site.post(chat(f"live-{number}"))
    expect(tile(tab.page, "Chats received")).to_have_text(str(before[0] + 3))
    expect(tile(tab.page, "Deliveries made")).to_have_text(str(before[1] + 9))
    assert tab.page.evaluate("window.sameDocument")
    expect(tab.page.get_by_role("img", name=f"Received {before[0] + 3}, Delivered {before[1] + 9}")).to_be_visible()


def test_a_place_that_was_opened_stays_open_when_the_figures_move(site: AdminsRelay, tab: Tab) -> None:
    tab.page.goto("/")
    tab.page.get_by_text("Show as a table").click()
    table = tab.page.get_by_role("region", name="Figures in the last day")
    expect(table).to_be_visible()
    before = int(tile(tab.page, "Chats received").inner_text())
    site.post(chat("open"))
    expect(tile(tab.page, "Chats received")).to_have_text(str(before + 1))
    expect(table).to_be_visible()


def test_the_spans_are_a_click_away_and_the_chart_is_a_table_too(site: AdminsRelay, tab: Tab) -> None:
    site.post(chat("spans"))
    site.arrives_at("crm:1:spans", DeliveryStatus.DELIVERED)
    tab.page.goto("/")
    for span, last in (
        ("Day", "in the last day"),
        ("Today", "today"),
        ("Week", "in the last week"),
        ("Month", "in the last month"),
        ("Hour", "in the last hour"),
    ):
        tab.page.get_by_role("link", name=span, exact=True).click()
        expect(tab.page.get_by_role("link", name=span, exact=True)).to_have_attribute("aria-current", "true")
        received = int(tile(tab.page, "Chats received").inner_text())
        tab.page.get_by_text("Show as a table").click()
        column = tab.page.get_by_role("region", name=f"Figures {last}").locator("tbody tr td:nth-child(2)")
        assert sum(int(text) for text in column.all_inner_texts()) == received > 0


def test_a_connector_is_paused_with_a_reason_tried_and_resumed(site: AdminsRelay, tab: Tab) -> None:
    page = tab.page
    page.goto("/")
    row(page, "crm").get_by_label("Pause crm").click()
    row(page, "crm").get_by_label("Reason").fill("they move house until noon")
    row(page, "crm").get_by_role("button", name="Pause crm").click()
    expect(page.get_by_text("crm is paused. Its deliveries are queued; nothing is lost.")).to_be_visible()
    expect(why(page, "crm")).to_contain_text("they move house until noon")
    site.crm.received.clear()
    for number in range(3):
        site.post(chat(f"held-{number}"))
        site.arrives_at(f"help-desk:1:held-{number}", DeliveryStatus.DELIVERED)
    expect(tile(page, "Blocked")).to_have_text("3")
    row(page, "crm").get_by_role("button", name="Test crm now with one delivery").click()
    expect(page.get_by_text("One test delivery to crm is made now; the others stay queued.")).to_be_visible()
    expect(tile(page, "Blocked")).to_have_text("2")
    assert len(site.crm.posts()) == 1
    row(page, "crm").get_by_role("button", name="Resume crm").click()
    expect(page.get_by_text("crm resumed.")).to_be_visible()
    expect(tile(page, "Blocked")).to_have_text("0")
    until(lambda: len(site.crm.posts()) == 3, what="the others")


def test_a_connector_is_checked_and_says_what_it_would_send(site: AdminsRelay, tab: Tab) -> None:
    site.post(chat("shown", visitor={"name": "Zuzana", "email": "zuzana@example.com"}))
    site.arrives_at("crm:1:shown", DeliveryStatus.DELIVERED)
    before = len(site.crm.posts())
    page = tab.page
    page.goto("/connectors")
    page.get_by_role("link", name="crm", exact=True).click()
    expect(page.get_by_text("MfKQ9r8GKYqr")).to_have_count(0)
    page.get_by_role("button", name="Check now").click()
    expect(page.get_by_role("button", name="Check again")).to_be_visible()
    page.get_by_label("Chat", exact=True).fill("1:shown")
    page.get_by_role("button", name="Show what would be sent").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Preview of crm")
    expect(page.get_by_text(f"POST {site.crm.url}")).to_be_visible()
    expect(page.get_by_role("region", name="Body of request 1")).to_contain_text("zuzana@example.com")
    # The check has sent a HEAD, and the preview nothing.
    assert len(site.crm.posts()) == before


def test_it_is_all_there_without_scripts(site: AdminsRelay, open_tab: Callable[..., Tab]) -> None:
    tab = open_tab(scripts=False)
    tab.log_in(site.password)
    page = tab.page
    before = int(tile(page, "Chats received").inner_text())
    row(page, "help-desk").get_by_label("Pause help-desk").click()
    row(page, "help-desk").get_by_role("button", name="Pause help-desk").click()
    site.post(chat("plain"))
    site.arrives_at("crm:1:plain", DeliveryStatus.DELIVERED)
    page.reload()
    expect(tile(page, "Chats received")).to_have_text(str(before + 1))
    expect(tile(page, "Blocked")).to_have_text("1")
    row(page, "help-desk").get_by_role("button", name="Resume help-desk").click()
    expect(page.get_by_text("help-desk resumed.")).to_be_visible()
    site.arrives_at("help-desk:1:plain", DeliveryStatus.DELIVERED)


def test_the_tab_shows_that_something_needs_somebody_and_that_it_is_over(site: AdminsRelay, tab: Tab) -> None:
    page = tab.page
    page.goto("/")
    expect(page).to_have_title(re.compile(r"^(\(\d+\) )?Overview"))
    before = page.title()
    count = int(re.sub(r"\D", "", before) or 0)
    page.evaluate("window.sameDocument = true")
    control = Control(connect(site.stack.server.url))
    control.pause("crm", "they move house")
    expect(page).to_have_title(f"({count + 1}) " + re.sub(r"^\(\d+\) ", "", before))
    expect(page.locator("link[rel=icon]")).to_have_attribute("href", re.compile("icon-problem"))
    control.resume("crm")
    expect(page).to_have_title(before)
    assert page.evaluate("window.sameDocument")


def test_a_trouble_comes_to_the_list_by_itself_and_its_button_ends_it(site: AdminsRelay, tab: Tab) -> None:
    page = tab.page
    page.goto("/")
    page.evaluate("window.sameDocument = true")
    Control(connect(site.stack.server.url)).pause("crm", "they move house")
    line = page.locator(".attention-line[data-kind=held]").filter(has_text="crm: paused by you")
    expect(line).to_contain_text("they move house")
    assert page.evaluate("window.sameDocument")
    line.get_by_role("button", name="Resume: crm").press("Enter")
    expect(page.get_by_text("crm resumed.")).to_be_visible()
    expect(line).to_have_count(0)
