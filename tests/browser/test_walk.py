"""A chat did not arrive: an admin finds it, reads why, puts it right and sees it delivered."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from core.delivery import DeliveryStatus
from core.ids import ConversationId
from core.store import Filter, Search
from tests.support.admins_relay import AdminsRelay
from tests.support.browser import Tab
from tests.support.destination import Behaviour
from tests.support.made import control
from tests.support.stack import chat, until

both = pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without"])

WRONG = b'{"error": "ondrej(at)example is no email address"}'
REFUSES: Behaviour = lambda handler, number: handler.answer(422, WRONG)  # noqa: E731  # a behaviour is a value
TAKES: Behaviour = lambda handler, number: handler.answer(200)  # noqa: E731  # the same


@pytest.fixture(autouse=True)
def clean(site: AdminsRelay) -> None:
    """No test finds what another one left behind when it failed."""
    site.crm.behaviour = TAKES
    for row in Search(site.stack.server.client).page(Filter(status=DeliveryStatus.DEAD), limit=100).rows:
        control(site.stack.store).discard(row.delivery, "left behind")


def refused(site: AdminsRelay, *channels: str, name: str = "Ondřej Malý") -> None:
    """Chats that the CRM did not take, and all others did."""
    site.crm.behaviour = REFUSES
    for channel in channels:
        site.post(chat(channel, visitor={"name": name, "email": f"{channel}@example.com"}))
    for channel in channels:
        site.arrives_at(f"crm:1:{channel}", DeliveryStatus.DEAD)
        site.arrives_at(f"help-desk:1:{channel}", DeliveryStatus.DELIVERED)
    site.crm.behaviour = TAKES


@both
def test_a_dead_delivery_is_found_understood_and_delivered(
    site: AdminsRelay, open_tab: Callable[..., Tab], scripts: bool
) -> None:
    channel = f"lost-{scripts}"
    refused(site, channel)
    tab = open_tab(scripts=scripts)
    tab.log_in(site.password)
    page = tab.page
    page.get_by_role("link", name="Dead letters").click()
    page.get_by_role("link", name="Ondřej Malý").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Ondřej Malý")
    expect(page.get_by_role("region", name="Transcript")).to_contain_text("Hello")
    to_crm = page.get_by_role("region", name="crm Dead")
    expect(to_crm).to_contain_text("422")
    to_crm.get_by_text(f"POST {site.crm.url}").click()
    expect(to_crm.get_by_role("region", name="Response: POST of attempt 1")).to_contain_text(
        "ondrej(at)example is no email address"
    )
    expect(to_crm.get_by_role("region", name="Sent: POST of attempt 1")).to_contain_text(f"{channel}@example.com")
    to_crm.get_by_role("button", name="Retry: crm").click()
    expect(page.get_by_text("Queued for crm.")).to_be_visible()
    site.arrives_at(f"crm:1:{channel}", DeliveryStatus.DELIVERED)
    if not scripts:
        page.reload()
    now = page.get_by_role("region", name="crm Delivered")
    expect(now).to_contain_text("2 attempts")
    page.get_by_role("link", name="Overview", exact=True).click()
    expect(page.get_by_role("link", name="Dead letters")).to_contain_text("none")


@both
def test_all_that_are_dead_are_delivered_again_with_a_bar_that_fills(
    site: AdminsRelay, open_tab: Callable[..., Tab], scripts: bool
) -> None:
    channels = [f"many-{scripts}-{number}" for number in range(7)]
    refused(site, *channels)
    tab = open_tab(scripts=scripts)
    tab.log_in(site.password)
    page = tab.page
    page.goto("/conversations")
    page.get_by_label("Status").select_option("dead")
    page.get_by_label("Connector").select_option("crm")
    page.get_by_role("button", name="Search").click()
    expect(page.get_by_role("region", name="Chats").get_by_role("row")).to_have_count(8)
    page.get_by_role("link", name="Replay all that match").click()
    expect(page.get_by_text("7 deliveries")).to_be_visible()
    site.crm.received.clear()
    page.get_by_role("button", name="Replay").click()
    bar = page.get_by_role("progressbar", name="Done")
    expect(bar).to_be_visible()
    # Without scripts the page asks by itself.
    expect(page.get_by_text("7 deliveries are queued")).to_be_visible()
    assert bar.evaluate("bar => bar.value === bar.max")
    until(lambda: len(set(site.crm.conversations())) == 7, what="all of them")
    arrived = page.get_by_role("progressbar", name="Arrived")
    expect(arrived).to_have_attribute("value", "7")
    for channel in channels:
        site.arrives_at(f"crm:1:{channel}", DeliveryStatus.DELIVERED)
    page.goto("/conversations?status=dead")
    expect(page.get_by_text("Nothing matches")).to_be_visible()


def test_what_need_not_arrive_is_discarded_with_a_reason(site: AdminsRelay, tab: Tab) -> None:
    refused(site, "gone-1", "gone-2", name="Spam Bot")
    page = tab.page
    page.goto("/conversations/1:gone-1#to-crm")
    page.get_by_role("region", name="crm Dead letter").get_by_text("Discard…").click()
    page.get_by_label("Reason for discarding").fill("an advertisement")
    page.get_by_role("button", name="Discard", exact=True).click()
    expect(page.get_by_role("region", name="crm Discarded")).to_contain_text("an advertisement")
    page.goto("/conversations?status=dead&q=spam")
    expect(page.get_by_role("row")).to_have_count(2)
    page.get_by_role("link", name="Discard all that match").click()
    page.get_by_label("Reason for discarding").fill("the same")
    page.get_by_role("button", name="Discard", exact=True).click()
    expect(page.get_by_text("1 delivery is discarded")).to_be_visible()
    site.arrives_at("crm:1:gone-2", DeliveryStatus.DISCARDED)


def test_a_chat_is_found_by_name_e_mail_id_and_what_was_said(site: AdminsRelay, tab: Tab) -> None:
    message = {"type": "visitor", "from": "visitor:mx1", "content": "Where is my teapot?", "sentAt": 1427470439703}
    site.post(chat("teapot", visitor={"name": "Žofie Nováková", "email": "zofie@example.com"}, messages=[message]))
    site.arrives_at("archive:1:teapot", DeliveryStatus.DELIVERED)
    page = tab.page
    for text, said in (("zofie nova", False), ("zofie@", False), ("teapot", False), ("my TEAPOT", True)):
        page.goto("/conversations")
        page.get_by_label("Name, email or id").fill(text)
        if said:
            page.get_by_label("Search message text as well").check()
        page.get_by_role("button", name="Search").click()
        expect(page.get_by_role("link", name="Žofie Nováková")).to_have_count(1)


def test_a_later_revision_is_shown_beside_the_first(site: AdminsRelay, tab: Tab) -> None:
    def said(*words: str) -> bytes:
        return chat("longer", messages=[{"type": "visitor", "from": "visitor:mx1", "content": one} for one in words])

    site.post(said("First words"))
    site.arrives_at("crm:1:longer", DeliveryStatus.DELIVERED)
    tab.page.goto("/conversations/1:longer")
    site.post(said("First words", "Second thoughts"))
    until(lambda: len(site.stack.ledger.conversation(ConversationId("1:longer")).payloads) == 2, what="the revision")
    tab.page.reload()
    transcript = tab.page.get_by_role("region", name="Transcript")
    expect(transcript).to_contain_text("Second thoughts")
    tab.page.get_by_role("link", name="Revision 1", exact=True).click()
    expect(transcript).not_to_contain_text("Second thoughts")
    tab.page.get_by_text("Payload of revision 1", exact=True).click()
    body = tab.page.get_by_role("region", name="The payload as JSON").inner_text()
    assert json.loads(body) == json.loads(said("First words"))


@both
def test_from_the_list_of_what_needs_attention_all_of_one_cause_are_delivered(
    site: AdminsRelay, open_tab: Callable[..., Tab], scripts: bool
) -> None:
    channels = [f"cause-{scripts}-{number}" for number in range(3)]
    refused(site, *channels)
    tab = open_tab(scripts=scripts)
    tab.log_in(site.password)
    page = tab.page
    line = page.locator(".attention-line[data-kind=dead]").filter(has_text="Deliveries to crm failed permanently")
    expect(line).to_contain_text("3 dead letters, kept until you decide. Cause: HTTP 422")
    line.get_by_role("link", name="See them").click()
    expect(page.get_by_role("heading", name="3 dead letters have 1 cause")).to_be_visible()
    page.get_by_role("link", name="Retry all of crm with cause 1").click()
    expect(page.get_by_text("3 deliveries", exact=True)).to_be_visible()
    page.get_by_role("button", name="Replay").click()
    for channel in channels:
        site.arrives_at(f"crm:1:{channel}", DeliveryStatus.DELIVERED)
    page.goto("/connectors/crm?span=hour")
    expect(page.get_by_role("img", name="Success in the last hour")).to_be_visible()
    expect(page.get_by_role("region", name="Last deliveries").get_by_role("link").first).to_be_visible()
    page.goto(f"/conversations/1:{channels[0]}")
    expect(page.get_by_text("from receipt to record").first).to_be_visible()
