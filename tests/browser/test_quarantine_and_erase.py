"""Quarantine and erasing, walked by an admin, with JavaScript and without."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import expect

from core.delivery import DeliveryStatus, PayloadStatus
from core.ids import ConversationId, PayloadId
from tests.support.admins_relay import AdminsRelay
from tests.support.browser import Tab
from tests.support.stack import chat, until

both = pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without"])


@both
def test_a_broken_body_is_looked_at_corrected_and_delivered(
    site: AdminsRelay, open_tab: Callable[..., Tab], scripts: bool
) -> None:
    channel = f"mended-{scripts}"
    whole = chat(channel).decode()
    payload = site.post(whole.replace('"Hello"', '"Hello').encode())
    until(
        lambda: site.stack.ledger.payload(PayloadId(payload)).status is PayloadStatus.QUARANTINED, what="the quarantine"
    )
    tab = open_tab(scripts=scripts)
    tab.expect(422)
    tab.log_in(site.password)
    page = tab.page
    page.get_by_role("link", name="Quarantined").click()
    page.locator(f"a[href$='{payload}']").click()
    expect(page.get_by_text("not JSON")).to_be_visible()
    expect(page.get_by_role("region", name="Where the problem is").locator("mark")).to_be_visible()
    text = page.get_by_label("Payload", exact=True)
    assert '"Hello, "sentAt"' in text.input_value()
    text.fill(whole.replace(channel, "no id at all"))
    page.get_by_role("button", name="Save and retry").click()
    expect(page.get_by_text("The corrected payload was not saved")).to_be_visible()
    assert "no id at all" in page.get_by_label("Payload", exact=True).input_value()
    page.get_by_label("Payload", exact=True).fill(whole)
    page.get_by_role("button", name="Save and retry").click()
    expect(page.get_by_text("The corrected payload was saved, and the wrong one discarded.")).to_be_visible()
    for connector in ("crm", "help-desk", "archive"):
        site.arrives_at(f"{connector}:1:{channel}", DeliveryStatus.DELIVERED)
    assert site.stack.ledger.payload(PayloadId(payload)).status is PayloadStatus.DISCARDED
    page.goto(f"/quarantine/{payload}")
    page.get_by_role("link", name="See the corrected one").click()
    expect(page.get_by_role("heading", name="crm Delivered")).to_be_visible()


def test_what_is_no_conversation_is_discarded_with_a_reason(site: AdminsRelay, tab: Tab) -> None:
    payload = site.post(b"this is no conversation")
    until(
        lambda: site.stack.ledger.payload(PayloadId(payload)).status is PayloadStatus.QUARANTINED, what="the quarantine"
    )
    page = tab.page
    page.goto(f"/quarantine/{payload}")
    page.get_by_label("Reason for discarding").fill("somebody tried curl")
    page.get_by_role("button", name="Discard").click()
    expect(page.get_by_text("Discarded. It can still be retried.")).to_be_visible()
    page.get_by_role("button", name="Retry unchanged").click()
    until(
        lambda: site.stack.ledger.payload(PayloadId(payload)).status is PayloadStatus.QUARANTINED, what="the quarantine"
    )
    page.goto("/quarantine")
    page.get_by_role("link", name="Discard all").click()
    page.get_by_label("Reason for discarding").fill("the same again")
    page.get_by_role("button", name="Discard all").click()
    expect(page.get_by_text("Nothing is in quarantine")).to_be_visible()


@both
def test_a_visitor_is_erased_everywhere_and_a_receipt_says_what_went(
    site: AdminsRelay, open_tab: Callable[..., Tab], scripts: bool, tmp_path: Path
) -> None:
    who, other = f"gone-{scripts}", f"stays-{scripts}"
    for channel, name in ((f"{who}-1", who), (f"{who}-2", who), (other, other)):
        site.post(chat(channel, visitor={"id": name, "name": name, "email": f"{name}@example.com"}))
        for connector in ("archive", "crm", "help-desk"):
            site.arrives_at(f"{connector}:1:{channel}", DeliveryStatus.DELIVERED)
    archived = site.stack.data / "archive" / "1"
    tab = open_tab(scripts=scripts)
    tab.log_in(site.password)
    page = tab.page
    page.get_by_role("link", name="Erase", exact=True).click()
    page.get_by_label("The visitor's email address or id").fill(f"{who.upper()}@example.com")
    page.get_by_role("button", name="Find").click()
    # Nothing of the address is in the address bar, where it would stay.
    assert who not in page.url
    expect(page.get_by_text("2 chats")).to_be_visible()
    expect(page.get_by_text(other)).to_have_count(0)
    assert (archived / f"{who}-1").is_dir()
    page.get_by_role("button", name="Erase permanently").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Erased")
    with page.expect_download() as download:
        page.get_by_role("link", name="Download the receipt").click()
    download.value.save_as(tmp_path / "receipt.txt")
    receipt = (tmp_path / "receipt.txt").read_text()
    shown = page.get_by_role("region", name="The receipt as text").inner_text()
    assert shown.split() == receipt.split()
    for gone in (f"1:{who}-1", f"1:{who}-2", f"{who}-1/r1.json"):
        assert gone in receipt
    assert not [*archived.glob(f"{who}*")]
    assert (archived / other).is_dir()
    assert not [key for key in site.stack.server.client.scan_iter() if who.encode() in key]
    page.goto(f"/conversations?q={who}")
    expect(page.get_by_text("Nothing matches")).to_be_visible()
    page.goto(f"/conversations?q={other}")
    expect(page.get_by_role("link", name=other)).to_be_visible()


def test_who_is_not_known_is_said_so_and_nothing_is_erased(site: AdminsRelay, tab: Tab) -> None:
    tab.page.goto("/erase")
    tab.page.get_by_label("The visitor's email address or id").fill("nobody@example.com")
    tab.page.get_by_role("button", name="Find").click()
    expect(tab.page.get_by_text("No data found")).to_be_visible()


def test_a_body_that_is_set_right_is_what_smartsupp_would_have_sent(site: AdminsRelay, tab: Tab) -> None:
    """What a form does to line ends and to letters beyond ASCII must not reach the CRM."""
    said = 'Dobrý den,\n"žluťoučký" kůň \\ 🍵 & <b>'
    whole = chat("letters", messages=[{"type": "visitor", "from": "visitor:mx1", "content": said}])
    payload = site.post(whole[:-1])
    until(
        lambda: site.stack.ledger.payload(PayloadId(payload)).status is PayloadStatus.QUARANTINED, what="the quarantine"
    )
    tab.page.goto(f"/quarantine/{payload}")
    text = tab.page.get_by_label("Payload", exact=True)
    text.fill(text.input_value() + "}")
    tab.page.get_by_role("button", name="Save and retry").click()
    site.arrives_at("crm:1:letters", DeliveryStatus.DELIVERED)
    sent = [one.json()["data"]["conversation"] for one in site.crm.posts()]
    assert [one["messages"][0]["content"] for one in sent if one["id"] == "letters"] == [said]
    (kept,) = site.stack.ledger.conversation(ConversationId("1:letters")).payloads
    assert json.loads(kept.body) == json.loads(whole)
