"""`relay up` behind its hook: random processes of it are killed while chats come in over HTTP."""

from __future__ import annotations

import os
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from redis.exceptions import RedisError

from core.delivery import DeliveryStatus
from core.errors import StoreUnavailable
from core.store import Ledger
from core.store.protocol.constants import SUSPECT
from core.store.protocol.keys import key
from tests.e2e.test_pipeline import webhook
from tests.faults import books
from tests.faults.account import KILLS, LONG, Kills
from tests.faults.desk import Desk
from tests.faults.load import Load, Post
from tests.faults.rig import slowly
from tests.faults.rows import DIED
from tests.faults.service import APART, STANDING, Service
from tests.support.destination import Destination
from tests.support.stack import until

ROUNDS = int(os.environ.get("RELAY_FAULTS_KILLS") or (200 if LONG else 15))
#: Seconds without any post that is accepted: on a machine of its own, as for the table; and beside others.
GAP = 20.0 if os.environ.get("RELAY_FAULTS_WRITE") else 60.0 if LONG else 90.0
LANES = ("inbox", "desk", "hook")

pytestmark = pytest.mark.skipif(not Path("/proc").exists(), reason="looks at processes through /proc, which is Linux's")


class Face:
    """The service, its two destinations, and those who post to it."""

    def __init__(self, service: Service, desk: Desk, hook: Destination) -> None:
        self.service, self.desk, self.hook = service, desk, hook
        self.killed: Counter[str] = Counter()
        self.returned = 0.0

    @property
    def ledger(self) -> Ledger:
        return self.service.ledger

    def kill(self, kind: str) -> None:
        """One of this kind. Whatever runs all the time has to come back by itself, as another process."""
        before = self.service.processes().get(kind)
        if not before:  # an isolated child that has just ended
            return
        victim, since = random.choice(before), time.monotonic()
        try:
            self.service.kill(victim)
        except ProcessLookupError:
            return
        self.killed[kind] += 1
        if kind not in STANDING:
            return
        until(lambda: self._is_back(kind, victim), 120, what=f"{kind}, back")
        self.returned = max(self.returned, time.monotonic() - since)

    def until_one_is_apart(self) -> None:
        """A worker tries a delivery in a process of its own when others have died of it, which chance seldom brings."""

        def apart() -> bool:
            with suppress(RedisError):
                waiting: Any = self.service.client.zrange(key("lane", "desk"), 0, 2)
                for delivery in waiting:
                    self.service.client.hset(key("delivery", delivery.decode()), "crashes", SUSPECT)
            return APART in self.service.processes()

        until(apart, 120, what="a process of its own")

    def _is_back(self, kind: str, victim: int) -> bool:
        found = self.service.processes().get(kind, [])
        return victim not in found and len(found) >= STANDING[kind]

    def until_stands(self) -> None:
        def stands() -> bool:
            try:
                return self.service.stands()
            except StoreUnavailable:
                return False

        try:
            until(stands, 120, what="every process")
        except AssertionError as late:
            there = self.service.processes()
            raise AssertionError(f"{late}: {there}; {self.service.log()[-3000:]}") from None

    def until_settled(self) -> None:
        def settled() -> bool:
            lanes = [self.ledger.lane(name) for name in LANES]
            return not any(lane.waiting + lane.in_flight for lane in lanes)

        until(settled, 180, what="everything settled")


@pytest.fixture
def face(tmp_path: Path) -> Iterator[Face]:
    with ExitStack() as opened:
        desk, hook = Desk(), opened.enter_context(Destination())
        opened.enter_context(desk)
        hook.behaviour = slowly
        own = {"type": "tests.faults.connector.Desk", "url": desk.url, "key": desk.key, "timeout": 3}
        connectors = {"desk": {**own, "allow_networks": ["127.0.0.0/8"]}, "hook": webhook(hook.url)}
        yield Face(opened.enter_context(Service(tmp_path / "relay", connectors)), desk, hook)


def longest_gap(posts: list[Post]) -> float:
    """Seconds in which no post was accepted."""
    times = sorted(one.at for one in posts if one.accepted)
    return max((later - earlier for earlier, later in pairwise(times)), default=0.0)


def chosen(face: Face) -> str:
    """Any kind of process, each as often."""
    kind = random.choice([*STANDING, APART])
    if kind == APART:
        face.until_one_is_apart()
    return kind


def test_every_process_comes_back_and_nothing_is_lost(
    face: Face, record_property: Callable[[str, object], None]
) -> None:
    face.until_stands()
    with Load(face.service.hook, "u") as load:
        until(lambda: load.accepted() >= 10 and len(face.desk.received) >= 10, what="work going on")
        kinds = list(STANDING)  # each of them once, whatever the dice say
        while face.killed.total() < ROUNDS:
            face.kill(kinds.pop() if kinds else chosen(face))
            load.until_accepted(180)
            time.sleep(random.uniform(0, 0.5))
        load.until_accepted(180)
        face.until_stands()
    face.until_settled()
    # Who died of three kills is given up, in plain sight, and delivered once somebody says so.
    unlucky = [one for one in face.ledger.deliveries(DeliveryStatus.DEAD, limit=books.ALL) if one.error == DIED]
    for one in unlucky:
        face.service.command("replay", one.id)
    face.until_settled()
    found = balance(face, load)
    record_property(
        KILLS,
        asdict(
            Kills(
                kills=dict(face.killed),
                posts=len(load.posts),
                gap=longest_gap(load.posts),
                back=face.returned,
                given_up=len(unlucky),
                **found,
            )
        ),
    )
    assert (found["lost"], found["duplicates"], found["disordered"]) == (0, 0, 0)
    assert found["kept"] == found["delivered"] + found["dead"] + found["quarantined"]
    assert found["accepted"] <= found["kept"] <= len(load.posts)
    assert longest_gap(load.posts) <= GAP
    assert set(face.killed) >= {*STANDING, APART} if LONG else set(STANDING)
    assert face.service.fallen == 0, face.service.log()[-3000:]
    innocent = [one for one in face.ledger.deliveries(DeliveryStatus.DEAD, limit=books.ALL) if "422" not in one.error]
    assert innocent == []


def balance(face: Face, load: Load) -> dict[str, int]:
    """What the senders were told, what the store says, and what is at the destinations."""
    desk, hook = books.read(face.ledger, "desk"), books.read(face.ledger, "hook")
    expected = books.newest(face.ledger, desk, load.posts)
    absent, disordered, duplicates = books.at_desk(face.desk, face.ledger, expected)
    absent_too, disordered_too, repeats = books.at_hook(face.hook, expected)
    lost = [*books.lost(desk, load.posts), *books.lost(hook, load.posts), *absent, *absent_too]
    print("lost", lost, "out of order", disordered, disordered_too, sep="\n")  # noqa: T201  # pytest shows it on failure
    return {
        "accepted": len({one.id for one in load.posts if one.accepted}),
        "kept": desk.kept,
        "delivered": desk.classes["delivered"],
        "dead": desk.classes["dead"],
        "quarantined": desk.classes["quarantined"],
        "lost": len(lost),
        "duplicates": duplicates,
        "disordered": len(disordered) + len(disordered_too),
        "repeats": repeats,
    }
