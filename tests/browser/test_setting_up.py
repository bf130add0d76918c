"""From an empty relay.yaml to a chat in HubSpot, only in the browser; and the pages of it, small and by keyboard."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from core.delivery import DeliveryStatus
from tests.browser.test_keyboard import tab_to
from tests.browser.test_look import fit
from tests.fakes.hubspot import HubSpotVendor
from tests.support.admins_relay import AdminsRelay, admins_relay
from tests.support.browser import Tab
from tests.support.stack import SOON_RELOADED, Stack, chat, until

EMPTY = "# The shop's relay\nconnectors: {}\n"
TOKEN = "pat-eu1-walked-0123456789"
SMALL = (320, 640)


@pytest.fixture
def vendor() -> Iterator[HubSpotVendor]:
    with HubSpotVendor(TOKEN, ready=False) as there:
        yield there


@pytest.fixture
def site(browser: Browser, tmp_path: Path) -> Iterator[AdminsRelay]:
    def soon(made: Stack) -> None:
        made.constants.update(SOON_RELOADED)

    with admins_relay(tmp_path / "relay", EMPTY, before=soon) as made:
        yield made


def fill_in(page: Page, vendor: HubSpotVendor, token: str) -> None:
    page.get_by_label("Token", exact=True).fill(token)
    page.get_by_label("Base URL").fill(vendor.url)
    if not page.get_by_label("Allow networks").is_visible():
        page.get_by_text("More settings").click()
    page.get_by_label("Allow networks").fill("127.0.0.0/8")


@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without"])
def test_from_an_empty_file_to_a_chat_in_the_crm(
    site: AdminsRelay, open_tab: Callable[..., Tab], vendor: HubSpotVendor, scripts: bool
) -> None:
    tab = open_tab(scripts=scripts)
    tab.log_in(site.password)
    page = tab.page
    expect(page.get_by_role("heading", name="First steps: 0 of 5 done")).to_be_visible()
    page.get_by_role("button", name="Send a test chat").click()
    expect(page.get_by_role("heading", name="First steps: 1 of 5 done")).to_be_visible()

    page.get_by_role("link", name="Choose a connector").click()
    page.get_by_role("link", name="HubSpot").click()
    fill_in(page, vendor, "a token of somebody else")
    page.get_by_role("button", name="Check", exact=True).click()
    expect(page.locator("#found")).to_contain_text("Problem")
    assert site.stack.config.read_text() == EMPTY

    fill_in(page, vendor, TOKEN)
    page.get_by_role("button", name="Check again").click()
    expect(page.locator("#found")).to_contain_text("can read tickets")
    # What there is at the destination is listed, with scripts and without.
    page.locator("#s-stage-all summary").click()
    expect(page.locator("#s-stage-all")).to_contain_text("Support Pipeline: New")
    expect(page.locator("#s-owner-choices option")).to_have_attribute("value", "me@shop.example")
    expect(page.get_by_role("region", name="Transcript")).to_contain_text("do you deliver to Slovakia?")
    expect(page.get_by_role("region", name="What would be sent")).to_contain_text("zofie@example.com")
    expect(page.get_by_role("region", name="The change of relay.yaml")).to_contain_text("${secret:hubspot-token}")
    assert TOKEN not in page.content()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("hubspot is saved.")).to_be_visible()

    page.get_by_role("button", name="See what is missing").click()
    expect(page.get_by_text("create the ticket property smartsupp_chat_id")).to_be_visible()
    page.get_by_role("button", name="Do this at HubSpot").click()
    expect(page.get_by_text("with unique values: done")).to_be_visible()
    page.get_by_role("button", name="Check now").click()
    expect(page.locator("#found")).to_contain_text("the ticket property smartsupp_chat_id")
    expect(page.locator("#found")).not_to_contain_text("Problem")

    page.get_by_role("link", name="Deliver past chats…").click()
    page.get_by_role("button", name="Count").click()
    expect(page.get_by_text("1 chat", exact=True)).to_be_visible()
    page.get_by_role("button", name="Deliver", exact=True).click()
    until(lambda: any("Lovely, thank you!" in text for text in vendor.texts()), what="the chat in the CRM")
    [contact] = vendor.people()
    assert contact["properties"]["email"] == "zofie@example.com"
    page.goto("/conversations")
    expect(page.get_by_role("row").filter(has_text="Žofie Nováková")).to_contain_text("hubspot")
    page.goto("/")
    expect(page.get_by_role("heading", name="First steps: 2 of 5 done")).to_be_visible()
    assert site.stack.config.read_text().startswith("# The shop's relay\n")
    assert TOKEN not in site.stack.config.read_text()


def test_a_form_is_filled_in_without_a_mouse_in_a_window_of_320_pixels(
    site: AdminsRelay, open_tab: Callable[..., Tab]
) -> None:
    tab = open_tab(size=SMALL)
    tab.expect(422)
    tab.log_in(site.password)
    page = tab.page
    page.goto("/setup/connectors")
    tab_to(page, "Archive")
    page.keyboard.press("Enter")
    page.wait_for_url("**/setup/connectors/archive")
    tab_to(page, "Folder")
    page.keyboard.press("Control+a")
    page.keyboard.type("kept")
    tab_to(page, "More settings")
    page.keyboard.press("Enter")
    tab_to(page, "Rate")
    page.keyboard.type("fast")
    # Enter in a field asks for the check, never for more.
    page.keyboard.press("Enter")
    expect(page.get_by_text("Correct the marked fields")).to_be_visible()
    expect(page.get_by_label("Rate")).to_have_attribute("aria-invalid", "true")
    tab.fits()
    tab_to(page, "Rate")
    page.keyboard.press("Control+a")
    page.keyboard.type("5")
    page.keyboard.press("Enter")
    expect(page.get_by_role("region", name="The change of relay.yaml")).to_contain_text("rate: 5")
    tab.fits()
    tab_to(page, "Save")
    page.keyboard.press("Enter")
    expect(page.get_by_text("archive is saved.")).to_be_visible()
    assert "folder: kept" in site.stack.config.read_text()


def test_the_pages_are_fit_to_be_seen(site: AdminsRelay, open_tab: Callable[..., Tab], vendor: HubSpotVendor) -> None:
    tab = open_tab()
    tab.expect(422)
    tab.log_in(site.password)
    page = tab.page

    def seen(name: str) -> None:
        fit(tab, name)
        tab.look(SMALL, "light")
        tab.fits()
        tab.look((1440, 900), "light")

    seen("overview-first-steps")
    page.get_by_role("button", name="Send a test chat").click()
    page.goto("/setup/connectors")
    seen("connectors_add")
    page.goto("/setup/connectors/hubspot")
    seen("connectors_add_one")
    vendor.labels["5"] = "Rücksendungen" * 16  # a name that breaks nowhere
    fill_in(page, vendor, TOKEN)
    page.get_by_role("button", name="Check", exact=True).click()
    page.get_by_role("button", name="Save").wait_for()
    for setting in ("pipeline", "stage"):
        page.locator(f"#s-{setting}-all summary").click()
    expect(page.locator("#s-pipeline-all")).to_contain_text("Rücksendungen" * 16)
    seen("connectors_add_one-review")
    page.get_by_role("button", name="Save").click()
    page.get_by_role("button", name="See what is missing").click()
    seen("connectors_setup")
    page.get_by_role("link", name="Change settings").click()
    page.get_by_text("More settings").click()
    page.get_by_label("Rate").fill("-1")
    page.get_by_role("button", name="Check", exact=True).click()
    page.get_by_text("Correct the marked fields").wait_for()
    seen("connectors_settings-wrong")
    page.goto("/connectors/hubspot/settings")
    seen("connectors_settings")
    page.goto("/connectors/hubspot/remove")
    seen("connectors_remove")
    page.goto("/setup/history")
    seen("connectors_history")
    page.get_by_role("link", name="Undo Add hubspot").click()
    seen("connectors_undo")


@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without"])
def test_an_agent_gets_an_email_and_the_file_has_it(
    site: AdminsRelay, open_tab: Callable[..., Tab], scripts: bool
) -> None:
    """From nothing: those who wrote in the last chats are there, and only the email is typed."""
    said = {"type": "agent", "from": "agent:77", "name": "Ann Shop", "content": "Hello", "sentAt": 1427470439703}
    site.stack.reconfigure("connectors:\n  crm: {type: archive, folder: crm}\n")
    site.post(chat("agents-form", messages=[said]))
    site.arrives_at("crm:1:agents-form", DeliveryStatus.DELIVERED)
    tab = open_tab(scripts=scripts)
    tab.log_in(site.password)
    page = tab.page
    page.goto("/connectors")
    page.get_by_role("link", name="Agents", exact=True).click()
    page.get_by_role("group", name="Ann Shop").get_by_label("Email").fill("ann@shop.example")
    page.get_by_role("button", name="Try it on the last chats").click()
    expect(page.locator("#review")).to_contain_text("with this table 1 of them have an email")
    expect(page.get_by_role("region", name="The change of relay.yaml")).to_contain_text("ann@shop.example")
    assert "ann@shop.example" not in site.stack.config.read_text()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("The agents are saved.")).to_be_visible()
    expect(page.get_by_role("group", name="Ann Shop").get_by_label("Email")).to_have_value("ann@shop.example")
    assert "ann@shop.example" in site.stack.config.read_text()


@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without"])
def test_a_route_is_tried_on_the_last_chats_and_saved(
    site: AdminsRelay, open_tab: Callable[..., Tab], scripts: bool
) -> None:
    site.stack.reconfigure("connectors:\n  crm: {type: archive, folder: crm}\n  desk: {type: archive, folder: desk}\n")
    site.post(chat(channel={"id": "missed", "isMissed": True}))
    site.arrives_at("crm:1:missed", DeliveryStatus.DELIVERED)
    tab = open_tab(scripts=scripts)
    tab.log_in(site.password)
    page = tab.page
    page.goto("/connectors")
    page.get_by_role("link", name="Routes", exact=True).click()
    form = page.get_by_role("group", name="Another route")
    form.get_by_label("Which chats").fill("conversation.is_missed")
    form.get_by_label("desk", exact=True).check()
    page.get_by_role("button", name="Try it on the last chats").click()
    expect(page.get_by_role("heading", name="On the last 1 chat")).to_be_visible()
    trial = page.get_by_role("region", name="Connectors", exact=True)
    expect(trial.get_by_role("row").filter(has_text="crm")).to_have_text(re.compile(r"crm\s*1\s*0"))
    expect(page.get_by_role("region", name="The change of relay.yaml")).to_contain_text("conversation.is_missed")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("The routes are saved.")).to_be_visible()
    expect(page.get_by_role("group", name="Route 1").get_by_label("Which chats")).to_have_value(
        "conversation.is_missed"
    )
