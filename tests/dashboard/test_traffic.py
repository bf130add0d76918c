"""The page of a connector: what it did over a span, what it did last, and when it was blocked; and the story of a
delivery."""

from __future__ import annotations

import json
import re
import time
from html import unescape
from pathlib import Path

import pytest

from app.dashboard.view.over_time.traffic import periods
from app.dashboard.view.timeline import split, timeline
from core.delivery import Attempt, Delivery, DeliveryStatus, Outcome, Payload, PayloadStatus
from core.ids import ConversationId, DeliveryId, PayloadId
from core.store import Ledger, Store, connect
from core.store.ledger.lanes import GateChange
from core.store.statistics import connector_statistics
from tests.conftest import Clock
from tests.support.admin import Admin, admin
from tests.support.made import chats, claimed, control, conversation, settle
from tests.support.past import Past, Try
from tests.support.server import Server
from tests.support.stack import chat

HOUR = 3_600_000
CONFIG = json.dumps({"connectors": {name: {"type": "archive", "folder": name} for name in ("crm", "desk")}})


@pytest.fixture
def page(server: Server, tmp_path: Path) -> Admin:
    return admin(server, tmp_path, config=CONFIG)


@pytest.fixture
def now_store(server: Server) -> Store:
    """By the server's own clock."""
    return Store(connect(server.url))


@pytest.fixture
def past(server: Server) -> Past:
    return Past(connect(server.url), {})


def ago(ms: int) -> int:
    return int(time.time() * 1000) - ms


def text_of(html: str) -> str:
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", html)).split())


def card(html: str, name: str) -> str:
    found = re.search(rf'<section class="card[^"]*" id="{name}">.*?</section>', html, re.DOTALL)
    return text_of(found[0]) if found else ""


# --- a span -------------------------------------------------------------------


def test_the_figures_are_those_of_the_connector_alone(page: Admin, past: Past) -> None:
    for number in range(9):
        past.came(ago(3 * HOUR - 1000 * number), chat(number), {"crm": [Try(950)], "desk": [Try(50)]})
    past.came(ago(2 * HOUR), chat("dead"), {"crm": [Try(50, Outcome.REFUSED, error="HTTP 422: no")]})
    past.came(ago(72 * HOUR), chat("old"), {"crm": [Try(950)]})
    said = card(page.get("/connectors/crm").text, "traffic-figures")
    assert "Delivered 9 Failed attempts 0 Dead letters 1 Skipped 0 Success 90 %" in said
    assert "From receipt to record, median 939 ms" in said
    assert "Delivered 10 " in card(page.get("/connectors/crm?span=week").text, "traffic-figures")
    assert "Delivered 0 " in card(page.get("/connectors/crm?span=hour").text, "traffic-figures")


@pytest.mark.parametrize(("span", "bars"), [("hour", 30), ("day", 24), ("week", 28), ("month", 30), ("nonsense", 24)])
def test_each_chart_has_the_bars_of_its_span_and_a_table_says_the_same(
    page: Admin, past: Past, span: str, bars: int
) -> None:
    past.came(ago(60_000), chat(1), {"crm": [Try(700)]})
    past.came(ago(59_000), chat(2), {"crm": [Try(900, Outcome.RETRY, delay=HOUR)]})
    html = page.get(f"/connectors/crm?span={span}").text
    assert html.count('class="slot"') == 3 * bars
    table = html[html.index('id="figures"') :].partition("</details>")[0]
    rows = [text_of(one) for one in table.split("<tr>")[2:]]
    assert len(rows) == bars
    assert sum(" 1 1 0 100 % " in one for one in rows) == 1
    chart = re.search(r'aria-label="Success in the last [^"]+">(.*?)</svg>', html, re.DOTALL)
    assert chart
    assert "100 %" in text_of(chart[1])
    times = re.search(r'aria-label="From receipt to record in the last [^"]+">(.*?)</svg>', html, re.DOTALL)
    assert times
    assert re.search(r": \d+ ms median, \d+ ms 95th percentile", unescape(times[1]))


def test_where_nothing_was_delivered_no_share_and_no_time_is_drawn(page: Admin, past: Past) -> None:
    assert re.findall(r'aria-label="([^"]+) in the last day\.', page.get("/connectors/crm").text) == ["Deliveries"]
    past.came(ago(60_000), chat(1), {"crm": [Try(50, Outcome.REFUSED)]})
    drawn = re.findall(r'aria-label="([^"]+) in the last day\.', page.get("/connectors/crm").text)
    assert drawn == ["Deliveries", "Success"]


def test_bars_of_one_connector_add_up_to_its_whole(server: Server, past: Past) -> None:
    for number in range(12):
        past.came(ago(HOUR * number + 1000), chat(number), {"crm": [Try(500)], "desk": [Try(500, Outcome.REFUSED)]})
    for name, delivered, dead in (("crm", 12, 0), ("desk", 0, 12), ("nobody", 0, 0)):
        found = connector_statistics(connect(server.url), name, "day", ago(0))
        assert (found.whole.delivered, found.whole.dead) == (delivered, dead)
        assert sum(one.figures.delivered for one in found.bars) == delivered
        assert sum(one.figures.dead for one in found.bars) == dead


# --- what it did last ---------------------------------------------------------


def test_the_last_deliveries_and_errors_and_causes_are_its_own(page: Admin, now_store: Store) -> None:
    store = now_store
    chats(store, 2, crm=Outcome.DELIVERED, desk=Outcome.DELIVERED)
    chats(store, 1, first=3, crm=Outcome.RETRY)
    chats(store, 1, first=4, desk=Outcome.REFUSED)
    html = page.get("/connectors/crm").text
    last = html[html.index('id="last-deliveries"') :].partition("</section>")[0]
    assert re.findall(r'href="/conversations/(1:\d)"', last) == ["1:3", "1:2", "1:1"]
    assert "desk" not in text_of(last)
    errors = card(html, "last-errors")
    assert "1:3" in errors
    assert "500 Internal Server Error" in errors
    assert card(html, "causes") == ""
    assert "1 dead letter has 1 cause" in card(page.get("/connectors/desk").text, "causes")
    assert card(page.get("/connectors/desk").text, "last-errors") == ""


# --- when it was blocked ------------------------------------------------------


def test_each_state_is_kept_with_its_time_and_without_its_reason(store: Store, ledger: Ledger, clock: Clock) -> None:
    began = clock.now
    control(store).pause("crm", "Ann Novak asked for it")
    control(store).pause("crm", "again")  # is paused already
    clock.pass_by(60)
    control(store).resume("crm")
    control(store).resume("crm")  # is not paused
    clock.pass_by(60)
    settle(store, claimed(store, "crm", conversation(store, chat(1), crm=None)), Outcome.PAUSED, error="HTTP 401")
    clock.pass_by(60)
    control(store).send_ahead("crm")
    settle(store, claimed(store, "crm", "1:1"), Outcome.DELIVERED)
    clock.pass_by(60)
    third = claimed(store, "crm", conversation(store, chat(3), crm=None))
    attempt = Attempt(clock.now, 10, Outcome.RETRY, 1, 503, "HTTP 503")
    store.settle(third, attempt, delay_ms=30_000, trouble="outage", breaker=1)
    changes = ledger.gate_changes("crm")
    assert [(one.at - began, one.by) for one in changes] == [
        (0, "admin"),
        (60_000, ""),
        (120_000, "relay"),
        (180_000, ""),
        (240_000, "breaker"),
    ]
    assert [(one.state, one.lasted) for one in periods(changes)] == [
        ("not responding", None),
        ("on", 60_000),
        ("credentials rejected", 60_000),
        ("on", 60_000),
        ("paused by you", 60_000),
    ]
    assert "Novak" not in str(changes)


def test_only_the_last_changes_are_kept_and_of_them_the_newest_are_listed(store: Store, ledger: Ledger) -> None:
    for _ in range(40):
        control(store).pause("crm", "why not")
        control(store).resume("crm")
    changes = ledger.gate_changes("crm")
    assert len(changes) == 50
    assert len(periods(changes)) == 20
    assert periods([GateChange(1, "newer")])[0].state == "newer"


def test_the_page_lists_the_states(page: Admin, now_store: Store) -> None:
    assert card(page.get("/connectors/crm").text, "states") == ""
    control(now_store).pause("crm", "stock taking")
    control(now_store).resume("crm")
    said = card(page.get("/connectors/crm").text, "states")
    assert re.search(r"On .* until now Paused by you ", said)


# --- the story of a delivery --------------------------------------------------


def delivery(*attempts: Attempt, created: int = 1_300) -> Delivery:
    conversation = ConversationId("1:1")
    identity = DeliveryId.of("crm", conversation)
    return Delivery(identity, "crm", conversation, DeliveryStatus.DELIVERED, created, 9_000, attempts=attempts)


def payloads(*received: int) -> list[Payload]:
    return [
        Payload(PayloadId(f"{at:016x}"), at, PayloadStatus.ROUTED, "1", "", 10, revision=number)
        for number, at in enumerate(received, 1)
    ]


def test_a_story_goes_from_receipt_to_record_with_what_lies_between() -> None:
    first = Attempt(2_000, 500, Outcome.RETRY, 1, 503, "HTTP 503")
    second = Attempt(32_500, 400, Outcome.DELIVERED, 1, 201)
    found = timeline(delivery(first, second), payloads(1_000))
    assert [(one.kind, one.at, one.after, one.whole) for one in found] == [
        ("received", 1_000, None, None),
        ("queued", 1_300, 300, None),
        ("attempt", 2_000, 700, None),
        ("attempt", 32_500, 30_000, 31_900),
    ]


def test_revisions_stand_where_they_came_and_those_that_were_passed_over_do_not() -> None:
    first = Attempt(2_000, 100, Outcome.DELIVERED, 1, 201)
    second = Attempt(9_000, 100, Outcome.DELIVERED, 3, 200)
    found = timeline(delivery(first, second), payloads(1_000, 4_000, 8_000, 20_000))
    assert [(one.kind, one.revision) for one in found if one.kind != "queued"] == [
        ("received", 1),
        ("attempt", 1),
        ("received", 3),
        ("attempt", 3),
        ("received", 4),
    ]


def test_a_clock_that_is_behind_makes_no_time_that_runs_backwards() -> None:
    found = timeline(delivery(Attempt(900, 5_000, Outcome.DELIVERED, 1, 201)), payloads(1_000))
    assert [one.after for one in found] == [None, 0, 0]
    assert [one.whole for one in found if one.attempt] == [4_900]


def test_of_many_attempts_the_last_are_shown_with_what_came_since() -> None:
    attempts = [Attempt(2_000 + number, 1, Outcome.RETRY, 1) for number in range(8)]
    earlier, shown = split(timeline(delivery(*attempts), payloads(1_000, 50_000)), 5)
    assert [one.kind for one in earlier] == ["received", "queued", *["attempt"] * 3]
    assert [one.kind for one in shown] == [*["attempt"] * 5, "received"]
    assert split(shown, 5) == ((), shown)


def test_the_page_of_a_chat_tells_it(page: Admin, past: Past) -> None:
    past.came(ago(HOUR), chat(1), {"crm": [Try(1_000, Outcome.RETRY, error="HTTP 503", delay=30_000), Try(61_000)]})
    said = text_of(page.get("/conversations/1:1").text)
    assert re.search(r"2 attempts Revision 1 received .* Queued for crm .* Temporary failure .* later · took", said)
    assert "1.02 min from receipt to record" in said
