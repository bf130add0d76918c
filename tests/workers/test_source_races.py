"""What was compared, or known by a name, is another by the time that it is written down: several workers, one of which
died, and a name of the section `source` that means another account by now."""

from __future__ import annotations

import copy
import json
import secrets
import threading
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from app.demo.shop import SHOP_ACCOUNT as ACCOUNT
from app.demo.shop import api_time as iso
from core.delivery import PayloadStatus
from core.smartsupp.api.body import is_fetched
from core.store.protocol.keys import key
from core.store.sources.orders import source_lane
from core.store.sources.stranded import StrandedOrders
from tests.conftest import Clock
from tests.fakes.smartsupp import SmartsuppFake
from tests.support.server import Server
from tests.workers.test_sources import (
    BEGAN,
    LANE,
    WAIT,
    Relay,
    api_id,
    closed,
    hook,
    hook_id,
    relay,
    smartsupp,
    source_config,
    talk,
)
from workers.intake import take_in
from workers.maintenance import Chores

__all__ = ["relay", "smartsupp"]  # fixtures

LATER = "And may I add one more teapot to order A-77?"


def fetched_and_unread(relay: Relay, chat: Any) -> None:
    """A webhook led to a fetch, and what was fetched lies in the inbox."""
    relay.webhook(closed(chat))
    relay.pass_by(WAIT + 1)
    claim = relay.store.claim_order(LANE, secrets.token_hex(8))
    assert claim
    relay.fetching.fetch(claim, relay.settings)


@pytest.fixture(params=[False, True], ids=["as it comes", "completed"])
def shop(
    request: pytest.FixtureRequest, relay: Relay, server: Server, clock: Clock, tmp_path: Path, smartsupp: SmartsuppFake
) -> Relay:
    section = source_config(smartsupp) | ({"enrich": {"within": "60s"}} if request.param else {})
    return Relay(server, clock, tmp_path, smartsupp, section)


def test_a_newer_word_of_the_visitor_is_never_filed_beneath_what_was_fetched_before_it(shop: Relay) -> None:
    """A worker dies with what was fetched; the hook's chat is read; then it is in one batch with the hook's next."""
    chat = talk()
    shop.fake.add(chat)
    fetched_and_unread(shop, chat)
    assert len(shop.store.claim_bodies("dies")) == 1
    shop.take(hook(chat))
    longer = copy.deepcopy(chat.hook)
    longer["messages"].append({**longer["messages"][0], "content": LATER, "sentAt": longer["endAt"] + 540_000})
    longer["endAt"] += 600_000
    shop.store.accept(json.dumps(longer).encode())
    sent = iso(BEGAN + timedelta(minutes=5))
    chat.messages.append(
        {**chat.messages[0], "id": "mslater", "content": {"type": "text", "text": LATER}, "createdAt": sent}
    )
    shop.pass_by(30)  # the lease of the dead one runs out
    batch = shop.store.claim_bodies("next")
    assert sorted(is_fetched(one.body) for one in batch) == [False, True]
    take_in(shop.store, batch, shop.settings)
    shop.read()
    assert LATER.encode() in shop.payloads(hook_id(chat))[-1].body
    for _ in range(3):
        shop.pass_by(600)
        shop.fetch()
    shop.deliver()
    assert LATER.encode() in shop.payloads(hook_id(chat))[-1].body
    [delivery] = shop.ledger.conversation(hook_id(chat)).deliveries
    folder = shop.data / "archive" / ACCOUNT / hook_id(chat).channel
    assert LATER in (folder / f"r{delivery.revision}.json").read_text()


def test_in_one_batch_what_was_fetched_stays_the_newest_of_what_says_no_more(shop: Relay) -> None:
    chat = talk()
    shop.fake.add(chat)
    begun = copy.deepcopy(chat.hook)
    begun["messages"] = begun["messages"][:1]
    shop.take(json.dumps(begun).encode())
    fetched_and_unread(shop, chat)
    while claim := shop.store.claim_order(LANE, secrets.token_hex(8)):
        shop.fetching.fetch(claim, shop.settings)
    shop.pass_by(0.5)
    shop.store.accept(hook(chat))
    batch = shop.store.claim_bodies("both")
    assert [is_fetched(one.body) for one in batch][-1] is False
    take_in(shop.store, batch, shop.settings)
    for _ in range(4):
        shop.read()
        shop.pass_by(600)
        shop.fetch()
    assert [is_fetched(one.body) for one in shop.payloads(hook_id(chat))][-1] is True
    assert shop.ledger.payload_counts().get(PayloadStatus.QUARANTINED, 0) == 0


@pytest.mark.parametrize("way", ["exchanged", "reused"])
def test_a_name_that_is_another_accounts_by_now_takes_no_chat_along(
    relay: Relay, server: Server, clock: Clock, tmp_path: Path, smartsupp: SmartsuppFake, way: str
) -> None:
    """An order, and a webhook that nobody has read, of the account that had the name before."""
    ordered, unread = talk(1), talk(2)
    for chat in (ordered, unread):
        relay.fake.add(chat)
    relay.webhook(closed(ordered))
    relay.store.accept(closed(unread), ACCOUNT, "application/json", "main")
    with SmartsuppFake() as other:
        two = source_config(other) | {"account": "2000"}
        section = {"accounts": {"main": two, "shop": source_config(smartsupp)}} if way == "exchanged" else two
        now = Relay(server, clock, tmp_path, smartsupp, section)
        now.read()
        chores = Chores(now.client, now.store, lambda: now.settings, threading.Event())
        chores._stranded = StrandedOrders(now.client, clock)
        for _ in range(6):
            now.pass_by(3600)
            chores.look_after_orders()
            now.fetch(LANE)
            now.fetch(source_lane("shop"))
        assert other.requests == []
    if way == "exchanged":
        assert set(now.conversations()) == {api_id(ordered), api_id(unread)}
        return
    # Nobody has their number any more: both wait, and say so.
    assert now.queued() == 1
    error = now.client.hget(key("order", api_id(ordered)), "error")
    assert isinstance(error, bytes)
    assert error.startswith(b"account 1000 has no api in relay.yaml any more")
    [kept] = now.ledger.payloads(PayloadStatus.QUARANTINED)
    assert "put it back, then retry" in (kept.error or "")
    # Back under any name, what waits is fetched.
    section = {"accounts": {"main": two, "shop": source_config(smartsupp)}}
    back = Relay(server, clock, tmp_path, smartsupp, section)
    back.pass_by(86_400)
    back.fetch(LANE)
    back.fetch(source_lane("shop"))
    assert back.conversations() == [api_id(ordered)]


def test_what_an_admin_hands_to_another_account_is_fetched_by_it(
    relay: Relay, server: Server, clock: Clock, tmp_path: Path, smartsupp: SmartsuppFake
) -> None:
    chat = talk()
    relay.fake.add(chat)
    relay.webhook(closed(chat))
    section = {"accounts": {"shop": source_config(smartsupp) | {"account": "2000"}}}
    now = Relay(server, clock, tmp_path, smartsupp, section)
    assert StrandedOrders(now.client, clock).move("main", "shop") == 1
    now.pass_by(WAIT + 1)
    assert now.fetch(source_lane("shop")) == 1
    assert len(now.conversations()) == 1
