"""One attempt and what its end does: to the delivery, to the connector's gate, and to the log."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from structlog.testing import capture_logs

from connectors.kit.connector import Connector, Receipt, Step
from core.config.settings import ConnectorSettings
from core.conversation import Conversation
from core.delivery import Attempt, DeliveryStatus, Exchange, Outcome, Reference
from core.errors import ConnectorRefused, RecordRefused, RetryLater, TimedOut
from core.ids import ConversationId, DeliveryId, identified
from core.retry import DAY
from core.store import INBOX, Claim, Ledger, Store
from core.store.claims import UNLIMITED, Limits
from tests.conftest import Clock
from tests.support.made import control
from tests.support.stack import chat
from workers.delivery import deliver

OUTAGE = RetryLater("HTTP 503", status=503)
SILENCE = RetryLater("no answer")
BUSY = RetryLater("HTTP 429", status=429, retry_after=7)
UNAUTHORIZED = ConnectorRefused("HTTP 401", status=401)
#: Its own trouble: the destination is well.
CONFLICT = RetryLater("HTTP 409", status=409)
#: The third of them ends three days of tries.
TOMORROW = RetryLater("HTTP 409", status=409, retry_after=DAY)


class Desk(Connector[ConnectorSettings]):
    """Says what it is told to say, after requests that were answered so."""

    label = "Desk"

    def __init__(self) -> None:
        super().__init__("desk", ConnectorSettings(type="desk"), Path())
        self.says: Exception | None = None
        self.answers: tuple[int, ...] = ()

    @contextmanager
    def attempt(self) -> Iterator[list[Exchange]]:
        yield [Exchange("POST", "https://desk.example.com/tickets", status, 1) for status in self.answers]

    def deliver(self, conversation: Conversation, receipt: Receipt, step: Step) -> Reference:
        if self.says:
            raise self.says
        return Reference("T-1")


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.fixture(autouse=True)
def one_clock(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> None:
    """The worker's is the store's."""
    monkeypatch.setattr("workers.delivery.time", SimpleNamespace(time=lambda: clock.now / 1000, monotonic=lambda: 0.0))


@pytest.fixture
def backlog(store: Store) -> Store:
    """Eight conversations that wait for the desk."""
    for number in range(8):
        store.accept(chat(number))
        claim = store.claim(INBOX, secrets.token_hex(8))
        assert claim is not None
        store.fan_out(claim, ConversationId(f"1:{number}"), ["desk"])
    return store


def take(store: Store, limits: Limits = UNLIMITED) -> Claim:
    claim = store.claim("desk", secrets.token_hex(8), "leave", limits)
    assert claim is not None
    return claim


def attempt(
    store: Store, desk: Desk, says: Exception | None = None, claim: Claim | None = None
) -> tuple[Claim, Attempt]:
    desk.says = says
    claim = claim or take(store)
    made, _ = deliver(store, claim, desk, "old")
    return claim, made


def outages(store: Store, desk: Desk) -> list[str]:
    """Five in a row: the breaker closes the gate."""
    claims = [take(store) for _ in range(5)]
    return [attempt(store, desk, OUTAGE, claim)[0].id for claim in claims]


def only(store: Store, delivery: str) -> None:
    """Nothing else waits."""
    for number in range(8):
        if f"desk:1:{number}" != delivery:
            control(store).discard(identified(f"desk:1:{number}"), "not today")


def claimed(store: Store, delivery: str) -> Claim:
    """This one; those before it stay as they are."""
    before = []
    while (claim := take(store)).id != delivery:
        before.append(claim)
    for one in before:
        store.release(one)
    return claim


def worn_out(store: Store, clock: Clock, desk: Desk) -> str:
    """One that has failed for as long as anything is tried, while the others wait. Returns its id."""
    failing, _ = attempt(store, desk, TOMORROW)
    for _ in range(2):
        clock.pass_by(DAY)
        attempt(store, desk, TOMORROW, claimed(store, failing.id))
    clock.pass_by(DAY)
    return failing.id


def paused_by_hand(store: Store, desk: Desk) -> None:
    control(store).pause("desk", "stocktaking")


def paused_itself(store: Store, desk: Desk) -> None:
    for claim in [take(store) for _ in range(2)]:
        attempt(store, desk, UNAUTHORIZED, claim)


def broken(store: Store, desk: Desk) -> None:
    outages(store, desk)


def nobody_at_work(store: Store, desk: Desk) -> None:
    """No worker runs, or the connector is switched off."""


@pytest.mark.parametrize("stop", [paused_by_hand, paused_itself, broken, nobody_at_work])
def test_time_in_which_nothing_is_tried_does_not_count_towards_giving_up(
    backlog: Store, ledger: Ledger, clock: Clock, desk: Desk, stop: Callable[[Store, Desk], None]
) -> None:
    failing, _ = attempt(backlog, desk, CONFLICT)
    stop(backlog, desk)
    assert bool(ledger.lane("desk").gate) is (stop is not nobody_at_work)
    clock.pass_by(4 * DAY)
    control(backlog).resume("desk")
    again, made = attempt(backlog, desk, CONFLICT, claimed(backlog, failing.id))
    assert (again.tries, made.outcome) == (1, Outcome.RETRY)


def test_a_delivery_that_fails_for_three_days_while_others_arrive_is_given_up(
    backlog: Store, ledger: Ledger, clock: Clock, desk: Desk
) -> None:
    failing = worn_out(backlog, clock, desk)
    for _ in range(4):
        attempt(backlog, desk)
    attempt(backlog, desk, OUTAGE, claimed(backlog, failing))
    found = ledger.delivery(DeliveryId(failing))
    assert (found.status, found.error) == (DeliveryStatus.DEAD, "gave up after 4 attempts: HTTP 503")


def test_a_destination_that_is_down_for_a_week_kills_nothing(
    backlog: Store, ledger: Ledger, clock: Clock, desk: Desk
) -> None:
    outages(backlog, desk)
    ends = clock.now + 7 * DAY * 1000
    while clock.now < ends:
        clock.pass_by(600)
        attempt(backlog, desk, SILENCE)
    assert {one.status for one in ledger.deliveries()} == {DeliveryStatus.WAITING, DeliveryStatus.RETRYING}
    assert {one.tries for one in ledger.deliveries()} == {0, 1}
    clock.pass_by(600)
    for _ in range(8):
        attempt(backlog, desk)
    assert {one.status for one in ledger.deliveries()} == {DeliveryStatus.DELIVERED}


@pytest.mark.parametrize("ahead", [True, False])
def test_nothing_is_given_up_behind_the_breaker_however_long_it_has_failed_before(
    backlog: Store, ledger: Ledger, clock: Clock, desk: Desk, ahead: bool
) -> None:
    failing = worn_out(backlog, clock, desk)
    claims = [take(backlog) for _ in range(8)]
    (mine,) = (claim for claim in claims if claim.id == failing)
    others = [claim for claim in claims if claim.id != failing]
    if ahead:
        backlog.release(mine)
    for claim in others[:5]:
        attempt(backlog, desk, OUTAGE, claim)
    if ahead:
        clock.pass_by(30)
        mine = take(backlog)
    assert mine.id == failing
    attempt(backlog, desk, OUTAGE, mine)
    found = ledger.delivery(DeliveryId(failing))
    assert (found.status, found.tries, found.error) == (DeliveryStatus.RETRYING, 3, "HTTP 503")
    assert [one.outcome for one in found.attempts] == [Outcome.RETRY] * 4


@pytest.mark.parametrize("status", [408, 409, 423, 425, 429])
def test_any_answer_to_a_probe_opens_the_gate_and_costs_no_try(
    backlog: Store, ledger: Ledger, clock: Clock, desk: Desk, status: int
) -> None:
    outages(backlog, desk)
    clock.pass_by(30)
    probe, _ = attempt(backlog, desk, RetryLater(f"HTTP {status}", status=status, retry_after=7))
    assert ledger.lane("desk").gate is None
    found = ledger.delivery(DeliveryId(probe.id))
    assert (found.status, found.tries, found.due) == (DeliveryStatus.WAITING, 0, clock.now + 7_000)


@pytest.mark.parametrize(("answers", "opens"), [((200,), True), ((), False)])
def test_a_bug_after_an_answer_opens_the_gate_and_one_before_any_does_not(
    backlog: Store, ledger: Ledger, clock: Clock, desk: Desk, answers: tuple[int, ...], opens: bool
) -> None:
    outages(backlog, desk)
    clock.pass_by(30)
    desk.answers = answers
    _, made = attempt(backlog, desk, KeyError("id"))
    assert (made.outcome, made.error[:25]) == (Outcome.RETRY, "internal error: KeyError:")
    assert (ledger.lane("desk").gate is None) is opens


def test_one_that_an_admin_sends_ahead_spends_no_try(backlog: Store, ledger: Ledger, desk: Desk) -> None:
    control(backlog).pause("desk", "stocktaking")
    for trouble in (CONFLICT, OUTAGE):
        control(backlog).send_ahead("desk")
        probe, _ = attempt(backlog, desk, trouble)
        assert ledger.delivery(DeliveryId(probe.id)).tries == 0
    gate = ledger.lane("desk").gate
    assert gate
    assert gate.by == "admin"


def test_a_429_that_was_waited_for_within_the_attempt_slows_the_connector_down(
    backlog: Store, ledger: Ledger, desk: Desk
) -> None:
    desk.answers = (429, 201)
    _, made = attempt(backlog, desk, claim=take(backlog, Limits(rate=8)))
    assert made.outcome is Outcome.DELIVERED
    assert ledger.lane("desk").slowed == 2


def test_no_answer_in_time_lowers_how_many_are_at_work(backlog: Store, ledger: Ledger, desk: Desk) -> None:
    first, second, *_ = (take(backlog) for _ in range(6))
    attempt(backlog, desk, OUTAGE, first)
    assert ledger.lane("desk").narrowed is None
    attempt(backlog, desk, TimedOut("no answer in time"), second)
    assert ledger.lane("desk").narrowed == 2


@pytest.mark.parametrize("says", [OUTAGE, SILENCE, CONFLICT, RecordRefused("HTTP 422", status=422)])
def test_only_what_arrives_brings_the_rate_back(backlog: Store, ledger: Ledger, desk: Desk, says: Exception) -> None:
    first, second, third = (take(backlog, Limits(rate=12)) for _ in range(3))
    attempt(backlog, desk, BUSY, first)
    attempt(backlog, desk, says, second)
    assert ledger.lane("desk").slowed == 2
    attempt(backlog, desk, None, third)
    assert ledger.lane("desk").slowed == pytest.approx(1.96)


def test_what_becomes_of_the_gate_is_in_the_log_once(backlog: Store, clock: Clock, desk: Desk) -> None:
    with capture_logs() as logs:
        claims = [take(backlog) for _ in range(6)]
        for claim in claims:  # the sixth meets a gate that is closed
            attempt(backlog, desk, OUTAGE, claim)
        clock.pass_by(30)
        attempt(backlog, desk, SILENCE)
        clock.pass_by(60)
        attempt(backlog, desk)
        claims = [take(backlog) for _ in range(2)]
        for claim in claims:
            attempt(backlog, desk, UNAUTHORIZED, claim)
        for says in (UNAUTHORIZED, None):
            control(backlog).send_ahead("desk")
            attempt(backlog, desk, says)
    assert [one for one in logs if one["event"] != "attempt"] == [
        _line("warning", "connector blocked", by="breaker", status=503),
        _line("warning", "connector still blocked", status=None),
        _line("info", "connector resumed"),
        _line("warning", "connector blocked", by="relay", status=401),
        _line("warning", "connector still blocked", status=401),
        _line("info", "connector resumed"),
    ]


def _line(level: str, event: str, **about: Any) -> dict[str, Any]:
    return {"log_level": level, "event": event, "connector": "desk", **about}


class Dated(Desk):
    """Remembers whether the chat was past when it came."""

    past: list[bool]

    def deliver(self, conversation: Conversation, receipt: Receipt, step: Step) -> Reference:
        self.past = [*getattr(self, "past", []), receipt.is_past(conversation)]
        return super().deliver(conversation, receipt, step)


@pytest.mark.parametrize(
    ("age", "waits", "past"),
    [
        (timedelta(hours=1), timedelta(), False),
        # It was imported, or it is one of those for a new connector.
        (timedelta(days=2), timedelta(), True),
        # An outage of two days makes no chat a past one, nor does a replay.
        (timedelta(hours=1), timedelta(days=2), False),
    ],
)
def test_a_chat_is_past_that_was_over_for_a_day_when_the_connector_was_given_it(
    store: Store, clock: Clock, age: timedelta, waits: timedelta, past: bool
) -> None:
    ended = clock.now - round(age.total_seconds() * 1000)
    body = json.loads(chat("late"))
    body["messages"] = [{"type": "visitor", "from": "visitor:x", "content": "Hello", "sentAt": ended}]
    body["channel"] |= {"beginAt": ended, "endAt": ended}
    store.accept(json.dumps(body).encode())
    claim = store.claim(INBOX, secrets.token_hex(8))
    assert claim is not None
    store.fan_out(claim, ConversationId("1:late"), ["desk"])
    clock.pass_by(waits.total_seconds())
    desk = Dated()
    attempt(store, desk)
    control(store).replay(DeliveryId("desk:1:late"))
    clock.pass_by(timedelta(days=3).total_seconds())
    attempt(store, desk)
    assert desk.past == [past, past]
