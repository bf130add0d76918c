"""So many requests a day, over all workers: what is left waits for the next day, and comes no nearer to an end."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydantic import ValidationError

from connectors.registry import settings_model
from core.config.environment import environment
from core.config.loader import load
from core.config.settings import ConnectorSettings
from core.delivery import Attempt, DeliveryStatus, Exchange, Outcome
from core.ids import ConversationId
from core.store import INBOX, Claim, Ledger, Store, connect
from core.store.claims import ClaimRequest, Limits
from core.store.protocol.constants import LEASE_MS, WHOLE_DAY_MS
from core.store.protocol.keys import key
from tests.conftest import Clock
from tests.support.server import Server
from workers.configuration import Adopted

HOUR = 3_600


@pytest.fixture
def ledger(server: Server, clock: Clock) -> Ledger:
    return Ledger(connect(server.url), clock)


@pytest.fixture
def backlog(store: Store) -> Store:
    for number in range(12):
        store.accept(b"%d" % number)
        claim = store.claim(INBOX, secrets.token_hex(8))
        assert claim is not None
        store.fan_out(claim, ConversationId(f"1:{number:02}"), ["crm"])
    return store


def day(ledger: Ledger, requests: int, hours: float = 6) -> Limits:
    return Limits(per_day=requests, day_over=ledger.now() + round(hours * HOUR * 1000))


def take(store: Store, limits: Limits) -> Claim | None:
    return store.claim("crm", secrets.token_hex(8), "leave", limits)


def attempt(requests: int, outcome: Outcome = Outcome.DELIVERED) -> Attempt:
    return Attempt(1, 2, outcome, 1, requests=(Exchange("POST", "http://there/", 200, 1),) * requests)


def deliver(store: Store, limits: Limits, requests: int = 4) -> bool:
    claim = take(store, limits)
    if claim:
        store.settle(claim, attempt(requests))
    return claim is not None


def test_what_a_day_has_no_requests_left_for_waits_for_the_next(backlog: Store, ledger: Ledger, clock: Clock) -> None:
    limits = day(ledger, 10)
    assert [deliver(backlog, limits) for _ in range(4)] == [True, True, True, False]
    lane = ledger.lane("crm")
    assert lane.used_up == limits.day_over
    assert lane.limited
    assert lane.counts[DeliveryStatus.WAITING] == 9
    assert (lane.gate, lane.counts[DeliveryStatus.DEAD]) == (None, 0)
    clock.pass_by(6 * HOUR - 1)
    assert not deliver(backlog, limits)
    clock.pass_by(1)
    assert ledger.lane("crm").used_up is None
    tomorrow = day(ledger, 10, 24)
    assert [deliver(backlog, tomorrow) for _ in range(4)] == [True, True, True, False]
    assert ledger.lane("crm").used_up == tomorrow.day_over


def test_the_next_of_a_settlement_is_held_back_too(backlog: Store, ledger: Ledger) -> None:
    limits = day(ledger, 4)
    claim = take(backlog, limits)
    assert claim
    settled = backlog.settle(claim, attempt(4), request=ClaimRequest("next", limits))
    assert settled.following == []


def test_those_at_work_count_with_what_a_delivery_takes(backlog: Store, ledger: Ledger, clock: Clock) -> None:
    limits = day(ledger, 20)
    assert deliver(backlog, limits, requests=5)
    held = [take(backlog, limits) for _ in range(4)]
    # Five are spent, and three at work will take fifteen.
    assert [one is not None for one in held] == [True, True, True, False]
    assert ledger.lane("crm").used_up is None
    # Leases of the dead take nothing.
    clock.pass_by(LEASE_MS / 1000 + 1)
    assert take(backlog, limits)


def test_more_a_day_and_no_limit_end_the_waiting_at_once(backlog: Store, ledger: Ledger, server: Server) -> None:
    limits = day(ledger, 4)
    assert [deliver(backlog, limits), deliver(backlog, limits)] == [True, False]
    assert deliver(backlog, day(ledger, 8))
    assert ledger.lane("crm").used_up is None
    assert not deliver(backlog, day(ledger, 8))
    assert deliver(backlog, Limits())
    assert ledger.lane("crm").used_up is None
    assert server.client.hmget(key("pace", "crm"), "day", "spent", "made", "used_up") == [None] * 4


def test_a_day_ends_as_it_began_whatever_another_workers_clock_says(
    backlog: Store, ledger: Ledger, clock: Clock
) -> None:
    limits = day(ledger, 4)
    assert deliver(backlog, limits)
    ahead = Limits(per_day=4, day_over=(limits.day_over or 0) + WHOLE_DAY_MS)
    assert not deliver(backlog, ahead)
    clock.pass_by(6 * HOUR)
    # This one's clock is late, and for it the day that is over is not.
    assert deliver(backlog, limits)
    assert not deliver(backlog, limits)
    assert ledger.lane("crm").used_up == (limits.day_over or 0) + WHOLE_DAY_MS


def test_a_clock_that_was_set_back_leaves_no_day_without_an_end(backlog: Store, ledger: Ledger, server: Server) -> None:
    limits = day(ledger, 4)
    assert deliver(backlog, limits)
    assert not deliver(backlog, limits)
    server.client.hset(key("pace", "crm"), "day", ledger.now() + 26 * HOUR * 1000)
    assert deliver(backlog, day(ledger, 4))


@pytest.mark.parametrize(
    ("zone", "at", "over"),
    [
        ("UTC", datetime(2026, 11, 28, 23, 59, tzinfo=UTC), datetime(2026, 11, 29, tzinfo=UTC)),
        ("Europe/Prague", datetime(2026, 11, 28, 23, 0, tzinfo=UTC), datetime(2026, 11, 29, 23, tzinfo=UTC)),
        # The clocks are put back in this night.
        ("Europe/Prague", datetime(2026, 10, 24, 23, 0, tzinfo=UTC), datetime(2026, 10, 25, 23, tzinfo=UTC)),
    ],
)
def test_the_day_is_over_at_midnight_of_its_zone(zone: str, at: datetime, over: datetime) -> None:
    settings = ConnectorSettings(type="x", per_day=5, per_day_time_zone=zone)
    assert settings.day_over(at) == over.timestamp() * 1000
    assert ConnectorSettings(type="x").day_over(at) is None


def test_a_zone_that_is_none_is_a_mistake_with_what_to_type() -> None:
    with pytest.raises(ValidationError, match="'Prague' is not a time zone; write one such as Europe/Prague"):
        ConnectorSettings(type="x", per_day=5, per_day_time_zone="Prague")


def test_a_worker_claims_with_the_limits_of_relay_yaml(tmp_path: Path) -> None:
    (tmp_path / "relay.yaml").write_text("connectors: {crm: {type: archive, concurrency: 3, rate: 2, per_day: 5}}")
    env = environment({"RELAY_CONFIG": str(tmp_path / "relay.yaml"), "RELAY_DATA_DIR": str(tmp_path)})
    settings = load(env, settings_model, {})
    before = settings.connectors["crm"].day_over()
    limits = Adopted(settings, {}).limits("crm")
    after = settings.connectors["crm"].day_over()
    assert (limits.at_once, limits.rate, limits.per_day) == (3, 2, 5)
    assert limits.day_over in (before, after)  # midnight may come in between
