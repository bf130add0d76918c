"""The conversations' pages: found, read, and put right one by one, on a real server."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import requests
from cryptography.fernet import Fernet
from structlog.testing import capture_logs

from app.admin.password import hashed
from app.admin.transfer.exporter import as_csv, exported
from app.dashboard.pages import conversations
from app.dashboard.view.filters import asked, spelled
from app.dashboard.view.formatting import web
from core.delivery import CONFLICTS, Exchange, Outcome, Reference
from core.ids import ConversationId, DeliveryId
from core.store import INBOX, Access, Filter, Ledger, Search, Store, connect
from core.store.protocol.keys import key
from core.store.search import conversations as search_module
from tests.conftest import Clock
from tests.support import hostile, made
from tests.support.admin import PASSWORD, Admin, admin, token_in
from tests.support.destination import Destination
from tests.support.made import control
from tests.support.server import Server
from tests.support.stack import Stack, chat, until

CONFIG = "connectors: {archive: {type: archive}, crm: {type: archive}}"


@pytest.fixture
def page(server: Server, tmp_path: Path) -> Admin:
    return admin(server, tmp_path, config=CONFIG)


def listed(html: str) -> list[str]:
    """The conversations of a list, in its order."""
    return re.findall(r'<a class="break few-lines" href="/conversations/([^"?]+)"', html)


def text_of(html: str) -> str:
    """What a reader reads, in one line."""
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", html)).split())


def section(html: str, connector: str) -> str:
    return html.partition(f'id="to-{connector}"')[2].partition("</section>")[0]


def ticking(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """A search's clock is that much later whenever it is looked at."""
    clock = SimpleNamespace(monotonic=(number * seconds for number in range(1000)).__next__)
    monkeypatch.setattr("core.store.search.conversations.time", clock)


# --- The list


def test_an_empty_list_says_what_to_do(page: Admin) -> None:
    answer = page.get("/conversations")
    assert answer.status_code == 200
    assert "No chats yet" in answer.text
    assert "relay send --sample" in answer.text
    assert "Nothing matches" in page.get("/conversations?q=ann").text


def test_a_row_tells_who_when_what_and_where(page: Admin, store: Store) -> None:
    body = chat(
        5,
        channel={"id": 5, "isMissed": True, "isOffline": True, "rating": 1},
        visitor={"name": "Žofie", "email": "zofie@example.com", "countryCode": "CZ"},
    )
    made.conversation(store, body, archive=Outcome.DELIVERED, crm=Outcome.REFUSED, desk=None)
    control(store).pause("desk", "why not")
    html = page.get("/conversations").text
    row = text_of(html.partition("<tbody>")[2].partition("</tbody>")[0])
    assert "2023-11-14 22:13:20 UTC" in row
    for words in ("Žofie", "zofie@example.com · CZ · 1:5", "Missed", "Offline", "Hello", "Rated Bad"):
        assert words in row
    for words in ("archive : Delivered", "crm : Dead", "desk : Blocked"):
        assert words in row
    assert "1 dead letter" in html


def test_the_list_goes_on_page_by_page(page: Admin, store: Store, clock: Clock) -> None:
    for number in range(conversations.LIMIT + 3):
        made.chats(store, 1, first=number)
        clock.pass_by(1)
    first = page.get("/conversations?q=ann")
    assert len(listed(first.text)) == conversations.LIMIT
    assert "Newest" not in first.text
    older = unescape(re.findall(r'rel="next" href="([^"]+)"', first.text)[0])
    assert "q=ann" in older
    second = page.get(older)
    assert listed(second.text) == ["1:2", "1:1", "1:0"]
    assert 'href="/conversations?q=ann">' in second.text
    assert 'rel="next"' not in second.text


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", {"a", "b", "c", "d"}),
        ("q=ZOFIE", {"a"}),
        ("q=zofie%40", {"a"}),
        ("q=1:b", {"b"}),
        ("q=22:", {"d"}),
        ("q=teapot", set()),
        ("q=teapot&said=1", {"b"}),
        ("connector=crm", {"b", "c"}),
        ("status=dead", {"b"}),
        ("connector=archive&status=dead", set()),
        ("connector=crm&status=delivered", {"c"}),
        ("account=22", {"d"}),
        ("missed=1", {"a"}),
        ("offline=1", {"b"}),
        ("missed=1&offline=1", set()),
        ("rating=good", {"a"}),
        ("rating=normal", {"b"}),
        ("rating=bad", {"c"}),
        ("rating=none", {"d"}),
        ("from=2023-11-15", {"c", "d"}),
        ("to=2023-11-14", {"a", "b"}),
        ("from=2023-11-14&to=2023-11-14&q=zofie", {"a"}),
        ("from=2023-11-16", set()),
        ("q=ann&connector=crm&status=dead&rating=normal&offline=1&account=1", {"b"}),
        ("unknown=field&q=&status=&missed=0", {"a", "b", "c", "d"}),
    ],
)
def test_every_filter_finds_what_it_says(page: Admin, store: Store, clock: Clock, query: str, found: set[str]) -> None:
    def channel(name: str, **more: Any) -> dict[str, Any]:
        return {"channel": {"id": name, **more}}

    said = [{"type": "visitor", "from": "visitor:mx1", "content": "A teapot, please"}]
    made.conversation(
        store, chat(visitor={"name": "Žofie", "email": "zofie@x.cz"}, **channel("a", isMissed=True, rating=5))
    )
    made.conversation(store, chat(**channel("b", isOffline=True, rating=3), messages=said), crm=Outcome.REFUSED)
    clock.pass_by(24 * 3600)
    made.conversation(store, chat(**channel("c", rating=1)), crm=Outcome.DELIVERED, archive=None)
    made.conversation(store, chat(accountId=22, **channel("d")))
    answer = page.get(f"/conversations?{query}")
    assert answer.status_code == 200
    assert {identity.split(":")[1] for identity in listed(answer.text)} == found


@pytest.mark.parametrize(
    ("query", "field", "words"),
    [
        ("from=yesterday", "from", "Write a day as 2026-11-22."),
        ("to=2026-02-30", "to", "Write a day as 2026-11-22."),
        ("to=9999-12-31", "to", "Write a day as 2026-11-22."),
        ("from=20261122", "from", "Write a day as 2026-11-22."),
        ("from=2026-11-22&to=2026-11-21", "to", "This is before “From”."),
        ("status=lost", "status", "There is no status “lost”."),
        ("status=%00<b>", "status", "There is no status"),
        ("connector=nobody", "connector", "There is no connector “nobody”."),
        ("rating=7", "rating", "There is no rating “7”."),
        ("account=a%20b", "account", "An account has only letters"),
        ("q=" + "x" * 201, "q", "At most 200 characters."),
    ],
)
def test_a_wrong_value_is_said_beside_its_field(page: Admin, store: Store, query: str, field: str, words: str) -> None:
    made.chats(store, 1)
    answer = page.get(f"/conversations?{query}&missed=1")
    assert answer.status_code == 422
    error = answer.text.partition(f'id="{field}-error"')[2].partition("</p>")[0]
    assert words in text_of("<p" + error)
    assert listed(answer.text) == []
    # What was typed is still there to be mended.
    assert re.search(r'id="missed"[^>]* checked', answer.text)


@pytest.mark.parametrize("after", ["x", "1~", "~", "nan~1:1", "1" * 30 + "~1:1"])
def test_an_address_that_was_cut_shows_the_newest(page: Admin, store: Store, after: str) -> None:
    made.chats(store, 1)
    answer = page.get("/conversations", query_string={"after": after})
    assert answer.status_code == 200
    assert "That page no longer exists" in answer.text
    assert listed(answer.text) == ["1:1"]


def test_a_search_whose_time_is_over_says_so_and_goes_on(
    page: Admin, store: Store, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    made.conversation(store, chat(0, visitor={"name": "Rare"}))
    for number in range(1, 6):
        clock.pass_by(1)
        made.chats(store, 1, first=number)
    monkeypatch.setattr(search_module, "_BATCH", 2)
    monkeypatch.setattr(conversations, "LIMIT", 1)
    ticking(monkeypatch, 1)
    first = page.get("/conversations?q=rare")
    assert "Searched back to" in first.text
    assert "found nothing so far" in text_of(first.text)
    assert "Nothing matches" not in first.text
    onwards = unescape(re.findall(r'href="([^"]+)">Continue', first.text)[0])
    second = page.get(onwards)
    third = page.get(unescape(re.findall(r'href="([^"]+)">Continue', second.text)[0]))
    assert listed(third.text) == ["1:0"]


def test_whoever_asks_to_go_on_waits_longer_for_more(
    page: Admin, store: Store, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(8):
        made.chats(store, 1, first=number)
        clock.pass_by(1)
    monkeypatch.setattr(search_module, "_BATCH", 2)
    monkeypatch.setattr(conversations, "LIMIT", 1)
    ticking(monkeypatch, 1 / 4)
    first = page.get("/conversations?q=nobody")
    assert "Searched back to 2023-11-14 22:13:26 UTC" in text_of(first.text)
    second = page.get(unescape(re.findall(r'href="([^"]+)">Continue', first.text)[0]))
    assert "Nothing matches" in second.text


def test_a_name_nobody_gave_and_a_conversation_without_summary_are_listed(
    page: Admin, store: Store, server: Server
) -> None:
    made.conversation(store, chat(1, visitor={}))
    made.conversation(store, chat(2))
    server.client.delete(key("summary", "1:2"))
    assert page.get("/conversations").text.count("Unnamed visitor") == 2


def test_a_filter_by_delivery_shows_that_delivery_alone(page: Admin, store: Store) -> None:
    made.conversation(store, chat(1), crm=Outcome.REFUSED, archive=Outcome.DELIVERED)
    html = page.get("/conversations?status=dead").text
    assert "crm: Dead" in html
    assert "archive: Delivered" not in html
    assert "Changed" in html


def test_every_address_of_a_filter_is_that_filter() -> None:
    query = {
        "q": "Žofie & <b>",
        "said": "1",
        "connector": "crm",
        "status": "dead",
        "account": "22",
        "missed": "1",
        "offline": "1",
        "rating": "none",
        "from": "2026-11-01",
        "to": "2026-11-30",
    }
    read = asked(query, ["crm"])
    assert read.errors == {}
    assert read.query == spelled(read.filter) == query
    assert read.further == 6
    assert spelled(Filter()) == {}


# --- One conversation


def test_a_transcript_is_read_as_a_chat(page: Admin, store: Store) -> None:
    messages = [
        {
            "type": "agent",
            "from": "system",
            "name": "Bot",
            "content": "Hi!",
            "triggeredBy": "Welcome",
            "sentAt": 1427470439703,
        },
        {"type": "visitor", "from": "visitor:mx1", "name": "Ann", "content": "one\ntwo", "sentAt": 1427470449703},
        {"type": "system", "from": "agent:3", "name": "Petr", "content": "agent.join"},
        {"type": "system", "from": "system", "name": "Ann", "content": "close.visitorClose"},
        {"type": "system", "from": "system", "name": "x", "content": "chat.somethingNew"},
        {"type": "visitor", "from": "visitor:mx1", "content": "مرحبا"},
    ]
    identity = made.conversation(store, chat(1, messages=messages))
    html = page.get(f"/conversations/{identity}").text
    bubbles = re.findall(r'<li class="bubble (\w+)">(.*?)</li>', html, re.DOTALL)
    assert [side for side, _ in bubbles] == ["agent", "visitor", "system", "system", "system", "visitor"]
    said = [text_of(one) for _, one in bubbles]
    assert said[0].startswith("Bot automatic: Welcome · 2015-03-27 15:33:59 UTC Hi!")
    assert ">one\ntwo</p>" in bubbles[1][1]
    assert said[2:5] == ["Petr joined", "Ann closed the chat", "chat.somethingNew"]
    assert '<p class="bubble-text" dir="auto">مرحبا</p>' in bubbles[5][1]


@pytest.mark.parametrize(
    ("wait", "why"),
    [
        ("wait: 10m", "UTC for the chat to be quiet, because wait is set for crm."),
        ("", "UTC at most for the rest of the chat, which Smartsupp’s API has ( source.enrich )."),
    ],
)
def test_a_delivery_that_waits_says_until_when_and_why_and_is_sent_by_hand_at_once(
    server: Server, tmp_path: Path, store: Store, ledger: Ledger, clock: Clock, wait: str, why: str
) -> None:
    page = admin(server, tmp_path, config=f"connectors: {{crm: {{type: archive, {wait}}}}}")
    due = made.waiting_for_quiet(store, "crm")
    html = page.get("/conversations/1:1").text
    said = text_of(section(html, "crm"))
    assert due == clock.now + 600_000
    assert f"It waits until 2023-11-14 22:23:20 {why}" in said
    assert "Send now" in said
    page.submit("/conversations/1:1/crm/replay")
    assert ledger.delivery(DeliveryId("crm:1:1")).quiet_until is None
    assert "It waits until" not in text_of(section(page.get("/conversations/1:1").text, "crm"))


def test_everything_known_of_the_visitor_is_shown(page: Admin, store: Store) -> None:
    visitor = {
        "id": "mx7",
        "name": "Ann",
        "email": "ann@example.com",
        "note": "VIP",
        "group": "Shop",
        "ipAddress": "192.0.2.1",
        "city": "Brno",
        "countryCode": "CZ",
        "platform": "Linux",
        "userAgent": "Firefox",
        "referer": "https://search.example/?q=tea",
        "variables": {"customer": {"label": "Customer", "value": "C-1"}, "empty": {"label": "Empty", "value": None}},
    }
    channel = {
        "id": 1,
        "isChat": True,
        "isMissed": True,
        "rating": 5,
        "ratingDesc": "Quick",
        "duration": 95,
        "firstResponse": 14,
    }
    pages = [{"url": "https://shop.example/tea", "title": "Tea"}, {"url": "ftp://shop.example/x", "title": ""}]
    identity = made.conversation(
        store, chat(1, visitor=visitor, channel=channel, paths=pages, beginAt=1427470439703), archive=Outcome.DELIVERED
    )
    html = page.get(f"/conversations/{identity}").text
    text = text_of(html)
    for words in (
        "mx7",
        "VIP",
        "Shop",
        "192.0.2.1",
        "Brno, CZ",
        "Linux",
        "Firefox",
        "Customer C-1",
        "Empty –",
        "1.58 min",
        "14 s",
    ):
        assert words in text, words
    assert "Rated Good Quick" in text
    assert "Smartsupp flags chat, missed" in text
    assert (
        '<a class="break" href="https://shop.example/tea" target="_blank" rel="noopener noreferrer nofollow">' in html
    )
    assert "ftp://shop.example/x" in html
    assert 'href="ftp' not in html


def test_a_revision_can_be_chosen_and_every_body_downloaded(page: Admin, store: Store) -> None:
    bodies = [
        chat(1, messages=[{"type": "visitor", "from": "visitor:mx1", "content": words}]) for words in ("one", "two")
    ]
    for body in bodies:
        identity = made.conversation(store, body)
    store.accept(bodies[1])
    newest = page.get(f"/conversations/{identity}").text
    assert ">two</p>" in newest
    assert "received 2 times" in newest
    first = page.get(f"/conversations/{identity}?revision=1").text
    assert ">one</p>" in first
    assert "This is revision 1 of 2" in first
    for wrong in ("3", "x", "0", "²"):
        answer = page.get(f"/conversations/{identity}", query_string={"revision": wrong})
        assert answer.status_code == 200
        assert ">two</p>" in answer.text
        assert "This revision does not exist" in answer.text
    addresses = re.findall(rf'href="(/conversations/{identity}/body/\w+)"', newest)
    assert {page.get(address).data for address in addresses} == set(bodies)


def test_a_body_is_a_file_of_plain_text_for_every_browser(page: Admin, store: Store, ledger: Ledger) -> None:
    identity = made.conversation(store, hostile.body())
    other = made.conversation(store, chat(2))
    payload = ledger.conversation(ConversationId(identity)).payloads[0].id
    answer = page.get(f"/conversations/{identity}/body/{payload}")
    assert answer.data == hostile.body()
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert answer.headers["Content-Disposition"] == f'attachment; filename="1-hostile-{payload}.json"'
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert page.get(f"/conversations/{other}/body/{payload}").status_code == 404
    assert page.get(f"/conversations/{identity}/body/nothing").status_code == 404


def test_a_body_that_can_no_longer_be_read_is_shown_with_its_deliveries(
    page: Admin, store: Store, server: Server, ledger: Ledger
) -> None:
    identity = made.conversation(store, chat(1), crm=Outcome.REFUSED)
    payload = ledger.conversation(ConversationId(identity)).payloads[0].id
    server.client.set(key("raw", payload), b'{"channel": [1, "<script>old</script>"')
    answer = page.get(f"/conversations/{identity}")
    assert answer.status_code == 200
    assert "This payload cannot be read any more" in answer.text
    assert "not JSON" in answer.text
    assert "&lt;script&gt;old" in answer.text
    assert "500 Internal Server Error" in section(answer.text, "crm")


@pytest.mark.parametrize("body", [b"\xff\xfe\x00", b"[" * 100_000, b'{"a": "\\ud800"}', b"", b"1" * 6000])
def test_whatever_bytes_are_kept_there_is_a_page(
    page: Admin, store: Store, server: Server, ledger: Ledger, body: bytes
) -> None:
    identity = made.conversation(store, chat(1))
    server.client.set(key("raw", ledger.conversation(ConversationId(identity)).payloads[0].id), body)
    assert page.get(f"/conversations/{identity}").status_code == 200


def test_a_hostile_conversation_is_text_on_every_page(page: Admin, store: Store) -> None:
    identity = made.conversation(store, hostile.body(), archive=Outcome.DELIVERED, crm=None)
    claim = made.claimed(store, "crm", identity)
    url = "https://crm.example.com/" + hostile.ATTACKS[0]
    requests_made = tuple(Exchange("POST", url, 422, 5, one, one, one) for one in hostile.ATTACKS[:-2])
    made.settle(store, claim, Outcome.REFUSED, error=hostile.ATTACKS[0], requests=requests_made)
    for address in (
        f"/conversations/{identity}",
        "/conversations",
        "/conversations?status=dead",
        f"/conversations/{identity}/deliveries",
    ):
        html = page.get(address).text
        assert "relayWasHere" in html
        assert not re.search(r"<(?:script|style|iframe|svg|img|form|meta|base|link)[^>]*data-evil", html)
        assert not re.search(r"""(?:href|src|action)=["']?\s*(?:javascript|data):""", html, re.IGNORECASE)
        assert f"{hostile.COMPUTED} " not in html
        # Nothing turns the text around it, but for the raw body, which is as it came.
        assert not re.search("[\u202e\u2066\x07\x1b]", html.partition('id="raw"')[0])


@pytest.mark.parametrize(
    ("address", "link"),
    [
        ("https://example.com/a", True),
        ("HTTP://example.com", True),
        ("javascript:alert(1)", False),
        ("data:text/html,x", False),
        ("//example.com", False),
        ("https:example.com", False),
        ("https://[broken", False),
        ("https:///path", False),
        ("", False),
    ],
)
def test_only_addresses_of_the_web_become_links(address: str, link: bool) -> None:
    assert bool(web(address)) is link


def test_the_record_is_a_link_only_when_it_leads_to_the_web(page: Admin, store: Store) -> None:
    identity = made.conversation(store, chat(1), crm=Outcome.DELIVERED, desk=None)
    made.settle(
        store,
        made.claimed(store, "desk", identity),
        Outcome.DELIVERED,
        reference=Reference("D-9", "javascript:alert(1)"),
    )
    html = page.get(f"/conversations/{identity}").text
    assert 'href="https://crm.example.com/tickets/1" target="_blank" rel="noopener noreferrer"' in section(html, "crm")
    assert "D-9" in section(html, "desk")
    assert 'href="javascript' not in html


def test_a_delivery_tells_its_whole_story(page: Admin, store: Store, clock: Clock) -> None:
    identity = made.conversation(store, chat(1), crm=None)
    claim = made.claimed(store, "crm", identity)
    store.remember(claim, "contact", {"id": 7})
    exchange = Exchange(
        "POST", "https://crm.example.com/contacts", 503, 42, "too busy", '{"email":"ann@…"}', "<h1>Sorry</h1>"
    )
    made.settle(
        store,
        claim,
        Outcome.RETRY,
        requests=(exchange,),
        next=clock.now + 30_000,
        status=503,
        error="the CRM answered 503",
    )
    part = section(page.get(f"/conversations/{identity}").text, "crm")
    text = text_of(part)
    assert "crm Retrying" in text
    assert "Next attempt 2023-11-14 22:13:50 UTC" in text
    assert "Failed attempts 1" in text
    assert 'contact {"id": 7}' in text
    assert "1 attempt" in text
    assert "Temporary failure HTTP 503" in text
    assert "POST https://crm.example.com/contacts → 503, 42 ms" in text
    assert "too busy" in text
    assert 'Sent {"email":"ann@…"}' in text
    assert "&lt;h1&gt;Sorry&lt;/h1&gt;" in part
    assert "the CRM answered 503" in text


def test_a_note_of_the_connector_stands_with_the_delivery_and_not_among_what_was_created(
    page: Admin, store: Store
) -> None:
    made.conversation(store, chat("c1"), archive=None)
    claim = made.claimed(store, "archive", "1:c1")
    store.remember(claim, "ticket", 7)
    store.remember(claim, "note owner", "owner: <b>ann</b> is not an active agent")
    shown = section(page.get("/conversations/1:c1").text, "archive")
    assert "owner: &lt;b&gt;ann&lt;/b&gt; is not an active agent" in shown
    assert "Created at the destination (1)" in shown
    store.forget(claim, "ticket")
    shown = section(page.get("/conversations/1:c1").text, "archive")
    assert "Created at the destination" not in shown


def test_many_attempts_unfold(page: Admin, store: Store) -> None:
    identity = made.conversation(store, chat(1), crm=None)
    for _ in range(8):
        made.settle(store, made.claimed(store, "crm", identity), Outcome.RETRY, delay_ms=0)
    text = text_of(section(page.get(f"/conversations/{identity}").text, "crm"))
    assert "8 attempts The first 3" in text
    assert text.count("Temporary failure") == 8


def test_ids_are_unique_on_a_page_with_many_deliveries(page: Admin, store: Store) -> None:
    identity = made.conversation(store, chat(1), crm=Outcome.REFUSED, archive=Outcome.REFUSED, desk=Outcome.REFUSED)
    found = re.findall(r' id="([^"]+)"', page.get(f"/conversations/{identity}").text)
    assert len(found) == len(set(found))


def test_a_paused_connector_is_named_and_a_missing_one_too(page: Admin, store: Store) -> None:
    identity = made.conversation(store, chat(1), crm=None, gone=None)
    control(store).pause("crm", "why not")
    html = page.get(f"/conversations/{identity}").text
    assert "crm is paused" in section(html, "crm")
    assert 'href="/connectors/crm"' in section(html, "crm")
    assert f"/connectors/crm/preview?conversation={identity}" in unescape(section(html, "crm"))
    assert "gone is not in relay.yaml" in section(html, "gone")
    assert "/connectors/gone/preview" not in html


def test_what_no_connector_wanted_says_so(page: Admin, store: Store) -> None:
    assert "Not delivered anywhere" in page.get(f"/conversations/{made.conversation(store, chat(1))}").text


@pytest.mark.parametrize("address", ["/conversations/1:none", "/conversations/x", "/conversations/1:none/deliveries"])
def test_a_conversation_that_is_not_there_is_not_found(page: Admin, address: str) -> None:
    assert page.get(address).status_code == 404


def test_the_live_part_is_the_part_of_the_page(page: Admin, store: Store) -> None:
    identity = made.conversation(store, chat(1), crm=Outcome.DELIVERED)
    live = page.get(f"/conversations/{identity}/deliveries", headers={"X-Relay-Live": "1"}).text
    assert "<html" not in live
    assert text_of(live) in text_of(page.get(f"/conversations/{identity}").text)


def test_a_sealed_store_shows_what_its_key_opens(server: Server, tmp_path: Path, clock: Clock) -> None:
    secret = Fernet.generate_key().decode()
    sealed = Store(connect(server.url, keys=[secret]), clock)
    identity = made.conversation(sealed, chat(1, visitor={"name": "Žofie"}), crm=Outcome.REFUSED)
    there = admin(server, tmp_path, config=CONFIG, RELAY_ENCRYPTION_KEYS=secret)
    assert "Žofie" in there.get("/conversations").text
    assert listed(there.get("/conversations?q=zofie").text) == [identity]
    assert "Žofie" in there.get(f"/conversations/{identity}").text


# --- One delivery


def test_a_dead_one_is_delivered_again(page: Admin, store: Store, ledger: Ledger) -> None:
    identity = made.conversation(store, chat(1), crm=Outcome.REFUSED)
    answer = page.submit(f"/conversations/{identity}/crm/replay")
    assert (answer.status_code, answer.location) == (303, f"/conversations/{identity}#to-crm")
    assert "Queued for crm." in page.get(f"/conversations/{identity}").text
    assert ledger.delivery(DeliveryId(f"crm:{identity}")).status == "waiting"


def test_behind_a_closed_gate_it_says_that_it_has_to_wait(page: Admin, store: Store) -> None:
    identity = made.conversation(store, chat(1), crm=Outcome.REFUSED)
    control(store).pause("crm", "why not")
    page.submit(f"/conversations/{identity}/crm/replay")
    assert "but crm is paused" in page.get(f"/conversations/{identity}").text


def test_for_a_connector_that_left_the_file_nothing_is_queued(page: Admin, store: Store, ledger: Ledger) -> None:
    identity = made.conversation(store, chat(1), gone=Outcome.DELIVERED)
    page.submit(f"/conversations/{identity}/gone/replay")
    html = page.get(f"/conversations/{identity}").text
    assert "gone is not in relay.yaml, so nothing can be delivered to it" in text_of(html)
    assert ledger.lane("gone").counts["delivered"] == 1


@pytest.mark.parametrize(("connector", "words"), [("off", "off is off in relay.yaml")])
@pytest.mark.parametrize("paused", [False, True])
def test_what_nobody_takes_is_not_said_to_be_due(
    server: Server, tmp_path: Path, store: Store, connector: str, words: str, paused: bool
) -> None:
    page = admin(server, tmp_path, config="connectors: {off: {type: archive, enabled: false}}")
    identity = made.conversation(store, chat(1), **{connector: Outcome.DELIVERED})
    if paused:
        control(store).pause(connector, "why not")
    page.submit(f"/conversations/{identity}/{connector}/replay")
    html = page.get(f"/conversations/{identity}").text
    flashed = text_of(html.partition('class="flashes"')[2].partition("</div>")[0])
    assert f"Queued, but {words}" in flashed
    assert words in text_of(section(html, connector))
    assert f"Next attempt when {connector} is on again" in text_of(section(html, connector))


def test_one_is_discarded_with_a_reason_by_somebody(page: Admin, store: Store, ledger: Ledger) -> None:
    identity = made.conversation(store, chat(1), crm=Outcome.REFUSED)
    page.submit(f"/conversations/{identity}/crm/discard", reason="  an\n advertisement  ")
    delivery = ledger.delivery(DeliveryId(f"crm:{identity}"))
    assert (delivery.status, delivery.error) == ("discarded", "an advertisement")
    assert delivery.attempts[-1].worker == "admin"
    text = text_of(section(page.get(f"/conversations/{identity}").text, "crm"))
    assert "an advertisement" in text
    assert "by admin" in text
    assert "Discard…" not in text


@pytest.mark.parametrize("reason", ["", "   "])
def test_nothing_is_discarded_without_a_reason(page: Admin, store: Store, ledger: Ledger, reason: str) -> None:
    identity = made.conversation(store, chat(1), crm=Outcome.REFUSED)
    page.submit(f"/conversations/{identity}/crm/discard", reason=reason)
    assert "enter a reason" in page.get(f"/conversations/{identity}").text
    assert ledger.delivery(DeliveryId(f"crm:{identity}")).status == "dead"


def test_what_is_settled_or_being_tried_is_not_discarded(page: Admin, store: Store, ledger: Ledger) -> None:
    identity = made.conversation(store, chat(1), crm=Outcome.DELIVERED, desk=None)
    made.claimed(store, "desk", identity)
    for connector in ("crm", "desk"):
        page.submit(f"/conversations/{identity}/{connector}/discard", reason="x")
        assert "Nothing was discarded" in page.get(f"/conversations/{identity}").text
    assert ledger.delivery(DeliveryId(f"crm:{identity}")).status == "delivered"
    assert "In flight" in section(page.get(f"/conversations/{identity}").text, "desk")


@pytest.mark.parametrize("what", ["replay", "discard"])
def test_a_delivery_that_is_not_there_is_not_found(page: Admin, store: Store, what: str) -> None:
    identity = made.conversation(store, chat(1))
    assert page.submit(f"/conversations/{identity}/crm/{what}", reason="x").status_code == 404


@pytest.mark.parametrize("what", ["replay", "discard"])
def test_nothing_is_done_without_the_token_of_a_form_or_a_login(
    page: Admin, store: Store, ledger: Ledger, what: str
) -> None:
    identity = made.conversation(store, chat(1), crm=Outcome.REFUSED)
    address = f"/conversations/{identity}/crm/{what}"
    assert page.client.post(address, data={"reason": "x"}).status_code == 403
    assert page.client.get(address).status_code == 405
    stranger = Admin(page.app)
    assert stranger.client.post(address, data={"reason": "x"}).status_code in (303, 403)
    assert stranger.get(f"/conversations/{identity}").status_code == 303
    assert ledger.delivery(DeliveryId(f"crm:{identity}")).status == "dead"


@pytest.fixture
def live(relay: Stack, destination: Destination) -> Iterator[requests.Session]:
    """A browser without scripts at a running relay, whose `crm` is the destination."""
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYqr"
    there = f'type: webhook, url: "{destination.url}", secret: {secret}, allow_networks: [127.0.0.0/8]'
    relay.configure(f"connectors: {{crm: {{{there}}}}}")
    Access(connect(relay.server.url)).set_password(hashed(PASSWORD))
    relay.web()
    relay.worker()
    with requests.Session() as session:
        home = f"http://127.0.0.1:{relay.port}"
        token = token_in(session.get(f"{home}/login", timeout=30).text)
        session.post(f"{home}/login", data={"password": PASSWORD, "csrf_token": token}, timeout=30)
        yield session


def test_a_failed_delivery_is_replayed_from_its_page_and_arrives(
    relay: Stack, destination: Destination, live: requests.Session
) -> None:
    destination.behaviour = lambda handler, _: handler.answer(422, json.dumps({"error": "no such field"}).encode())
    relay.post(chat(1))
    until(lambda: relay.ledger.lane("crm").counts["dead"] == 1, what="dead")
    destination.behaviour = lambda handler, _: handler.answer(200)
    home = f"http://127.0.0.1:{relay.port}"
    found = live.get(f"{home}/conversations?status=dead", timeout=30)
    assert listed(found.text) == ["1:1"]
    html = live.get(f"{home}/conversations/1:1", timeout=30).text
    assert "no such field" in section(html, "crm")
    action = re.findall(r'action="(/conversations/1:1/crm/replay)"', html)[0]
    answer = live.post(f"{home}{action}", data={"csrf_token": token_in(html)}, timeout=30)
    assert "Queued for crm." in answer.text
    until(lambda: relay.ledger.delivery(DeliveryId("crm:1:1")).status == "delivered", what="delivered")
    assert len(destination.received) == 2
    assert "crm Delivered" in text_of(section(live.get(f"{home}/conversations/1:1", timeout=30).text, "crm"))


# --- Bodies that nobody could read


VAST = chat("vast", messages=[{}] * 340_000).replace(b" ", b"")


def kept(store: Store, body: bytes, identity: str) -> None:
    """As a version without a bound on the parts of a body has kept it."""
    store.accept(body)
    claim = store.claim(INBOX, "a-worker")
    assert claim
    store.fan_out(claim, ConversationId(identity), [])


def test_a_conversation_of_340_000_messages_is_shown_a_page_at_a_time(page: Admin, store: Store) -> None:
    kept(store, VAST, "1:vast")
    html = page.get("/conversations/1:vast").text
    assert len(html) < 300_000
    assert html.count('class="bubble ') == 200
    assert "Messages 1 to 200 of 340 000" in text_of(html)
    following = re.search(r'href="([^"]+)">Next 200', html)
    assert following
    html = page.get(unescape(following[1])).text
    assert "Messages 201 to 400 of 340 000" in text_of(html)
    assert "Previous 200" in html
    html = page.get("/conversations/1:vast?from=339999").text
    assert "Messages 339 801 to 340 000" in text_of(html)
    assert "Next 200" not in html
    for wrong in ("-1", "x", "99999999", "9" * 30):
        assert len(page.get(f"/conversations/1:vast?from={wrong}").text) < 300_000


@pytest.mark.parametrize(
    "changes",
    [
        {"messages": [{"type": "visitor", "content": "ab " * 330_000}]},
        {"messages": [{"type": "visitor", "content": "ab " * 3_000}] * 100},
        {"paths": [{}] * 300_000},
        {"visitor": {"variables": {str(number): "" for number in range(60_000)}}},
        {"more": [[{}] * 600] * 500},
    ],
)
def test_no_part_of_a_body_makes_a_page_large(page: Admin, store: Store, changes: dict[str, Any]) -> None:
    kept(store, json.dumps(json.loads(chat("large", **changes)), separators=(",", ":")).encode(), "1:large")
    answer = page.get("/conversations/1:large")
    assert answer.status_code == 200
    assert len(answer.text) < 800_000


def test_of_many_revisions_the_newest_are_listed(page: Admin, store: Store) -> None:
    for number in range(105):
        made.conversation(store, chat("often", pad=number))
    html = page.get("/conversations/1:often").text
    assert html.count("Revision ") < 205
    assert "Revision 105, shown" in html
    assert "This is revision 1 of 105" in page.get("/conversations/1:often?revision=1").text


def test_what_a_chat_says_of_a_person_who_keeps_something_else_is_listed(
    page: Admin, server: Server, store: Store
) -> None:
    made.conversation(store, chat(1), crm=None)
    claim = store.claim("crm", "0123abcd")
    assert claim is not None
    store.remember(claim, "contact", "4711")
    store.remember(
        claim, CONFLICTS, [{"field": "phone", "said": "<b>+420</b>"}, {"field": "title", "said": "x", "refused": True}]
    )
    html = section(page.get("/conversations/1:1").text, "crm")
    assert "The person there keeps other values. The chat says: phone <b>+420</b> title x (refused)" in text_of(html)
    assert "<b>+420" not in html
    assert "Created at the destination (1)" in html


# --- as a table -----------------------------------------------------------------


def table(page: Admin, **query: str) -> list[dict[str, str]]:
    answer = page.get("/conversations.csv", query_string=query)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert re.fullmatch(r'attachment; filename="chats-[-0-9]{10}\.csv"', answer.headers["Content-Disposition"])
    assert answer.headers["Cache-Control"] == "no-store"
    return list(csv.DictReader(io.StringIO(answer.data.decode("utf-8-sig"), newline="")))


def test_what_the_list_shows_can_be_downloaded_as_a_table(page: Admin, store: Store) -> None:
    made.conversation(store, chat(1, visitor={"name": "Žofie", "email": "zofie@example.com"}), crm=Outcome.REFUSED)
    made.conversation(store, chat(2, visitor={"name": "=HYPERLINK(1)"}), crm=Outcome.DELIVERED)
    assert [one["conversation"] for one in table(page)] == ["1:2", "1:1"]
    (dead,) = table(page, status="dead", connector="crm")
    assert (dead["name"], dead["email"], dead["crm status"]) == ("Žofie", "zofie@example.com", "dead")
    assert [one["name"] for one in table(page, q="hyperlink")] == ["'=HYPERLINK(1)"]
    assert table(page, q="nobody at all") == []
    link = re.search(r'href="(/conversations\.csv[^"]*)"', page.get("/conversations?status=dead&connector=crm").text)
    assert link
    assert unescape(link[1]) == "/conversations.csv?connector=crm&status=dead"


def test_a_table_has_the_columns_of_the_export_and_comes_in_parts(
    page: Admin, store: Store, server: Server, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(conversations, "_PART", 1)
    for number in range(5):
        made.conversation(store, chat(number), crm=Outcome.DELIVERED)
    answer = page.get("/conversations.csv")
    assert "Content-Length" not in answer.headers
    assert len(list(answer.iter_encoded())) > 5
    exporting = as_csv(exported(Search(connect(server.url)), ledger, Filter()), ["crm"])
    assert table(page) == list(csv.DictReader(io.StringIO("".join(exporting), newline="")))


def test_a_wrong_filter_downloads_nothing_and_leads_to_what_is_wrong(page: Admin) -> None:
    answer = page.get("/conversations.csv?status=nonsense&q=ann")
    assert (answer.status_code, answer.location) == (303, "/conversations?q=ann&status=nonsense")
    assert "conversations.csv" not in page.get(answer.location).text


def test_the_log_says_who_downloaded_how_many_chats_and_not_whom_they_searched_for(page: Admin, store: Store) -> None:
    made.conversation(store, chat(1, visitor={"name": "Ann Secretname"}), crm=Outcome.REFUSED)
    with capture_logs() as logs:
        table(page, q="secretname", status="dead")
    (line,) = (one for one in logs if one["event"] == "chats were downloaded")
    assert (line["by"], line["status"], line["chats"], line["complete"]) == ("admin", "dead", 1, True)
    assert "secretname" not in str(logs).lower()


def test_a_stranger_downloads_nothing(page: Admin) -> None:
    answer = page.app.test_client().get("/conversations.csv")
    assert (answer.status_code, answer.location[:6]) == (303, "/login")
