"""What this process has in hand is renewed, or given back without a mark against it."""

from __future__ import annotations

import secrets
from typing import Any

import pytest

from core.config.settings import Settings
from core.delivery import PayloadStatus
from core.errors import StoreUnavailable
from core.ids import ConversationId, DeliveryId
from core.store import INBOX, Claim, Ledger, Store
from core.store.claims import UNLIMITED
from core.store.protocol.constants import LEASE_MS
from tests.conftest import Clock
from tests.support.stack import chat
from tests.workers.test_delivery import Desk
from workers import intake
from workers.delivery import deliver
from workers.intake import take_in
from workers.lease_keeper import LeaseKeeper


@pytest.fixture
def leases(store: Store) -> LeaseKeeper:
    return LeaseKeeper(store)


def claimed(store: Store, lane: str = INBOX) -> Claim:
    found = store.claim(lane, secrets.token_hex(8))
    assert found
    return found


def test_a_lease_is_renewed_while_the_item_is_in_hand(store: Store, leases: LeaseKeeper, clock: Clock) -> None:
    store.accept(chat())
    with leases.hold([claimed(store)]):
        for _ in range(3):
            clock.pass_by(LEASE_MS / 1000 - 1)
            leases.care()
            assert store.claim(INBOX, "another") is None
    clock.pass_by(LEASE_MS / 1000 + 1)
    assert claimed(store).crashes == 1


def test_what_finds_no_memory_is_kept_for_a_moment_and_given_back_without_a_mark(
    store: Store, leases: LeaseKeeper, clock: Clock
) -> None:
    store.accept(chat())
    with pytest.raises(MemoryError), leases.hold([claimed(store)]):
        raise MemoryError
    clock.pass_by(LEASE_MS / 1000 - 1)
    leases.care()
    clock.pass_by(LEASE_MS / 1000 - 1)
    assert store.claim(INBOX, "another") is None
    leases.care(leaving=True)
    assert claimed(store).crashes == 0


def test_what_a_lost_reply_had_claimed_is_given_back(store: Store, leases: LeaseKeeper) -> None:
    store.accept(chat())

    def lose_the_reply() -> None:
        with leases.claiming(INBOX, UNLIMITED) as request:
            store.claim(INBOX, request.token)
            raise StoreUnavailable("the reply was lost")

    with pytest.raises(StoreUnavailable):
        lose_the_reply()
    assert store.claim(INBOX, "another") is None
    leases.care()
    assert claimed(store).crashes == 0


def test_shortage_of_memory_is_no_verdict_on_a_body(
    store: Store, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    def short(*_: Any) -> None:
        raise MemoryError

    payload = store.accept(chat()).id
    monkeypatch.setattr(intake, "parse", short)
    with pytest.raises(MemoryError):
        take_in(store, [claimed(store)], Settings("", (), {}, ()))
    assert ledger.payload(payload).status is PayloadStatus.RECEIVED


def test_shortage_of_memory_is_no_verdict_on_a_delivery(store: Store, ledger: Ledger) -> None:
    store.accept(chat("c1"))
    store.fan_out(claimed(store), ConversationId("1:c1"), ["desk"])
    desk = Desk()
    desk.says = MemoryError()
    with pytest.raises(MemoryError):
        deliver(store, claimed(store, "desk"), desk, "old")
    found = ledger.delivery(DeliveryId("desk:1:c1"))
    assert (found.status, found.attempts) == ("waiting", ())
