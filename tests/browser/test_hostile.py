"""What a visitor, a vendor or the author of a broken body wrote: every page shows it as text, and nothing happens."""

from __future__ import annotations

import json
from collections.abc import Iterator
from urllib.parse import quote

import pytest
from playwright.sync_api import Browser, expect

from core.delivery import DeliveryStatus, PayloadStatus
from core.ids import ConversationId
from core.store import Jobs
from tests.support import hostile, made
from tests.support.admins_relay import AdminsRelay, admins_relay
from tests.support.browser import NARROW, Tab
from tests.support.stack import until

ID = "1:hostile"
_QUERY = quote(hostile.ATTACKS[0] + hostile.ATTACKS[8])

#: Every page that shows any of it, and what of it must be readable there.
PAGES = {
    "overview": ("/", ""),
    "list": ("/conversations", "<script data-evil>"),
    "a search that finds it": (f"/conversations?q={quote('<script data-evil>')}&said=1", "<script data-evil>"),
    "a search that finds nothing": (f"/conversations?q={_QUERY}", ""),
    "wrong filters": (
        f"/conversations?status={_QUERY}&connector={_QUERY}&from={_QUERY}&account={_QUERY}&after={_QUERY}",
        "",
    ),
    "conversation": (f"/conversations/{ID}", "{{ 7919 * 7927 }}"),
    "an older revision": (f"/conversations/{ID}?revision=1", "{{ 7919 * 7927 }}"),
    "an unknown conversation": (f"/conversations/{_QUERY}", ""),
    "bulk": (f"/conversations/bulk?action=replay&q={quote('<script data-evil>')}", "<script data-evil>"),
    "bulk jobs": ("/conversations/jobs", "<script data-evil>"),
    "connectors": ("/connectors", "<script data-evil>"),
    "connector": ("/connectors/crm", "<script data-evil>"),
    "settings of a connector": ("/connectors/crm/settings", ""),
    "a form of no such type": (f"/setup/connectors/{_QUERY}", ""),
    "settings of no connector": (f"/connectors/{_QUERY}/settings", ""),
    "preview": (f"/connectors/crm/preview?conversation={ID}", "<script data-evil>"),
    "a preview of nothing": (f"/connectors/crm/preview?conversation={_QUERY}", "<script data-evil>"),
    "quarantine": ("/quarantine", ""),
    "quarantine, what was discarded": ("/quarantine?status=discarded", "<img src=x data-evil"),
    "a body that is no JSON": ("/quarantine/{no_json}", "</textarea></title>"),
    "a body whose error quotes it": ("/quarantine/{wrong_id}", "</textarea></title>"),
    "a discarded body": ("/quarantine/{discarded}", "<img src=x data-evil"),
    "all of the quarantine": ("/quarantine/all?action=discard", ""),
    "bulk job": ("/conversations/jobs/{job}", "<script data-evil>"),
    "an unknown body": (f"/quarantine/{_QUERY}", ""),
    "Smartsupp's API": (f"/source?from={_QUERY}&to={_QUERY}&account={_QUERY}&connector={_QUERY}", ""),
    "erase": ("/erase", ""),
    "agents": ("/setup/agents", ""),
    "routes": ("/setup/routes", ""),
    "all pages": ("/go", ""),
    "log-in": (f"/login?next={_QUERY}", ""),
}


@pytest.fixture(scope="module")
def site(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[AdminsRelay]:
    with admins_relay(tmp_path_factory.mktemp("hostile") / "relay") as made:
        made.crm.behaviour = lambda handler, number: handler.answer(
            422, hostile.ALL.encode("utf-8", "replace"), Content_Type="text/html"
        )
        made.post(hostile.body())
        made.post(hostile.body() + b" ")
        made.arrives_at(f"crm:{ID}", DeliveryStatus.DEAD)
        for body in (hostile.no_json(), hostile.wrong_id(), b"x" + hostile.no_json()):
            made.post(body)
        until(lambda: made.stack.ledger.payload_counts()[PayloadStatus.QUARANTINED] == 3, what="the quarantine")
        until(lambda: len(made.stack.ledger.conversation(ConversationId(ID)).payloads) == 2, what="the second revision")
        yield made


@pytest.fixture(scope="module")
def window(browser: Browser, site: AdminsRelay) -> Iterator[Tab]:
    """The admin has typed hostile things himself, too: a reason to pause, a filter and a reason of a bulk job."""
    tab = Tab(browser, site.home, NARROW)
    tab.log_in(site.password)
    tab.page.goto("/connectors/crm")
    tab.page.get_by_label("Pause crm").click()
    tab.page.get_by_label("Reason").fill(hostile.ATTACKS[0])
    tab.page.get_by_role("button", name="Pause crm").click()
    tab.page.goto(f"/conversations/bulk?action=discard&q={quote('<script data-evil>')}")
    tab.page.get_by_label("Reason for discarding").fill(hostile.ATTACKS[1])
    tab.page.get_by_role("button", name="Discard", exact=True).click()
    tab.page.get_by_role("progressbar").wait_for()
    tab.page.goto("/quarantine/{discarded}".format(**ids(site)))
    tab.page.get_by_label("Reason for discarding").fill(hostile.ATTACKS[1])
    tab.page.get_by_role("button", name="Discard").click()
    tab.page.get_by_text("Discarded. It can still be retried.").wait_for()
    tab.quiet()
    yield tab
    tab.close()


def ids(site: AdminsRelay) -> dict[str, str]:
    """What the store has named: the bodies by what they are, and the job."""
    ledger, jobs = site.stack.ledger, Jobs(site.stack.server.client, made.configured)
    bodies = {hostile.no_json(): "no_json", hostile.wrong_id(): "wrong_id", b"x" + hostile.no_json(): "discarded"}
    kept = [*ledger.payloads(PayloadStatus.QUARANTINED, 9), *ledger.payloads(PayloadStatus.DISCARDED, 9)]
    return {
        **{bodies[ledger.payload(one.id).body]: one.id for one in kept},
        "job": next((one.id for one in jobs.recent()), ""),
    }


@pytest.mark.parametrize("name", PAGES)
def test_it_is_text_and_nothing_happens(name: str, site: AdminsRelay, window: Tab) -> None:
    address, readable = PAGES[name]
    window.expect(404, 422)
    window.faults.clear()
    window.page.goto(address.format(**ids(site)) if "{job}" in address or "/quarantine/{" in address else address)
    harmless(window, readable)


def harmless(window: Tab, readable: str) -> None:
    page = window.page
    # What is folded away is part of the page, too.
    page.evaluate("document.querySelectorAll('details').forEach((one) => (one.open = true))")
    page.evaluate("document.querySelectorAll('input, button, a, [tabindex]').forEach((one) => one.focus())")
    page.mouse.move(100, 300)
    assert page.evaluate(f"typeof window.{hostile.MARK}") == "undefined"
    assert page.locator(hostile.INJECTED).count() == 0
    text = str(
        page.evaluate(
            "document.body.innerText + [...document.querySelectorAll('input, textarea')].map((one) => one.value)"
        )
    )
    assert readable in text
    assert hostile.COMPUTED not in text
    # `overflow: hidden` would hide what sticks out; the page itself has none.
    assert (
        page.evaluate(
            "getComputedStyle(document.documentElement).overflowX + getComputedStyle(document.body).overflowX"
        )
        == "visiblevisible"
    )
    window.fits()
    window.quiet()


def test_an_erased_visitor_is_text_in_the_receipt(site: AdminsRelay, window: Tab) -> None:
    window.faults.clear()
    window.page.goto("/erase")
    visitor = window.page.get_by_label("The visitor's email address or id")
    visitor.fill(nobody := f"{hostile.ATTACKS[0]}@nobody.example")
    window.page.get_by_role("button", name="Find").click()
    expect(window.page.get_by_text("No data found")).to_be_visible()
    harmless(window, nobody)
    made = hostile.payload(channel="erased")
    made["visitor"]["email"] = "evil@example.com"
    site.post(json.dumps(made).encode())
    site.arrives_at("help-desk:1:erased", DeliveryStatus.DELIVERED)
    visitor.fill("evil@example.com")
    window.page.get_by_role("button", name="Find").click()
    expect(window.page.get_by_text("1 chat")).to_be_visible()
    harmless(window, "<script data-evil>")
    window.page.get_by_role("button", name="Erase permanently").click()
    expect(window.page.get_by_role("heading", level=1)).to_have_text("Erased")
    harmless(window, "evil@example.com")


def test_these_tests_would_notice(browser: Browser, site: AdminsRelay) -> None:
    """A page of the relay into which the attack is put as markup."""
    tab = Tab(browser, site.home, NARROW)
    tab.page.goto("/login")
    # Without the refresh, which would leave the page before anybody could look.
    attacks = " ".join(one for one in (*hostile.ATTACKS, "<canvas width=9999></canvas>") if "refresh" not in one)
    tab.page.evaluate("(html) => { document.querySelector('main').innerHTML = html }", attacks)
    tab.page.wait_for_timeout(500)
    assert tab.page.locator(hostile.INJECTED).count() > 0
    assert any("policy:" in one for one in tab.faults)
    with pytest.raises(AssertionError):
        tab.fits()
    with pytest.raises(AssertionError):
        tab.quiet()
    tab.close()
