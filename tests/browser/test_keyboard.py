"""The way from the log-in to a delivery that arrives, without a mouse."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import Page, expect

from core.delivery import DeliveryStatus
from tests.support.admins_relay import AdminsRelay
from tests.support.browser import NARROW, WIDE, Tab
from tests.support.stack import chat

#: What has the focus: its words, whether one sees it, and whether one sees that it has it.
_FOCUS = """() => {
  const at = document.activeElement, box = at.getBoundingClientRect(), style = getComputedStyle(at);
  const outlined = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 1;
  return {
    words: (at.getAttribute("aria-label") || at.labels?.[0]?.innerText || at.innerText || "").trim(),
    body: at === document.body,
    inside: box.width > 0 && box.height > 0
      && box.top < innerHeight && box.bottom > 0 && box.left < innerWidth && box.right > 0,
    shown: at.matches(":focus-visible") && (outlined || style.boxShadow !== "none"),
  };
}"""


def tab_to(page: Page, words: str, key: str = "Tab") -> list[str]:
    """Go on until `words` has the focus. Every stop on the way is seen, and seen to have it."""
    stops: list[str] = []
    for _ in range(80):
        page.keyboard.press(key)
        at = page.evaluate(_FOCUS)
        if at["body"]:
            continue
        stops.append(at["words"])
        assert at["inside"], f"the focus is out of sight, at {at}"
        assert at["shown"], f"nothing shows that the focus is at {at}"
        if at["words"] == words:
            return stops
    raise AssertionError(f"'{words}' is not on the way: {stops}")


def _dead(site: AdminsRelay, channel: str) -> None:
    site.crm.behaviour = lambda handler, number: handler.answer(422)
    site.post(chat(channel, visitor={"name": f"Key {channel}", "email": "key@example.com"}))
    site.arrives_at(f"crm:1:{channel}", DeliveryStatus.DEAD)
    site.crm.behaviour = lambda handler, number: handler.answer(200)


def test_the_first_stop_leads_past_the_menu(site: AdminsRelay, tab: Tab) -> None:
    tab.page.goto("/conversations")
    assert tab_to(tab.page, "Skip to content") == ["Skip to content"]
    tab.page.keyboard.press("Enter")
    assert tab.page.evaluate("document.activeElement.id") == "content"
    stops = tab_to(tab.page, "Search")
    assert "Overview" not in stops


def test_the_whole_way(site: AdminsRelay, open_tab: Callable[..., Tab]) -> None:
    for size in (WIDE, NARROW):
        channel = f"board-{size[0]}"
        _dead(site, channel)
        page = open_tab(size=size).page
        page.goto("/login")
        # The password is where one begins. (The browser takes a moment, in which keys would go nowhere.)
        expect(page.get_by_label("Password")).to_be_focused()
        page.keyboard.type(site.password)
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", level=1)).to_have_text("Overview")
        stops = tab_to(page, "Chats")
        assert [one for one in stops if one in ("Overview", "Chats")] == ["Overview", "Chats"]
        page.keyboard.press("Enter")
        page.wait_for_url("**/conversations")
        tab_to(page, "Status")
        # By its first letter, as selects have it.
        page.keyboard.type("Dead")
        tab_to(page, "Search")
        page.keyboard.press("Enter")
        page.wait_for_url("**status=dead**")
        tab_to(page, f"Key {channel}")
        page.keyboard.press("Enter")
        page.wait_for_url(f"**/1:{channel}")
        tab_to(page, "Retry: crm")
        page.keyboard.press("Enter")
        expect(page.get_by_text("Queued for crm.")).to_be_visible()
        expect(page.get_by_role("heading", name="crm Delivered")).to_be_visible()
        tab_to(page, "Log out")
        page.keyboard.press("Enter")
        expect(page.get_by_text("You are logged out.")).to_be_visible()


def test_the_focus_stays_where_it_is_when_the_figures_move(site: AdminsRelay, tab: Tab) -> None:
    page = tab.page
    page.goto("/")
    tab_to(page, "Pause help-desk")
    site.post(chat("moved"))
    site.arrives_at("crm:1:moved", DeliveryStatus.DELIVERED)
    expect(page.get_by_role("row").filter(has_text="help-desk").get_by_role("cell").nth(1)).not_to_have_text("0")
    assert page.evaluate(_FOCUS)["words"] == "Pause help-desk"
