"""Threads that have nothing to do are there for what their own worker makes due."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from core.config.environment import environment
from core.store import INBOX
from tests.e2e.test_pipeline import config, webhook
from tests.support.destination import Destination
from tests.support.stack import Stack, chat, until
from workers.runtime import Runtime
from workers.threads.waiting import WaitingThreads


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """However busy the machine is."""
    monkeypatch.setattr("workers.threads.waiting.MOMENT", 60)


def waiting(room: WaitingThreads) -> int:
    return len(room._waiting)


def test_whoever_waits_does_what_it_is_called_for() -> None:
    room, done = WaitingThreads(2), threading.Event()
    with ThreadPoolExecutor(8) as pool:
        attending = pool.submit(room.attend)
        until(lambda: waiting(room), what="a thread that waits")
        assert room.call(done.set)
        assert attending.result(60)
    assert done.is_set()
    assert not room.call(done.set)  # it has gone


def test_nobody_is_called_twice() -> None:
    room, called = WaitingThreads(8), []
    with ThreadPoolExecutor(8) as pool:
        attending = [pool.submit(room.attend) for _ in range(8)]
        until(lambda: waiting(room) == 8, what="eight threads")
        took = [room.call(lambda number=number: called.append(number)) for number in range(20)]  # type: ignore[misc]
        assert [one.result(60) for one in attending] == [True] * 8
    assert took == [True] * 8 + [False] * 12
    assert sorted(called) == list(range(8))


def test_no_more_wait_than_may() -> None:
    room = WaitingThreads(1)
    with ThreadPoolExecutor(8) as pool:
        first = pool.submit(room.attend)
        until(lambda: waiting(room), what="the first")
        assert room.attend() is False
        room.dismiss()
        assert first.result(60) is False
    assert room.attend() is False  # nor ever again


def test_a_thread_that_nobody_calls_goes_after_a_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workers.threads.waiting.MOMENT", 0.01)
    room = WaitingThreads(1)
    assert room.attend() is False
    assert not room.call(lambda: None)


def test_what_is_called_as_the_moment_ends_is_done_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the end of its patience and its leave a thread may be called: that call counts."""
    monkeypatch.setattr("workers.threads.waiting.MOMENT", 0.0001)
    room, done, taken = WaitingThreads(4), [], 0
    over = threading.Event()

    def attend() -> None:
        while not over.is_set():
            room.attend()

    with ThreadPoolExecutor(8) as pool:
        for _ in range(4):
            pool.submit(attend)
        for number in range(2_000):
            taken += room.call(lambda number=number: done.append(number))  # type: ignore[misc]
        over.set()
    assert len(done) == taken
    assert len(set(done)) == taken


def test_nobody_is_asked_whether_he_may_where_nobody_waits() -> None:
    room, asked = WaitingThreads(1), []
    assert not room.call(lambda: None, lambda: asked.append("place") is None)  # type: ignore[func-returns-value]
    assert asked == []
    with ThreadPoolExecutor(8) as pool:
        attending = pool.submit(room.attend)
        until(lambda: waiting(room), what="a thread that waits")
        assert not room.call(lambda: None, lambda: False)
        assert waiting(room) == 1
        room.dismiss()
        assert attending.result(60) is False


def test_what_a_worker_makes_due_is_done_by_its_own_thread_that_waits(relay: Stack, destination: Destination) -> None:
    relay.configure(config(hook=webhook(destination.url)))
    told: list[str] = []
    runtime = Runtime(environment(relay.environment), relay.environment, told.append)
    room = runtime._loop._waiting
    with ThreadPoolExecutor(8) as pool:
        try:
            relay.store.accept(chat("c1"))
            pool.submit(runtime.drain, INBOX)
            until(lambda: told == ["hook"], what="a wake-up for all workers: nobody waits here")
            pool.submit(runtime.drain, "hook")
            until(lambda: waiting(room) == 2, what="two threads that have nothing to do any more")
            relay.store.accept(chat("c2"))
            assert runtime._loop.answer(INBOX)
            until(lambda: len(destination.received) == 2, what="the other chat")
            assert told == ["hook"]
        finally:
            runtime.stop()
    assert relay.ledger.lane("hook").counts["delivered"] == 2
