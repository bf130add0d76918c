"""A year is read by its days, which a worker adds up; whatever of that is done, it says what its hours say."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.store import Renames, Store, connect, statistics
from core.store.connection.client import Client
from core.store.protocol.keys import key
from core.store.statistics import Counts, Over, Stretch, connector_statistics, counts
from core.store.statistics.counts import read_bars
from core.store.statistics.spans import HOUR_MS as HOUR
from tests.conftest import Clock
from tests.support import made
from tests.support.server import Server

DAY = 24 * HOUR
#: An hour of 2026, and as many days after it as there are counts in these tests.
BEGAN, DAYS = 20_500 * DAY, 60
FIELDS = ("in:accepted", "out:crm:delivered", "out:crm:refused", "took:crm:40", "took:crm:44")


@pytest.fixture(scope="module")
def client(shared_server: Server) -> Client:
    return connect(shared_server.url)


def counts_at(client: Client, now: int) -> Counts:
    return Counts(client, lambda: now)


def slowly(client: Any, stretch: Stretch) -> list[Counter[str]]:
    """Every hour by itself."""
    found = []
    for first, end in stretch.bars:
        total: Counter[str] = Counter()
        for hour in range(first, end):
            total.update(
                {name.decode(): int(value) for name, value in client.hgetall(key("count", "hour", str(hour))).items()}
            )
        found.append(total)
    return found


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_bars_of_any_hours_are_what_their_hours_say(client: Client, data: st.DataObject) -> None:
    client.flushall()
    hours = data.draw(st.lists(st.integers(0, DAYS * 24 - 1), max_size=60), "hours in which something was counted")
    for place, hour in enumerate(hours):
        client.hincrby(key("count", "hour", str(BEGAN // HOUR + hour)), FIELDS[place % len(FIELDS)], 1 + place % 3)
    now = BEGAN + data.draw(st.integers(1, DAYS * DAY), "now")
    # Added up to somewhere in the middle of them, a day at a time.
    client.set(key("rolled-days"), BEGAN // DAY - 1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(counts, "_DAYS", 1)
        for _ in range(data.draw(st.integers(0, DAYS), "turns of a worker that adds up")):
            counts_at(client, now).add_up()
    edges = sorted(data.draw(st.sets(st.integers(0, DAYS * 24), min_size=2, max_size=12), "edges"))
    stretch = Stretch("any", HOUR, tuple(BEGAN + edge * HOUR for edge in edges))
    over: Over = {}
    assert read_bars(client, stretch, now, over) == slowly(client, stretch)
    assert read_bars(client, stretch, now, over) == slowly(client, stretch)
    # Later, more of it is over.
    assert read_bars(client, stretch, now + 40 * DAY, over) == slowly(client, stretch)


def test_days_are_added_up_once_they_are_over_and_read_as_a_whole(server: Server, clock: Clock) -> None:
    client = connect(server.url)
    clock.now -= clock.now % DAY
    today = clock.now // DAY
    for hour in range(24 * (today - 3), 24 * (today + 1)):
        client.hset(key("count", "hour", str(hour)), mapping={"in:accepted": 2, "out:crm:delivered": 1})
    adding = Counts(client, clock)
    while adding.add_up():
        pass
    assert not client.exists(key("count", "day", str(today - 1))), "the last hour of it may be counted still"
    clock.pass_by(3_600)
    while adding.add_up():
        pass
    day = key("count", "day", str(today - 1))
    assert client.hgetall(day) == {b"in:accepted": b"48", b"out:crm:delivered": b"24"}
    assert not client.exists(key("count", "day", str(today)))
    assert 399 * DAY < client.pttl(day) <= 400 * DAY
    # By the day, not by its hours.
    client.hset(day, "in:accepted", 50)
    stretch = Stretch("days", HOUR, tuple(DAY * (today + ahead) for ahead in (-2, -1, 0, 1)))
    assert [bar.accepted for bar in statistics(client, stretch, clock.now).bars] == [48, 50, 48]
    assert connector_statistics(client, "crm", stretch, clock.now).whole.delivered == 72


def test_a_clock_that_was_wrong_for_a_while_hides_nothing(server: Server, clock: Clock) -> None:
    client = connect(server.url)
    clock.now -= clock.now % DAY
    today = clock.now // DAY
    while Counts(client, lambda: clock.now + 90 * DAY).add_up():
        pass
    hour = key("count", "hour", str(24 * today + 3))
    client.hset(hour, "in:accepted", 7)
    stretch = Stretch("day", HOUR, (DAY * today, DAY * (today + 1)))
    clock.pass_by(5 * 86_400)
    assert [bar.accepted for bar in statistics(client, stretch, clock.now).bars] == [7]
    while Counts(client, clock).add_up():
        pass
    assert client.hgetall(key("count", "day", str(today))) == {b"in:accepted": b"7"}
    assert [bar.accepted for bar in statistics(client, stretch, clock.now).bars] == [7]


def test_a_day_that_was_added_up_by_a_clock_that_was_ahead_is_added_up_anew(server: Server, clock: Clock) -> None:
    client = connect(server.url)
    clock.now -= clock.now % DAY - 10 * HOUR
    today = clock.now // DAY
    client.hset(key("count", "hour", str(24 * today + 9)), "in:accepted", 7)
    while Counts(client, lambda: clock.now + 2 * DAY).add_up():
        pass
    client.hset(key("count", "hour", str(24 * today + 15)), "in:accepted", 100)
    for _ in range(72):
        clock.pass_by(3_600)
        while Counts(client, clock).add_up():
            pass
    day = Stretch("day", HOUR, (DAY * today, DAY * (today + 1)))
    assert [bar.accepted for bar in statistics(client, day, clock.now).bars] == [107]
    morning = Stretch("morning", HOUR, (DAY * today, DAY * today + 15 * HOUR, DAY * (today + 1)))
    assert [bar.accepted for bar in statistics(client, morning, clock.now).bars] == [7, 100]


def test_what_is_over_follows_a_renamed_connector_soon(server: Server, clock: Clock) -> None:
    client, over = connect(server.url), Over()
    clock.now -= clock.now % DAY
    today = clock.now // DAY
    client.sadd(key("connectors"), "old")
    client.hset(key("count", "hour", str(24 * today - 30)), "out:old:delivered", 4)
    stretch = Stretch("days", HOUR, tuple(DAY * (today + ahead) for ahead in (-2, -1, 0)))
    assert connector_statistics(client, "old", stretch, clock.now, over).whole.delivered == 4
    names = Renames(client, clock)
    names.adopt(made.settings("new", formerly={"new": ["old"]}))
    clock.pass_by(120)
    assert names.finish(60) == [("old", "new")]
    assert connector_statistics(client, "new", stretch, clock.now, over).whole.delivered == 4
    assert connector_statistics(client, "old", stretch, clock.now, over).whole.delivered == 0


def test_a_day_that_was_added_up_follows_a_renamed_connector(server: Server, clock: Clock, store: Store) -> None:
    client = connect(server.url)
    clock.now -= clock.now % DAY - HOUR
    day = clock.now // DAY - 1
    client.sadd(key("connectors"), "old")
    client.hset(key("count", "hour", str(24 * day + 5)), "out:old:delivered", 4)
    while Counts(client, clock).add_up():
        pass
    names = Renames(client, clock)
    names.adopt(made.settings("new", formerly={"new": ["old"]}))
    clock.pass_by(120)
    assert names.finish(60) == [("old", "new")]
    assert client.hgetall(key("count", "day", str(day))) == {b"out:new:delivered": b"4"}


def test_bars_that_are_over_are_read_once_and_only_so_many_are_kept(server: Server, clock: Clock) -> None:
    client, over = connect(server.url), Over()
    clock.now -= clock.now % DAY
    first = clock.now // HOUR - 24 * 30
    name = key("count", "hour", str(first))
    client.hset(name, "in:accepted", 1)
    stretch = Stretch("month", HOUR, tuple((first + 24 * ahead) * HOUR for ahead in range(31)))
    assert read_bars(client, stretch, clock.now, over)[0] == Counter({"in:accepted": 1})
    client.delete(name)
    assert read_bars(client, stretch, clock.now, over)[0] == Counter({"in:accepted": 1})
    for begin, end in pairwise(range(first - 2_000, first)):
        read_bars(client, Stretch("hour", HOUR, (begin * HOUR, end * HOUR)), clock.now, over)
    assert len(over) == 256
    assert read_bars(client, stretch, clock.now, over)[0] == Counter()
