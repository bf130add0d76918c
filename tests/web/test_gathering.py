"""Posts of one moment share a journey to the store, and nothing else: not an error, not somebody's waiting."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Sequence
from contextvars import ContextVar
from typing import Any

import pytest

from app.receiver import gathering as module
from app.receiver.gathering import Gathering
from core.errors import StoreUnavailable
from core.ids import PayloadId
from core.store import Accepted, Received, Store, connect
from tests.support.server import Server


class Slow:
    """A store whose journeys a test lets end, one after the other."""

    def __init__(self) -> None:
        self.journeys: list[list[bytes]] = []
        self.free = threading.Semaphore(0)
        self.fails: Callable[[bytes], Exception | None] = lambda _: None

    def accept_each(self, bodies: Sequence[Received]) -> list[Accepted | Exception]:
        self.journeys.append([one.body for one in bodies])
        assert self.free.acquire(timeout=20)
        return [self.fails(one.body) or Accepted(PayloadId(one.body.decode()), False) for one in bodies]


@pytest.fixture
def store() -> Slow:
    return Slow()


@pytest.fixture
def gathering(store: Slow) -> Gathering:
    made = Gathering(store, store, 2)  # type: ignore[arg-type]  # as much of a store as it needs
    made.start()
    return made


def run(what: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(asyncio.wait_for(what, 30))


def post(gathering: Gathering, body: bytes) -> asyncio.Future[str]:
    return gathering.work(lambda: gathering.accept(body).id)


async def until(true: Callable[[], bool]) -> None:
    while not true():
        await asyncio.sleep(0.005)


def test_what_comes_while_the_store_writes_goes_together_afterwards(gathering: Gathering, store: Slow) -> None:
    async def all_of_them() -> list[str]:
        first = post(gathering, b"0")
        await until(lambda: len(store.journeys) == 1)
        others = [post(gathering, b"%d" % number) for number in range(1, 6)]
        await asyncio.sleep(0.05)
        assert not first.done()  # nobody is answered before it is kept
        store.free.release()
        assert await first == "0"
        await until(lambda: len(store.journeys) == 2)
        assert not any(one.done() for one in others)
        store.free.release()
        return list(await asyncio.gather(*others))

    assert run(all_of_them()) == ["1", "2", "3", "4", "5"]
    assert store.journeys == [[b"0"], [b"1", b"2", b"3", b"4", b"5"]]


def test_what_the_store_does_not_take_of_one_says_nothing_of_the_others(gathering: Gathering, store: Slow) -> None:
    store.fails = lambda body: StoreUnavailable("full") if body == b"2" else None

    async def all_of_them() -> list[Any]:
        waiting = [post(gathering, b"0")]
        await until(lambda: len(store.journeys) == 1)
        waiting += [post(gathering, b"%d" % number) for number in (1, 2, 3)]
        store.free.release(2)
        return await asyncio.gather(*waiting, return_exceptions=True)

    zero, one, two, three = run(all_of_them())
    assert [zero, one, three] == ["0", "1", "3"]
    assert isinstance(two, StoreUnavailable)


@pytest.mark.parametrize("error", [StoreUnavailable("away"), KeyError("a bug")])
def test_a_journey_that_fails_fails_for_all_of_it_and_for_nobody_else(
    gathering: Gathering, store: Slow, error: Exception
) -> None:
    def fails(body: bytes) -> None:
        if body == b"1":
            raise error

    store.fails = fails

    async def all_of_them() -> list[Any]:
        waiting = [post(gathering, b"0")]
        await until(lambda: len(store.journeys) == 1)
        waiting += [post(gathering, b"1"), post(gathering, b"2")]
        store.free.release(3)
        found = await asyncio.gather(*waiting, return_exceptions=True)
        return [*found, await post(gathering, b"3")]

    assert run(all_of_them()) == ["0", error, error, "3"]


def test_a_journey_has_a_limit(gathering: Gathering, store: Slow, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "JOURNEY_BODIES", 3)
    monkeypatch.setattr(module, "JOURNEY_BYTES", 10)
    bodies = [b"0", b"a", b"b", b"c", b"d" * 9, b"e" * 20, b"f"]

    async def all_of_them() -> None:
        waiting = [post(gathering, bodies[0])]
        await until(lambda: len(store.journeys) == 1)
        waiting += [post(gathering, body) for body in bodies[1:]]
        store.free.release(len(bodies))
        await asyncio.gather(*waiting)

    run(all_of_them())
    assert store.journeys == [[b"0"], [b"a", b"b", b"c"], [b"d" * 9], [b"e" * 20], [b"f"]]


def test_who_waits_for_something_else_keeps_nobody_waiting(gathering: Gathering, store: Slow) -> None:
    over = threading.Event()

    def waits() -> str:
        gathering.aside(lambda: over.wait(20))
        return gathering.accept(b"later").id

    async def both() -> tuple[str, str]:
        slow = gathering.work(waits)
        store.free.release(2)
        quick = await post(gathering, b"quick")
        assert not slow.done()
        over.set()
        return quick, await slow

    assert run(both()) == ("quick", "later")


def test_an_error_aside_and_one_in_the_work_are_the_ones_that_are_heard(gathering: Gathering, store: Slow) -> None:
    def fails() -> None:
        raise KeyError("mine")

    async def both() -> list[Any]:
        aside = gathering.work(lambda: gathering.aside(fails))
        inside = gathering.work(fails)
        return [*await asyncio.gather(aside, inside, return_exceptions=True)]

    assert [repr(one) for one in run(both())] == ["KeyError('mine')", "KeyError('mine')"]
    store.free.release()
    assert run(_one(gathering)) == "next"


async def _one(gathering: Gathering) -> str:
    return await post(gathering, b"next")


def test_a_loop_that_ended_meanwhile_takes_nobody_elses_answer(gathering: Gathering, store: Slow) -> None:
    async def leaves() -> None:
        post(gathering, b"left")
        await until(lambda: len(store.journeys) == 1)

    run(leaves())
    store.free.release(2)
    assert run(_one(gathering)) == "next"


def test_a_journey_of_several_keeps_each_and_knows_those_that_were_there(server: Server) -> None:
    client = connect(server.url)
    store = Store(client)
    one, two = Received(b"one", "", "application/json"), Received(b"two", "77")
    first = store.accept_each([one, two, one])
    assert all(isinstance(found, Accepted) for found in first)
    accepted = [found for found in first if isinstance(found, Accepted)]
    assert [found.known for found in accepted] == [False, False, True]
    assert accepted[2].id == accepted[0].id
    client.script_flush()
    assert [found.known for found in store.accept_each([one, Received(b"three")]) if isinstance(found, Accepted)] == [
        True,
        False,
    ]
    claims = store.claim_bodies("token")
    assert {(claim.body, claim.account) for claim in claims} == {(b"one", ""), (b"two", "77"), (b"three", "")}


def test_a_wake_up_belongs_to_the_post_that_it_is_for(server: Server) -> None:
    whose: ContextVar[str] = ContextVar("whose", default="nobody's")
    woken: list[tuple[str, str]] = []
    client = connect(server.url, wake_up=lambda lane: woken.append((lane, whose.get())))
    gathering = Gathering(Store(client), Store(client), 2)
    gathering.start()

    def posted() -> None:
        whose.set("Ann's")
        gathering.accept(b"hello")

    async def one() -> None:
        await gathering.work(posted)

    run(one())
    assert woken == [("inbox", "Ann's")]


def test_a_server_that_is_full_takes_none_of_a_journey_and_says_so(server: Server) -> None:
    client = connect(server.url)
    store = Store(client)
    store.accept(b"before")
    client.config_set("maxmemory", 1)
    try:
        found = store.accept_each([Received(b"one"), Received(b"two")])
    finally:
        client.config_set("maxmemory", 0)
    assert [type(one) for one in found] == [StoreUnavailable, StoreUnavailable]
    assert len(store.claim_bodies("token")) == 1
