"""Connectors with `wait`: a revision is due when its chat has been quiet, and the due time in the
lane is all there is to that."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from itertools import count

import pytest

from core.delivery import Attempt, DeliveryStatus, Outcome, Reference
from core.ids import ConversationId, DeliveryId
from core.store import INBOX, Claim, Ledger, Store
from core.store.claims import ClaimRequest, Quiet, Reading
from core.store.protocol.constants import LEASE_MS
from core.store.protocol.keys import key
from tests.conftest import Clock
from tests.support.made import control

MINUTE = 60_000
CHAT = ConversationId("1:1")
ID = DeliveryId("crm:1:1")
#: Ten minutes of quiet, half an hour at most.
WAIT = {"crm": Quiet(10 * MINUTE, 30 * MINUTE)}
FIRST = {"crm": Quiet(10 * MINUTE, 30 * MINUTE, first=True)}

numbers = count(1)


def comes(store: Store, waits: Mapping[str, Quiet] = WAIT) -> None:
    """A further revision."""
    store.accept(b"%d" % next(numbers))
    store.fan_out_each([read(store)], None, waits)


def read(store: Store) -> Reading:
    claim = store.claim(INBOX, secrets.token_hex(8))
    assert claim is not None
    return Reading(claim, CHAT, ("crm",))


def due(store: Store) -> Claim | None:
    return store.claim("crm", secrets.token_hex(8))


def end(store: Store, claim: Claim | None, outcome: Outcome = Outcome.DELIVERED) -> None:
    assert claim is not None
    error = "" if outcome is Outcome.DELIVERED else "no"
    made = Reference("T-1") if outcome is Outcome.DELIVERED else None
    store.settle(claim, Attempt(1, 1, outcome, claim.revision, error=error), reference=made, delay_ms=2 * MINUTE)


def delivered(store: Store) -> None:
    comes(store)
    end(store, due(store))


def test_a_revision_of_what_was_delivered_waits_until_its_chat_has_been_quiet(
    store: Store, ledger: Ledger, clock: Clock
) -> None:
    delivered(store)
    comes(store)
    found = ledger.delivery(ID)
    assert (found.status, found.due, found.awaits_quiet) == (DeliveryStatus.WAITING, clock.now + 10 * MINUTE, True)
    clock.pass_by(10 * 60 - 0.1)
    assert due(store) is None
    clock.pass_by(0.2)
    taken = due(store)
    assert taken
    assert (taken.revision, taken.delivered) == (2, True)
    end(store, taken)
    after = ledger.delivery(ID)
    assert (after.status, after.quiet_until, after.awaits_quiet) == (DeliveryStatus.DELIVERED, None, False)


def test_each_revision_begins_the_wait_anew_and_only_the_last_one_is_sent(store: Store, clock: Clock) -> None:
    delivered(store)
    for _ in range(3):
        comes(store)
        clock.pass_by(9 * 60)
        assert due(store) is None
    clock.pass_by(61)
    taken = due(store)
    assert taken
    assert taken.revision == 4
    end(store, taken)
    assert due(store) is None


def test_a_chat_that_never_becomes_quiet_is_sent_at_the_latest_when_the_settings_say(
    store: Store, ledger: Ledger, clock: Clock
) -> None:
    delivered(store)
    began = clock.now
    for _ in range(4):
        comes(store)
        clock.pass_by(7 * 60)
        assert due(store) is None
    comes(store)
    assert ledger.delivery(ID).due == began + 30 * MINUTE
    clock.pass_by(2 * 60)
    taken = due(store)
    assert taken
    assert taken.revision == 6
    end(store, taken)
    # What comes after that is new, and has its own half hour.
    comes(store)
    assert ledger.delivery(ID).due == clock.now + 10 * MINUTE


def test_the_first_delivery_of_a_chat_does_not_wait(store: Store, ledger: Ledger) -> None:
    comes(store)
    assert not ledger.delivery(ID).awaits_quiet
    assert due(store)


def test_the_first_delivery_waits_too_where_that_is_asked_for(store: Store, ledger: Ledger, clock: Clock) -> None:
    comes(store, FIRST)
    assert (ledger.delivery(ID).due, ledger.delivery(ID).awaits_quiet) == (clock.now + 10 * MINUTE, True)
    clock.pass_by(5 * 60)
    comes(store, FIRST)
    clock.pass_by(9 * 60)
    assert due(store) is None
    clock.pass_by(61)
    taken = due(store)
    assert taken
    assert (taken.revision, taken.delivered) == (2, False)


@pytest.mark.parametrize("outcome", [Outcome.RETRY, Outcome.REFUSED, Outcome.SKIPPED])
def test_what_was_never_delivered_is_in_no_need_of_quiet(store: Store, outcome: Outcome) -> None:
    comes(store)
    end(store, due(store), outcome)
    comes(store)
    taken = due(store)
    assert taken
    assert taken.revision == 2


def test_a_revision_that_comes_during_an_attempt_waits_after_it(store: Store, ledger: Ledger, clock: Clock) -> None:
    comes(store)
    taken = due(store)
    clock.pass_by(1)
    comes(store)
    end(store, taken)
    assert (ledger.delivery(ID).due, ledger.delivery(ID).awaits_quiet) == (clock.now + 10 * MINUTE, True)
    assert due(store) is None


def test_a_first_attempt_that_fails_meanwhile_is_repeated_at_once_with_the_newer_revision(store: Store) -> None:
    comes(store)
    taken = due(store)
    comes(store)
    end(store, taken, Outcome.RETRY)
    again = due(store)
    assert again
    assert again.revision == 2


def test_an_attempt_whose_worker_died_is_repeated_without_a_wait(store: Store, clock: Clock) -> None:
    delivered(store)
    comes(store)
    clock.pass_by(10 * 60)
    assert due(store)
    comes(store)
    clock.pass_by(LEASE_MS / 1000 + 1)
    again = due(store)
    assert again
    assert (again.revision, again.crashes) == (3, 1)
    end(store, again)
    assert due(store) is None


def test_whoever_replays_by_hand_waits_for_nothing(store: Store, ledger: Ledger) -> None:
    delivered(store)
    comes(store)
    control(store).replay(ID)
    assert not ledger.delivery(ID).awaits_quiet
    taken = due(store)
    assert taken
    assert taken.revision == 2


def test_nor_does_who_asks_for_it_during_an_attempt(store: Store) -> None:
    comes(store)
    taken = due(store)
    comes(store)
    control(store).replay(ID)
    end(store, taken)
    again = due(store)
    assert again
    assert again.revision == 2


def test_a_revision_that_was_read_late_has_waited_already(store: Store, clock: Clock) -> None:
    delivered(store)
    store.accept(b"late")
    clock.pass_by(11 * 60)  # no worker was there
    store.fan_out_each([read(store)], None, WAIT)
    assert due(store)


def test_of_two_that_are_read_in_the_other_order_the_newest_counts(store: Store, ledger: Ledger, clock: Clock) -> None:
    delivered(store)
    store.accept(b"older")
    clock.pass_by(60)
    store.accept(b"newer")
    came = clock.now
    readings = [read(store), read(store)]
    for reading in reversed(readings):
        store.fan_out_each([reading], None, WAIT)
    assert ledger.delivery(ID).due == came + 10 * MINUTE


def test_a_connector_without_a_wait_is_not_held_up(store: Store) -> None:
    delivered(store)
    comes(store, {"desk": Quiet(10 * MINUTE, 30 * MINUTE, first=True)})
    assert due(store)


def test_a_revision_ends_a_wait_that_is_no_longer_in_the_settings(store: Store) -> None:
    delivered(store)
    comes(store)
    comes(store, {})
    assert due(store)


def test_workers_are_woken_when_the_wait_is_over_and_not_before(store: Store, woken: list[str], clock: Clock) -> None:
    delivered(store)
    assert due(store) is None
    woken.clear()
    comes(store)
    assert "crm" not in woken
    assert store.tick(1000, ["crm"]) == []
    clock.pass_by(10 * 60 + 1)
    store._redis.delete(key("tick"))
    assert store.tick(1000, ["crm"]) == ["crm"]


def test_what_is_discarded_waits_no_more_and_begins_anew_with_the_next_revision(
    store: Store, ledger: Ledger, clock: Clock
) -> None:
    delivered(store)
    comes(store)
    control(store).discard(ID, "enough")
    assert ledger.delivery(ID).quiet_until is None
    clock.pass_by(40 * 60)
    comes(store)
    assert ledger.delivery(ID).due == clock.now + 10 * MINUTE


def test_one_that_a_version_without_waits_made_due_does_not_wait(store: Store, ledger: Ledger, clock: Clock) -> None:
    delivered(store)
    comes(store)
    store._redis.zadd(key("lane", "crm"), {ID: clock.now})  # and leaves quiet_until in the record
    assert not ledger.delivery(ID).awaits_quiet


def test_a_wait_holds_up_nothing_else_in_the_lane(store: Store) -> None:
    delivered(store)
    comes(store)
    store.accept(b"other")
    claim = store.claim(INBOX, secrets.token_hex(8))
    assert claim is not None
    store.fan_out_each([Reading(claim, ConversationId("1:2"), ("crm",))], ClaimRequest("next"), WAIT)
    taken = due(store)
    assert taken
    assert taken.conversation == "1:2"
