"""What saves steps: the palette, copying, filters that a browser keeps, and the theme."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable

from playwright.sync_api import expect

from core.delivery import DeliveryStatus
from tests.support import axe
from tests.support.admins_relay import AdminsRelay
from tests.support.browser import Tab
from tests.support.stack import chat


def test_a_page_is_reached_by_its_name_without_a_mouse(site: AdminsRelay, tab: Tab) -> None:
    page = tab.page
    page.goto("/")
    page.keyboard.press("Control+k")
    palette = page.get_by_role("dialog", name="Go to")
    expect(palette.get_by_role("combobox")).to_be_focused()
    expect(palette.get_by_role("option").first).to_have_text("Overview")
    assert not axe.findings(page)
    page.keyboard.type("help settings")
    expect(palette.get_by_role("option").first).to_have_text("Settings of help-desk")
    page.keyboard.press("Enter")
    expect(page).to_have_url(f"{site.home}/connectors/help-desk/settings")
    page.keyboard.press("Control+k")
    page.keyboard.press("Escape")
    expect(palette).to_be_hidden()


def test_the_list_is_downloaded_as_a_table_as_it_is_filtered(site: AdminsRelay, open_tab: Callable[..., Tab]) -> None:
    site.post(chat("table", visitor={"id": 4, "name": "Tabular Tereza"}))
    site.arrives_at("archive:1:table", DeliveryStatus.DELIVERED)
    tab = open_tab(scripts=False)
    tab.log_in(site.password)
    tab.page.goto("/conversations?q=tabular+ter")
    with tab.page.expect_download() as expected:
        tab.page.get_by_role("link", name="Download CSV").click()
    file = expected.value
    assert file.failure() is None
    (row,) = csv.DictReader(io.StringIO(file.path().read_text("utf-8-sig"), newline=""))
    assert (row["conversation"], row["name"], row["archive status"]) == ("1:table", "Tabular Tereza", "delivered")


def test_what_is_no_page_is_searched_among_the_chats(site: AdminsRelay, tab: Tab) -> None:
    site.post(chat("palette", visitor={"id": 4, "name": "Palette Petra"}))
    page = tab.page
    page.goto("/connectors")
    page.keyboard.press("/")  # there is no search on this page
    page.keyboard.type("palette pet")
    page.keyboard.press("ArrowUp")
    expect(page.get_by_role("listbox").get_by_role("option", selected=True)).to_have_text(
        "Search chats for “palette pet”"
    )
    page.keyboard.press("Enter")
    expect(page.get_by_role("link", name="Palette Petra")).to_be_visible()
    page.locator("main").click(position={"x": 5, "y": 5})
    page.keyboard.press("/")
    expect(page.get_by_label("Name, email or id")).to_be_focused()
    page.keyboard.type("?/")  # are letters, here
    expect(page.get_by_label("Name, email or id")).to_have_value("?/")
    page.get_by_role("link", name="Clear").focus()
    page.keyboard.press("?")
    expect(page).to_have_url(f"{site.home}/go")


def test_a_filter_is_kept_by_name_and_removed(site: AdminsRelay, tab: Tab) -> None:
    page = tab.page
    page.goto("/conversations")
    expect(page.locator(".saved")).to_be_hidden()
    page.goto("/conversations?q=&status=dead&connector=crm")
    page.get_by_text("Save this filter").click()
    page.get_by_label("Name of this filter").fill("<b>Dead</b> at the CRM")
    page.get_by_role("button", name="Save", exact=True).click()
    page.goto("/conversations")
    page.get_by_text("Saved filters (1)").click()
    page.get_by_role("link", name="<b>Dead</b> at the CRM").click()
    expect(page).to_have_url(f"{site.home}/conversations?status=dead&connector=crm")
    page.get_by_text("Saved filters (1)").click()
    page.get_by_role("button", name="Remove the filter <b>Dead</b> at the CRM").click()
    expect(page.get_by_text("Save this filter")).to_be_focused()
    page.goto("/conversations")
    expect(page.locator(".saved")).to_be_hidden()


def test_an_address_is_copied(site: AdminsRelay, tab: Tab) -> None:
    tab.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=site.home)
    page = tab.page
    site.post(chat("copied"))
    site.arrives_at("crm:1:copied", DeliveryStatus.DELIVERED)
    page.goto("/connectors/crm/preview")
    code = page.locator("pre.code").first
    page.get_by_role("button", name="Copy: Body of request 1").click()
    expect(page.get_by_role("button", name="Copied: Body of request 1")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()").strip() == code.inner_text().strip()


def test_the_theme_is_chosen_by_a_button_with_and_without_scripts(
    site: AdminsRelay, open_tab: Callable[..., Tab]
) -> None:
    for scripts in (True, False):
        tab = open_tab(scripts=scripts)
        tab.log_in(site.password)
        page = tab.page
        page.goto("/conversations")
        ground = "getComputedStyle(document.body).backgroundColor"
        light = page.evaluate(ground)
        page.get_by_role("button", name="Dark").click()
        expect(page).to_have_url(f"{site.home}/conversations")
        expect(page.get_by_role("button", name="Dark", pressed=True)).to_be_visible()
        assert page.evaluate(ground) != light
        if scripts:
            assert not axe.findings(page)
        tab.look((1280, 900), "dark")
        page.get_by_role("button", name="Light").click()
        expect(page.get_by_role("button", name="Light", pressed=True)).to_be_visible()
        assert page.evaluate(ground) == light
