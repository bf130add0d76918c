"""`/source`: comparisons with Smartsupp, and past chats, as the dashboard begins and shows them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from app.dashboard.view.bounds import MESSAGES
from app.demo.shop import SHOP_ACCOUNT, agents, made_chat
from connectors.testing.fake import Answer
from core.ids import ConversationId
from core.smartsupp.api.body import FetchedConversation, as_body
from core.smartsupp.api.spelling import snaked
from core.store import Ledger, Store, connect
from core.store.sources.catch_ups import CatchUps, Comparison
from core.store.sources.orders import Wish, source_lane
from tests.dashboard.test_conversations import text_of
from tests.dashboard.test_undelivered import form
from tests.fakes.smartsupp import BEGINNING, SmartsuppFake, chats
from tests.support import made
from tests.support.admin import Admin, admin
from tests.support.server import Server

MANY = 12


@pytest.fixture(scope="module")
def smartsupp() -> Iterator[SmartsuppFake]:
    with SmartsuppFake(chats(MANY)) as there:
        yield there


def config(smartsupp: SmartsuppFake, **more: Any) -> str:
    about = {"token": smartsupp.token, "base_url": smartsupp.base_url, "allow_networks": ["127.0.0.0/8"], "rate": 1}
    return json.dumps(
        {
            "source": {"account": SHOP_ACCOUNT, "api": {**about, **more}},
            "connectors": {"archive": {"type": "archive"}, "crm": {"type": "archive", "folder": "crm"}},
        }
    )


@pytest.fixture
def page(smartsupp: SmartsuppFake, server: Server, tmp_path: Path) -> Admin:
    return admin(server, tmp_path, config=config(smartsupp))


@pytest.fixture
def catch_ups(server: Server) -> CatchUps:
    return CatchUps(connect(server.url))


SINCE, UNTIL = BEGINNING.date().isoformat(), (BEGINNING + timedelta(days=366)).date().isoformat()
COUNTED = f"/source?from={SINCE}&to={UNTIL}"


def test_past_chats_are_counted_before_any_is_fetched(page: Admin, catch_ups: CatchUps) -> None:
    counted = page.get(COUNTED).text
    assert f"Smartsupp has about {MANY} chats of that time." in text_of(counted)
    assert "at least 24 s" in text_of(counted)
    assert catch_ups.recent() == []
    hidden = form(counted, "/source/backfill")
    assert page.submit("/source/backfill", **{**hidden, "connector": "crm"}).status_code == 303
    [found] = catch_ups.open()
    assert (found.kind, found.connector, found.expected, found.by) == ("backfill", "crm", MANY, "admin")
    assert found.until == int(hidden["as_of"])
    shown = text_of(page.get("/source").text)
    assert "Backfill of main for crm" in shown
    assert "Listing" in shown


def test_a_back_fill_is_stopped(page: Admin, catch_ups: CatchUps) -> None:
    begun = catch_ups.start("backfill", "main", SHOP_ACCOUNT, 1, 2, by="ann")
    assert page.submit("/source/stop", id=begun.id).status_code == 303
    assert catch_ups.get(begun.id).stopped
    assert "Stopped" in text_of(page.get("/source").text)
    page.submit("/source/stop", id="nothing")
    assert "It is not there any more" in text_of(page.get("/source").text)


def test_a_comparison_is_begun_by_hand(page: Admin, catch_ups: CatchUps) -> None:
    page.submit("/source/compare")
    [found] = catch_ups.open()
    assert (found.kind, found.by) == ("reconcile", "admin")


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("from=", "Enter a date"),
        ("from=2099-01-01", "Enter a date after the first one"),
        (f"from={SINCE}&connector=nobody", "nobody is not in relay.yaml"),
        (f"from={SINCE}&account=nobody", "This account has no API"),
        ("from=yesterday", "yesterday"),
    ],
)
def test_what_makes_no_sense_is_said_at_its_field(page: Admin, catch_ups: CatchUps, asked: str, said: str) -> None:
    answer = page.get(f"/source?{asked}")
    assert answer.status_code == 422
    assert said in answer.text
    assert "/source/backfill" not in answer.text
    fields = dict(one.split("=") for one in asked.split("&"))
    page.submit("/source/backfill", **{"from": "", **fields})
    assert catch_ups.open() == []


def test_what_smartsupp_refuses_is_said(page: Admin, smartsupp: SmartsuppFake) -> None:
    smartsupp.instead = [Answer(401, {"code": "unauthorized", "message": "no"})]
    assert "rejects the token (HTTP 401)" in text_of(page.get(COUNTED).text)


def test_nothing_to_fetch_is_said(page: Admin) -> None:
    assert "Smartsupp has no chats of that time" in text_of(page.get("/source?from=2019-01-01&to=2019-02-01").text)


def test_a_silent_hook_and_missing_chats_show_on_both_pages(page: Admin, catch_ups: CatchUps) -> None:
    catch_ups.compared("main", Comparison(catch_ups.now(), 9, 3, silent=catch_ups.now(), worked=True))
    begun = catch_ups.start("reconcile", "main", SHOP_ACCOUNT, 1, 2, by="relay")
    catch_ups.done(begun, [], fetched=3)
    catch_ups.finish(catch_ups.get(begun.id))
    overview, own = text_of(page.get("/").text), text_of(page.get("/source").text)
    assert "Smartsupp's hook sends nothing for main" in overview
    assert "3 chats that Smartsupp's hook never sent were fetched" in overview
    assert "3 chats that the hook never sent were fetched in the last 7 days" in own
    assert "Silent" in own


def test_without_an_api_the_page_says_what_to_add(server: Server, tmp_path: Path) -> None:
    page = admin(server, tmp_path)
    assert "Add the section source" in text_of(page.get("/source").text)
    assert "Smartsupp's API" not in text_of(page.get("/").text)


def test_a_back_fill_that_is_put_off_says_why(page: Admin, catch_ups: CatchUps) -> None:
    begun = catch_ups.start("backfill", "main", SHOP_ACCOUNT, 1, 2, by="ann")
    catch_ups.put_off(begun, 2**50, "Smartsupp rejects the token")
    for path in ("/", "/source"):
        assert "Smartsupp rejects the token" in text_of(page.get(path).text)


def test_a_fetched_chat_shows_what_the_hook_does_not_know(page: Admin, server: Server) -> None:
    made_up = (made_chat(number, datetime(2026, 1, 2, 3, 4, tzinfo=UTC)) for number in range(200))
    chat = next(one for one in made_up if "returns" in one.conversation["tags"] and one.contact["phone"])
    note = {**chat.messages[0], "type": "note", "sub_type": "agent", "agentId": "31", "content": "Send her a voucher"}
    messages = [*chat.messages, note, *([chat.messages[0]] * (MESSAGES + 1))]
    fetched = FetchedConversation(
        chat.conversation, snaked(messages), chat.paths, snaked(chat.contact), snaked(chat.visitor), agents()
    )
    identity = made.conversation(Store(connect(server.url)), as_body(fetched, SHOP_ACCOUNT))
    shown = text_of(page.get(f"/conversations/{identity}").text)
    for words in (
        "teapot.gif",
        "Send her a voucher",
        "Olivia Brown",
        chat.contact["phone"],
        "tea.example.com",
        "returns",
    ):
        assert words in shown, words
    assert "Next 200" in shown


def order(server: Server, name: str, *channels: str) -> None:
    store = Store(connect(server.url))
    for one in channels:
        store.order(Wish(ConversationId.of("4711", one), source_lane(name), wait_ms=0, at_most_ms=0))


def waiting(server: Server, name: str) -> int:
    return Ledger(connect(server.url)).lane(source_lane(name)).waiting


def test_chats_of_an_account_that_was_removed_stand_first_and_lead_to_where_that_is_decided(
    page: Admin, server: Server
) -> None:
    order(server, "gone", "co1")
    html = page.get("/").text
    [line] = re.findall(r'<li class="attention-line \w+" data-kind="stranded">.*?</li>', html, re.DOTALL)
    assert "1 chat waits to be fetched for source 'gone' (account 4711)" in text_of(line)
    assert 'href="/source"' in line


def test_chats_of_an_account_that_was_removed_are_fetched_through_another(page: Admin, server: Server) -> None:
    order(server, "gone", "co1", "co2")
    html = page.get("/source").text
    assert "2 chats wait to be fetched for source 'gone' (account 4711)" in text_of(html)
    asked = form(html, "/source/move")
    assert page.submit("/source/move", **{**asked, "to": "nobody"}).status_code == 303
    assert (waiting(server, "gone"), waiting(server, "main")) == (2, 0)
    page.submit("/source/move", **{**asked, "to": "main"})
    assert (waiting(server, "gone"), waiting(server, "main")) == (0, 2)
    html = page.get("/source").text
    assert "2 chats are fetched through main." in text_of(html)
    assert "/source/move" not in html


def test_chats_of_an_account_that_was_removed_are_dropped_by_who_is_sure(page: Admin, server: Server) -> None:
    order(server, "gone", "co1", "co2")
    asked = form(page.get("/source").text, "/source/drop")
    asked.pop("sure", None)
    page.submit("/source/drop", **asked)
    assert waiting(server, "gone") == 2
    assert "tick the box to confirm" in text_of(page.get("/source").text)
    page.submit("/source/drop", **asked, sure="1")
    assert waiting(server, "gone") == 0
    assert "2 chats are not fetched." in text_of(page.get("/source").text)


@pytest.mark.parametrize("path", ["/source/drop", "/source/move"])
def test_what_waits_for_an_account_that_is_there_is_not_decided_by_an_old_page(
    page: Admin, server: Server, path: str
) -> None:
    order(server, "main", "co1")
    page.submit(path, name="main", to="main", sure="1")
    assert waiting(server, "main") == 1
    assert "It is not there any more" in text_of(page.get("/source").text)
