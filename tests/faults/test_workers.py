"""How workers end and share, without any load."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from pathlib import Path

import pytest

from core.config.environment import environment
from core.delivery import Outcome
from core.errors import StoreUnavailable
from core.ids import DeliveryId, PayloadId
from core.store import INBOX, Aim, Claim, Filter, Jobs, Store, connect
from core.store.protocol.constants import SUSPECT
from core.store.protocol.keys import key
from tests.e2e.test_pipeline import config, webhook
from tests.faults.desk import Desk
from tests.faults.rig import ROOT, family
from tests.support import made
from tests.support.destination import Behaviour, Destination, Handler, Held
from tests.support.made import control
from tests.support.stack import Stack, chat, free_port, kill, until
from workers import isolation


def delivered(relay: Stack) -> int:
    return relay.ledger.lane("hook").counts["delivered"]


def test_a_worker_that_is_told_to_stop_finishes_what_it_holds(relay: Stack, destination: Destination) -> None:
    destination.behaviour = held = Held()
    relay.configure(config(hook=webhook(destination.url)))
    worker = relay.worker()
    # Far more than it could begin with before it has heard of the signal.
    for number in range(200):
        relay.store.accept(chat(f"c{number}"))
    until(lambda: len(destination.received) >= 8, what="deliveries in flight")
    worker.terminate()
    held.go.set()
    assert worker.wait(timeout=90) == 0
    lane = relay.ledger.lane("hook")
    assert lane.in_flight == 0
    assert lane.counts["delivered"] == len(destination.received) < 200
    relay.worker()
    until(lambda: delivered(relay) == 200, what="the rest")
    assert len(destination.received) == 200


def test_what_is_tried_in_a_process_of_its_own_is_finished_too(relay: Stack, destination: Destination) -> None:
    """Even where all of a group is told to stop, as by Ctrl-C and by systemd."""
    destination.behaviour = held = Held()
    relay.configure(config(hook=webhook(destination.url)))
    relay.web()
    worker = relay.worker()
    store = Store(connect(relay.server.url))
    control(store).pause("hook", "until it is under suspicion")
    relay.post(chat("c1"))
    until(lambda: relay.ledger.lane("hook").waiting, what="the delivery")
    relay.server.client.hset(key("delivery", "hook:1:c1"), "crashes", SUSPECT)
    control(store).resume("hook")
    until(lambda: destination.received, what="the attempt")
    together = family(worker)
    assert len(together) > 1
    for pid in together:
        os.kill(pid, signal.SIGTERM)
    held.go.set()
    assert worker.wait(timeout=90) == 0
    assert relay.ledger.delivery(DeliveryId("hook:1:c1")).status == "delivered"
    assert len(destination.received) == 1


def when_together(count: int) -> Behaviour:
    """Answers nobody before so many are asking at the same time."""
    there, lock, full = [0], threading.Lock(), threading.Event()

    def wait(handler: Handler, number: int) -> None:
        with lock:
            there[0] += 1
            if there[0] == count:
                full.set()
        full.wait(300)
        handler.answer(200)

    return wait


def test_two_workers_share_the_work_and_do_nothing_twice(relay: Stack, destination: Destination) -> None:
    # One more than one of them has threads: what it cannot take is left to the other.
    destination.behaviour = when_together(environment({}).concurrency + 1)
    relay.configure(config(hook=webhook(destination.url)))
    relay.web()
    relay.worker()
    relay.worker()
    for number in range(200):
        relay.post(chat(f"c{number}"))
    until(lambda: delivered(relay) == 200)
    assert sorted(destination.conversations()) == sorted(f"1:c{number}" for number in range(200))
    workers = {relay.ledger.delivery(DeliveryId(f"hook:1:c{number}")).attempts[0].worker for number in range(200)}
    assert len(workers) == 2


def test_workers_that_are_killed_while_past_chats_are_delivered_lose_none_and_repeat_none(relay: Stack) -> None:
    conversations = made.chats(relay.store, 400, archive=Outcome.DELIVERED)
    relay.environment["PYTHONPATH"] = str(ROOT)
    desk = Desk()
    own = {"type": "tests.faults.connector.Desk", "url": desk.url, "key": desk.key, "allow_networks": ["127.0.0.0/8"]}
    with desk:
        relay.configure(json.dumps({"connectors": {"archive": {"type": "archive"}, "desk": own}}))
        jobs = Jobs(connect(relay.server.url, patient=True), lambda: made.settings("archive", "desk"))
        job = jobs.start("replay", Filter(), aim=Aim("desk"))  # and whoever asked for it went away
        for share in (0, 0.2, 0.4, 0.6):
            worker = relay.run("worker")
            until(lambda wanted=share * 400: len(desk.tickets()) > wanted, 90, "past chats at the desk")  # type: ignore[misc]
            kill(worker)
        relay.worker()
        until(lambda: relay.ledger.lane("desk").counts["delivered"] == 400, 120, "all past chats")
        tickets = desk.tickets()
    job = jobs.get(job.id)
    assert (job.found, job.done, bool(job.finished)) == (400, 400, True)
    assert set(tickets) == set(conversations)
    assert [name for name, found in tickets.items() if len(found) > 1] == []
    assert relay.ledger.lane("archive").counts["delivered"] == 400


def test_an_attempt_that_the_store_left_alone_goes_on_when_it_is_back(relay: Stack) -> None:
    """Not after the half minute that a destination in trouble is given."""
    relay.configure(config(mine={"type": "tests.faults.connector.Slow"}))
    relay.environment["PYTHONPATH"] = str(ROOT)
    relay.web()
    relay.worker()
    relay.post(chat("c1"))
    until(lambda: relay.ledger.lane("mine").in_flight, what="an attempt")
    relay.server.kill()
    time.sleep(2)  # the step ends meanwhile and cannot be remembered
    relay.server.start()
    until(lambda: relay.ledger.lane("mine").counts["delivered"], what="the delivery")
    found = relay.ledger.delivery(DeliveryId("mine:1:c1"))
    assert [one.outcome for one in found.attempts] == [Outcome.DELIVERED]


def test_a_process_of_its_own_that_cannot_reach_the_store_has_not_died(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RELAY_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("RELAY_REDIS_URL", f"redis://127.0.0.1:{free_port()}")
    claim = Claim(
        INBOX, PayloadId("p1"), "token", 2, more=False, payload=PayloadId("p1"), account="", received=0, body=chat()
    )
    with pytest.raises(StoreUnavailable):
        isolation.run(claim, 60)


def test_a_chat_in_flight_while_workers_are_killed_again_and_again_is_delivered(
    relay: Stack, destination: Destination
) -> None:
    """As on a machine that runs out of memory: nothing that was in flight is to blame."""
    destination.behaviour = held = Held()
    relay.configure(config(hook=webhook(destination.url)))
    relay.web()
    relay.post(chat("c1"))
    for number in range(5):
        worker = relay.worker()

        def begun(number: int = number) -> bool:
            relay.hurry("hook")
            return len(destination.received) > number

        until(begun, what="another attempt")
        for pid in reversed(family(worker)):
            os.kill(pid, signal.SIGKILL)
        worker.wait(timeout=10)
    crashes = int(relay.server.client.hget(key("delivery", "hook:1:c1"), "crashes") or 0)
    assert crashes >= 4
    assert relay.ledger.delivery(DeliveryId("hook:1:c1")).status == "waiting"
    held.go.set()
    relay.worker()

    def delivered() -> bool:
        relay.hurry("hook")
        return relay.ledger.delivery(DeliveryId("hook:1:c1")).status == "delivered"

    until(delivered, what="the delivery")
