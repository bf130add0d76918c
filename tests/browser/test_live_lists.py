"""Lists follow what happens, without reloading: chats, connectors, quarantine."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import expect

from core.delivery import DeliveryStatus
from tests.support.admins_relay import AdminsRelay
from tests.support.browser import Tab
from tests.support.made import control
from tests.support.stack import chat


def test_a_chat_appears_at_the_top_of_the_list(site: AdminsRelay, tab: Tab) -> None:
    site.post(chat("listed-before"))
    site.arrives_at("archive:1:listed-before", DeliveryStatus.DELIVERED)
    tab.page.goto("/conversations")
    tab.page.evaluate("window.sameDocument = true")
    site.post(chat("listed-live", visitor={"id": 8, "name": "Live Ludmila"}))
    expect(tab.page.get_by_role("link", name="Live Ludmila")).to_be_visible()
    assert tab.page.evaluate("window.sameDocument")


def test_a_connector_that_is_paused_elsewhere_shows_it(
    site: AdminsRelay, tab: Tab, open_tab: Callable[..., Tab]
) -> None:
    one = open_tab()
    one.log_in(site.password)
    one.page.goto("/connectors/help-desk")
    tab.page.goto("/connectors")
    gates = control(site.stack.store)
    gates.pause("help-desk", "moved to another office")
    for page in (tab.page, one.page):
        expect(page.get_by_text("moved to another office")).to_be_visible()
    gates.resume("help-desk")
    for page in (tab.page, one.page):
        expect(page.get_by_text("moved to another office")).to_have_count(0)


def test_a_payload_appears_in_the_quarantine(site: AdminsRelay, tab: Tab) -> None:
    tab.page.goto("/quarantine")
    payload = site.post(b'{"accountId": 1, "live": ')
    expect(tab.page.get_by_text(payload)).to_be_visible()


def test_a_part_that_keeps_itself_up_to_date_takes_no_message_of_another_page(site: AdminsRelay, tab: Tab) -> None:
    """The message of a form is for the page that it leads to, even if a list asks in between."""
    tab.page.goto("/connectors")
    form = tab.page.locator("form[action='/connectors/crm/pause']")
    token = form.locator("[name=csrf_token]").get_attribute("value")
    sent = tab.page.request.post("/connectors/crm/pause", form={"csrf_token": token or ""}, max_redirects=0)
    assert sent.status == 303
    tab.page.request.get("/quarantine", headers={"X-Relay-Live": "1"})
    tab.page.goto("/connectors")
    expect(tab.page.get_by_role("status").get_by_text("crm is paused.")).to_be_visible()
    control(site.stack.store).resume("crm")
