"""Counted by the scripts, read as bars and figures."""

from __future__ import annotations

import secrets
from itertools import pairwise

import pytest

from core.delivery import Attempt, Outcome, PayloadStatus, Reference
from core.ids import ConversationId, DeliveryId
from core.store import INBOX, Store, connect, statistics
from core.store.protocol.constants import FATAL_ALONE
from core.store.statistics import SPANS, Bar, Span, Statistics, bound, totals
from tests.conftest import Clock
from tests.support.made import control
from tests.support.server import Server

MINUTE, HOUR, DAY = 60, 3_600, 86_400


class Counted:
    """A store whose bodies and attempts come when the test says."""

    def __init__(self, server: Server, store: Store, clock: Clock) -> None:
        self.client, self.store, self.clock = connect(server.url), store, clock
        # Aligned with a day, so that a test can say where a bar begins.
        self.clock.now -= self.clock.now % (DAY * 1000)

    def take(self, conversation: str, outcome: Outcome, *, seconds: float = 0.0, name: str = "crm") -> None:
        self.store.accept(secrets.token_bytes(8))
        claim = self.store.claim(INBOX, secrets.token_hex(4))
        assert claim is not None
        self.store.fan_out(claim, ConversationId(conversation), [name])
        self.clock.pass_by(seconds)
        self.settle(outcome, name)

    def settle(self, outcome: Outcome, name: str = "crm") -> None:
        claim = self.store.claim(name, secrets.token_hex(4))
        assert claim is not None
        tried = Attempt(at=1, ms=2, outcome=outcome, revision=claim.revision, error="why")
        self.store.settle(claim, tried, reference=Reference("r"), delay_ms=0)

    def look(self, span: Span) -> Statistics:
        return statistics(self.client, span, self.clock.now)


@pytest.fixture
def counted(server: Server, store: Store, clock: Clock) -> Counted:
    return Counted(server, store, clock)


def test_what_comes_in_and_goes_out_is_counted_where_it_belongs(counted: Counted) -> None:
    for number, outcome in enumerate(
        (Outcome.DELIVERED, Outcome.SKIPPED, Outcome.REFUSED, Outcome.EXHAUSTED, Outcome.BUG)
    ):
        counted.take(f"1:c{number}", outcome)
    counted.take("1:again", Outcome.RETRY)
    counted.settle(Outcome.DELIVERED)
    body = counted.store.accept(b"same").id
    assert counted.store.accept(b"same").known
    counted.store.divert(body, PayloadStatus.QUARANTINED, "why")
    found = counted.look("hour")
    assert found.bars[-1] == Bar(counted.clock.now - MINUTE * 1000, accepted=7, delivered=2, retried=1, dead=3)
    assert all((bar.accepted, bar.delivered, bar.retried, bar.dead) == (0, 0, 0, 0) for bar in found.bars[:-1])
    assert found.received == {"accepted": 7, "duplicate": 1, "routed": 6, "quarantined": 1}
    figures = found.connectors["crm"]
    assert (figures.delivered, figures.skipped, figures.retried, figures.dead) == (2, 1, 1, 3)
    assert figures.success == 2 / 5


def test_connectors_are_counted_apart(counted: Counted) -> None:
    counted.take("1:c1", Outcome.DELIVERED, name="crm")
    counted.take("1:c2", Outcome.REFUSED, name="crm-2")
    found = counted.look("day").connectors
    assert {name: (one.delivered, one.dead, one.success) for name, one in found.items()} == {
        "crm": (1, 0, 1.0),
        "crm-2": (0, 1, 0.0),
    }


def test_one_that_killed_its_processes_is_dead_and_counted_once(counted: Counted) -> None:
    counted.store.accept(b"poison")
    claim = counted.store.claim(INBOX, "t")
    assert claim is not None
    counted.store.fan_out(claim, ConversationId("1:c1"), ["crm"])
    for number in range(FATAL_ALONE):
        held = counted.store.claim("crm", f"t{number}")
        assert held is not None
        counted.store.crashed(held)
        counted.clock.pass_by(600)
    figures = counted.look("hour").connectors["crm"]
    assert (figures.dead, figures.retried, figures.success) == (1, FATAL_ALONE, 0.0)


def test_what_an_admin_discards_is_neither_a_success_nor_a_failure(counted: Counted) -> None:
    counted.take("1:c1", Outcome.RETRY)
    control(counted.store).discard(DeliveryId("crm:1:c1"), "a test")
    figures = counted.look("hour").connectors["crm"]
    assert (figures.dead, figures.delivered, figures.success) == (0, 0, None)


def test_nothing_has_no_success_and_no_times(counted: Counted) -> None:
    counted.take("1:c1", Outcome.SKIPPED)
    figures = counted.look("hour").connectors["crm"]
    assert (figures.skipped, figures.success, figures.median, figures.p95) == (1, None, None, None)
    counted.clock.pass_by(2 * HOUR)
    found = counted.look("hour")
    assert (found.connectors, found.received) == ({}, {})


@pytest.mark.parametrize(
    ("span", "back"), [("hour", 59 * MINUTE), ("day", 23 * HOUR), ("week", 6 * DAY), ("month", 29 * DAY)]
)
def test_a_span_reaches_as_far_back_as_it_says_and_no_further(counted: Counted, span: Span, back: int) -> None:
    counted.take("1:c1", Outcome.DELIVERED)
    then = counted.clock.now
    counted.clock.pass_by(back)
    found = counted.look(span)
    (bar,) = [one for one in found.bars if one.accepted]
    assert bar.at <= then < found.edges[found.bars.index(bar) + 1]
    assert (found.connectors["crm"].delivered, bar.delivered) == (1, 1)
    counted.clock.pass_by(back)
    assert not counted.look(span).connectors


@pytest.mark.parametrize("span", list(SPANS))
def test_the_bars_of_a_span_lie_end_to_end_up_to_now(counted: Counted, span: Span) -> None:
    counted.clock.pass_by(12_345)
    found = counted.look(span)
    assert [bar.at for bar in found.bars] == [*found.edges[:-1]]
    assert len({end - begin for begin, end in pairwise(found.edges)}) == 1
    assert found.bars[-1].at <= counted.clock.now < found.edges[-1]
    whole = {"hour": HOUR, "day": DAY, "week": 7 * DAY, "month": 30 * DAY}[span] * 1000
    assert found.edges[-1] - found.edges[0] == whole


def test_times_from_receipt_to_record_are_right_to_about_a_tenth(counted: Counted) -> None:
    for number in range(1, 101):
        counted.take(f"1:c{number}", Outcome.DELIVERED, seconds=number / 10)
    figures = counted.look("hour").connectors["crm"]
    assert figures.median is not None
    assert figures.p95 is not None
    assert 0.88 < figures.median / 5_000 < 1.12
    assert 0.88 < figures.p95 / 9_500 < 1.12


@pytest.mark.parametrize("ms", [0, 1, 2, 8, 1024, 86_400_000 * 30])
def test_a_time_of_any_length_has_its_bucket(counted: Counted, ms: int) -> None:
    counted.take("1:c1", Outcome.DELIVERED, seconds=ms / 1000)
    (bucket,) = (
        int(name.split(":")[2]) for name in totals(counted.client) if name.startswith("took:crm:") and "sum" not in name
    )
    took = max(1, ms)
    assert bound(bucket - 1) * 0.999 <= took <= bound(bucket) * 1.001
    assert totals(counted.client)["took:crm:sum"] == took


def test_delivering_the_same_revision_again_does_not_count_its_time_again(counted: Counted) -> None:
    counted.take("1:c1", Outcome.DELIVERED, seconds=1)
    counted.clock.pass_by(10_000)
    control(counted.store).replay(DeliveryId("crm:1:c1"))
    counted.settle(Outcome.DELIVERED)
    assert totals(counted.client)["took:crm:sum"] == 1_000
    assert totals(counted.client)["out:crm:delivered"] == 2


def test_counters_go_after_their_time_and_totals_stay(counted: Counted) -> None:
    counted.take("1:c1", Outcome.DELIVERED)
    left = {
        name.decode().split(":")[2]: counted.client.pttl(name) for name in counted.client.scan_iter("relay:count:*")
    }
    assert set(left) == {"minute", "hour"}
    assert HOUR * 1000 < left["minute"] <= 2 * HOUR * 1000
    assert 398 * DAY * 1000 < left["hour"] <= 400 * DAY * 1000
    assert counted.client.pttl("relay:totals") == -1
