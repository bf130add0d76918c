"""What holds a connector back: concurrency, rate, a 429, and the circuit breaker. All over all workers."""

from __future__ import annotations

import secrets
from collections.abc import Callable

import pytest

from core.delivery import Attempt, DeliveryStatus, Exchange, Outcome
from core.ids import ConversationId, DeliveryId
from core.store import INBOX, Claim, Ledger, Store
from core.store.claims import Limits
from core.store.protocol.constants import LEASE_MS, Trouble
from core.store.protocol.keys import key
from tests.conftest import Clock
from tests.support.made import control
from tests.support.server import Server

EXCHANGE = Exchange("POST", "http://there/", 200, 1)
NONE = Limits()


@pytest.fixture
def backlog(store: Store) -> Store:
    """Thirty conversations that wait for `crm`."""
    for number in range(30):
        store.accept(b"%d" % number)
        claim = store.claim(INBOX, secrets.token_hex(8))
        assert claim is not None
        store.fan_out(claim, ConversationId(f"1:{number:02}"), ["crm"])
    return store


def take(store: Store, limits: Limits = NONE) -> Claim | None:
    return store.claim("crm", secrets.token_hex(8), "leave", limits)


def taken(store: Store, limits: Limits, most: int = 30) -> list[Claim]:
    """As many as one can get at this moment."""
    found: list[Claim] = []
    while len(found) < most and (claim := take(store, limits)):
        found.append(claim)
    return found


def settle(
    store: Store,
    claim: Claim,
    outcome: Outcome = Outcome.DELIVERED,
    trouble: Trouble = "",
    requests: int = 1,
    delay: float = 30,
    late: float = 0,
) -> None:
    attempt = Attempt(
        1, 2, outcome, 1, error="" if outcome is Outcome.DELIVERED else "no", requests=(EXCHANGE,) * requests
    )
    store.settle(
        claim,
        attempt,
        delay_ms=round(delay * 1000),
        trouble=trouble,
        breaker=5,
        fingerprint="old",
        late_ms=round(late * 1000),
    )


def outage(store: Store, claim: Claim) -> None:
    settle(store, claim, Outcome.RETRY, "outage")


def opened(store: Store) -> list[Claim]:
    """Five outages in a row."""
    claims = taken(store, NONE, 5)
    for claim in claims:
        outage(store, claim)
    return claims


def test_no_more_are_at_work_at_once_than_may(backlog: Store) -> None:
    held = taken(backlog, Limits(at_once=3))
    assert len(held) == 3
    settle(backlog, held[0])
    assert len(taken(backlog, Limits(at_once=3))) == 1


@pytest.mark.parametrize("limits", [Limits(at_once=1), Limits(rate=1)])
def test_what_is_due_and_must_wait_for_a_limit_is_marked_for_a_while(
    backlog: Store, ledger: Ledger, server: Server, limits: Limits
) -> None:
    assert take(backlog, limits)
    assert not ledger.lane("crm").limited
    assert take(backlog, limits) is None
    assert ledger.lane("crm").limited
    mark = key("limited", "crm")
    server.client.pexpire(mark, 16_000)  # long enough: a refusal costs no writing
    take(backlog, limits)
    assert 15_000 < server.client.pttl(mark) <= 16_000
    server.client.pexpire(mark, 14_000)
    take(backlog, limits)
    assert 29_000 < server.client.pttl(mark) <= 30_000


def test_who_is_at_a_limit_and_has_nothing_more_to_do_is_not_marked(backlog: Store, ledger: Ledger) -> None:
    taken(backlog, NONE)
    assert take(backlog, Limits(at_once=1)) is None
    assert not ledger.lane("crm").limited


def test_the_leases_of_the_dead_do_not_count(backlog: Store, clock: Clock) -> None:
    held = taken(backlog, Limits(at_once=3))
    clock.pass_by(LEASE_MS / 1000 + 1)
    fresh = taken(backlog, Limits(at_once=3))
    assert len(fresh) == 3
    assert not {claim.id for claim in held} & {claim.id for claim in fresh}  # older ones first; theirs come later


@pytest.fixture
def known(backlog: Store, clock: Clock) -> Callable[[Limits, int], None]:
    """Lets the connector learn how many requests its deliveries take; the bucket is full afterwards."""

    def learn(limits: Limits, requests: int) -> None:
        claim = take(backlog, limits)
        assert claim is not None
        settle(backlog, claim, requests=requests)
        clock.pass_by(600)

    return learn


def test_a_rate_holds_for_all_and_lets_a_second_of_it_through_at_once(
    backlog: Store, clock: Clock, known: Callable[[Limits, int], None]
) -> None:
    limits = Limits(rate=4)
    known(limits, 1)
    assert len(taken(backlog, limits)) == 4
    clock.pass_by(1)
    assert len(taken(backlog, limits)) == 4
    clock.pass_by(0.2)
    assert take(backlog, limits) is None
    clock.pass_by(0.05)
    assert take(backlog, limits) is not None


@pytest.mark.parametrize(("rate", "requests", "window", "most"), [(9, 5, 10, 100), (6, 3, 2, 20)])
def test_in_no_window_of_a_vendor_are_there_more_requests_than_it_allows(
    backlog: Store, clock: Clock, rate: float, requests: int, window: int, most: int
) -> None:
    """Of HubSpot, and of Pipedrive, at most half of whose requests are the searches that it counts; from the first
    delivery on, while each takes a second."""
    limits, begun = Limits(rate=rate), []
    working: list[tuple[int, Claim]] = []
    for number in range(30, 150):
        backlog.accept(b"%d" % number)
        claim = backlog.claim(INBOX, secrets.token_hex(8))
        assert claim is not None
        backlog.fan_out(claim, ConversationId(f"1:{number}"), ["crm"])
    for _ in range(round(2.5 * window * 10)):
        for at, claim in [one for one in working if clock.now - one[0] >= 1000]:
            settle(backlog, claim, requests=requests)
            working.remove((at, claim))
        for claim in taken(backlog, limits):
            working.append((clock.now, claim))
            begun += [clock.now] * requests
        clock.pass_by(0.1)
    busiest = max(sum(one <= other < one + window * 1000 for other in begun) for one in begun)
    assert 0.8 * rate * window <= busiest <= most


def test_a_delivery_pays_for_all_its_requests(
    backlog: Store, clock: Clock, known: Callable[[Limits, int], None]
) -> None:
    limits = Limits(rate=2)
    known(limits, 1)
    for claim in taken(backlog, limits):
        settle(backlog, claim, requests=11)
    # Two have paid one each; twenty are owed, and the next one costs nearly three.
    clock.pass_by(10.9)
    assert take(backlog, limits) is None
    clock.pass_by(0.2)
    assert take(backlog, limits) is not None


def test_a_delivery_gets_back_what_it_paid_too_much(backlog: Store) -> None:
    limits = Limits(rate=4)
    (claim,) = taken(backlog, limits)  # the guess: four
    settle(backlog, claim, requests=1)
    assert len(taken(backlog, limits)) == 3


def test_a_connector_without_a_rate_keeps_no_account(backlog: Store) -> None:
    assert len(taken(backlog, NONE)) == 30


def test_a_429_holds_the_connector_for_as_long_as_the_vendor_says(backlog: Store, clock: Clock) -> None:
    first, second = taken(backlog, NONE, 2)
    settle(backlog, first, Outcome.RETRY, "throttled", delay=7)
    assert take(backlog) is None
    settle(backlog, second)  # was under way
    clock.pass_by(6.9)
    assert take(backlog) is None
    clock.pass_by(0.2)
    assert take(backlog) is not None


def test_a_429_with_a_long_wait_holds_the_others_for_a_minute_at_most(backlog: Store, clock: Clock) -> None:
    (first,) = taken(backlog, NONE, 1)
    settle(backlog, first, Outcome.RETRY, "throttled", delay=3600)
    clock.pass_by(61)
    assert take(backlog) is not None


def test_429s_slow_a_rate_down_and_successes_bring_it_back(
    backlog: Store, ledger: Ledger, clock: Clock, known: Callable[[Limits, int], None]
) -> None:
    limits = Limits(rate=8)
    known(limits, 1)
    claims = taken(backlog, limits, 8)
    for claim in claims[:4]:
        settle(backlog, claim, Outcome.RETRY, "throttled", delay=1)  # four at once: one reason
    assert ledger.lane("crm").slowed == 2
    clock.pass_by(60)
    assert len(taken(backlog, limits)) == 4
    for claim in claims[4:]:
        settle(backlog, claim)
    clock.pass_by(60)
    assert len(taken(backlog, limits)) == 4  # 8 / (2 * 0.98^4) is a little more
    assert 1 < ledger.lane("crm").slowed < 2


def too_late(store: Store, claim: Claim, seconds: float = 20) -> None:
    settle(store, claim, Outcome.RETRY, late=seconds)


@pytest.mark.parametrize("limits", [NONE, Limits(at_once=16), Limits(at_once=100, rate=1000)])
def test_time_outs_halve_how_many_are_at_work_and_arrivals_bring_them_back(
    backlog: Store, ledger: Ledger, clock: Clock, limits: Limits
) -> None:
    held = taken(backlog, limits, 16)
    clock.pass_by(4)
    for claim in held[:8]:  # begun together, so all of them are one reason
        too_late(backlog, claim)
    assert ledger.lane("crm").narrowed == 8
    assert take(backlog, limits) is None
    for claim in held[8:]:
        settle(backlog, claim)
    assert ledger.lane("crm").narrowed == 8  # and a bit
    held = taken(backlog, limits)
    assert len(held) == 8
    clock.pass_by(21)
    backlog.renew(held)
    too_late(backlog, held.pop())
    assert ledger.lane("crm").narrowed == 4
    arrived = 0
    while ledger.lane("crm").narrowed:
        for claim in held or taken(backlog, limits, 1):
            control(backlog).replay(claim.id)  # so that there is always more to do
            settle(backlog, claim)
            arrived += 1
        held = []
        clock.pass_by(1)
    assert 60 < arrived < 160  # a place more for as many arrivals as there are places


def test_one_at_once_is_left_whatever_happens(backlog: Store, ledger: Ledger, clock: Clock) -> None:
    for _ in range(6):
        held = taken(backlog, NONE, 8)
        clock.pass_by(21)
        backlog.renew(held)
        for claim in held:
            too_late(backlog, claim)
    assert ledger.lane("crm").narrowed == 1
    assert len(taken(backlog, NONE)) == 1


def test_one_that_was_alone_and_too_late_lowers_nothing(backlog: Store, ledger: Ledger) -> None:
    too_late(backlog, taken(backlog, NONE, 1)[0])
    assert ledger.lane("crm").narrowed is None


def test_where_there_is_no_rate_a_429_divides_none(backlog: Store, ledger: Ledger) -> None:
    first, second = taken(backlog, NONE, 2)
    settle(backlog, first, Outcome.RETRY, "throttled", delay=7)
    assert take(backlog) is None
    assert ledger.lane("crm").slowed == 1
    settle(backlog, second)


def test_a_rate_that_is_taken_away_leaves_nothing_slow(backlog: Store, ledger: Ledger, clock: Clock) -> None:
    (claim,) = taken(backlog, Limits(rate=4), 1)
    settle(backlog, claim, Outcome.RETRY, "throttled", delay=1)
    assert ledger.lane("crm").slowed == 2
    clock.pass_by(2)
    assert take(backlog, NONE)
    assert ledger.lane("crm").slowed == 1


def test_a_clock_that_is_set_back_stops_no_connector(
    backlog: Store, ledger: Ledger, clock: Clock, known: Callable[[Limits, int], None]
) -> None:
    limits = Limits(rate=2)
    known(limits, 1)
    first, *_ = taken(backlog, limits)
    settle(backlog, first, Outcome.RETRY, "throttled", delay=60)
    clock.now -= 3_600_000
    for number in range(30, 33):
        backlog.accept(b"%d" % number)
        claim = backlog.claim(INBOX, secrets.token_hex(8))
        assert claim is not None
        backlog.fan_out(claim, ConversationId(f"1:{number}"), ["crm"])
    assert take(backlog, limits) is None  # nothing was left of the bucket, and nothing is refilled
    clock.pass_by(2)
    again = take(backlog, limits)
    assert again is not None
    # What the vendor says now counts, however far off the last time is.
    settle(backlog, again, Outcome.RETRY, "throttled", delay=1)
    assert ledger.lane("crm").slowed == 4


def test_a_clock_that_is_set_back_delays_no_probe(backlog: Store, clock: Clock) -> None:
    opened(backlog)
    clock.now -= 3_600_000
    control(backlog).replay(DeliveryId("crm:1:29"))  # due by the clock of now
    assert take(backlog) is not None


def test_a_turn_is_one_callers_in_each_period_and_a_clock_that_is_set_back_keeps_it_from_nobody(
    store: Store, server: Server
) -> None:
    assert store.turn("sweep", 60_000)
    assert not store.turn("sweep", 60_000)
    server.client.pexpire(key("sweep"), 3_600_000)  # what is left after a step back of an hour
    assert store.turn("sweep", 60_000)
    assert not store.turn("sweep", 60_000)


def test_five_outages_in_a_row_close_the_gate_and_say_why(backlog: Store, ledger: Ledger, clock: Clock) -> None:
    opened(backlog)
    gate = ledger.lane("crm").gate
    assert gate is not None
    assert (gate.by, gate.reason, gate.until) == ("breaker", "no", clock.now + 30_000)
    assert take(backlog) is None


def test_an_answer_in_between_keeps_it_open(backlog: Store, ledger: Ledger) -> None:
    for _ in range(3):
        for claim in taken(backlog, NONE, 4):
            outage(backlog, claim)
        claim_ = take(backlog)
        assert claim_ is not None
        settle(backlog, claim_, Outcome.REFUSED)
    assert ledger.lane("crm").gate is None


def test_one_delivery_that_fails_again_and_again_is_no_outage(backlog: Store, ledger: Ledger, clock: Clock) -> None:
    (claim,) = taken(backlog, NONE, 1)
    others = taken(backlog, NONE)
    assert len(others) == 29
    for _ in range(10):
        settle(backlog, claim, Outcome.RETRY, "outage", delay=1)
        clock.pass_by(1)
        backlog.renew(others)
        again = take(backlog)
        assert again is not None
        assert again.id == claim.id
        claim = again
    assert ledger.lane("crm").gate is None


def test_what_fails_behind_an_open_breaker_loses_no_try(backlog: Store, ledger: Ledger) -> None:
    late = take(backlog)
    assert late is not None
    opened(backlog)
    outage(backlog, late)
    found = ledger.delivery(DeliveryId(late.id))
    assert (found.status, found.tries) == (DeliveryStatus.WAITING, 0)
    assert [attempt.outcome for attempt in found.attempts] == [Outcome.RETRY]


def test_the_breaker_sends_one_ahead_and_an_answer_opens_the_gate(backlog: Store, ledger: Ledger, clock: Clock) -> None:
    opened(backlog)
    clock.pass_by(30)
    ahead = take(backlog)
    assert ahead is not None
    assert take(backlog) is None
    settle(backlog, ahead)
    assert ledger.lane("crm").gate is None
    assert take(backlog) is not None


def test_a_failed_probe_waits_longer_each_time_up_to_ten_minutes(backlog: Store, ledger: Ledger, clock: Clock) -> None:
    opened(backlog)
    waits = []
    for _ in range(7):
        gate = ledger.lane("crm").gate
        assert gate is not None
        assert gate.until is not None
        waits.append((gate.until - clock.now) // 1000)
        clock.now = gate.until
        ahead = take(backlog)
        assert ahead is not None
        outage(backlog, ahead)
    assert waits == [30, 60, 120, 240, 480, 600, 600]


def test_a_probe_that_never_came_back_is_followed_by_another(backlog: Store, clock: Clock) -> None:
    opened(backlog)
    clock.pass_by(30)
    assert take(backlog) is not None
    clock.pass_by(89)
    assert take(backlog) is None
    clock.pass_by(2)
    assert take(backlog) is not None


def test_the_tick_knocks_when_the_time_of_a_probe_has_come(backlog: Store, clock: Clock) -> None:
    opened(backlog)
    assert backlog.tick(1, ["crm"]) == []
    clock.pass_by(30)
    while not (knocked := backlog.tick(1, ["crm"])):
        pass
    assert knocked == ["crm"]


def test_an_admin_opens_the_breaker_and_so_do_other_settings(backlog: Store, ledger: Ledger) -> None:
    opened(backlog)
    assert not control(backlog).resume("crm", changed_to="old")
    assert control(backlog).resume("crm", changed_to="new")
    opened(backlog)
    assert control(backlog).resume("crm")
    assert ledger.lane("crm").gate is None


def test_an_admins_pause_is_stronger_than_the_breaker(backlog: Store, ledger: Ledger, clock: Clock) -> None:
    opened(backlog)
    control(backlog).pause("crm", "stocktaking")
    clock.pass_by(3600)
    assert take(backlog) is None
    gate = ledger.lane("crm").gate
    assert gate is not None
    assert gate.by == "admin"
