"""Dead letters by their cause: always as many as there are, whoever replays, discards, renames or erases them."""

from __future__ import annotations

import random
from typing import Any

import pytest

from core.delivery import DeliveryStatus, Outcome
from core.ids import ConversationId, DeliveryId
from core.store import Eraser, Filter, Jobs, Ledger, Renames, Search, Store, connect
from core.store.causes import Causes
from core.store.protocol.causes import CRASHED, Cause
from core.store.protocol.keys import key
from tests.conftest import Clock
from tests.support import made
from tests.support.made import control
from tests.support.server import Server
from tests.support.stack import chat


@pytest.fixture
def causes(server: Server) -> Causes:
    return Causes(connect(server.url))


def dies(store: Store, number: int, error: str, connector: str = "crm", outcome: Outcome = Outcome.REFUSED) -> str:
    identity = made.conversation(store, chat(number), **{connector: None})
    made.settle(store, made.claimed(store, connector, identity), outcome, status=422, error=error)
    return f"{connector}:{identity}"


def counted(causes: Causes, *connectors: str) -> dict[str, int]:
    rows = causes.most_frequent(connectors or ("crm",)).rows
    return {one.cause.text if one.cause else "?": one.count for one in rows}


def kept(server: Server) -> list[str]:
    redis: Any = server.client
    return sorted(one.decode() for kind in ("causes", "cause", "dead") for one in redis.keys(key(kind, "*")))


def test_many_dead_letters_have_few_causes(store: Store, causes: Causes) -> None:
    for number in range(6):
        dies(store, number, f"HTTP 422: ticket {number} is closed")
    dies(store, 7, "HTTP 422: ann@example.com is blocked")
    dies(store, 8, "HTTP 422: ticket 8 is closed", connector="desk")
    found = causes.most_frequent(["crm", "desk"])
    assert (found.number, found.dead) == (3, 8)
    assert [(one.connector, one.count) for one in found.rows] == [("crm", 6), ("crm", 1), ("desk", 1)]
    assert found.rows[0].cause == Cause(Outcome.REFUSED, 422, "HTTP 422: ticket # is closed")
    assert causes.most_frequent(["crm", "desk"], limit=1).rows == found.rows[:1]
    assert causes.described(["crm", "desk"], found.rows[1].id) == found.rows[1]
    assert causes.described(["crm"], "0123456789") is None


def test_a_replay_and_a_discard_take_it_out_and_the_next_death_may_have_another(
    store: Store, causes: Causes, server: Server
) -> None:
    first, second = (DeliveryId(dies(store, number, "HTTP 422: no")) for number in (1, 2))
    control(store).replay(first)
    assert counted(causes) == {"HTTP 422: no": 1}
    made.settle(store, made.claimed(store, "crm", first.conversation), Outcome.REFUSED, status=422, error="HTTP 422: x")
    assert counted(causes) == {"HTTP 422: no": 1, "HTTP 422: x": 1}
    control(store).discard(second, "enough")
    assert counted(causes) == {"HTTP 422: x": 1}
    control(store).replay(first)
    assert kept(server) == []


def test_a_chat_that_continues_is_no_dead_letter_any_more(store: Store, causes: Causes) -> None:
    dies(store, 1, "HTTP 422: no")
    made.conversation(store, chat(1, visitor={"name": "Ann B."}), crm=None)
    assert counted(causes) == {}


def test_what_is_erased_takes_the_words_with_it(store: Store, causes: Causes, server: Server) -> None:
    one = DeliveryId(dies(store, 1, "HTTP 422: Ann Novak is blocked"))
    two = DeliveryId(dies(store, 2, "HTTP 422: Ann Novak is blocked"))
    eraser = Eraser(connect(server.url))
    eraser.conversation(one.conversation)
    assert counted(causes) == {"HTTP 422: Ann Novak is blocked": 1}
    eraser.conversation(two.conversation)
    assert kept(server) == []


def test_a_delivery_that_ends_its_processes_has_a_cause(store: Store, causes: Causes, server: Server) -> None:
    identity = made.conversation(store, chat(1), crm=None)
    server.client.hset(key("delivery", f"crm:{identity}"), mapping={"crashes": 5, "alone": 2})
    claim = made.claimed(store, "crm", identity)
    assert store.crashed(claim) == 0
    [found] = causes.most_frequent(["crm"]).rows
    assert (found.id, found.cause, found.count) == ("crashed", CRASHED, 1)


def test_a_renamed_connector_keeps_its_causes(store: Store, causes: Causes, server: Server, clock: Clock) -> None:
    dies(store, 1, "HTTP 422: no", connector="old")
    dies(store, 2, "HTTP 422: no", connector="old")
    names = Renames(connect(server.url), clock)
    names.adopt(made.settings("new", formerly={"new": ["old"]}))
    names.finish(60)
    assert counted(causes, "new") == {"HTTP 422: no": 2}
    assert all(":new" in one for one in kept(server))


def test_versions_that_know_no_causes_are_caught_up_with(store: Store, causes: Causes, server: Server) -> None:
    """They kill without a cause, and replay without taking one out."""
    ids = [dies(store, number, f"HTTP 422: {number} is wrong") for number in range(3)]
    ids.append(dies(store, 3, "HTTP 422: no"))
    redis: Any = server.client
    for one in ids[:2]:
        redis.hdel(key("delivery", one), "cause")
    for name in kept(server):
        redis.delete(name)
    redis.hdel(key("delivery", ids[2]), "cause")
    redis.hdel(key("delivery", ids[3]), "cause")
    assert counted(causes) == {}
    assert causes.sort(["crm"]) == 4
    assert counted(causes) == {"HTTP 422: # is wrong": 3, "HTTP 422: no": 1}
    assert causes.sort(["crm"]) == 0
    # As an older replay leaves it: another status, still with its cause.
    redis.zrem(key("deliveries", "crm", "dead"), ids[0])
    redis.hset(key("delivery", ids[0]), "status", "waiting")
    redis.zadd(key("deliveries", "crm", "waiting"), {ids[0]: 1})
    assert causes.sort(["crm"]) == 0
    assert counted(causes) == {"HTTP 422: # is wrong": 2, "HTTP 422: no": 1}
    assert redis.hget(key("delivery", ids[0]), "cause") is None


def test_a_filter_by_cause_finds_counts_and_replays_exactly_those(
    store: Store, causes: Causes, server: Server, ledger: Ledger
) -> None:
    closed = {dies(store, number, f"HTTP 422: ticket {number} is closed") for number in range(4)}
    other = dies(store, 9, "HTTP 422: no")
    [first, _] = causes.most_frequent(["crm"]).rows
    wanted = Filter(connector="crm", status=DeliveryStatus.DEAD, cause=first.id)
    search, jobs = Search(connect(server.url)), Jobs(connect(server.url), made.configured)
    assert search.count(wanted) == (4, True)
    assert {str(row.delivery) for row in search.page(wanted).rows} == closed
    assert search.count(Filter(status=DeliveryStatus.DEAD, cause=first.id)) == (4, True)
    job = jobs.start("replay", wanted)
    while (job := jobs.advance(job.id)).finished is None:
        pass
    assert job.done == 4
    assert ledger.lane("crm").counts["dead"] == 1
    assert ledger.delivery(DeliveryId(other)).status is DeliveryStatus.DEAD
    assert counted(causes) == {"HTTP 422: no": 1}


def test_words_are_sealed_where_there_are_keys(server: Server, clock: Clock) -> None:
    keys = ["MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="]
    store = Store(connect(server.url, keys=keys), clock)
    dies(store, 1, "HTTP 422: Ann Novak is blocked")
    redis: Any = server.client
    assert b"Novak" not in b"".join(redis.hvals(key("cause", "crm")))
    assert counted(Causes(connect(server.url, keys=keys))) == {"HTTP 422: Ann Novak is blocked": 1}
    [without] = Causes(connect(server.url)).most_frequent(["crm"]).rows
    assert (without.cause, without.count) == (None, 1)


@pytest.mark.parametrize("seed", range(4))
def test_whatever_is_done_there_are_as_many_by_cause_as_there_are(
    seed: int, store: Store, causes: Causes, server: Server, ledger: Ledger
) -> None:
    """Each dead letter is under one cause, and nothing else is."""
    dice = random.Random(seed)
    eraser = Eraser(connect(server.url))
    for number in range(8):
        dies(store, number, f"HTTP 422: {'abc'[number % 3]}")
    redis: Any = server.client
    for _ in range(40):
        one = DeliveryId(f"crm:1:{dice.randrange(8)}")
        known = store.knows(ConversationId(one.conversation))
        status = ledger.delivery(one).status if known else None
        match dice.choice(("replay", "discard", "dies", "erase", "revision")):
            case "replay" if known:
                control(store).replay(one)
            case "discard" if status in (DeliveryStatus.DEAD, DeliveryStatus.WAITING):
                control(store).discard(one, "enough")
            case "dies" if status is DeliveryStatus.WAITING:
                claim = made.claimed(store, "crm", one.conversation)
                made.settle(store, claim, Outcome.REFUSED, status=422, error=f"HTTP 422: {dice.choice('abc')}")
            case "erase" if dice.random() < 0.2:
                eraser.conversation(one.conversation)
            case "revision":
                body = chat(int(one.conversation.channel), visitor={"name": f"Ann {dice.random()}"})
                made.conversation(store, body, crm=None)
        dead = {found.decode() for found in redis.zrange(key("deliveries", "crm", "dead"), 0, -1)}
        sorted_in = [found.decode() for name in redis.keys(key("dead", "*")) for found in redis.zrange(name, 0, -1)]
        assert sorted(sorted_in) == sorted(dead)
        assert causes.most_frequent(["crm"]).dead == len(dead)
        assert redis.hlen(key("cause", "crm")) == redis.zcard(key("causes", "crm"))
