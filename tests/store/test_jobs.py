"""Bulk jobs on a real server: once each, whoever works on them, and only what was there when they began."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from core.delivery import DeliveryStatus, Outcome
from core.errors import NotFound
from core.ids import DeliveryId
from core.store import Filter, Jobs, Ledger, Search, Store, connect
from core.store import jobs as module
from core.store.protocol.keys import key
from tests.conftest import Clock
from tests.support import made
from tests.support.made import control
from tests.support.server import Server
from tests.support.stack import chat

DEAD = Filter(status=DeliveryStatus.DEAD)


class Knocks(list[str]):
    def __call__(self, lane: str) -> None:
        self.append(lane)


@pytest.fixture
def knocks() -> Knocks:
    return Knocks()


@pytest.fixture
def jobs(server: Server, knocks: Knocks) -> Jobs:
    return Jobs(connect(server.url, wake_up=knocks), made.configured)


def statuses(ledger: Ledger, connector: str = "crm") -> dict[str, int]:
    counts = ledger.lane(connector).counts
    return {status: number for status, number in counts.items() if number}


def finished(jobs: Jobs, identity: str) -> module.Job:
    while True:
        job = jobs.advance(identity, 0)
        if job.finished is not None:
            return job


def test_the_dead_are_delivered_again(jobs: Jobs, store: Store, ledger: Ledger, knocks: Knocks, server: Server) -> None:
    made.chats(store, 30, crm=Outcome.REFUSED)
    made.chats(store, 10, first=100, crm=Outcome.DELIVERED)
    job = jobs.start("replay", DEAD)
    assert (job.total, job.seen, job.done, job.finished) == (30, 0, 0, None)
    assert jobs.open() == [job.id]
    server.client.delete(key("knock", "crm"))  # the knocks of before were answered
    job = jobs.advance(job.id)
    assert (job.seen, job.found, job.done) == (30, 30, 30)
    assert job.finished
    assert jobs.open() == []
    assert statuses(ledger) == {"waiting": 30, "delivered": 10}
    assert knocks == ["crm"]
    assert ledger.delivery(DeliveryId("crm:1:1")).error == ""


def test_the_dead_are_discarded_with_a_reason(jobs: Jobs, store: Store, ledger: Ledger) -> None:
    made.chats(store, 5, crm=Outcome.REFUSED)
    job = jobs.start("discard", Filter(connector="crm", status=DeliveryStatus.DEAD), reason="test data", by="eve")
    assert jobs.advance(job.id).done == 5
    assert statuses(ledger) == {"discarded": 5}
    last = ledger.delivery(DeliveryId("crm:1:1")).attempts[-1]
    assert (last.outcome, last.error, last.worker) == (Outcome.DISCARDED, "test data", "eve")


def test_a_filter_of_conversations_is_about_all_their_deliveries(jobs: Jobs, store: Store, ledger: Ledger) -> None:
    made.conversation(store, chat(1), crm=Outcome.DELIVERED, desk=Outcome.REFUSED)
    made.conversation(store, chat(2, visitor={"name": "Bob"}), crm=Outcome.DELIVERED)
    made.conversation(store, chat(3))
    job = jobs.advance(jobs.start("replay", Filter(text="ann")).id)
    # One has two deliveries; the other was delivered nowhere, and goes by the routes to all four connectors.
    assert (job.total, job.seen, job.found, job.done) == (3, 3, 2, 6)
    assert statuses(ledger) == {"waiting": 2, "delivered": 1}
    assert statuses(ledger, "desk") == {"waiting": 2}


def test_what_is_settled_is_not_discarded(jobs: Jobs, store: Store, ledger: Ledger) -> None:
    made.conversation(store, chat(1), crm=Outcome.DELIVERED)
    made.conversation(store, chat(2), crm=Outcome.SKIPPED)
    made.conversation(store, chat(3), crm=Outcome.RETRY)
    job = jobs.advance(jobs.start("discard", Filter(connector="crm"), reason="x").id)
    assert (job.found, job.done) == (3, 1)
    assert statuses(ledger) == {"delivered": 1, "skipped": 1, "discarded": 1}


def test_what_is_being_tried_is_delivered_again_afterwards_and_not_discarded(
    jobs: Jobs, store: Store, ledger: Ledger
) -> None:
    made.chats(store, 1, crm=None)
    claim = made.claimed(store, "crm", "1:1")
    assert jobs.advance(jobs.start("discard", Filter(connector="crm"), reason="x").id).done == 0
    assert jobs.advance(jobs.start("replay", Filter(connector="crm")).id).done == 1
    assert statuses(ledger) == {"waiting": 1}
    made.settle(store, claim, Outcome.DELIVERED)
    assert statuses(ledger) == {"waiting": 1}
    assert made.claimed(store, "crm", "1:1").tries == 0


def test_what_matches_only_later_is_left_alone(jobs: Jobs, server: Server, ledger: Ledger) -> None:
    now = Store(connect(server.url))  # by the server's clock, as the job
    made.chats(now, 4, crm=Outcome.REFUSED)
    job = jobs.start("replay", DEAD)
    while ledger.now() <= job.created:
        pass
    made.chats(now, 4, first=100, crm=Outcome.REFUSED)
    assert finished(jobs, job.id).done == 4
    assert statuses(ledger) == {"waiting": 4, "dead": 4}


def test_a_job_never_sees_its_own_work(jobs: Jobs, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_PART", 3)
    made.chats(store, 10, crm=Outcome.RETRY)
    job = finished(jobs, jobs.start("replay", Filter(connector="crm")).id)
    assert (job.seen, job.done) == (10, 10)


def test_an_end_before_now_is_kept(jobs: Jobs, store: Store, clock: Clock, ledger: Ledger) -> None:
    made.chats(store, 2, crm=Outcome.REFUSED)
    clock.pass_by(10)
    made.chats(store, 2, first=50, crm=Outcome.REFUSED)
    job = jobs.start("replay", Filter(status=DeliveryStatus.DEAD, until=clock.now))
    assert jobs.advance(job.id).done == 2
    assert statuses(ledger) == {"waiting": 2, "dead": 2}


@pytest.mark.parametrize("wanted", [DEAD, Filter(text="ann"), Filter(text="ann", status=DeliveryStatus.DEAD)])
def test_two_at_the_same_time_do_each_delivery_once(
    server: Server, store: Store, ledger: Ledger, monkeypatch: pytest.MonkeyPatch, wanted: Filter
) -> None:
    monkeypatch.setattr(module, "_PART", 5)
    made.chats(store, 120, crm=Outcome.REFUSED)
    job = Jobs(connect(server.url), made.configured).start("replay", wanted)
    together = threading.Barrier(4)

    def work() -> None:
        mine = Jobs(connect(server.url), made.configured)
        together.wait()
        finished(mine, job.id)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    job = Jobs(connect(server.url), made.configured).get(job.id)
    assert (job.total, job.seen, job.found, job.done) == (120, 120, 120, 120)
    assert statuses(ledger) == {"waiting": 120}


def test_one_that_comes_too_late_does_nothing(jobs: Jobs, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_PART", 4)
    made.chats(store, 12, crm=Outcome.REFUSED)
    job = jobs.start("discard", DEAD, reason="x")
    part = next(iter(jobs._search.batches(job.filter, "", 4)))
    assert jobs._step(job, "", part)
    assert not jobs._step(job, "", part)
    assert (jobs.get(job.id).seen, jobs.get(job.id).done) == (4, 4)


def test_whoever_dies_before_a_part_is_written_leaves_it_to_the_next(
    jobs: Jobs, store: Store, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_PART", 4)
    made.chats(store, 20, crm=Outcome.REFUSED)
    job = jobs.start("replay", DEAD)
    with monkeypatch.context() as during:
        during.setattr(Jobs, "_step", mortal(Jobs._step, parts=2))
        with pytest.raises(Died):
            jobs.advance(job.id, 60)
    assert statuses(ledger) == {"waiting": 8, "dead": 12}
    job = finished(jobs, job.id)
    assert (job.seen, job.done) == (20, 20)


def test_whoever_dies_before_it_has_told_anybody_has_done_the_part(
    server: Server, jobs: Jobs, store: Store, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_PART", 4)
    made.chats(store, 20, crm=Outcome.REFUSED)
    # A worker answers each knock at once.
    answered = mortal(lambda lane: server.client.delete(key("knock", lane)), parts=2)
    server.client.delete(key("knock", "crm"))
    first = Jobs(connect(server.url, wake_up=answered), made.configured)
    job = first.start("replay", DEAD)
    with pytest.raises(Died):
        first.advance(job.id, 60)
    assert statuses(ledger) == {"waiting": 12, "dead": 8}
    job = finished(jobs, job.id)
    assert (job.seen, job.done) == (20, 20)


class Died(BaseException):
    """As SIGKILL does, nothing in between catches it."""


def mortal(do: Callable[..., Any], parts: int) -> Callable[..., Any]:
    """Does it so often, then dies."""
    left = iter(range(parts))

    def until_then(*arguments: Any) -> Any:
        if next(left, None) is None:
            raise Died
        return do(*arguments)

    return until_then


def test_a_delivery_that_somebody_has_dealt_with_since_it_was_found_is_left_alone(
    jobs: Jobs, store: Store, ledger: Ledger
) -> None:
    made.chats(store, 2, crm=Outcome.REFUSED)
    job = jobs.start("discard", DEAD, reason="x")
    part = next(iter(jobs._search.batches(job.filter)))
    control(store).replay(DeliveryId("crm:1:1"))
    jobs._step(job, "", part)
    assert statuses(ledger) == {"waiting": 1, "discarded": 1}


def test_a_turn_ends_in_time_and_a_next_one_goes_on(jobs: Jobs, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_PART", 2)
    made.chats(store, 9, crm=Outcome.REFUSED)
    job = jobs.start("replay", DEAD)
    assert [jobs.advance(job.id, 0).seen for _ in range(5)] == [2, 4, 6, 8, 9]


def test_rare_ones_among_many_take_few_writes(
    jobs: Jobs, store: Store, monkeypatch: pytest.MonkeyPatch, server: Server
) -> None:
    monkeypatch.setattr(module, "_PART", 5)
    made.chats(store, 50, crm=Outcome.REFUSED)
    made.conversation(store, chat(99, visitor={"name": "Rare"}), crm=Outcome.REFUSED)
    job = jobs.start("replay", Filter(text="rare", status=DeliveryStatus.DEAD))
    monkeypatch.setattr(Jobs, "_step", mortal(Jobs._step, parts=1))
    job = jobs.advance(job.id, 60)
    assert (job.total, job.seen, job.found, job.done) == (51, 51, 1, 1)


def test_an_empty_job_ends(jobs: Jobs) -> None:
    job = jobs.advance(jobs.start("replay", DEAD).id)
    assert job.finished
    assert (job.total, job.done) == (0, 0)
    assert jobs.advance(job.id) == job


def test_the_last_jobs_are_listed_newest_first(jobs: Jobs) -> None:
    made_up = [jobs.start("replay", Filter(text=str(number))).id for number in range(25)]
    assert [job.id for job in jobs.recent()] == made_up[:-21:-1]
    assert sorted(jobs.open()) == sorted(made_up)


def test_a_job_is_read_as_it_was_started(jobs: Jobs, clock: Clock) -> None:
    wanted = Filter("ž", True, "crm", DeliveryStatus.DEAD, "1", True, True, "none", 1, 2)
    job = jobs.start("discard", wanted, reason="because\nof ž", by="eve")
    assert jobs.get(job.id) == job
    assert job.filter == wanted


def test_a_forgotten_job_is_no_chore(jobs: Jobs, server: Server) -> None:
    job = jobs.start("replay", DEAD)
    other = jobs.start("replay", DEAD)
    server.client.delete(key("job", job.id))
    with pytest.raises(NotFound):
        jobs.get(job.id)
    assert jobs.open() == [other.id]
    assert server.client.smembers(key("jobs", "open")) == {other.id.encode()}
    server.client.delete(key("job", other.id))
    with pytest.raises(NotFound):
        jobs.advance(other.id)
    assert server.client.smembers(key("jobs", "open")) == set()
    assert jobs.recent() == []


def test_a_job_that_vanishes_between_two_parts_is_not_made_again(
    jobs: Jobs, store: Store, server: Server, ledger: Ledger
) -> None:
    made.chats(store, 3, crm=Outcome.REFUSED)
    job = jobs.start("replay", DEAD)
    part = next(iter(jobs._search.batches(job.filter)))
    server.client.delete(key("job", job.id))
    assert not jobs._step(job, "", part)
    assert not server.client.exists(key("job", job.id))
    assert statuses(ledger) == {"dead": 3}


def test_the_deliveries_of_a_job_are_found_and_counted_whatever_became_of_them(jobs: Jobs, server: Server) -> None:
    store = Store(connect(server.url))  # by the server's own clock, as the job
    search = Search(connect(server.url))
    ids = made.chats(store, 7, crm=Outcome.REFUSED)
    made.chats(store, 2, first=80, crm=Outcome.DELIVERED)
    first = finished(jobs, jobs.start("replay", DEAD).id)
    mine = Filter(job=first.id)
    assert search.of_job(mine, 1) == ({DeliveryStatus.WAITING: first.done}, True)
    found = search.page(mine, limit=100, seconds=1).rows
    assert len(found) == first.done == 7
    for one in ids[:3]:
        made.settle(store, made.claimed(store, "crm", one), Outcome.DELIVERED)
    made.chats(store, 2, first=90, crm=Outcome.DELIVERED)
    assert search.of_job(mine, 1)[0] == {DeliveryStatus.WAITING: 4, DeliveryStatus.DELIVERED: 3}
    assert {row.delivery for row in search.page(mine, limit=100, seconds=1).rows} == {row.delivery for row in found}
    assert search.count(Filter(job=first.id, connector="desk")) == (0, True)


def test_a_delivery_is_of_the_job_that_was_the_last_to_queue_or_discard_it(jobs: Jobs, server: Server) -> None:
    store = Store(connect(server.url))  # by the server's own clock, as the job
    search = Search(connect(server.url))
    ids = made.chats(store, 3, crm=Outcome.REFUSED)
    first = finished(jobs, jobs.start("replay", DEAD).id)
    made.settle(store, made.claimed(store, "crm", ids[0]), Outcome.REFUSED)
    second = finished(jobs, jobs.start("discard", DEAD, reason="test data").id)
    assert search.of_job(Filter(job=first.id), 1) == ({DeliveryStatus.WAITING: 2}, True)
    assert search.of_job(Filter(job=second.id), 1) == ({DeliveryStatus.DISCARDED: 1}, True)


def test_chats_that_are_given_to_connectors_are_followed_too(jobs: Jobs, store: Store, server: Server) -> None:
    search = Search(connect(server.url))
    made.conversation(store, chat(1), crm=Outcome.DELIVERED)
    made.conversation(store, chat(2))
    job = finished(jobs, jobs.start("replay", Filter(text="ann")).id)
    assert search.of_job(Filter(job=job.id), 1) == ({DeliveryStatus.WAITING: job.done}, True)
    assert job.done == 5  # one again, and one to all four connectors
