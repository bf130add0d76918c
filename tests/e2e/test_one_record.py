"""One chat becomes one record of one person, whatever the store has forgotten. Real servers, a desk with a memory."""

from __future__ import annotations

import json
import re
import secrets
import shutil
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from connectors.kit import http
from connectors.kit.record import Mapping
from connectors.testing.fake import Answer
from core.ids import ConversationId, DeliveryId
from core.smartsupp.parser import parse_conversation
from core.store import INBOX, Claim, Eraser, Ledger, Store, connect
from tests.fakes.freshdesk import KEY, FreshdeskVendor
from tests.fakes.odoo import DATABASE, OdooVendor
from tests.fakes.odoo import KEY as ODOO_KEY
from tests.support.inline import Inline
from tests.support.made import control
from tests.support.server import Server
from tests.support.stack import free_port
from workers.delivery import alone

CONFIG = """
connectors:
  desk:
    type: freshdesk
    base_url: {url}
    api_key: {key}
    allow_networks: [127.0.0.0/8]
    rate: null
routes:
  - to: [desk]
"""


def chat(*said: str, channel: int = 501, began: float = 0.0) -> bytes:
    began = began or time.time()
    messages = [
        {
            "type": "visitor",
            "name": "Ann",
            "from": "visitor:1",
            "content": text,
            "sentAt": round(1000 * began) + 5000 * n,
        }
        for n, text in enumerate(said, 1)
    ]
    return json.dumps(
        {
            "accountId": 208,
            "beginAt": round(1000 * began),
            "endAt": round(1000 * began) + 5000 * len(said),
            "channel": {"id": channel, "isChat": True},
            "visitor": {"id": 7, "name": "Ann", "email": "ann@shop.example.com"},
            "messages": messages,
        }
    ).encode()


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "_backoff", lambda state: 0.01)


@pytest.fixture
def desk() -> Iterator[FreshdeskVendor]:
    with FreshdeskVendor() as there:
        yield there


def inline(server: Server, tmp_path: Path, desk: FreshdeskVendor) -> Inline:
    store = Store(connect(server.url))
    store.beat("worker")
    return Inline(store, tmp_path, CONFIG.format(url=desk.url, key=KEY))


def looks(desk: FreshdeskVendor) -> int:
    return sum(one.method == "GET" and one.path == "/api/v2/tickets" for one in desk.requests)


def test_an_ordinary_first_delivery_does_not_look(own_server: Server, tmp_path: Path, desk: FreshdeskVendor) -> None:
    relay = inline(own_server, tmp_path, desk)
    # The store began to remember before the chat did.
    relay.store._redis.hset("relay:epoch", "memory", round(1000 * (time.time() - 7200)))
    relay.take(chat("Hello"))
    assert len(desk.tickets) == 1
    assert looks(desk) == 0


def test_a_chat_that_waited_in_a_copy_that_is_put_back_is_not_delivered_twice(
    own_server: Server, tmp_path: Path, desk: FreshdeskVendor
) -> None:
    relay = inline(own_server, tmp_path, desk)
    bodies = [chat("Hello", channel=number) for number in range(1, 6)]
    for body in bodies:
        relay.store.accept(body)
    relay.read()
    copy = tmp_path / "copy"
    shutil.copytree(own_server.folder / "appendonlydir", copy)
    relay.deliver()
    assert (len(desk.tickets), looks(desk)) == (5, 5)  # they began before this store did
    texts = len(desk.notes)
    own_server.stop()
    shutil.rmtree(own_server.folder / "appendonlydir")
    shutil.copytree(copy, own_server.folder / "appendonlydir")
    own_server.start()
    relay = inline(own_server, tmp_path, desk)
    assert Ledger(connect(own_server.url)).lane("desk").counts["waiting"] == 5
    relay.deliver()
    assert Ledger(connect(own_server.url)).lane("desk").counts["delivered"] == 5
    assert (len(desk.contacts), len(desk.tickets), len(desk.notes)) == (1, 5, texts)


def test_a_chat_that_the_copy_does_not_know_goes_on_in_its_record(
    own_server: Server, tmp_path: Path, desk: FreshdeskVendor
) -> None:
    relay = inline(own_server, tmp_path, desk)
    began = time.time()
    relay.store.accept(chat("Somebody else", channel=1))
    copy = tmp_path / "copy"
    shutil.copytree(own_server.folder / "appendonlydir", copy)
    relay.take(chat("Hello", began=began))
    own_server.stop()
    shutil.rmtree(own_server.folder / "appendonlydir")
    shutil.copytree(copy, own_server.folder / "appendonlydir")
    own_server.start()
    relay = inline(own_server, tmp_path, desk)
    relay.take(chat("Hello", "One thing more", began=began))
    assert len(desk.tickets) == 2
    assert sum("One thing more" in text for text in desk.texts()) == 1


def test_a_chat_that_goes_on_after_its_retention_goes_on_in_its_record(
    own_server: Server, tmp_path: Path, desk: FreshdeskVendor
) -> None:
    relay = inline(own_server, tmp_path, desk)
    relay.store._redis.hset("relay:epoch", "memory", round(1000 * (time.time() - 7200)))
    began = time.time()
    relay.take(chat("Hello", began=began))
    later = round(1000 * time.time()) + 60_000
    assert Eraser(connect(own_server.url)).settled([ConversationId("208:501")], later, later) == 1
    relay.take(chat("Hello", "One thing more", began=began))
    assert (len(desk.contacts), len(desk.tickets)) == (1, 1)
    assert sum("One thing more" in text for text in desk.texts()) == 1


def test_a_revision_without_a_later_message_brings_its_text_to_a_chat_that_may_have_been_known(
    own_server: Server, tmp_path: Path, desk: FreshdeskVendor
) -> None:
    relay = inline(own_server, tmp_path, desk)
    began = time.time()
    revisions = ["Hello"], ["Hello, corrected"], ["Hello", "One thing more"], ["Hello, cut short"], ["Hello, at last"]
    for said in revisions:
        relay.take(chat(*said, began=began))
    assert len(desk.tickets) == 1
    texts = desk.texts()
    assert [sum(said[-1] in text for text in texts) for said in revisions[1:]] == [1, 1, 1, 1]


def test_a_chat_that_was_erased_and_goes_on_makes_no_second_record(
    own_server: Server, tmp_path: Path, desk: FreshdeskVendor
) -> None:
    relay = inline(own_server, tmp_path, desk)
    began = time.time()
    relay.take(chat("Hello", began=began))
    assert Eraser(connect(own_server.url)).conversation(ConversationId("208:501"))
    relay.take(chat("Hello", "One thing more", began=began))
    assert len(desk.tickets) == 1
    assert sum("One thing more" in text for text in desk.texts()) == 1


def test_a_new_store_that_gets_the_chats_again_makes_no_second_record(
    own_server: Server, tmp_path: Path, desk: FreshdeskVendor
) -> None:
    relay = inline(own_server, tmp_path, desk)
    body = chat("Hello")
    relay.take(body)
    own_server.empty()
    relay.take(body)
    assert Ledger(connect(own_server.url)).lane("desk").counts["delivered"] == 1
    assert (len(desk.contacts), len(desk.tickets)) == (1, 1)


def test_a_failover_that_lost_the_steps_makes_no_second_record(tmp_path: Path, desk: FreshdeskVendor) -> None:
    ports = [free_port(), free_port()]
    primary = Server(tmp_path / "primary", "--port", str(ports[0]), "--repl-diskless-sync-delay", "0").start()
    replica = Server(tmp_path / "replica", "--port", str(ports[1]), "--replicaof", "127.0.0.1", str(ports[0])).start()
    try:
        relay = inline(primary, tmp_path, desk)
        relay.store._redis.hset("relay:epoch", "memory", round(1000 * (time.time() - 7200)))
        relay.store.accept(chat("Hello"))
        relay.read()
        ends = time.monotonic() + 30
        while not replica.client.zcard("relay:lane:desk"):
            assert time.monotonic() < ends
            time.sleep(0.02)
        replica.client.replicaof("NO", "ONE")  # of what comes now, nothing reaches it
        relay.deliver()
        assert (len(desk.tickets), looks(desk)) == (1, 0)
        primary.kill()
        relay = Inline(Store(connect(replica.url)), tmp_path, CONFIG.format(url=desk.url, key=KEY))
        relay.deliver()
        assert Ledger(connect(replica.url)).lane("desk").counts["delivered"] == 1
        assert (len(desk.contacts), len(desk.tickets)) == (1, 1)
    finally:
        replica.stop()


# --- one person ------------------------------------------------------------------------


def claims(store: Store, number: int) -> list[Claim]:
    found = []
    for one in range(number):
        store.accept(chat("Hello", channel=one))
        body = store.claim(INBOX, secrets.token_hex(8))
        assert body
        store.fan_out(body, ConversationId(f"208:{one}"), ["desk"])
        claim = store.claim("desk", secrets.token_hex(8))
        assert claim
        found.append(claim)
    return found


def test_an_identity_is_held_by_one_delivery_until_it_lets_go_or_ends(server: Server) -> None:
    store = Store(connect(server.url))
    store.beat("worker")
    first, second = claims(store, 2)
    assert store.hold(first, "ann@shop.example.com")
    assert store.hold(first, "ann@shop.example.com")
    assert not store.hold(second, "ann@shop.example.com")
    assert store.hold(second, "bob@shop.example.com")
    store.let_go(first, "ann@shop.example.com")
    assert store.hold(second, "ann@shop.example.com")
    store.let_go(first, "ann@shop.example.com")  # it is no longer his
    assert not store.hold(first, "ann@shop.example.com")
    store.release(second)
    assert store.hold(first, "ann@shop.example.com")
    assert not [name for name in store._redis.keys("*") if b"ann@" in name]


def test_an_identity_whose_holder_died_is_free_when_its_lease_runs_out(store: Store, clock: Any) -> None:
    first, second = claims(store, 2)
    clock.pass_by(1)
    assert store.hold(first, "ann@shop.example.com")
    clock.pass_by(3)
    store.renew([second])
    assert not store.hold(second, "ann@shop.example.com")
    clock.pass_by(3)
    assert store.hold(second, "ann@shop.example.com")


def test_who_waits_too_long_for_a_person_tries_again_in_a_moment_and_loses_no_try(
    server: Server, tmp_path: Path, desk: FreshdeskVendor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workers.delivery._WAIT", 0.0)
    relay = inline(server, tmp_path, desk)
    relay.store.accept(chat("Hello", channel=1))
    relay.store.accept(chat("Hello", channel=2))
    relay.read()
    holder = relay.claim("desk")
    assert holder
    with alone(relay.store, holder, "ann@shop.example.com"):
        relay.deliver()
    [waits] = [one for one in Ledger(connect(server.url)).deliveries() if one.id != holder.id]
    assert (waits.status, waits.tries) == ("waiting", 0)
    assert waits.error.startswith("another chat of the same visitor")
    assert desk.tickets == []


def test_six_chats_of_one_new_visitor_at_once_make_one_contact_in_odoo(server: Server, tmp_path: Path) -> None:
    with OdooVendor() as odoo:
        odoo.pause = 0.03
        store = Store(connect(server.url))
        store.beat("worker")
        relay = Inline(
            store,
            tmp_path,
            f"""
connectors:
  crm:
    type: odoo
    url: {odoo.url}
    api_key: {ODOO_KEY}
    database: {DATABASE}
    allow_networks: [127.0.0.0/8]
routes:
  - to: [crm]
""",
        )
        for number in range(1, 7):
            store.accept(chat("Hello", channel=number))
        relay.read()
        beating = threading.Event()

        def beat() -> None:
            while not beating.wait(0.5):
                store.beat("worker")

        threading.Thread(target=beat, daemon=True).start()
        try:
            for _ in range(100):
                with ThreadPoolExecutor(6) as pool:
                    list(pool.map(lambda _: relay.deliver(), range(6)))
                if Ledger(connect(server.url)).lane("crm").counts["delivered"] == 6:
                    break
                for one in Ledger(connect(server.url)).deliveries():
                    if one.status in ("waiting", "retrying"):  # both made a tag, or waited: now, not in half a minute
                        control(store).replay(one.id)
        finally:
            beating.set()
        assert len(odoo.people()) == 1
        assert len(odoo.records()) == 6


def test_a_person_that_was_merged_before_the_ticket_was_made_gets_it_under_the_id_of_today(
    server: Server, tmp_path: Path, desk: FreshdeskVendor
) -> None:
    relay = inline(server, tmp_path, desk)
    relay.take(chat("Hello", channel=500))
    down = ("POST", re.compile(r"/api/v2/tickets\Z"), lambda request: Answer(503))
    desk.routes.insert(0, down)
    relay.take(chat("Hello again"))
    ledger = Ledger(connect(server.url))
    assert ledger.delivery(DeliveryId("desk:208:501")).status == "retrying"
    desk.routes.remove(down)
    desk.contacts[0]["id"] += 5000  # merged: another id has the address now
    control(relay.store).replay(DeliveryId("desk:208:501"))
    relay.deliver()
    assert ledger.delivery(DeliveryId("desk:208:501")).status == "delivered"
    assert desk.tickets[-1]["requester_id"] == desk.contacts[0]["id"]
    assert (len(desk.contacts), len(desk.tickets)) == (1, 2)


# --- two connectors on one account -----------------------------------------------------

TWO = CONFIG.replace(
    "routes:",
    """  second:
    type: freshdesk
    base_url: {url}/
    api_key: another
    enabled: false
  apart:
    type: freshdesk
    domain: elsewhere
    api_key: another
    enabled: false
routes:""",
)


def test_two_connectors_on_one_account_keep_two_records_and_the_first_keeps_its_key(
    server: Server, tmp_path: Path, desk: FreshdeskVendor
) -> None:
    store = Store(connect(server.url))
    store.beat("worker")
    relay = Inline(store, tmp_path, TWO.format(url=desk.url, key=KEY))
    conversation = parse_conversation(chat("Hello"))
    keys = {name: Mapping(one.settings, conversation).key for name, one in relay.connectors.items()}
    assert keys == {"desk": "smartsupp:208:501", "second": "smartsupp:208:501:second", "apart": "smartsupp:208:501"}


def test_a_chat_for_two_connectors_on_one_account_is_two_tickets_whatever_was_forgotten(
    server: Server, tmp_path: Path, desk: FreshdeskVendor
) -> None:
    config = TWO.replace("another", KEY).replace("enabled: false", "allow_networks: [127.0.0.0/8]", 1)
    relay = Inline(
        Store(connect(server.url)), tmp_path, config.replace("[desk]", "[desk, second]").format(url=desk.url, key=KEY)
    )
    for _ in range(2):
        relay.store.beat("worker")
        relay.take(chat("Hello", began=1_700_000_000.0))
        assert len(desk.tickets) == 2
        server.empty()
