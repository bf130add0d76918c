"""Chats that no connector took, and past chats for a connector that came later: as the dashboard shows them."""

from __future__ import annotations

import json
import re
import secrets
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from core.config.settings import Settings
from core.delivery import Outcome
from core.store import Ledger, Store, connect
from tests.dashboard.test_bulk import links
from tests.dashboard.test_conversations import listed, text_of
from tests.dashboard.test_overview import row, tiles
from tests.support import made
from tests.support.admin import Admin, admin
from tests.support.server import Server
from tests.support.stack import chat
from workers.intake import take_in

#: desk came later, crm is off, and no route leads to lonely.
CONFIG = {
    "connectors": {
        "archive": {"type": "archive"},
        "desk": {"type": "archive", "folder": "desk"},
        "crm": {"type": "archive", "folder": "crm", "enabled": False},
        "lonely": {"type": "archive", "folder": "lonely"},
    },
    "routes": [{"to": ["desk", "crm"]}, {"to": ["archive"], "when": "conversation.is_missed"}],
}
NO_ROUTE = replace(made.settings("archive"), routes=())


@pytest.fixture
def page(server: Server, tmp_path: Path) -> Admin:
    return admin(server, tmp_path, config=json.dumps(CONFIG))


@pytest.fixture
def store(server: Server) -> Store:
    """By the server's own clock."""
    return Store(connect(server.url))


def nowhere(store: Store, *numbers: int, settings: Settings = NO_ROUTE) -> None:
    for number in numbers:
        store.accept(chat(number))
        take_in(store, store.claim_bodies(secrets.token_hex(4)), settings)


def form(html: str, action: str) -> dict[str, str]:
    """What a form carries in hidden fields, without its token."""
    part = html.partition(f'method="post" action="{action}"')[2].partition("</form>")[0]
    assert part, f"no form posts to {action}"
    fields = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)">', part)
    return {name: value for name, value in fields if name != "csrf_token"}


# --- where they are seen -------------------------------------------------------


def test_a_tile_counts_them_and_leads_to_the_list(page: Admin, store: Store) -> None:
    made.chats(store, 1, first=90, desk=None)
    assert tiles(page)["Not delivered anywhere"] == "0"
    nowhere(store, 1, 2)
    nowhere(store, 3, settings=made.settings("archive", to=[]))  # that was meant
    assert tiles(page)["Not delivered anywhere"] == "2"
    assert "/conversations?status=undelivered" in page.get("/").text


def test_the_list_filters_them_and_says_so_above_every_other_one(page: Admin, store: Store) -> None:
    made.chats(store, 2, first=90, desk=Outcome.DELIVERED)
    nowhere(store, 1, 2)
    whole = page.get("/conversations").text
    assert "2 chats were not delivered anywhere" in text_of(whole)
    assert text_of(whole.partition("<tbody>")[2]).count("Not delivered anywhere") == 2
    only = page.get(links(whole)["See the list"])
    assert set(listed(only.text)) == {"1:1", "1:2"}
    assert "were not delivered anywhere" not in text_of(only.text.partition("<form")[0])
    assert page.get("/conversations?status=undelivered&connector=desk").status_code == 422


def test_a_chats_page_says_why_and_its_button_delivers_it(page: Admin, store: Store, ledger: Ledger) -> None:
    nowhere(store, 1, settings=made.settings(off=["crm"], to=["crm"]))
    html = page.get("/conversations/1:1").text
    assert "Every connector is off." in text_of(html.partition('id="nowhere"')[2])
    answer = page.submit("/conversations/1:1/deliver", **form(html, "/conversations/1:1/deliver"))
    assert answer.status_code == 303
    html = page.get(answer.location).text
    assert "Queued for desk." in text_of(html)
    assert 'id="nowhere"' not in html
    assert (ledger.undelivered(), ledger.lane("desk").counts["waiting"]) == (0, 1)
    again = page.get(page.submit("/conversations/1:1/deliver").location).text
    assert "It has been delivered meanwhile." in text_of(again)
    assert ledger.lane("desk").counts["waiting"] == 1


def test_the_button_says_why_nothing_came_of_it(server: Server, tmp_path: Path, store: Store, ledger: Ledger) -> None:
    connectors = {"crm": {"type": "archive", "enabled": False}}
    page = admin(server, tmp_path, config=json.dumps({"connectors": connectors}))
    nowhere(store, 1)
    html = page.get(page.submit("/conversations/1:1/deliver").location).text
    assert "Nothing was queued: all connectors of its routes are off" in text_of(html)
    assert ledger.undelivered() == 1


def test_one_is_discarded_with_a_reason_and_can_still_be_delivered(page: Admin, store: Store, ledger: Ledger) -> None:
    nowhere(store, 1)
    page.submit("/conversations/1:1/discard", reason="")
    assert ledger.undelivered() == 1
    html = page.get(page.submit("/conversations/1:1/discard", reason="a test of ours").location).text
    assert "a test of ours" in text_of(html)
    assert ledger.undelivered() == 0
    page.submit("/conversations/1:1/deliver")
    assert ledger.lane("desk").counts["waiting"] == 1


def test_all_of_them_at_once(page: Admin, store: Store, ledger: Ledger) -> None:
    made.chats(store, 1, first=90, desk=Outcome.DELIVERED)
    nowhere(store, 1, 2, 3)
    asked = page.get("/conversations/bulk?action=replay&status=undelivered").text
    assert "Each is sent to the connectors that the current routes name." in text_of(asked)
    done = page.get(page.submit("/conversations/bulk", **form(asked, "/conversations/bulk")).location).text
    assert "3 matched" in text_of(done)
    assert (ledger.undelivered(), ledger.lane("desk").counts["waiting"]) == (0, 3)
    assert ledger.lane("desk").counts["delivered"] == 1


def test_a_connector_without_a_route_has_a_badge_of_its_own(page: Admin, store: Store) -> None:
    listing = text_of(page.get("/connectors").text)
    assert "lonely No route" in listing
    assert "desk No route" not in listing
    assert "No route leads to" in text_of(page.get("/connectors/lonely").text)
    made.chats(store, 1, first=90, desk=None)
    assert "lonely No route" in text_of(page.get("/").text)
    assert "No route leads to lonely" in text_of(page.get("/").text)


def test_one_that_left_the_file_with_work_waiting_is_said_on_the_overview(page: Admin, store: Store) -> None:
    made.chats(store, 2, old=None)
    said = text_of(page.get("/").text)
    assert "old is not in relay.yaml" in said
    assert "2" in row(page, "old")["Queued"]


# --- past chats ----------------------------------------------------------------


def test_past_chats_are_counted_first_and_then_delivered_to_that_connector_alone(
    page: Admin, store: Store, ledger: Ledger
) -> None:
    began = datetime.now(UTC).date()  # it may be yesterday soon
    today = began.isoformat()
    made.chats(store, 3, archive=Outcome.DELIVERED)
    made.chats(store, 2, first=10, archive=Outcome.DELIVERED, desk=Outcome.DELIVERED)
    assert "/connectors/desk/past" in page.get("/connectors/desk").text
    offered = page.get("/connectors/desk/past").text
    assert any((day - timedelta(days=7)).isoformat() in offered for day in (began, datetime.now(UTC).date()))
    assert "will be delivered" not in offered
    counted = page.get(f"/connectors/desk/past?from={today}").text
    assert "3 chats of 5 will be delivered to desk." in text_of(counted)
    time.sleep(0.01)
    made.chats(store, 1, first=50, archive=Outcome.DELIVERED)  # what came after the page was not meant
    answer = page.submit("/connectors/desk/past", **form(counted, "/connectors/desk/past"))
    assert answer.status_code == 303
    assert "5 matched, 3 queued" in text_of(page.get(answer.location).text)
    assert ledger.lane("desk").counts["waiting"] == 3
    assert ledger.lane("archive").counts["delivered"] == 6


@pytest.mark.parametrize(("query", "due"), [("", 0), ("&again=1", 2)])
def test_what_it_had_before_comes_again_only_where_it_is_asked_for(
    page: Admin, store: Store, ledger: Ledger, query: str, due: int
) -> None:
    made.chats(store, 2, desk=Outcome.DELIVERED)
    html = page.get(f"/connectors/desk/past?from=2020-01-01{query}").text
    if not due:
        assert "Nothing to deliver 2 chats are from that time: desk has received them before" in text_of(html)
        return
    page.submit("/connectors/desk/past", **form(html, "/connectors/desk/past"))
    assert ledger.lane("desk").counts["waiting"] == due


@pytest.mark.parametrize(
    ("name", "query", "why"),
    [
        ("lonely", "", "No route leads to lonely."),
        ("crm", "", "crm is off in relay.yaml."),
        ("old", "", "old is not in relay.yaml"),
    ],
)
def test_where_nothing_can_be_delivered_the_page_says_why_and_does_nothing(
    page: Admin, store: Store, ledger: Ledger, name: str, query: str, why: str
) -> None:
    made.chats(store, 1, old=Outcome.DELIVERED)
    html = page.get(f"/connectors/{name}/past?from=2020-01-01{query}").text
    assert why in text_of(html)
    assert "will be delivered" not in html
    answer = page.submit(f"/connectors/{name}/past", **{"from": "2020-01-01"})
    assert f"/connectors/{name}/past" in answer.location
    assert ledger.lane(name).waiting == 0


def test_a_connector_without_a_route_gets_them_when_the_routes_are_ignored(
    page: Admin, store: Store, ledger: Ledger
) -> None:
    made.chats(store, 2, archive=Outcome.DELIVERED)
    html = page.get("/connectors/lonely/past?from=2020-01-01&all=1").text
    page.submit("/connectors/lonely/past", **form(html, "/connectors/lonely/past"))
    assert ledger.lane("lonely").counts["waiting"] == 2


def test_a_date_that_is_none_is_the_fields_mistake(page: Admin) -> None:
    answer = page.get("/connectors/desk/past?from=yesterday")
    assert answer.status_code == 422
    assert "Write a day as 2026-11-22." in answer.text
    assert page.get("/connectors/never/past").status_code == 404
