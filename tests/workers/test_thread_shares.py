"""How a worker shares its threads out among lanes."""

from __future__ import annotations

import threading
import time
from collections import Counter

import pytest

from core.store import INBOX, Store, connect
from core.store.protocol.keys import key
from tests.e2e.test_pipeline import config, webhook
from tests.support.destination import Destination, Handler
from tests.support.made import control
from tests.support.stack import Stack, chat, until
from workers.threads.shares import Slots

LANES = (INBOX, "slow", "fast")


def filled(slots: Slots, lane: str, lanes: tuple[str, ...] = LANES) -> int:
    """Take for a lane what it gets."""
    got = 0
    while slots.take(lane, lanes):
        got += 1
    return got


def ended(slots: Slots, lane: str, had: int, lanes: tuple[str, ...] = LANES) -> Counter[str | None]:
    """As many threads end an item of a lane: where does each go on?"""
    return Counter(slots.go_over(lane, lanes) for _ in range(had))


def test_a_lane_alone_gets_all_but_one_thread_for_every_other() -> None:
    assert filled(Slots(16), "slow", (INBOX, "slow")) == 15
    assert filled(Slots(4), "slow") == 2
    assert filled(Slots(2), "slow") == 1


def test_a_quarter_is_there_at_once_for_another_connectors_work() -> None:
    slots = Slots(16)
    assert filled(slots, "slow") == 12
    assert filled(slots, "fast") == 3
    assert filled(slots, INBOX) == 1


def test_threads_go_over_to_who_wants_more_until_both_have_as_many() -> None:
    slots = Slots(16)
    slow, fast, _ = filled(slots, "slow"), filled(slots, "fast"), slots.take(INBOX, LANES)
    assert (slow, fast) == (12, 3)
    assert slots.owes("slow", LANES)
    moved = ended(slots, "slow", slow)
    assert moved == {"fast": 4, None: 8}
    assert not slots.owes("slow", LANES)
    assert ended(slots, "fast", 7) == {None: 7}


def test_nobody_goes_over_to_a_lane_that_has_nothing_more_to_do() -> None:
    slots = Slots(16)
    slow = filled(slots, "slow")
    filled(slots, "fast")
    assert slots.take(INBOX, LANES)
    slots.leave_to_others("fast")
    slots.take("fast", LANES)
    assert ended(slots, "slow", slow) == {None: slow}
    slots.want("fast")
    assert slots.go_over("slow", LANES) == "fast"


def test_nobody_goes_over_where_a_thread_is_free_anyway_or_the_lane_is_gone() -> None:
    slots = Slots(16)
    for _ in range(5):
        slots.take("slow", LANES)
    slots.take("fast", LANES)
    slots.want("fast")
    assert not slots.owes("slow", LANES)
    filled(slots, "slow")
    filled(slots, "fast")
    slots.take(INBOX, LANES)
    assert not slots.owes("slow", (INBOX, "slow"))
    assert slots.owes("slow", LANES)


@pytest.mark.parametrize("total", [2, 3, 8, 16])
def test_no_thread_is_lost_or_made(total: int) -> None:
    slots = Slots(total)
    had = Counter({lane: filled(slots, lane) for lane in LANES})
    for _ in range(3):
        for lane in LANES:
            for _ in range(had[lane]):
                if other := slots.go_over(lane, LANES):
                    had[lane] -= 1
                    had[other] += 1
    assert had.total() == total
    for lane in had.elements():
        slots.give_back(lane)
    assert filled(slots, "slow", ("slow",)) == total


class Busy:
    """Takes its time for an answer, and knows how many waited for one at once."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._lock = threading.Lock()
        self.now = self.most = 0

    def __call__(self, handler: Handler, number: int) -> None:
        with self._lock:
            self.now += 1
            self.most = max(self.most, self.now)
        time.sleep(self._seconds)
        with self._lock:
            self.now -= 1
        handler.answer(200)


def with_backlogs(relay: Stack, *connectors: str) -> Store:
    """A worker that has read 300 chats, all of which wait for these connectors, which are paused."""
    store = Store(connect(relay.server.url))
    for name in connectors:
        control(store).pause(name, "until all have a backlog")
    relay.worker()
    for number in range(300):
        store.accept(chat(f"c{number}"))
    until(lambda: all(relay.ledger.lane(name).waiting == 300 for name in connectors), what="backlogs")
    return store


def test_a_slow_destination_with_a_backlog_leaves_its_share_to_another_one(relay: Stack) -> None:
    with Destination() as there, Destination() as other:
        slow, fast = Busy(2), Busy(0.2)
        there.behaviour, other.behaviour = slow, fast
        relay.configure(config(slow=webhook(there.url), fast=webhook(other.url)))
        store = with_backlogs(relay, "slow", "fast")
        relay.server.client.delete(key("knock", "slow"))
        control(store).resume("slow")
        # Alone it has most of the threads.
        until(lambda: slow.now >= 12, what="a busy slow destination")
        before = len(there.received)
        control(store).resume("fast")
        until(lambda: len(other.received) >= 150, 60, "the fast one's backlog")
        # Meanwhile the slow one went on. With one thread for the fast one, it would have had some two hundred.
        assert 0 < len(there.received) - before < 75
        assert fast.most >= 6
        until(lambda: len(other.received) == 300 and slow.now >= 12, 60, "threads that came back")


def test_a_connector_at_its_own_limit_takes_no_threads_from_another_one(relay: Stack) -> None:
    with Destination() as there, Destination() as other:
        slow, few = Busy(0.5), Busy(0.1)
        there.behaviour, other.behaviour = slow, few
        relay.configure(config(slow=webhook(there.url), few=webhook(other.url, concurrency=2)))
        store = with_backlogs(relay, "slow", "few")
        control(store).resume("slow")
        until(lambda: slow.now >= 12, what="a busy slow destination")
        before = len(there.received)
        control(store).resume("few")
        until(lambda: len(other.received) >= 100, 60, "some of the limited one")
        # With 12 threads it would be 120 in these five seconds, with half of them 60.
        assert len(there.received) - before > 75
        assert few.most <= 3  # an answer is on its way when the next one begins
