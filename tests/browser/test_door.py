"""Coming in and going out, with JavaScript and without."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import expect

from tests.support.admins_relay import AdminsRelay
from tests.support.browser import Tab

both = pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without"])


@both
def test_a_wrong_password_says_so_and_the_right_one_leads_to_where_one_was_going(
    site: AdminsRelay, open_tab: Callable[..., Tab], scripts: bool
) -> None:
    tab = open_tab(scripts=scripts)
    tab.expect(403)
    tab.page.goto("/conversations?q=ann")
    expect(tab.page).to_have_title("Log in · Relay for Smartsupp")
    expect(tab.page.get_by_role("navigation")).to_have_count(0)
    tab.page.get_by_label("Password").fill("wrong-wrong-wrong")
    tab.page.get_by_role("button", name="Log in").click()
    expect(tab.page.get_by_text("Wrong password.")).to_be_visible()
    assert tab.page.get_by_label("Password").input_value() == ""
    tab.page.get_by_label("Password").fill(site.password)
    tab.page.get_by_label("Password").press("Enter")
    expect(tab.page.get_by_role("heading", level=1)).to_have_text("Chats")
    assert tab.page.url == f"{site.home}/conversations?q=ann"


@both
def test_who_logs_out_is_a_stranger_again_in_every_window(
    site: AdminsRelay, open_tab: Callable[..., Tab], scripts: bool
) -> None:
    tab = open_tab(scripts=scripts)
    tab.log_in(site.password)
    other = tab.context.new_page()
    other.goto("/connectors")
    tab.page.get_by_role("button", name="Log out").click()
    expect(tab.page.get_by_text("You are logged out.")).to_be_visible()
    for page in (tab.page, other):
        page.goto("/connectors")
        assert urlsplit(page.url).path == "/login"
    tab.page.go_back()
    expect(tab.page.get_by_role("button", name="Log out")).to_have_count(0)


def test_a_live_page_notices_that_the_session_is_over(site: AdminsRelay, tab: Tab) -> None:
    tab.expect(401)
    tab.page.goto("/")
    site_cookies = tab.context.cookies()
    # The session, the browser's own, by which it is known again, and its time zone, which its script writes.
    assert sorted((one["httpOnly"], one["sameSite"], one["name"] == "relay-zone") for one in site_cookies) == [
        (False, "Lax", True),
        (True, "Lax", False),
        (True, "Strict", False),
    ]
    tab.context.clear_cookies()
    expect(tab.page.get_by_label("Password")).to_be_visible(timeout=15_000)
