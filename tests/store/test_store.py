from __future__ import annotations

import secrets
import threading
import time
from collections import Counter
from dataclasses import replace

import pytest

from core.delivery import Attempt, DeliveryStatus, Exchange, Outcome, PayloadStatus, Reference
from core.errors import InUse, LostLease, NotFound, StoreUnavailable
from core.ids import ConversationId, DeliveryId, PayloadId, identified
from core.store import INBOX, Claim, Ledger, Store, check_server, connect
from core.store.protocol.constants import LEASE_MS, SUSPECT
from core.store.protocol.keys import key
from tests.conftest import Clock
from tests.support.made import control
from tests.support.server import Server

LEASE = LEASE_MS / 1000


def claim(store: Store, lane: str = INBOX) -> Claim:
    found = store.claim(lane, secrets.token_hex(8))
    assert found is not None
    return found


def nothing_due(store: Store, lane: str) -> bool:
    return store.claim(lane, secrets.token_hex(8)) is None


def attempt(outcome: Outcome, error: str = "", revision: int = 1) -> Attempt:
    return Attempt(at=1, ms=2, outcome=outcome, revision=revision, error=error)


def taken_in(
    store: Store, body: bytes = b"body", conversation: str = "1:1", connectors: tuple[str, ...] = ("crm",)
) -> str:
    """Accept a body and fan it out; returns the payload's id."""
    accepted = store.accept(body)
    store.fan_out(claim(store), ConversationId(conversation), connectors)
    return accepted.id


def test_a_body_is_kept_unchanged_with_its_place_in_the_inbox(store: Store, ledger: Ledger) -> None:
    body = bytes(range(256)) * 10
    accepted = store.accept(body, "208", "text/plain")
    assert not accepted.known
    kept = ledger.payload(accepted.id)
    assert (kept.body, kept.account, kept.content_type, kept.size) == (body, "208", "text/plain", 2560)
    assert kept.status is PayloadStatus.RECEIVED
    assert claim(store).body == body


def test_the_same_body_is_a_duplicate_of_the_first_and_is_counted(store: Store, ledger: Ledger) -> None:
    first = store.accept(b"same")
    again = [store.accept(b"same") for _ in range(3)]
    assert all(one.known and one.id == first.id for one in again)
    assert ledger.payload(first.id).duplicates == 3
    assert ledger.payload_counts()["received"] == 1


def test_the_same_body_for_another_account_is_not_a_duplicate(store: Store) -> None:
    assert not store.accept(b"same", "1").known
    assert not store.accept(b"same", "2").known


def test_one_of_many_concurrent_posts_of_a_body_is_accepted(server: Server) -> None:
    results: list[bool] = []
    store = Store(connect(server.url))
    threads = [threading.Thread(target=lambda: results.append(store.accept(b"race").known)) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Counter(results) == {True: 15, False: 1}


def test_the_first_of_several_bodies_wakes_the_workers_and_the_others_do_not(store: Store, woken: list[str]) -> None:
    for number in range(3):
        store.accept(b"%d" % number)
    assert woken == [INBOX]


def test_after_an_empty_claim_the_next_body_wakes_them_again(store: Store, woken: list[str]) -> None:
    store.accept(b"1")
    taken = claim(store)
    store.fan_out(taken, ConversationId("1:1"), ())
    assert nothing_due(store, INBOX)
    woken.clear()
    store.accept(b"2")
    assert woken == [INBOX]


def test_a_claim_that_answers_a_knock_asks_for_one_more_while_there_is_more(store: Store) -> None:
    for number in range(3):
        store.accept(b"%d" % number)
    first = store.claim(INBOX, "t1", how="answer")
    second = store.claim(INBOX, "t2", how="answer")
    third = store.claim(INBOX, "t3", how="answer")
    assert [bool(one and one.more) for one in (first, second, third)] == [True, True, False]


def test_a_claimed_item_is_nobody_elses_until_the_lease_runs_out(store: Store, clock: Clock) -> None:
    store.accept(b"body")
    first = claim(store)
    clock.pass_by(LEASE - 0.1)
    assert nothing_due(store, INBOX)
    clock.pass_by(0.2)
    second = claim(store)
    assert (second.id, second.crashes) == (first.id, 1)


def test_a_renewed_lease_lasts(store: Store, clock: Clock) -> None:
    store.accept(b"body")
    taken = claim(store)
    for _ in range(5):
        clock.pass_by(LEASE - 1)
        assert store.renew([taken]) == 1
    assert nothing_due(store, INBOX)


def test_whoever_lost_the_lease_can_write_nothing(store: Store, ledger: Ledger, clock: Clock) -> None:
    taken_in(store)
    old = claim(store, "crm")
    clock.pass_by(LEASE + 1)
    new = claim(store, "crm")
    with pytest.raises(LostLease):
        store.settle(old, attempt(Outcome.DELIVERED), reference=Reference("old"))
    with pytest.raises(LostLease):
        store.remember(old, "ticket", 1)
    assert store.renew([old]) == 0
    store.release(old)
    assert ledger.delivery(DeliveryId(new.id)).in_flight
    store.settle(new, attempt(Outcome.DELIVERED), reference=Reference("new"))
    assert ledger.delivery(DeliveryId(new.id)).reference == Reference("new")


def test_an_old_holder_of_a_body_cannot_fan_it_out(store: Store, ledger: Ledger, clock: Clock) -> None:
    store.accept(b"body")
    old = claim(store)
    clock.pass_by(LEASE + 1)
    claim(store)
    with pytest.raises(LostLease):
        store.fan_out(old, ConversationId("1:1"), ["crm"])
    assert not store.divert(old.payload, PayloadStatus.QUARANTINED, "no", token=old.token)
    assert ledger.deliveries() == []


def test_a_body_becomes_one_delivery_for_each_connector(store: Store, ledger: Ledger, woken: list[str]) -> None:
    payload = store.accept(b"body").id
    woken.clear()
    store.fan_out(claim(store), ConversationId("1:1"), ["crm", "desk"])
    assert sorted(woken) == ["crm", "desk"]
    assert [one.id for one in ledger.conversation(ConversationId("1:1")).deliveries] == ["crm:1:1", "desk:1:1"]
    assert ledger.payload(payload).status is PayloadStatus.ROUTED
    taken = claim(store, "desk")
    assert (taken.body, taken.revision, taken.payload) == (b"body", 1, payload)


def test_a_body_that_no_route_wants_is_unrouted_and_kept(store: Store, ledger: Ledger) -> None:
    payload = taken_in(store, connectors=())
    assert ledger.payload(PayloadId(payload)).status is PayloadStatus.UNROUTED


def test_a_second_body_of_a_conversation_is_a_revision_and_is_what_is_delivered(store: Store, ledger: Ledger) -> None:
    taken_in(store, b"one")
    second = taken_in(store, b"two")
    taken = claim(store, "crm")
    assert (taken.body, taken.revision, taken.payload) == (b"two", 2, second)
    store.settle(taken, attempt(Outcome.DELIVERED, revision=2), reference=Reference("x"))
    assert nothing_due(store, "crm")
    assert ledger.delivery(DeliveryId("crm:1:1")).revision == 2
    assert [one.body for one in store.revisions(ConversationId("1:1"))] == [b"one", b"two"]


def test_a_revision_that_arrives_during_an_attempt_makes_the_delivery_due_again(store: Store, ledger: Ledger) -> None:
    taken_in(store, b"one")
    first = claim(store, "crm")
    taken_in(store, b"two")
    assert nothing_due(store, "crm")
    store.settle(first, attempt(Outcome.DELIVERED), reference=Reference("x"))
    assert ledger.delivery(DeliveryId("crm:1:1")).status is DeliveryStatus.WAITING
    assert claim(store, "crm").body == b"two"


def test_the_newest_revision_is_the_one_that_came_last_whichever_was_read_first(store: Store) -> None:
    store.accept(b"older")
    store.accept(b"newer")
    older, newer = claim(store), claim(store)
    last, first = (older, newer) if older.body == b"newer" else (newer, older)
    store.fan_out(last, ConversationId("1:1"), ["crm"])
    store.fan_out(first, ConversationId("1:1"), ["crm"])
    taken = claim(store, "crm")
    assert (taken.body, taken.revision) == (b"newer", 2)
    assert [(one.number, one.body) for one in store.revisions(ConversationId("1:1"))] == [(1, b"older"), (2, b"newer")]


def test_a_revision_goes_to_where_the_conversation_was_delivered_whatever_the_routes_say(store: Store) -> None:
    taken_in(store, b"one", connectors=("crm",))
    store.settle(claim(store, "crm"), attempt(Outcome.DELIVERED), reference=Reference("x"))
    taken_in(store, b"two", connectors=("desk",))
    assert claim(store, "crm").body == b"two"
    assert claim(store, "desk").body == b"two"


def test_a_postponed_delivery_is_due_after_its_delay(store: Store, ledger: Ledger, clock: Clock) -> None:
    taken_in(store)
    store.settle(claim(store, "crm"), attempt(Outcome.RETRY, "HTTP 500"), delay_ms=30_000)
    found = ledger.delivery(DeliveryId("crm:1:1"))
    assert (found.status, found.tries, found.error, found.due) == ("retrying", 1, "HTTP 500", clock.now + 30_000)
    clock.pass_by(29)
    assert nothing_due(store, "crm")
    clock.pass_by(2)
    again = claim(store, "crm")
    assert (again.tries, again.waited, again.crashes) == (1, 30_000, 0)


def test_success_ends_the_series_of_tries(store: Store, ledger: Ledger, clock: Clock) -> None:
    taken_in(store)
    store.settle(claim(store, "crm"), attempt(Outcome.RETRY, "no"), delay_ms=0)
    store.settle(claim(store, "crm"), attempt(Outcome.DELIVERED), reference=Reference("1", "https://crm/1"))
    found = ledger.delivery(DeliveryId("crm:1:1"))
    assert (found.status, found.tries, found.error) == ("delivered", 0, "")
    assert found.reference == Reference("1", "https://crm/1")
    assert [one.outcome for one in found.attempts] == ["retry", "delivered"]


@pytest.mark.parametrize("outcome", [Outcome.REFUSED, Outcome.EXHAUSTED, Outcome.BUG])
def test_a_dead_delivery_is_left_alone_and_says_why(
    store: Store, ledger: Ledger, clock: Clock, outcome: Outcome
) -> None:
    taken_in(store)
    store.settle(claim(store, "crm"), attempt(outcome, "HTTP 422: no"))
    clock.pass_by(10**6)
    assert nothing_due(store, "crm")
    assert [(one.id, one.error) for one in ledger.deliveries(DeliveryStatus.DEAD)] == [("crm:1:1", "HTTP 422: no")]


def test_a_newer_revision_revives_a_dead_delivery(store: Store, ledger: Ledger) -> None:
    taken_in(store, b"one")
    store.settle(claim(store, "crm"), attempt(Outcome.REFUSED, "no"))
    taken_in(store, b"two")
    assert claim(store, "crm").body == b"two"
    assert ledger.deliveries(DeliveryStatus.DEAD) == []


def test_replaying_a_dead_delivery_starts_a_fresh_series(store: Store, ledger: Ledger) -> None:
    taken_in(store)
    store.settle(claim(store, "crm"), attempt(Outcome.RETRY, "no"), delay_ms=0)
    store.settle(claim(store, "crm"), attempt(Outcome.EXHAUSTED, "no"))
    assert control(store).replay(DeliveryId("crm:1:1")) == "crm"
    again = claim(store, "crm")
    assert (again.tries, again.waited) == (0, 0)
    assert len(ledger.delivery(DeliveryId("crm:1:1")).attempts) == 2


def test_replaying_what_is_in_flight_does_it_once_more_afterwards(store: Store) -> None:
    taken_in(store)
    taken = claim(store, "crm")
    control(store).replay(DeliveryId("crm:1:1"))
    assert nothing_due(store, "crm")
    store.settle(taken, attempt(Outcome.DELIVERED), reference=Reference("x"))
    store.settle(claim(store, "crm"), attempt(Outcome.DELIVERED), reference=Reference("x"))
    assert nothing_due(store, "crm")


def test_replaying_what_does_not_exist_says_so(store: Store) -> None:
    for identity in (PayloadId("nope"), DeliveryId("crm:1:1")):
        with pytest.raises(NotFound, match=identity):
            control(store).replay(identity)


def test_a_paused_connector_hands_nothing_out_and_only_the_one_that_was_refused_loses_a_try(
    store: Store, ledger: Ledger, clock: Clock
) -> None:
    taken_in(store)
    store.settle(claim(store, "crm"), attempt(Outcome.PAUSED, "HTTP 401"), fingerprint="old")
    clock.pass_by(10**6)
    assert nothing_due(store, "crm")
    found = ledger.delivery(DeliveryId("crm:1:1"))
    assert (found.status, found.paused, found.tries) == ("retrying", True, 1)
    gate = ledger.lane("crm").gate
    assert gate is not None
    assert (gate.reason, gate.by) == ("HTTP 401", "relay")
    assert control(store).resume("crm")
    assert claim(store, "crm").id == "crm:1:1"


def test_a_connector_that_paused_itself_resumes_when_its_settings_change(store: Store) -> None:
    taken_in(store)
    store.settle(claim(store, "crm"), attempt(Outcome.PAUSED, "HTTP 401"), fingerprint="old")
    assert not control(store).resume("crm", changed_to="old")
    assert control(store).resume("crm", changed_to="new")


def test_a_connector_that_was_paused_by_hand_stays_so_until_resumed_by_hand(store: Store) -> None:
    control(store).pause("crm", "maintenance")
    assert not control(store).resume("crm", changed_to="anything")
    assert control(store).resume("crm")


def test_a_paused_connector_does_not_hold_another_back(store: Store) -> None:
    taken_in(store, connectors=("crm", "desk"))
    control(store).pause("crm", "x")
    assert nothing_due(store, "crm")
    assert claim(store, "desk").id == "desk:1:1"
    assert store.tick(1000, [INBOX, "crm", "desk"]) == []


HOUR = 3_600.0


def suspected(store: Store, clock: Clock, lane: str) -> Claim:
    """An item of the lane, claimed after as many crashes as send it into a process of its own."""
    for crashes in range(SUSPECT):
        assert claim(store, lane).crashes == crashes
        clock.pass_by(LEASE + 1)
    return claim(store, lane)


def test_what_ends_a_process_of_its_own_three_times_is_dead_and_the_others_are_not(
    store: Store, ledger: Ledger, clock: Clock
) -> None:
    taken_in(store, b"poison", "1:1")
    held = suspected(store, clock, "crm")
    for seconds in (30, 60):
        assert store.crashed(held) == seconds * 1000
        assert store.crashed(held) is None  # it is nobody's now
        clock.pass_by(seconds - 1)
        assert nothing_due(store, "crm")
        clock.pass_by(1)
        held = claim(store, "crm")
    assert store.crashed(held) == 0
    clock.pass_by(2 * HOUR)
    assert nothing_due(store, "crm")
    found = ledger.delivery(DeliveryId("crm:1:1"))
    assert (found.status, found.error) == ("dead", "it ended its process 3 times, alone in it each time")
    assert [one.outcome for one in found.attempts] == ["crashed"] * 5
    taken_in(store, b"other", "1:2")
    assert claim(store, "crm").id == "crm:1:2"


def test_one_process_of_its_own_that_is_killed_gives_nothing_up(store: Store, ledger: Ledger, clock: Clock) -> None:
    taken_in(store)
    assert store.crashed(suspected(store, clock, "crm"))
    clock.pass_by(30)
    store.settle(claim(store, "crm"), attempt(Outcome.DELIVERED))
    assert ledger.delivery(DeliveryId("crm:1:1")).status == "delivered"
    assert ledger.delivery(DeliveryId("crm:1:1")).error == ""


def test_a_body_that_ends_processes_of_its_own_is_quarantined(store: Store, ledger: Ledger, clock: Clock) -> None:
    payload = store.accept(b"poison").id
    held = suspected(store, clock, INBOX)
    for seconds in (30, 60):
        assert store.crashed(held) == seconds * 1000
        clock.pass_by(seconds)
        held = claim(store)
    assert store.crashed(held) == 0
    found = ledger.payload(payload)
    assert (found.status, found.error) == ("quarantined", "it ended its process 3 times, alone in it each time")


def test_whose_workers_die_again_and_again_waits_longer_each_time_and_is_never_given_up(
    store: Store, ledger: Ledger, clock: Clock
) -> None:
    taken_in(store)
    store.accept(b"unread")
    waits = [0, 0, 0, 30, 60, 120, 240, 480, 960, 1920, 3600, 3600]
    for crashes, seconds in enumerate(waits):
        if seconds:  # from when somebody has seen the crash
            assert nothing_due(store, "crm")
            assert nothing_due(store, INBOX)
            clock.pass_by(seconds)
        assert claim(store, "crm").crashes == claim(store).crashes == crashes
        clock.pass_by(LEASE + 1)
    assert ledger.delivery(DeliveryId("crm:1:1")).status == "waiting"
    assert ledger.payload_counts()["received"] == 1
    assert nothing_due(store, "crm")
    clock.pass_by(HOUR)
    store.settle(claim(store, "crm"), attempt(Outcome.DELIVERED))
    assert ledger.delivery(DeliveryId("crm:1:1")).status == "delivered"


def test_a_replay_and_a_newer_revision_of_what_killed_processes_go_to_one_of_their_own(
    store: Store, clock: Clock
) -> None:
    taken_in(store)
    assert store.crashed(suspected(store, clock, "crm"))
    control(store).replay(DeliveryId("crm:1:1"))
    held = claim(store, "crm")
    assert held.crashes == SUSPECT
    assert store.crashed(held) == 30_000  # a series of its own
    newer = taken_in(store, b"newer")
    held = claim(store, "crm")
    assert (held.payload, held.crashes) == (newer, SUSPECT)
    store.settle(held, attempt(Outcome.DELIVERED))
    control(store).replay(DeliveryId("crm:1:1"))
    assert claim(store, "crm").crashes == 0


def test_what_was_interrupted_goes_on_before_what_came_meanwhile(server: Server, store: Store, clock: Clock) -> None:
    taken_in(store, b"1", "1:1")
    held = claim(store, "crm")
    for number in range(2, 5):
        taken_in(store, b"%d" % number, f"1:{number}")
    clock.pass_by(LEASE + 1)
    store.tick(1000, [INBOX, "crm"])
    assert claim(store, "crm").id == held.id
    assert claim(store, "crm").id == "crm:1:2"
    clock.pass_by(LEASE + 1)
    server.client.delete(key("steady"), key("tick"))  # nobody was heard of: it may be the server that was away
    store.tick(1000, [INBOX, "crm"])
    assert claim(store, "crm").id == "crm:1:3"


def test_who_lost_his_lease_mark_deads_nothing(store: Store, clock: Clock) -> None:
    taken_in(store)
    late = claim(store, "crm")
    clock.pass_by(LEASE + 1)
    held = claim(store, "crm")
    assert not store.crashed(late)
    assert store.renew([held]) == 1


def test_a_revision_that_comes_during_the_fatal_try_gets_tries_of_its_own(store: Store, clock: Clock) -> None:
    taken_in(store)
    held = suspected(store, clock, "crm")
    for seconds in (30, 60):
        store.crashed(held)
        clock.pass_by(seconds)
        held = claim(store, "crm")
    newer = taken_in(store, b"newer")
    assert store.crashed(held) == 0
    found = claim(store, "crm")
    assert (found.payload, found.revision, found.crashes) == (newer, 2, SUSPECT)
    assert store.crashed(found) == 30_000


def test_a_settled_attempt_forgives_earlier_crashes(store: Store, clock: Clock) -> None:
    taken_in(store)
    claim(store, "crm")
    clock.pass_by(LEASE + 1)
    store.settle(claim(store, "crm"), attempt(Outcome.RETRY, "no"), delay_ms=0)
    assert claim(store, "crm").crashes == 0


def lapsed(server: Server, store: Store, clock: Clock) -> Claim:
    """A claim whose lease ran out while nobody was heard of."""
    taken_in(store)
    held = claim(store, "crm")
    clock.pass_by(LEASE + 1)
    server.client.delete(key("steady"))
    return held


def test_leases_that_ran_out_before_anybody_was_heard_of_are_nobodys_crash(
    server: Server, store: Store, clock: Clock
) -> None:
    held = lapsed(server, store, clock)
    assert nothing_due(store, "crm")  # it may be the server that was away, or its clock that jumped
    store.beat("another worker")
    server.client.delete(key("settling"))
    clock.pass_by(1)
    assert claim(store, "crm").crashes == 1
    assert store.renew([held]) == 0


def test_a_mark_from_before_the_clock_was_put_back_does_not_stand(
    server: Server, store: Store, woken: list[str]
) -> None:
    server.client.set(key("knock", INBOX), "1", px=3_600_000)
    server.client.set(key("tick"), "1", px=3_600_000)
    store.accept(b"body")
    assert woken == [INBOX]
    assert store.tick(750, [INBOX]) == [INBOX]
    assert woken == [INBOX, INBOX]
    assert store.tick(750, [INBOX]) == []


def test_leases_that_ran_out_while_the_server_was_away_are_nobodys_crash(
    server: Server, store: Store, clock: Clock
) -> None:
    held = lapsed(server, store, clock)
    store.beat("another worker")  # the first after a silence: everybody may have been cut off
    assert nothing_due(store, "crm")
    assert store.renew([held]) == 1
    store.settle(held, attempt(Outcome.DELIVERED), reference=Reference("x"))


def test_the_troubles_of_a_worker_go_with_it(store: Store, ledger: Ledger, clock: Clock) -> None:
    store.beat("killed", "line 3: no")
    assert ledger.troubles() == {"killed": "line 3: no"}
    clock.pass_by(61)
    store.beat("another")
    assert ledger.troubles() == {}


def test_an_item_given_back_is_due_at_once_without_a_mark_against_it(store: Store) -> None:
    taken_in(store)
    store.release(claim(store, "crm"))
    assert claim(store, "crm").crashes == 0


def test_what_a_lost_reply_had_claimed_can_be_given_back_by_its_token(store: Store) -> None:
    taken_in(store)
    store.claim("crm", "lost-reply")
    store.disown("crm", "another")
    assert nothing_due(store, "crm")
    store.disown("crm", "lost-reply")
    assert claim(store, "crm").crashes == 0


def test_a_step_is_remembered_for_the_next_attempt(store: Store, ledger: Ledger, clock: Clock) -> None:
    taken_in(store)
    store.remember(claim(store, "crm"), "ticket", {"id": "č-1"})
    clock.pass_by(LEASE + 1)
    assert claim(store, "crm").steps == {"ticket": {"id": "č-1"}}
    assert ledger.delivery(DeliveryId("crm:1:1")).steps == {"ticket": {"id": "č-1"}}


def test_one_worker_in_each_period_is_told_of_due_lanes(store: Store, clock: Clock) -> None:
    store.accept(b"body")
    assert store.tick(60_000, [INBOX, "crm"]) == [INBOX]
    assert store.tick(60_000, [INBOX, "crm"]) == []


def test_a_body_without_a_conversation_leaves_the_inbox(store: Store, ledger: Ledger) -> None:
    payload = store.accept(b"not json").id
    assert store.divert(payload, PayloadStatus.QUARANTINED, "not JSON")
    assert nothing_due(store, INBOX)
    assert [(one.id, one.error) for one in ledger.payloads(PayloadStatus.QUARANTINED)] == [(payload, "not JSON")]
    assert not store.divert(payload, PayloadStatus.SET_ASIDE)


def test_a_quarantined_body_can_be_tried_again(store: Store, ledger: Ledger) -> None:
    payload = store.accept(b"x").id
    store.divert(payload, PayloadStatus.QUARANTINED, "why")
    assert control(store).replay(payload) == INBOX
    assert claim(store).id == payload
    assert ledger.payload(payload).error == ""


def test_counts_add_up(store: Store, ledger: Ledger) -> None:
    for number in range(6):
        taken_in(store, b"%d" % number, f"1:{number}")
    for outcome in (Outcome.DELIVERED, Outcome.SKIPPED, Outcome.REFUSED, Outcome.RETRY):
        store.settle(claim(store, "crm"), attempt(outcome, "why"), delay_ms=10**6)
    claim(store, "crm")
    lane = ledger.lane("crm")
    assert lane.counts == {"waiting": 2, "retrying": 1, "delivered": 1, "skipped": 1, "dead": 1, "discarded": 0}
    assert (lane.waiting, lane.in_flight) == (2, 1)


def test_the_last_hundred_attempts_are_kept(store: Store, ledger: Ledger) -> None:
    taken_in(store)
    for number in range(105):
        store.settle(claim(store, "crm"), attempt(Outcome.RETRY, str(number)), delay_ms=0)
    assert [one.error for one in ledger.delivery(DeliveryId("crm:1:1")).attempts] == [
        str(number) for number in range(5, 105)
    ]


def test_a_full_server_takes_no_body_and_still_lets_work_be_settled(own_server: Server) -> None:
    store, ledger = Store(connect(own_server.url)), Ledger(connect(own_server.url))
    taken_in(store)
    own_server.client.config_set("maxmemory", "1")
    with pytest.raises(StoreUnavailable, match="maxmemory"):
        store.accept(b"another")
    assert ledger.payload_counts()["received"] == 0
    store.settle(claim(store, "crm"), attempt(Outcome.DELIVERED), reference=Reference("x"))
    own_server.client.config_set("maxmemory", "0")
    assert not store.accept(b"another").known


def test_a_server_that_is_away_is_unavailable_and_nothing_else(own_server: Server) -> None:
    store = Store(connect(own_server.url))
    own_server.kill()
    with pytest.raises(StoreUnavailable):
        store.accept(b"body")


def test_what_was_accepted_survives_a_killed_server(own_server: Server) -> None:
    store = Store(connect(own_server.url, patient=True))
    accepted = [store.accept(b"%d" % number).id for number in range(50)]
    own_server.kill()
    own_server.start()
    assert sorted(claim(store).id for _ in accepted) == sorted(accepted)


@pytest.mark.parametrize(
    ("setting", "value", "word"),
    [("appendonly", "no", "append-only"), ("maxmemory-policy", "allkeys-lru", "noeviction")],
)
def test_an_unfit_server_is_told_what_is_wrong_with_it(own_server: Server, setting: str, value: str, word: str) -> None:
    assert check_server(own_server.client).wrong == []
    own_server.client.config_set(setting, value)
    wrong = check_server(own_server.client).wrong
    assert len(wrong) == 1
    assert word in wrong[0]
    assert "CONFIG SET" in wrong[0]


def test_a_weaker_fsync_is_a_doubt_and_a_replica_is_wrong(own_server: Server) -> None:
    own_server.client.config_set("appendfsync", "everysec")
    assert "everysec" in check_server(own_server.client).doubts[0]
    own_server.client.replicaof("127.0.0.1", "1")
    assert any("replica" in one for one in check_server(own_server.client).wrong)


# --- Giving up on purpose


@pytest.mark.parametrize("outcome", [None, Outcome.RETRY, Outcome.REFUSED])
def test_what_has_not_arrived_can_be_discarded_and_says_who_and_why(
    store: Store, ledger: Ledger, clock: Clock, outcome: Outcome | None
) -> None:
    taken_in(store)
    if outcome:
        store.settle(claim(store, "crm"), attempt(outcome, "no"), delay_ms=1)
    control(store).discard(DeliveryId("crm:1:1"), "an advertisement", "eva")
    clock.pass_by(10**6)
    assert nothing_due(store, "crm")
    found = ledger.delivery(DeliveryId("crm:1:1"))
    assert (found.status, found.error, found.updated) == ("discarded", "an advertisement", clock.now - 10**9)
    last = found.attempts[-1]
    assert (last.outcome, last.error, last.worker) == (Outcome.DISCARDED, "an advertisement", "eva")
    assert [one.id for one in ledger.deliveries(DeliveryStatus.DISCARDED)] == ["crm:1:1"]
    assert ledger.lane("crm").counts["discarded"] == 1
    control(store).replay(DeliveryId("crm:1:1"))
    assert claim(store, "crm").tries == 0


@pytest.mark.parametrize("outcome", [Outcome.DELIVERED, Outcome.SKIPPED, None])
def test_what_is_settled_or_being_tried_cannot_be_discarded(
    store: Store, ledger: Ledger, outcome: Outcome | None
) -> None:
    taken_in(store)
    taken = claim(store, "crm")
    if outcome:
        store.settle(taken, attempt(outcome, "why"), reference=Reference("x"))
    with pytest.raises(InUse, match="crm:1:1"):
        control(store).discard(DeliveryId("crm:1:1"), "why")
    assert ledger.delivery(DeliveryId("crm:1:1")).status == (outcome or "waiting")
    assert outcome or store.renew([taken]) == 1


def test_nothing_is_discarded_twice(store: Store, ledger: Ledger) -> None:
    taken_in(store)
    control(store).discard(DeliveryId("crm:1:1"), "first")
    with pytest.raises(InUse):
        control(store).discard(DeliveryId("crm:1:1"), "second")
    assert ledger.delivery(DeliveryId("crm:1:1")).error == "first"


def test_discarding_what_does_not_exist_says_so(store: Store) -> None:
    for identity in ("nope", "crm:1:1"):
        with pytest.raises(NotFound, match=identity):
            control(store).discard(identified(identity), "why")


def test_a_newer_revision_revives_a_discarded_delivery(store: Store) -> None:
    taken_in(store, b"one")
    control(store).discard(DeliveryId("crm:1:1"), "why")
    taken_in(store, b"two")
    assert claim(store, "crm").body == b"two"


def test_only_a_quarantined_body_can_be_discarded_and_it_is_kept(store: Store, ledger: Ledger) -> None:
    payload = store.accept(b"x").id
    with pytest.raises(InUse, match=payload):
        control(store).discard(payload, "why")
    store.divert(payload, PayloadStatus.QUARANTINED, "no JSON")
    control(store).discard(payload, "an advertisement")
    found = ledger.payload(payload)
    assert (found.status, found.error, found.body) == ("discarded", "an advertisement", b"x")
    with pytest.raises(InUse):
        control(store).discard(payload, "again")
    assert store.accept(b"x").known
    control(store).replay(payload)
    assert claim(store).id == payload


def test_bodies_come_in_pages_newest_first_also_those_of_one_millisecond(
    store: Store, ledger: Ledger, clock: Clock
) -> None:
    for number in range(25):
        store.divert(store.accept(b"%d" % number).id, PayloadStatus.QUARANTINED, "why")
        clock.pass_by(0.001 if number % 10 == 9 else 0)
    seen, after = [], None
    while part := ledger.payloads(PayloadStatus.QUARANTINED, 4, after=after):
        seen += part
        after = (part[-1].received, part[-1].id)
    assert [(one.received, one.id) for one in seen] == sorted(((one.received, one.id) for one in seen), reverse=True)
    assert len({one.id for one in seen}) == 25


# --- One ahead of the others


def behind_a_gate(store: Store, *, by_hand: bool) -> None:
    """Three deliveries behind a gate that an admin closed, or that closed by itself."""
    taken_in(store, b"1", "1:1")
    if by_hand:
        control(store).pause("crm", "maintenance")
    else:
        store.settle(claim(store, "crm"), attempt(Outcome.PAUSED, "HTTP 401"), fingerprint="f")
    for number in (2, 3):
        taken_in(store, b"%d" % number, f"1:{number}")


def test_one_delivery_goes_ahead_through_a_closed_gate(store: Store, ledger: Ledger) -> None:
    behind_a_gate(store, by_hand=True)
    assert nothing_due(store, "crm")
    assert store.tick(1, ["crm"]) == []
    assert control(store).send_ahead("crm")
    time.sleep(0.01)
    assert store.tick(1, ["crm"]) == ["crm"]
    claim(store, "crm")
    assert nothing_due(store, "crm")
    assert ledger.lane("crm").in_flight == 1


def test_asking_twice_before_it_went_lets_one_through_and_afterwards_another(store: Store) -> None:
    behind_a_gate(store, by_hand=True)
    control(store).send_ahead("crm")
    control(store).send_ahead("crm")
    claim(store, "crm")
    assert nothing_due(store, "crm")
    control(store).send_ahead("crm")
    claim(store, "crm")
    assert nothing_due(store, "crm")


@pytest.mark.parametrize("outcome", [Outcome.DELIVERED, Outcome.SKIPPED])
def test_a_gate_that_closed_by_itself_opens_when_the_one_ahead_arrives(
    store: Store, ledger: Ledger, outcome: Outcome
) -> None:
    behind_a_gate(store, by_hand=False)
    control(store).send_ahead("crm")
    asked = replace(attempt(outcome), requests=(Exchange("GET", "https://crm.example.com", 200, 1),))
    store.settle(claim(store, "crm"), asked, reference=Reference("x"))
    assert ledger.lane("crm").gate is None
    claim(store, "crm")
    claim(store, "crm")


def test_one_that_is_skipped_before_anything_was_asked_opens_no_gate_and_another_goes_ahead(
    store: Store, ledger: Ledger
) -> None:
    behind_a_gate(store, by_hand=False)
    control(store).send_ahead("crm")
    store.settle(claim(store, "crm"), attempt(Outcome.SKIPPED, "not wanted"))
    assert ledger.lane("crm").gate is not None
    store.settle(claim(store, "crm"), attempt(Outcome.DELIVERED), reference=Reference("x"))
    assert ledger.lane("crm").gate is None


def test_a_gate_that_an_admin_closed_stays_closed_when_the_one_ahead_arrives(store: Store, ledger: Ledger) -> None:
    behind_a_gate(store, by_hand=True)
    control(store).send_ahead("crm")
    store.settle(claim(store, "crm"), attempt(Outcome.DELIVERED), reference=Reference("x"))
    gate = ledger.lane("crm").gate
    assert gate is not None
    assert (gate.by, gate.reason) == ("admin", "maintenance")
    assert nothing_due(store, "crm")


@pytest.mark.parametrize("outcome", [Outcome.RETRY, Outcome.PAUSED, Outcome.REFUSED, Outcome.BUG])
def test_a_gate_that_closed_by_itself_stays_closed_when_the_one_ahead_does_not_arrive(
    store: Store, ledger: Ledger, outcome: Outcome
) -> None:
    behind_a_gate(store, by_hand=False)
    control(store).send_ahead("crm")
    store.settle(claim(store, "crm"), attempt(outcome, "still"), delay_ms=1)
    gate = ledger.lane("crm").gate
    assert gate is not None
    assert gate.by == "relay"
    assert nothing_due(store, "crm")


def test_what_was_in_flight_before_does_not_open_a_gate_that_closed_since(store: Store, ledger: Ledger) -> None:
    taken_in(store, b"1", "1:1")
    taken_in(store, b"2", "1:2")
    first, second = claim(store, "crm"), claim(store, "crm")
    store.settle(first, attempt(Outcome.PAUSED, "HTTP 401"), fingerprint="f")
    store.settle(second, attempt(Outcome.DELIVERED), reference=Reference("x"))
    assert ledger.lane("crm").gate is not None


def test_one_ahead_that_never_came_back_leaves_the_gate_closed(store: Store, ledger: Ledger, clock: Clock) -> None:
    behind_a_gate(store, by_hand=False)
    control(store).send_ahead("crm")
    claim(store, "crm")
    clock.pass_by(LEASE + 1)
    assert nothing_due(store, "crm")
    control(store).send_ahead("crm")
    assert claim(store, "crm")


def test_with_nothing_behind_the_gate_the_next_that_comes_goes_ahead(store: Store) -> None:
    control(store).pause("crm", "maintenance")
    assert control(store).send_ahead("crm")
    assert nothing_due(store, "crm")
    taken_in(store)
    assert claim(store, "crm")


def test_an_open_gate_needs_nobody_ahead(store: Store) -> None:
    taken_in(store)
    assert not control(store).send_ahead("crm")
    claim(store, "crm")
