"""From an empty folder to a chat in a real Request Tracker, only with a browser."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, expect

from tests.e2e.test_up import brought_up
from tests.live.rt import MISSING, RequestTracker, installed
from tests.support import browser
from tests.support.browser import Tab, chromium
from tests.support.stack import until

pytestmark = [
    pytest.mark.live,
    pytest.mark.processes,
    pytest.mark.skipif(not installed(), reason=MISSING),
    pytest.mark.skipif(browser.program() is None, reason=browser.MISSING),
]


@pytest.fixture(scope="module")
def rt(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RequestTracker]:
    server = RequestTracker(tmp_path_factory.mktemp("rt") / "rt")
    try:
        yield server.start()
    finally:
        server.stop()


@dataclass
class Hand:
    """What somebody does with mouse and keyboard, counted."""

    clicks: int = 0
    fields: int = 0

    def click(self, on: Locator) -> None:
        self.clicks += 1
        on.click()

    def fill(self, field: Locator, text: str) -> None:
        self.fields += 1
        field.fill(text)


def password_of(said: str) -> str:
    [line] = [line for line in said.splitlines() if line.strip().startswith("Password")]
    return line.split()[1]


def tickets(rt: RequestTracker) -> list[dict[str, Any]]:
    found = rt.rest("GET", "tickets", params={"query": "Queue = 'Chats'"})["items"]
    return [rt.rest("GET", f"ticket/{one['id']}") for one in found]


def test_from_an_empty_folder_to_a_ticket(
    tmp_path: Path, rt: RequestTracker, capsys: pytest.CaptureFixture[str]
) -> None:
    path = browser.program()
    assert path
    began = time.monotonic()
    with brought_up(tmp_path) as relay, chromium(path) as opened:
        relay.start_at_a_terminal()
        relay.ready()
        ready = time.monotonic() - began
        expect.set_options(timeout=15_000)
        tab, hand = Tab(opened, f"http://127.0.0.1:{relay.environment['RELAY_PORT']}"), Hand()
        tab.expect(422)  # what is still to be chosen is marked
        page = tab.page
        page.goto("/")
        hand.fill(page.get_by_label("Password"), password_of(relay.said()))
        hand.click(page.get_by_role("button", name="Log in"))
        hand.click(page.get_by_role("button", name="Send a test chat"))
        hand.click(page.get_by_role("link", name="Choose a connector"))
        hand.click(page.get_by_role("link", name="Request Tracker"))
        hand.fill(page.get_by_label("URL", exact=True), rt.url)
        hand.fill(page.get_by_label("Token", exact=True), rt.tokens["relay"])
        # Only because this one is on the same machine.
        hand.click(page.get_by_text("More settings"))
        hand.fill(page.get_by_label("Allow networks"), "127.0.0.0/8")
        hand.click(page.get_by_role("button", name="Check", exact=True))
        expect(page.locator("#s-queue-choices option")).to_have_attribute("value", "Chats")
        hand.fill(page.get_by_label("Queue", exact=True), "Chats")
        hand.click(page.get_by_role("button", name="Check", exact=True))
        expect(page.locator("#found")).to_contain_text("tickets may be made in it")
        expect(page.locator("#found")).not_to_contain_text("Problem")
        expect(page.get_by_role("region", name="What would be sent")).to_contain_text("zofie@example.com")
        hand.click(page.get_by_role("button", name="Save"))
        hand.click(page.get_by_role("link", name="Deliver past chats…"))
        hand.click(page.get_by_role("button", name="Count"))
        hand.click(page.get_by_role("button", name="Deliver", exact=True))
        [ticket] = until(lambda: tickets(rt), 60, what="the chat in Request Tracker")
        seconds = time.monotonic() - began
        assert rt.user(ticket)["EmailAddress"] == "zofie@example.com"
        assert any("Lovely, thank you!" in html for _, html in rt.texts(int(ticket["id"])))
        page.goto("/conversations")
        expect(page.get_by_role("row").filter(has_text="Žofie Nováková")).to_contain_text("request-tracker")
        tab.quiet()
        tab.close()
    assert rt.tokens["relay"] not in (tmp_path / "relay.yaml").read_text()
    told = f"{hand.clicks} clicks, {hand.fields} fields, {seconds:.0f} s, of which the start took {ready:.0f} s"
    with capsys.disabled():
        sys.stdout.write(f"\nFrom an empty folder to a ticket: {told}\n")
