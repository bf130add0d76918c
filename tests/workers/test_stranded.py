"""An account of `source` that gets another name keeps what is to be fetched for it; one that is removed is said."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app.admin.attention.lines import Attention
from app.demo.shop import SHOP_ACCOUNT as ACCOUNT
from app.demo.shop import ms
from core.delivery import PayloadStatus
from core.store import Store
from core.store.protocol.keys import key
from core.store.sources.orders import Wish, source_lane
from core.store.sources.stranded import StrandedOrders
from tests.conftest import Clock
from tests.fakes.smartsupp import SmartsuppFake
from tests.support.server import Server
from tests.workers.test_sources import BEGAN, WAIT, Relay, api_id, closed, source_config, talk
from workers.alerts.detect import Look
from workers.maintenance import Chores

OLD, NEW = source_lane("main"), source_lane("shop-de")


@pytest.fixture(scope="module")
def smartsupp() -> Iterator[SmartsuppFake]:
    with SmartsuppFake([talk(1), talk(2), talk(3)]) as fake:
        yield fake


class Renaming:
    """A relay with `main`, and what comes after it: each reads the file of its own."""

    def __init__(self, server: Server, clock: Clock, folder: Path, smartsupp: SmartsuppFake) -> None:
        self.server, self.clock, self.folder, self.smartsupp = server, clock, folder, smartsupp
        clock.now = ms(BEGAN) + 600_000
        self.before = self.relay(source_config(smartsupp))

    def relay(self, source: dict[str, Any]) -> Relay:
        return Relay(self.server, self.clock, self.folder, self.smartsupp, source)

    def renamed(self, account: str = ACCOUNT) -> Relay:
        about = {**source_config(self.smartsupp), "account": account}
        return self.relay({"accounts": {"shop-de": about}})

    def chores(self, relay: Relay) -> None:
        chores = Chores(relay.client, relay.store, lambda: relay.settings, threading.Event())
        chores._stranded = StrandedOrders(relay.client, self.clock)
        chores.look_after_orders()


@pytest.fixture
def shop(server: Server, clock: Clock, tmp_path: Path, smartsupp: SmartsuppFake) -> Renaming:
    return Renaming(server, clock, tmp_path, smartsupp)


def test_an_account_with_another_name_keeps_what_is_to_be_fetched(shop: Renaming) -> None:
    shop.before.webhook(closed(talk(1)), closed(talk(2)))
    now = shop.renamed()
    shop.chores(now)
    assert (now.ledger.lane(OLD).waiting, now.ledger.lane(NEW).waiting) == (0, 2)
    assert now.fetch(NEW) == 0, "each has kept its time"
    shop.clock.pass_by(WAIT + 1)
    assert now.fetch(NEW) == 2
    assert set(now.conversations()) == {api_id(talk(1)), api_id(talk(2))}
    assert now.client.smembers(key("source-lanes")) == {NEW.encode()}


def test_what_is_fetched_at_this_moment_follows_when_its_lease_is_over(shop: Renaming) -> None:
    shop.before.webhook(closed(talk(1)))
    shop.clock.pass_by(WAIT + 1)
    claim = shop.before.store.claim_order(OLD, "the one that dies")
    assert claim
    now = shop.renamed()
    shop.chores(now)
    assert now.ledger.lane(NEW).in_flight == 0
    shop.clock.pass_by(6)
    shop.chores(now)
    assert not now.store.settle_order(claim, "done")
    assert now.fetch(NEW) == 1
    assert now.conversations() == [api_id(talk(1))]


def test_an_order_that_is_given_to_another_lane_leaves_the_first(shop: Renaming) -> None:
    shop.before.webhook(closed(talk(1)))
    shop.clock.pass_by(WAIT + 1)
    claim = shop.before.store.claim_order(OLD, "at work")
    assert claim
    now = shop.renamed()
    now.webhook(closed(talk(1), more=1))
    assert not now.client.zcard(key("lane", OLD))
    assert not now.client.hlen(key("leases", OLD))
    shop.before.fetching.fetch(claim, shop.before.settings)
    assert now.conversations() == [], "whoever had it has lost it"
    shop.clock.pass_by(WAIT + 1)
    assert now.fetch(NEW) == 1


def test_a_webhook_that_was_kept_under_the_old_name_is_carried_out_under_the_new_one(shop: Renaming) -> None:
    shop.before.store.accept(closed(talk(1)), ACCOUNT, "application/json", "main")
    now = shop.renamed()
    now.read()
    assert not now.ledger.payloads(PayloadStatus.QUARANTINED)
    assert now.ledger.lane(NEW).waiting == 1


def test_orders_of_an_account_that_was_removed_are_said_on_every_face_until_an_admin_decides(shop: Renaming) -> None:
    shop.before.webhook(closed(talk(1)), closed(talk(2)))
    assert list(StrandedOrders(shop.before.client).queues(shop.before.settings)) == []
    now = shop.renamed("2000")
    shop.chores(now)
    [queue] = StrandedOrders(now.client, shop.clock).queues(now.settings)
    assert (queue.name, queue.waiting, queue.accounts) == ("main", 2, (ACCOUNT,))
    [line] = [one for one in Attention(now.client).lines(now.settings) if one.about == "source main"]
    assert line.is_grave
    assert f"2 chats wait to be fetched for source 'main' (account {ACCOUNT})" in line.text
    assert line.commands == ("relay source move main --to shop-de", "relay source drop main")
    [incident] = [one for one in Look(now.client).troubles(now.settings) if one.kind == "stranded"]
    assert (incident.subject, incident.count) == ("main", 2)
    orders = StrandedOrders(now.client, shop.clock)
    assert orders.move("main", "shop-de") == 2
    assert list(orders.queues(now.settings)) == []
    assert now.ledger.lane(NEW).waiting == 2


def test_what_an_admin_drops_is_fetched_by_nobody(shop: Renaming) -> None:
    shop.before.webhook(closed(talk(1)), closed(talk(2)))
    shop.clock.pass_by(WAIT + 1)
    claim = shop.before.store.claim_order(OLD, "at work")
    assert claim
    assert StrandedOrders(shop.before.client).drop("main") == 2
    shop.before.fetching.fetch(claim, shop.before.settings)
    shop.before.read()
    assert shop.before.conversations() == []
    names: Any = shop.before.client.keys(key("*"))
    assert not [one for one in names if b"order:" in one or b"source" in one]


def test_more_than_one_step_takes_are_moved_and_dropped(shop: Renaming, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.store.sources.stranded._MANY", 3)
    store, orders = Store(shop.before.client, shop.clock), StrandedOrders(shop.before.client, shop.clock)
    for number in range(10):
        store.order(Wish(api_id(talk(number)), OLD, wait_ms=number, at_most_ms=number))
    assert orders.move("main", "shop-de", "another number") == 0
    assert orders.move("main", "shop-de", ACCOUNT) == 10
    assert orders.drop("shop-de") == 10
